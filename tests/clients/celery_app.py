"""The tasks of `celery_program.py`, which both the worker and whoever calls them import. The server is named by `SERVER_URL`."""

import os

import celery
import redis

URL = os.environ["SERVER_URL"]

app = celery.Celery("tasks", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_track_started=True,
    broker_transport_options={
        # After so long, what a worker has taken and not confirmed goes to another one.
        "visibility_timeout": float(os.environ.get("VISIBILITY_SECONDS", "3600")),
        "socket_timeout": 60,
    },
)


@app.task
def add(first, second):
    return first + second


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def refuse(reason):
    raise ValueError(reason)


@app.task(bind=True, max_retries=3)
def insist(self):
    """Fails twice."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.05)
    return self.request.retries


@app.task(acks_late=True)
def hold(name):
    """Says on one list that it has begun, and ends when something is on another."""
    client = redis.Redis.from_url(URL)
    client.rpush(f"begun:{name}", os.getpid())
    return client.blpop(f"go:{name}", timeout=60)[1].decode()

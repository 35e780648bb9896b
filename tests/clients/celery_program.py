"""Celery against a server, which is its broker and keeps its results: `celery_program.py URL`.

It starts and ends the workers itself. Succeeds if every task comes to the end that it has to come to.
"""

import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["SERVER_URL"] = sys.argv[1]

import celery
import redis
from celery.exceptions import ChordError, TaskRevokedError
from celery_app import add, app, hold, insist, refuse, total
from harness import PATIENCE_SECONDS, eventually, refuses



class Worker:
    """A worker with two processes for its tasks; in a process group of its own, so that none of them stays behind."""

    def __init__(self, name, *arguments, **environment):
        self.log = tempfile.TemporaryFile("w+")
        words = f"worker --hostname {name}@host --concurrency 2 --loglevel INFO --task-events".split()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "--app", "celery_app", *words, *arguments],
            cwd=Path(__file__).parent,
            env=os.environ | environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, failure, trace):
        self.kill()
        if failure is not None:
            self.log.seek(0)
            print(self.log.read())

    def wait_until_it_answers(self):
        eventually(lambda: app.control.ping(limit=1, timeout=0.3))

    def end(self):
        """It gives back what it has not begun, and ends what it has."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_SECONDS) == 0

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def main():
    # Whoever ends this program before its time is to end the workers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("it has taken too long"))
    server = redis.Redis.from_url(sys.argv[1])
    server.flushall()
    early = add.delay(1, 2)
    with Worker("first") as worker:
        assert result(early) == 3
        worker.wait_until_it_answers()
        revoked = add.apply_async((1, 1), countdown=2)
        revoked.revoke()
        ends_and_failures()
        moments()
        canvases()
        remote_control(server)
        refuses(TaskRevokedError, lambda: result(revoked))
        # The worker keeps hold of it until its time, however early that is known.
        eventually(lambda: server.zcard("unacked_index") == 0)
        in_hand = hold.delay("killed")
        eventually(lambda: server.llen("begun:killed") == 1)
        worker.kill()
    takes_over(server, in_hand)


def ends_and_failures():
    assert result(add.delay("größe", "!")) == "größe!"
    failed = refuse.delay("for a reason")
    refuses(ValueError, lambda: result(failed))
    assert failed.state == "FAILURE" and "for a reason" in failed.traceback
    assert result(insist.delay()) == 2
    urgent = [add.apply_async((number, 1), priority=number) for number in range(10)]
    assert [result(each) for each in urgent] == list(range(1, 11))
    urgent[0].forget()
    assert urgent[0].state == "PENDING"
    assert [result(add.s(number, 0).apply_async(ignore_result=True)) for number in range(3)] == [None] * 3
    large = "x" * 1_000_000
    assert result(add.delay(large, large)) == large + large


def moments():
    due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=0.3)
    later = add.apply_async((2, 2), eta=due)
    assert result(later) == 4
    done = later.date_done.replace(tzinfo=later.date_done.tzinfo or datetime.timezone.utc)
    assert done >= due, (done, due)
    too_late = add.apply_async((2, 2), expires=due)
    refuses(TaskRevokedError, lambda: result(too_late))


def canvases():
    numbers = list(range(40))
    assert result(celery.group(add.s(number, number) for number in numbers)()) == [2 * number for number in numbers]
    assert result(celery.chain(add.s(1, 2), add.s(3), add.s(4))()) == 10
    assert result(celery.chord(add.s(number, 1) for number in numbers)(total.s())) == sum(numbers) + len(numbers)
    assert result(celery.chord([insist.s(), add.s(1, 1)])(total.s())) == 4
    broken = celery.chord([add.s(1, 1), refuse.s("one of them")])(total.s())
    eventually(broken.failed)
    # Asked for by name: `get` would raise that of the part instead, if it hears of it first.
    assert isinstance(broken.result, ChordError) and "one of them" in str(broken.result)
    nested = celery.chain(celery.group(add.s(1, 1), add.s(2, 2)), total.s(), add.s(100))
    assert result(nested()) == 106


def remote_control(server):
    running = hold.delay("revoked")
    eventually(lambda: server.llen("begun:revoked") == 1)
    assert running.state == "STARTED"
    running.revoke(terminate=True, signal="SIGKILL")
    refuses(TaskRevokedError, lambda: result(running))
    assert app.control.ping(limit=1, timeout=PATIENCE_SECONDS) == [{"first@host": {"ok": "pong"}}]


def takes_over(server, in_hand):
    """The second worker gets what the killed one has left, and gives back what it does not come to itself."""
    eventually(lambda: server.zcard("unacked_index") == 1)
    # It may take it over when it has been out for longer than this.
    eventually(lambda: time.time() > server.zrange("unacked_index", 0, 0, withscores=True)[0][1] + 0.3)
    # There is no other worker that it could ask for its clock.
    arguments = ("--pool", "threads", "--without-mingle", "--without-gossip")
    with Worker("second", *arguments, VISIBILITY_SECONDS="0.3") as worker:
        eventually(lambda: server.llen("begun:killed") == 2)
        server.rpush("go:killed", "done")
        assert result(in_hand) == "done"
        worker.wait_until_it_answers()
        add.apply_async((1, 2), countdown=3600)
        eventually(lambda: server.llen("celery") == 0 and server.hlen("unacked") == 1)
        worker.end()
    assert server.llen("celery") == 1 and server.exists("unacked", "unacked_index", "unacked_mutex") == 0
    assert app.control.purge() == 1 and server.llen("celery") == 0


def result(promise):
    return promise.get(timeout=PATIENCE_SECONDS)


if __name__ == "__main__":
    main()

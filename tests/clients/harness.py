"""What the scripts of this folder share."""

import time

from redis.maint_notifications import MaintNotificationsConfig

# What redis-py asks every server at connecting, to learn whether it has a feature of Redis 8; a refusal is expected.
NO_PROBE = MaintNotificationsConfig(enabled=False)
PATIENCE_SECONDS = 60


def refuses(error, call):
    try:
        call()
    except error as refusal:
        assert type(refusal) is error, repr(refusal)
    else:
        raise AssertionError(f"no {error.__name__}")


def eventually(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.002)

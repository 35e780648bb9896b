"""The lock of redis-py against a server: `lock.py URL`. Succeeds if it excludes, ends and changes hands as it says.

Whoever holds it is the only one who is let in; that, and who may release it, is decided by scripts on the server.
"""

import asyncio
import sys
import threading
import time

import redis
import redis.asyncio
from redis.exceptions import LockError, LockNotOwnedError

from harness import NO_PROBE, PATIENCE_SECONDS, eventually, refuses

COMPETITORS = 32
ROUNDS = 5


def main():
    url = sys.argv[1]
    for protocol in (2, 3):
        client = redis.Redis.from_url(url, protocol=protocol, maint_notifications_config=NO_PROBE)
        client.flushall()
        client.script_flush()
        excludes(client)
        lasts_as_long_as_it_is_told(client)
        belongs_to_one(client)
        waits_no_longer_than_it_may(client)
        is_handed_on(client)
        survives_the_loss_of_its_scripts(client)
        client.close()
        asyncio.run(asynchronous(url, protocol))


def excludes(client):
    """What it guards would lose counts, and does so without it: a number is read, and written in a second command."""
    client.set("count", 0)
    inside = []

    def compete():
        for _ in range(ROUNDS):
            with client.lock("guard", timeout=PATIENCE_SECONDS, blocking_timeout=PATIENCE_SECONDS, sleep=0.002):
                inside.append(threading.get_ident())
                client.set("count", int(client.get("count")) + 1)
                assert inside == [threading.get_ident()], inside
                inside.clear()

    together([compete] * COMPETITORS)
    assert int(client.get("count")) == COMPETITORS * ROUNDS, client.get("count")
    assert client.exists("guard") == 0


def lasts_as_long_as_it_is_told(client):
    lock = client.lock("guard", timeout=10)
    assert lock.acquire() and 9_000 < client.pttl("guard") <= 10_000
    assert lock.extend(10) and 19_000 < client.pttl("guard") <= 20_000
    assert lock.extend(5, replace_ttl=True) and 4_000 < client.pttl("guard") <= 5_000
    assert lock.reacquire() and 9_000 < client.pttl("guard") <= 10_000
    assert lock.locked() and lock.owned()
    lock.release()
    assert not lock.locked() and not lock.owned()
    endless = client.lock("guard")
    assert endless.acquire() and client.pttl("guard") == -1
    refuses(LockError, lambda: endless.extend(10))
    endless.release()
    short = client.lock("guard", timeout=0.02)
    assert short.acquire()
    eventually(lambda: not short.locked())
    for call in (lambda: short.extend(10), short.reacquire, short.release):
        refuses(LockNotOwnedError, call)


def belongs_to_one(client):
    mine, theirs = client.lock("guard", timeout=10), client.lock("guard", timeout=10)
    assert mine.acquire(token="größe") and client.get("guard") == "größe".encode()
    assert theirs.acquire(blocking=False) is False and theirs.locked() and not theirs.owned()
    refuses(LockError, theirs.release)
    # As if ours had ended meanwhile and somebody else had taken it.
    client.set("guard", "another", px=10_000)
    for call in (lambda: mine.extend(10), mine.reacquire, mine.release):
        refuses(LockNotOwnedError, call)
    assert client.get("guard") == b"another" and 0 < client.pttl("guard") <= 10_000
    client.delete("guard")


def waits_no_longer_than_it_may(client):
    holder = client.lock("guard", timeout=PATIENCE_SECONDS)
    assert holder.acquire()
    started = time.monotonic()
    assert client.lock("guard", blocking_timeout=0.2, sleep=0.01).acquire() is False
    assert time.monotonic() - started >= 0.18
    refuses(LockError, client.lock("guard", blocking_timeout=0.02, sleep=0.01).__enter__)
    holder.release()


def is_handed_on(client):
    """One who waits gets it when it is released, and when its time is over."""
    for timeout, end in [(PATIENCE_SECONDS, lambda lock: lock.release()), (0.05, lambda lock: None)]:
        holder = client.lock("guard", timeout=timeout)
        assert holder.acquire()
        tried = threading.Event()

        def wait():
            waiting = client.lock("guard", timeout=10, sleep=0.005)
            if timeout == PATIENCE_SECONDS:
                assert waiting.acquire(blocking=False) is False
            tried.set()
            assert waiting.acquire(blocking_timeout=PATIENCE_SECONDS)
            waiting.release()

        def let_go():
            assert tried.wait(PATIENCE_SECONDS)
            end(holder)

        together([wait], meanwhile=let_go)


def survives_the_loss_of_its_scripts(client):
    lock = client.lock("guard", timeout=10)
    for call in (lambda: lock.extend(1), lock.reacquire, lock.release):
        if not lock.owned():
            assert lock.acquire()
        client.script_flush()
        call()
    assert not lock.locked()
    assert client.script_exists(lock.lua_release.sha, lock.lua_extend.sha) == [True, False]


async def asynchronous(url, protocol):
    client = redis.asyncio.Redis.from_url(url, protocol=protocol, maint_notifications_config=NO_PROBE)
    await client.set("count", 0)

    async def compete():
        for _ in range(2):
            async with client.lock("guard", timeout=PATIENCE_SECONDS, blocking_timeout=PATIENCE_SECONDS, sleep=0.002):
                await client.set("count", int(await client.get("count")) + 1)

    await asyncio.gather(*(compete() for _ in range(COMPETITORS)))
    assert int(await client.get("count")) == 2 * COMPETITORS
    await client.aclose()


def together(works, meanwhile=lambda: None):
    """Runs each of them in a thread of its own, and raises the first thing that went wrong."""
    failures = []

    def guarded(work):
        try:
            work()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    main()

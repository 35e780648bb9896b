#!/usr/bin/env python3
"""Locks, semaphores and latches from Python: several workers, one of which dies and one of which is too slow.

redis-py knows nothing of these commands, and need not: `execute_command` sends any.

    cargo run --release                                           # in one terminal
    python3 -m venv .venv && .venv/bin/pip install redis
    .venv/bin/python examples/locks/locks.py                      # in another
"""

import argparse
import sys
import threading

import redis


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=6379, help="port of the server on this machine")
    parser.add_argument("--url", help="where the server is, instead: redis://:password@host:port/database")
    arguments = parser.parse_args()
    url = arguments.url or f"redis://127.0.0.1:{arguments.port}/"

    def connect():
        return redis.Redis.from_url(url, decode_responses=True, protocol=2, single_connection_client=True)

    client = connect()
    try:
        client.ping()
    except redis.ConnectionError:
        sys.exit(f"No server answers at {url}. Start one: cargo run --release")
    client.delete("example:counter", "example:lock", "example:slots", "example:ready")
    count_together(connect)
    lose_a_holder(connect)
    stop_a_slow_one(connect)
    share_three_slots(connect)
    start_together(connect)
    client.delete("example:counter", "example:lock", "example:slots", "example:ready")


def fields(reply):
    """A map of the reply, which is flat in RESP2."""
    return dict(zip(reply[::2], reply[1::2]))


def count_together(connect):
    """Reading and writing in two steps is safe under a lock."""

    def work(owner):
        client = connect()
        for _ in range(100):
            client.execute_command("LOCK.ACQUIRE", "example:lock", owner, "WAIT", 10_000)
            client.set("example:counter", int(client.get("example:counter") or 0) + 1)
            client.execute_command("LOCK.RELEASE", "example:lock", owner)

    in_threads([lambda owner=f"worker:{n}": work(owner) for n in range(4)])
    print(f"1. Four workers have counted to {connect().get('example:counter')}")


def lose_a_holder(connect):
    """A lock that is held with SESSION goes on to the next one when the connection of its holder ends."""
    dying, living = connect(), connect()
    dying.execute_command("LOCK.ACQUIRE", "example:lock", "dying", "SESSION")
    dying.close()
    living.execute_command("LOCK.ACQUIRE", "example:lock", "living", "WAIT", 10_000)
    print("2. The lock of a dead worker has passed on at once")
    living.execute_command("LOCK.RELEASE", "example:lock", "living")


def stop_a_slow_one(connect):
    """No lock service can tell a slow process from a dead one: what counts is the fence."""
    slow, quick = connect(), connect()
    old = fields(slow.execute_command("LOCK.ACQUIRE", "example:lock", "slow", "LEASE", 20))["fence"]
    new = fields(quick.execute_command("LOCK.ACQUIRE", "example:lock", "quick", "WAIT", 10_000))["fence"]
    quick.execute_command("LOCK.GUARD", "example:lock", new, "SET", "example:counter", "by the quick one")
    try:
        slow.execute_command("LOCK.GUARD", "example:lock", old, "SET", "example:counter", "by the slow one")
    except redis.ResponseError as error:
        print(f"3. The slow worker is refused: {error}")
    assert quick.get("example:counter") == "by the quick one"
    quick.execute_command("LOCK.RELEASE", "example:lock", "quick")


def share_three_slots(connect):
    """A semaphore lets so many in at a time."""
    connect().execute_command("SEM.CREATE", "example:slots", 3)
    inside, most, guard = 0, 0, threading.Lock()

    def work(owner):
        nonlocal inside, most
        client = connect()
        permit = fields(client.execute_command("SEM.ACQUIRE", "example:slots", owner, "WAIT", 10_000))["permit"]
        with guard:
            inside += 1
            most = max(most, inside)
        client.ping()
        with guard:
            inside -= 1
        client.execute_command("SEM.RELEASE", "example:slots", permit)

    in_threads([lambda owner=f"worker:{n}": work(owner) for n in range(12)])
    assert most <= 3
    print(f"4. Twelve workers have shared three slots; at most {most} were in there at a time")


def start_together(connect):
    """A latch opens when everybody is ready, and who waits need not be there first."""

    def work():
        client = connect()
        client.execute_command("LATCH.DOWN", "example:ready")
        return client.execute_command("LATCH.AWAIT", "example:ready", "WAIT", 10_000)

    connect().execute_command("LATCH.SET", "example:ready", 5, "TTL", 60_000)
    in_threads([work] * 5)
    print("5. Five workers have waited for each other")


def in_threads(works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()

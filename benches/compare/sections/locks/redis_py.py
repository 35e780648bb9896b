"""Locks through redis-py: `queue|polling PORT CLIENTS SECONDS` prints a figure a line, in the order of `main`.

`polling` is its own Lock, which a client gets by trying again and again; `queue` is LOCK.ACQUIRE and LOCK.RELEASE.
"""

import sys
import threading
import time
import uuid

import redis

LEASE_SECONDS = 30
DEFAULT_PAUSE, SHORT_PAUSE = 0.1, 0.001
GATHERING_SECONDS = 0.03


def main():
    kind, port, clients, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    lock = {"queue": Queued, "polling": Polled}[kind]

    def crowd(pause):
        return [lock(port, "contended", pause) for _ in range(clients)]

    print(alone(lock(port, "alone", DEFAULT_PAUSE), seconds))
    for pause in (DEFAULT_PAUSE, SHORT_PAUSE):
        laps = max(1, int(5 * seconds))
        print(hand_offs(lock(port, "contended", pause), crowd(pause), pause if kind == "polling" else 0, laps))
    print(*back_at_once(crowd(DEFAULT_PAUSE), 2 * seconds), sep="\n")


class Polled:
    def __init__(self, port, name, pause):
        self.lock = redis.Redis(port=port).lock(name, timeout=LEASE_SECONDS, sleep=pause, thread_local=False)
        self.lock.locked()

    def acquire(self):
        assert self.lock.acquire()

    def release(self):
        self.lock.release()


class Queued:
    def __init__(self, port, name, _):
        self.client, self.name, self.fence = redis.Redis(port=port), name, 0
        self.client.ping()

    def acquire(self):
        self.owner = uuid.uuid1().hex
        options = ("LEASE", LEASE_SECONDS * 1000, "WAIT", 0)
        reply = self.client.execute_command("LOCK.ACQUIRE", self.name, self.owner, *options)
        assert reply[b"fence"] > self.fence, reply
        self.fence = reply[b"fence"]

    def release(self):
        assert self.client.execute_command("LOCK.RELEASE", self.name, self.owner) == 0


class Room:
    """Fails whoever finds somebody else in there."""

    def __init__(self):
        self.inside = []

    def visit(self, lock):
        lock.acquire()
        self.inside.append(lock)
        assert self.inside == [lock], "two holders"
        self.inside.clear()
        lock.release()


def alone(lock, seconds):
    pairs, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        lock.acquire()
        lock.release()
        pairs += 1
    return pairs / (time.perf_counter() - begun)


def hand_offs(holder, locks, pause, laps):
    """From the release of a lock for which all wait, until each has had it once."""
    spent = 0
    for _ in range(laps):
        room, gathering, ends = Room(), threading.Barrier(len(locks) + 1), []

        def wait(number, lock):
            gathering.wait()
            # Clients that know nothing of each other do not try at the same instant.
            time.sleep(pause * number / len(locks))
            room.visit(lock)
            ends.append(time.perf_counter())

        holder.acquire()
        threads = [started(wait, number, lock) for number, lock in enumerate(locks)]
        gathering.wait()
        time.sleep(2 * pause + GATHERING_SECONDS)
        begun = time.perf_counter()
        holder.release()
        for thread in threads:
            thread.join()
        assert len(ends) == len(locks), "somebody has failed"
        spent += max(ends) - begun
    return laps * len(locks) / spent


def back_at_once(locks, seconds):
    room, over, counts, waits = Room(), threading.Event(), [], []

    def compete(lock):
        pairs, longest = 0, 0
        while not over.is_set():
            begun = time.perf_counter()
            room.visit(lock)
            longest = max(longest, time.perf_counter() - begun)
            pairs += not over.is_set()
        counts.append(pairs)
        waits.append(longest)

    threads = [started(compete, lock) for lock in locks]
    time.sleep(seconds)
    over.set()
    for thread in threads:
        thread.join()
    assert len(counts) == len(locks), "somebody has failed"
    return sum(counts) / seconds, max(waits) * 1000


def started(work, *arguments):
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    return thread


main()

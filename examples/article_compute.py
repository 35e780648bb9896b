#!/usr/bin/env python3
"""The task of `article.py`, with the server doing the summing.

There a worker fetches the operands of every subtask and adds them itself: two round trips for each. Here the operands
are the fields of a hash, and one COMPUTE.AGGREGATE adds those of all subtasks where they are, on all cores of the
server, while other clients are served.

    cargo run --release                                           # in one terminal
    python3 -m venv .venv && .venv/bin/pip install redis
    .venv/bin/python examples/article_compute.py                  # in another
"""

import argparse
import json
import sys

import redis

TASK = "sums"
OPERANDS = [(1, 2), (30, 4), (500, 63)]


def main():
    url = read_arguments()
    # Protocol 3, because there a map arrives as a dictionary.
    client = redis.Redis.from_url(url, decode_responses=True, protocol=3)
    try:
        client.ping()
    except redis.ConnectionError:
        sys.exit(f"No server answers at {url}. Start one: cargo run --release")
    print(f"Connected to {url}")
    store_task(client)
    work(client)
    print(f"5. GET {TASK}:result answers {client.get(f'{TASK}:result')}")


def store_task(client):
    """What the client does that wants something computed."""
    task = {"name": TASK, "params": json.dumps({"operation": "add"}), "result": ""}
    client.hset(TASK, mapping=task)
    print(f"1. HSET {TASK} stores the task: {client.hgetall(TASK)}")

    for number, (left, right) in enumerate(OPERANDS, start=1):
        client.hset(f"{TASK}:subtask:{number}", mapping={"left": left, "right": right})
    print(f"2. HSET {TASK}:subtask:* stores the operands of its {len(OPERANDS)} subtasks")


def work(client):
    """What is left of the worker."""
    # Two sums over the same hashes in one pass. FUZZY says that a key which is written meanwhile may count with its
    # old or its new value; nobody writes here, so the sums are exact.
    command = [
        "COMPUTE.AGGREGATE", f"{TASK}:subtask:*", "TYPE", "hash",
        "REDUCE", "SUM", 1, "h.left", "AS", "left",
        "REDUCE", "SUM", 1, "h.right", "AS", "right",
        "ISOLATION", "FUZZY",
    ]
    print(f"3. {' '.join(map(str, command))}")
    answer = client.execute_command(*command)
    sums = answer["rows"][0]
    print(f"   answers {sums} from {answer['matched']} subtasks, isolation {answer['isolation']}")
    client.set(f"{TASK}:result", sums["left"] + sums["right"])
    print(f"4. SET {TASK}:result stores the sum of all")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=6379, help="port of the server on this machine")
    parser.add_argument("--url", help="where the server is, instead: redis://:password@host:port/database")
    arguments = parser.parse_args()
    return arguments.url or f"redis://127.0.0.1:{arguments.port}/0"


if __name__ == "__main__":
    main()

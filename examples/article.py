#!/usr/bin/env python3
"""A distributed task with plain Redis commands: the program that Shardis is made for.

A task is a hash under its name, its subtasks are a list of names, and every subtask is a list of two operands.
Whoever works on it reads the operands, adds them, and stores each result under a key of its own. Nothing here is
particular to Shardis; `article_compute.py` beside it leaves the summing to the server.

    cargo run --release                                           # in one terminal
    python3 -m venv .venv && .venv/bin/pip install redis
    .venv/bin/python examples/article.py                          # in another
"""

import argparse
import json
import sys
import warnings

import redis

# The task is stored with HMSET, as the older programs do it; the library would rather have us call HSET.
warnings.filterwarnings("ignore", message=".*hmset", category=DeprecationWarning)

TASK = "sums"
OPERANDS = [(1, 2), (30, 4), (500, 63)]


def main():
    url = read_arguments()
    client = redis.Redis.from_url(url, decode_responses=True)
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
    subtasks = [f"{TASK}:{number}" for number in range(1, len(OPERANDS) + 1)]
    client.delete(f"{TASK}:subtasks", f"{TASK}:result", *subtasks)

    task = {"name": TASK, "params": json.dumps({"operation": "add"}), "result": ""}
    client.hmset(TASK, task)
    print(f"1. HMSET {TASK} stores the task: {client.hgetall(TASK)}")

    for subtask, operands in zip(subtasks, OPERANDS):
        client.rpush(subtask, *operands)
    client.rpush(f"{TASK}:subtasks", *subtasks)
    print(f"2. RPUSH {TASK}:subtasks names its {len(subtasks)} subtasks")


def work(client):
    """What the worker does that computes it."""
    total = 0
    subtasks = client.lrange(f"{TASK}:subtasks", 0, -1)
    print(f"3. LRANGE {TASK}:subtasks 0 -1 answers {subtasks}")
    for subtask in subtasks:
        left, right = map(int, client.lrange(subtask, 0, -1))
        client.set(f"{subtask}:result", left + right)
        print(f"   {subtask}: {left} + {right} = {left + right}, SET {subtask}:result")
        total += left + right
    client.set(f"{TASK}:result", total)
    print(f"4. SET {TASK}:result stores the sum of all")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=6379, help="port of the server on this machine")
    parser.add_argument("--url", help="where the server is, instead: redis://:password@host:port/database")
    arguments = parser.parse_args()
    return arguments.url or f"redis://127.0.0.1:{arguments.port}/0"


if __name__ == "__main__":
    main()

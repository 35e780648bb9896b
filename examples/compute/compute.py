#!/usr/bin/env python3
"""What COMPUTE answers about orders and a leaderboard, with redis-py: how many, how much, which ones.

    cargo run --release                                           # in one terminal
    python3 -m venv .venv && .venv/bin/pip install redis
    .venv/bin/python examples/compute/compute.py                  # in another
"""

import argparse
import sys

import redis

ORDERS = [("eu", "12.50"), ("us", "7"), ("eu", "30")]
SCORES = {"ann": 20, "bob": 35.5, "cid": 7}


def main():
    # Protocol 3, because there a map arrives as a dictionary.
    url = read_url()
    client = redis.Redis.from_url(url, decode_responses=True, protocol=3)
    try:
        client.ping()
    except redis.ConnectionError:
        sys.exit(f"No server answers at {url}. Start one: cargo run --release")
    store(client)
    ask(client)


def store(client):
    for number, (region, total) in enumerate(ORDERS, start=1):
        client.hset(f"example:order:{number}", mapping={"region": region, "total": total})
    client.delete("example:board")
    client.zadd("example:board", SCORES)


def ask(client):
    orders = "example:order:*"
    # A value from outside goes in as a parameter, so that nothing in it is taken for an expression.
    count = client.execute_command(
        "COMPUTE.COUNT", orders, "WHERE", "h.total > p.least", "PARAMS", 1, "least", 10
    )
    print(f"1. {count} orders are above 10")

    regions = ["GROUPBY", 1, "h.region", "AS", "region", "REDUCE", "SUM", 1, "h.total", "AS", "revenue"]
    answer = client.execute_command("COMPUTE.AGGREGATE", orders, *regions, "SORTBY", "revenue", "DESC")
    print(f"2. {answer['rows']}, isolation {answer['isolation']}")

    answer = client.execute_command(
        "COMPUTE.SELECT", orders, "RETURN", 2, "key", "h.total", "SORTBY", "h.total", "DESC", "LIMIT", 0, 2
    )
    print(f"3. {answer['rows']}")

    total = client.execute_command(
        "COMPUTE.KAGGREGATE", "example:board", "REDUCE", "SUM", 1, "s", "AS", "total", "SCALAR"
    )
    print(f"4. The scores add up to {total}")

    plan = client.execute_command("COMPUTE.EXPLAIN", "AGGREGATE", orders, *regions)
    print(f"5. Its fields: {plan['fields']}, its reducers: {plan['reducers']}")

    client.execute_command("COMPUTE.AGGREGATE", orders, *regions, "INTO", "example:ranking", "ZSET")
    print(f"6. Stored: {client.zrevrange('example:ranking', 0, -1, withscores=True)}")

    # The work goes on when its client has left; whoever knows the key can wait for it.
    client.delete("example:job")
    job = client.execute_command("COMPUTE.COUNT", orders, "WHERE", "h.total > 10", "ASYNC", "ID", "example:job")
    client.execute_command("JOB.WAIT", job, "WAIT", 10_000)
    print(f"7. The job has found {client.execute_command('JOB.RESULT', job)}")


def read_url():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=6379, help="port of the server on this machine")
    parser.add_argument("--url", help="where the server is, instead: redis://:password@host:port/database")
    arguments = parser.parse_args()
    return arguments.url or f"redis://127.0.0.1:{arguments.port}/0"


if __name__ == "__main__":
    main()

"""redis-py against a server: `redis_py.py URL SOCKET`. Succeeds if everything is as a real server would have it.

It leaves the error counters of the server at zero, so that whoever called it sees whether anything else was refused.
"""

import asyncio
import sys
import time

import redis
import redis.asyncio
from redis.cache import CacheConfig

from harness import NO_PROBE, eventually



def main():
    url, socket = sys.argv[1:]
    errors_are_exceptions(redis.Redis.from_url(url))
    for protocol in (2, 3):
        client = redis.Redis.from_url(url, protocol=protocol, maint_notifications_config=NO_PROBE)
        client.flushall()
        client.config_resetstat()
        strings(client)
        keys(client)
        hashes_and_lists(client)
        pipelines(client)
        server(client)
        computes(client, protocol)
        locks(client, protocol)
        listens(client)
        client.close()
    caches(url)
    over_a_socket(socket)
    asyncio.run(asynchronous(url))


def errors_are_exceptions(client):
    """With the default settings, and so with the probe."""
    client.set("text", "abc")
    for call, error in [
        (lambda: client.lpush("text", "x"), "WRONGTYPE"),
        (lambda: client.incr("text"), "value is not an integer"),
        (lambda: client.execute_command("NOSUCH", "x"), "unknown command 'NOSUCH'"),
        (lambda: client.execute_command("GET"), "wrong number of arguments for 'get' command"),
    ]:
        try:
            call()
        except redis.ResponseError as refusal:
            assert error in str(refusal), refusal
        else:
            raise AssertionError(f"no error, {error} expected")


def strings(client):
    binary = bytes(range(256)) + "größe".encode()
    assert client.set("k", binary) is True and client.get("k") == binary
    large = b"x" * 3_000_000
    assert client.set("large", large) and client.get("large") == large
    assert client.set("k", 1, nx=True) is None
    assert client.set("k", 5, get=True) == binary
    assert client.incr("k") == 6 and client.incrbyfloat("k", 0.5) == 6.5
    assert client.mset({"a": 1, "b": 2}) is True and client.mget("a", "missing", "b") == [b"1", None, b"2"]
    assert client.append("a", "23") == 3 and client.getrange("a", 1, -1) == b"23" and client.strlen("a") == 3
    assert client.getdel("a") == b"123" and client.get("a") is None


def keys(client):
    client.flushdb()
    assert client.set("k", "v", ex=100) and 0 < client.ttl("k") <= 100
    assert client.persist("k") is True and client.ttl("k") == -1 and client.ttl("missing") == -2
    assert client.expire("k", 50) is True and client.pexpire("k", 40_000, gt=True) is False
    assert client.rename("k", "l") is True and client.exists("k", "l") == 1 and client.type("l") == b"string"
    assert client.copy("l", "m") is True and client.delete("l", "m", "missing") == 2
    client.mset({f"key:{number}": number for number in range(1000)})
    expected = {f"key:{number}".encode() for number in range(1000)}
    assert client.dbsize() == 1000 and set(client.keys("key:*")) == expected
    assert set(client.scan_iter("key:*", count=50)) == expected and client.randomkey() in expected
    assert client.object("encoding", "key:1") == b"int"
    client.flushall()
    assert client.scan() == (0, [])


def hashes_and_lists(client):
    assert client.hset("h", mapping={"one": 1, "two": "zwei"}) == 2
    assert client.hgetall("h") == {b"one": b"1", b"two": b"zwei"} and client.hget("h", "missing") is None
    assert client.hmget("h", "two", "three") == [b"zwei", None] and client.hincrby("h", "one", 9) == 10
    assert client.hexists("h", "one") is True and client.hdel("h", "one") == 1 and client.hlen("h") == 1
    assert client.hkeys("h") == [b"two"] and client.hvals("h") == [b"zwei"]
    assert client.rpush("l", *range(1000)) == 1000 and client.lpush("l", "first") == 1001
    assert client.lrange("l", 0, 1) == [b"first", b"0"] and client.lindex("l", -1) == b"999"
    assert client.lpop("l") == b"first" and client.rpop("l", 2) == [b"999", b"998"] and client.llen("l") == 998


def pipelines(client):
    pipeline = client.pipeline(transaction=False)
    for number in range(10_000):
        pipeline.set(f"p:{number}", number)
        pipeline.get(f"p:{number}")
    replies = pipeline.execute()
    assert replies[0::2] == [True] * 10_000
    assert replies[1::2] == [str(number).encode() for number in range(10_000)]


def server(client):
    assert client.ping() is True and client.echo("hello") == b"hello"
    assert client.client_setname("tester") is True and client.client_getname() in ("tester", b"tester")
    assert client.client_id() > 0 and any(known["name"] == "tester" for known in client.client_list())
    assert client.client_info()["lib-name"].startswith("redis-py")
    assert client.info()["redis_version"] == "7.2.4" and client.info("keyspace")["db0"]["keys"] > 0
    assert client.config_get("maxclients")["maxclients"] == "10000" and client.config_set("timeout", 0) is True
    assert client.command_count() == len(client.command()) and "get" in client.command()
    assert abs(client.time()[0] - time.time()) < 5


def listens(client):
    listener = client.pubsub()
    listener.subscribe("news", "größe")
    listener.psubscribe("n*")
    confirmed = [listener.get_message(timeout=10) for _ in range(3)]
    assert [message["data"] for message in confirmed] == [1, 2, 3], confirmed
    assert client.pubsub_numsub("news", "none") == [(b"news", 1), (b"none", 0)] and client.pubsub_numpat() == 1
    for number in range(1000):
        assert client.publish("news", number) == 2
        assert client.publish("größe", b"\x00\xff") == 1
    heard = [listener.get_message(timeout=10) for _ in range(3000)]
    assert [message["type"] for message in heard] == ["message", "pmessage", "message"] * 1000
    assert [int(message["data"]) for message in heard if message["type"] == "pmessage"] == list(range(1000))
    assert all(message["data"] == b"\x00\xff" for message in heard[2::3])
    listener.ping()
    assert listener.get_message(timeout=10)["type"] == "pong"
    listener.unsubscribe()
    listener.punsubscribe()
    left = [listener.get_message(timeout=10)["data"] for _ in range(3)]
    assert left == [2, 1, 0] and listener.subscribed is False, left
    shard = client.pubsub()
    shard.ssubscribe("s")
    assert shard.get_message(timeout=10)["type"] == "ssubscribe" and client.execute_command("SPUBLISH", "s", "x") == 1
    assert shard.get_message(timeout=10)["data"] == b"x"
    listener.close()
    shard.close()


def computes(client, protocol):
    client.flushdb()
    for number in range(100):
        client.hset(f"order:{number}", mapping={"total": number, "region": "eu"})
    command = "COMPUTE.AGGREGATE order:* REDUCE SUM 1 h.total AS sum REDUCE AVG 1 h.total AS mean"
    answer = client.execute_command(*command.split())
    assert client.execute_command("COMPUTE.COUNT", "order:*") == 100
    client.zadd("board", {"ann": 20, "bob": 35.5, "cid": 7})
    total = client.execute_command("COMPUTE.KAGGREGATE", "board", "REDUCE", "SUM", 1, "s", "AS", "total", "SCALAR")
    assert float(total) == 62.5 and isinstance(total, float) == (protocol == 3), total
    selected = client.execute_command("COMPUTE.KSELECT", "board", "WHERE", "s > 10", "RETURN", 1, "m")
    rows = selected[1] if protocol == 2 else selected[b"rows"]
    assert rows == [[b"ann"], [b"bob"]], selected
    plan = client.execute_command("COMPUTE.EXPLAIN", "COUNT", "order:*", "WHERE", "h.total > 10")
    assert b"clauses" in plan, plan
    client.delete("board")
    if protocol == 3:
        assert answer[b"rows"] == [{b"sum": 4950, b"mean": 49.5}] and answer[b"isolation"] == b"snapshot", answer
    else:
        assert answer[:2] == [b"rows", [[b"sum", 4950, b"mean", b"49.5"]]], answer


def locks(client, protocol):
    def fields(reply):
        """A map of the reply, which is flat in RESP2."""
        assert isinstance(reply, dict) == (protocol == 3), reply
        return reply if protocol == 3 else dict(zip(reply[::2], reply[1::2]))

    call = client.execute_command
    grant = fields(call("LOCK.ACQUIRE", "lock", "me", "LEASE", 60_000))
    fence = grant[b"fence"]
    assert grant == {b"fence": fence, b"holds": 1, b"lease": 60_000} and isinstance(fence, int), grant
    assert call("LOCK.ACQUIRE", "lock", "other") is None
    assert call("LOCK.GUARD", "lock", fence, "SET", "guarded", "x") == b"OK"
    holders = [fields(holder) for holder in fields(call("LOCK.INFO", "lock"))[b"holders"]]
    assert [(holder[b"owner"], holder[b"fence"]) for holder in holders] == [(b"me", fence)], holders
    assert call("LOCK.RELEASE", "lock", "me", "FENCE", fence) == 0 and call("LOCK.INFO", "lock") is None
    client.delete("guarded")


def caches(url):
    """What it has read it answers itself, until it hears that somebody has changed it."""
    # It asks for Redis 7.4, although 7.2 does all that it needs.
    redis.connection.CacheProxyConnection.MIN_ALLOWED_VERSION = "7.2.0"
    writer = redis.Redis.from_url(url, maint_notifications_config=NO_PROBE)
    reader = redis.Redis.from_url(url, protocol=3, cache_config=CacheConfig(), maint_notifications_config=NO_PROBE)
    writer.flushall()
    for number in range(20):
        writer.set("cached", number)
        writer.hset("fields", "number", number)
        eventually(lambda: reader.get("cached") == str(number).encode())
        eventually(lambda: reader.hget("fields", "number") == str(number).encode())
        asked = writer.info("commandstats")["cmdstat_get"]["calls"]
        assert all(reader.get("cached") == str(number).encode() for _ in range(50))
        assert writer.info("commandstats")["cmdstat_get"]["calls"] == asked
    assert reader.get_cache().size == 2 and writer.info("stats")["tracking_total_keys"] == 2
    writer.flushall()
    eventually(lambda: reader.get("cached") is None)
    reader.close()
    writer.close()


def over_a_socket(path):
    client = redis.Redis(unix_socket_path=path, db=3, decode_responses=True, maint_notifications_config=NO_PROBE)
    assert client.set("wo", "hier") and client.get("wo") == "hier" and client.dbsize() == 1


async def asynchronous(url):
    client = redis.asyncio.Redis.from_url(url, max_connections=50, maint_notifications_config=NO_PROBE)
    await client.delete("counter")
    counts = await asyncio.gather(*(client.incr("counter") for _ in range(40)))
    assert sorted(counts) == list(range(1, 41))
    async with client.pubsub() as listener:
        await listener.subscribe("news")
        counts = await asyncio.gather(*(client.publish("news", number) for number in range(40)))
        assert counts == [1] * 40
        heard = []
        async for message in listener.listen():
            if message["type"] == "message":
                heard.append(int(message["data"]))
            if len(heard) == 40:
                break
        assert sorted(heard) == list(range(40)), heard
    await client.aclose()


if __name__ == "__main__":
    main()

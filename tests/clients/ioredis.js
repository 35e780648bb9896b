// ioredis against a server: `ioredis.js URL SOCKET`. Succeeds if everything is as a real server would have it.
//
// It leaves the error counters of the server at zero, so that whoever called it sees whether anything else was refused.

"use strict";

const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { start } = require("./harness");

const [url, socket] = process.argv.slice(2);

async function main() {
  const client = new Redis(url);
  await errorsReject(client);
  await client.flushall();
  await client.config("RESETSTAT");
  await strings(client);
  await keys(client);
  await hashesAndLists(client);
  await pipelines(client);
  await automaticPipelining();
  await server(client);
  await unknownCommands();
  await listens(client);
  await client.quit();
  await overASocket();
}

async function errorsReject(client) {
  await client.set("text", "abc");
  await assert.rejects(client.lpush("text", "x"), { name: "ReplyError", message: /^WRONGTYPE / });
  await assert.rejects(client.incr("text"), /value is not an integer/);
  await assert.rejects(client.call("NOSUCH", "x"), /unknown command 'NOSUCH'/);
}

async function strings(client) {
  const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(await client.set("k", binary), "OK");
  assert.deepEqual(await client.getBuffer("k"), binary);
  const large = "x".repeat(3_000_000);
  assert.equal(await client.set("large", large, "EX", 100), "OK");
  assert.equal(await client.get("large"), large);
  assert.equal(await client.set("k", 1, "NX"), null);
  assert.equal(await client.set("k", 5), "OK");
  assert.equal(await client.incrby("k", 2), 7);
  assert.equal(await client.mset({ a: 1, b: "größe" }), "OK");
  assert.deepEqual(await client.mget("a", "missing", "b"), ["1", null, "größe"]);
  assert.equal(await client.getdel("a"), "1");
}

async function keys(client) {
  await client.flushdb();
  assert.equal(await client.set("k", "v"), "OK");
  assert.deepEqual(await Promise.all([client.ttl("k"), client.expire("k", 100), client.ttl("k")]), [-1, 1, 100]);
  assert.equal(await client.rename("k", "l"), "OK");
  assert.equal(await client.type("l"), "string");
  assert.equal(await client.del("l", "missing"), 1);
  const expected = Array.from({ length: 1000 }, (_, number) => `key:${number}`);
  await client.mset(...expected.flatMap((key) => [key, "v"]));
  const found = new Set();
  for await (const batch of client.scanStream({ match: "key:*", count: 50 })) {
    batch.forEach((key) => found.add(key));
  }
  assert.deepEqual([...found].sort(), [...expected].sort());
  assert.equal(await client.dbsize(), 1000);
  assert.equal((await client.keys("key:99?")).length, 10);
}

async function hashesAndLists(client) {
  assert.equal(await client.hset("h", { one: 1, two: "zwei" }), 2);
  assert.deepEqual(await client.hgetall("h"), { one: "1", two: "zwei" });
  assert.deepEqual(await client.hmget("h", "two", "three"), ["zwei", null]);
  assert.equal(await client.hincrby("h", "one", 9), 10);
  assert.equal(await client.hdel("h", "one"), 1);
  assert.equal(await client.rpush("l", ..."abcdef"), 6);
  assert.equal(await client.lpush("l", "first"), 7);
  assert.deepEqual(await client.lrange("l", 0, 2), ["first", "a", "b"]);
  assert.equal(await client.lpop("l"), "first");
  assert.equal(await client.lindex("l", -1), "f");
  assert.equal(await client.llen("l"), 6);
}

async function pipelines(client) {
  const pipeline = client.pipeline();
  for (let number = 0; number < 10_000; number += 1) {
    pipeline.set(`p:${number}`, number).get(`p:${number}`);
  }
  const replies = await pipeline.exec();
  replies.forEach(([error, reply], index) => {
    assert.equal(error, null);
    assert.equal(reply, index % 2 === 0 ? "OK" : String((index - 1) / 2));
  });
}

async function automaticPipelining() {
  const client = new Redis(url, { enableAutoPipelining: true });
  await client.del("counter");
  const counts = await Promise.all(Array.from({ length: 1000 }, () => client.incr("counter")));
  assert.deepEqual(counts, Array.from({ length: 1000 }, (_, index) => index + 1));
  await client.quit();
}

async function server(client) {
  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.echo("hello"), "hello");
  assert.equal(await client.client("SETNAME", "tester"), "OK");
  assert.equal(await client.client("GETNAME"), "tester");
  assert.match(await client.client("LIST"), /name=tester/);
  assert.match(await client.client("INFO"), /lib-name=ioredis/);
  assert.match(await client.info("server"), /redis_version:7\.2\.4\r\n/);
  assert.deepEqual(await client.config("GET", "maxclients"), ["maxclients", "10000"]);
}

// Commands that it does not know, by the generic call. It turns the maps and doubles of RESP3 into what they are in RESP2,
// unless it is told not to.
async function unknownCommands() {
  for (const options of [{ protocol: 2 }, { protocol: 3 }, { protocol: 3, replyMapping: "resp3" }]) {
    const client = new Redis(url, options);
    assert.match(await client.client("INFO"), new RegExp(` resp=${options.protocol} `));
    const isMapped = options.replyMapping === "resp3";
    // What a map of the reply is here.
    const fields = (map) => (isMapped ? map : Object.fromEntries(pairs(map)));
    await computes(client, fields, isMapped);
    await locks(client, fields);
    await client.quit();
  }
}

function pairs(flat) {
  assert.ok(Array.isArray(flat));
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : []));
}

async function computes(client, fields, isMapped) {
  await client.flushdb();
  for (let number = 0; number < 100; number += 1) {
    await client.hset(`order:${number}`, { total: number });
  }
  const words = "order:* REDUCE SUM 1 h.total AS sum".split(" ");
  assert.equal(await client.call("COMPUTE.AGGREGATE", ...words, "SCALAR"), 4950);
  const answer = fields(await client.call("COMPUTE.AGGREGATE", ...words));
  assert.deepEqual(answer.rows.map(fields), [{ sum: 4950 }]);
  assert.equal(answer.isolation, "snapshot");
  await client.zadd("board", 20, "ann", 35.5, "bob", 7, "cid");
  const sum = ["REDUCE", "SUM", 1, "s", "AS", "total", "SCALAR"];
  assert.strictEqual(await client.call("COMPUTE.KAGGREGATE", "board", ...sum), isMapped ? 62.5 : "62.5");
  const selected = fields(await client.call("COMPUTE.KSELECT", "board", "WHERE", "s > 10", "RETURN", 1, "m"));
  assert.deepEqual([selected.rows, selected.columns], [[["ann"], ["bob"]], ["m"]]);
  await client.del("board");
}

async function locks(client, fields) {
  const grant = fields(await client.call("LOCK.ACQUIRE", "lock", "me", "LEASE", 60_000));
  assert.deepEqual([grant.holds, grant.lease, Number.isSafeInteger(grant.fence)], [1, 60_000, true]);
  assert.equal(await client.call("LOCK.ACQUIRE", "lock", "other"), null);
  assert.equal(await client.call("LOCK.GUARD", "lock", grant.fence, "SET", "guarded", "x"), "OK");
  const info = fields(await client.call("LOCK.INFO", "lock"));
  assert.deepEqual(info.holders.map(fields).map((holder) => [holder.owner, holder.fence]), [["me", grant.fence]]);
  assert.equal(await client.call("LOCK.RELEASE", "lock", "me", "FENCE", grant.fence), 0);
  assert.equal(await client.call("LOCK.INFO", "lock"), null);
}

async function listens(client) {
  const listener = new Redis(url);
  const heard = [];
  const all = new Promise((resolve) => {
    const hear = (...words) => {
      heard.push(words);
      if (heard.length === 3000) resolve();
    };
    listener.on("message", (channel, message) => hear("message", channel, message));
    listener.on("pmessage", (pattern, channel, message) => hear("pmessage", pattern, channel, message));
  });
  assert.equal(await listener.subscribe("news", "größe"), 2);
  assert.equal(await listener.psubscribe("n*"), 3);
  assert.deepEqual(await client.pubsub("NUMSUB", "news", "none"), ["news", 1, "none", 0]);
  for (let number = 0; number < 1000; number += 1) {
    const counts = await Promise.all([client.publish("news", number), client.publish("größe", "ä")]);
    assert.deepEqual(counts, [2, 1]);
  }
  await all;
  const expected = Array.from({ length: 1000 }, (_, number) => [
    ["message", "news", `${number}`],
    ["pmessage", "n*", "news", `${number}`],
    ["message", "größe", "ä"],
  ]);
  assert.deepEqual(heard, expected.flat());
  assert.equal(await listener.unsubscribe("news", "größe"), 1);
  assert.equal(await listener.punsubscribe("n*"), 0);
  assert.equal(await listener.get("k"), null);
  const shard = new Redis(url);
  const message = new Promise((resolve) => shard.on("smessage", (...words) => resolve(words)));
  assert.equal(await shard.ssubscribe("s"), 1);
  assert.equal(await client.spublish("s", "x"), 1);
  assert.deepEqual(await message, ["s", "x"]);
  await Promise.all([listener.quit(), shard.quit()]);
}

async function overASocket() {
  const client = new Redis(socket, { db: 3 });
  assert.equal(await client.set("wo", "hier"), "OK");
  assert.equal(await client.get("wo"), "hier");
  await client.quit();
}

start(main);

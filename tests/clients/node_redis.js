// node-redis against a server: `node_redis.js URL SOCKET`. Succeeds if everything is as a real server would have it.
//
// It leaves the error counters of the server at zero, so that whoever called it sees whether anything else was refused.

"use strict";

const assert = require("node:assert/strict");
const { createClient, createClientPool } = require("redis");
const { start } = require("./harness");

const [url, socket] = process.argv.slice(2);

async function main() {
  for (const RESP of [2, 3]) {
    const client = await createClient({ url, RESP, name: `node-${RESP}` }).connect();
    await client.flushAll();
    await assert.rejects(client.sendCommand(["NOSUCH"]), /unknown command 'NOSUCH'/);
    await client.configResetStat();
    await values(client);
    await introspection(client, `node-${RESP}`);
    await unknownCommands(client, RESP);
    await client.close();
  }
  await caches();
  await pool();
  await overASocket();
}

// Commands that it does not know. Maps are objects in RESP3, and flat in RESP2.
async function unknownCommands(client, RESP) {
  const call = (...words) => client.sendCommand(words);
  const fields = (map) => (RESP === 3 ? map : Object.fromEntries(pairs(map)));
  await client.zAdd("board", [{ score: 20, value: "ann" }, { score: 35.5, value: "bob" }, { score: 7, value: "cid" }]);
  const sum = await call("COMPUTE.KAGGREGATE", "board", "REDUCE", "SUM", "1", "s", "AS", "total", "SCALAR");
  assert.strictEqual(sum, RESP === 3 ? 62.5 : "62.5");
  const selected = fields(await call("COMPUTE.KSELECT", "board", "WHERE", "s > 10", "RETURN", "1", "m"));
  assert.deepEqual([selected.rows, selected.columns], [[["ann"], ["bob"]], ["m"]]);
  assert.strictEqual(await call("COMPUTE.COUNT", "n:*", "WHERE", "int(v) < 100"), 100);
  const { fence, holds } = fields(await call("LOCK.ACQUIRE", "lock", "me", "LEASE", "60000"));
  assert.strictEqual(holds, 1);
  assert.strictEqual(await call("LOCK.ACQUIRE", "lock", "other"), null);
  assert.strictEqual(await call("LOCK.GUARD", "lock", String(fence), "SET", "guarded", "x"), "OK");
  const { holders } = fields(await call("LOCK.INFO", "lock"));
  assert.deepEqual(holders.map(fields).map((holder) => [holder.owner, holder.fence]), [["me", fence]]);
  assert.strictEqual(await call("LOCK.RELEASE", "lock", "me", "FENCE", String(fence)), 0);
}

function pairs(flat) {
  assert.ok(Array.isArray(flat));
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : []));
}

// What it has read it answers itself, until it hears that somebody has changed it.
async function caches() {
  const writer = await createClient({ url }).connect();
  const cache = { ttl: 0, maxEntries: 0, evictPolicy: "LRU" };
  const reader = await createClient({ url, RESP: 3, clientSideCache: cache }).connect();
  const asked = async () => /cmdstat_get:calls=(\d+)/.exec(await writer.info("commandstats"))[1];
  for (let number = 0; number < 20; number++) {
    await writer.set("cached", String(number));
    const deadline = Date.now() + 10_000;
    while ((await reader.get("cached")) !== String(number)) {
      assert.ok(Date.now() < deadline, "it does not hear of the change");
      // Answers from the cache leave no time for messages to be read.
      await new Promise(setImmediate);
    }
    const before = await asked();
    for (let time = 0; time < 50; time++) {
      assert.equal(await reader.get("cached"), String(number));
    }
    assert.equal(await asked(), before);
  }
  await reader.close();
  await writer.close();
}

async function values(client) {
  assert.equal(await client.set("k", "größe", { expiration: { type: "EX", value: 100 } }), "OK");
  assert.equal(await client.get("k"), "größe");
  assert.ok((await client.ttl("k")) > 90);
  assert.equal(await client.get("missing"), null);
  assert.equal(await client.incrBy("count", 5), 5);
  assert.equal(await client.hSet("hash", { one: "1", two: "2" }), 2);
  assert.deepEqual({ ...(await client.hGetAll("hash")) }, { one: "1", two: "2" });
  assert.equal(await client.rPush("list", ["a", "b", "c"]), 3);
  assert.deepEqual(await client.lRange("list", 0, -1), ["a", "b", "c"]);
  // What is asked for in one tick goes out as one pipeline.
  const numbers = Array.from({ length: 5000 }, (_, number) => number);
  await Promise.all(numbers.map((number) => client.set(`n:${number}`, String(number))));
  const read = await Promise.all(numbers.map((number) => client.get(`n:${number}`)));
  assert.deepEqual(read, numbers.map(String));
  const found = new Set();
  for await (const keys of client.scanIterator({ MATCH: "n:1*", COUNT: 500 })) {
    keys.forEach((key) => found.add(key));
  }
  assert.equal(found.size, 1111);
}

async function introspection(client, name) {
  assert.equal(await client.clientGetName(), name);
  assert.match(await client.sendCommand(["CLIENT", "INFO"]), /lib-name=node-redis/);
  assert.match(await client.info("server"), /redis_version:/);
  assert.equal((await client.configGet("maxmemory-policy"))["maxmemory-policy"], "noeviction");
}

async function pool() {
  const pool = await createClientPool({ url }, { minimum: 4, maximum: 8 }).connect();
  await Promise.all(Array.from({ length: 1000 }, () => pool.incr("pooled")));
  assert.equal(await pool.get("pooled"), "1000");
  await pool.close();
}

async function overASocket() {
  const client = await createClient({ socket: { path: socket } }).connect();
  assert.equal(await client.get("pooled"), "1000");
  await client.configResetStat();
  await client.close();
}

start(main);

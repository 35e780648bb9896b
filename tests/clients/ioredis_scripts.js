// Scripts, transactions and events of ioredis: `ioredis_scripts.js URL`. Succeeds if everything is as a real server has it.

"use strict";

const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { eventually, start } = require("./harness");

const [url] = process.argv.slice(2);

async function main() {
  for (const protocol of [2, 3]) {
    const client = new Redis(url, { protocol });
    await client.flushall();
    await client.script("FLUSH");
    await commandsOfOurOwn(client);
    await commandsInPipelines(client);
    await transactions(client);
    await competition(client);
    await events(client, protocol);
    await client.quit();
  }
}

const ADD = {
  numberOfKeys: 1,
  lua: `local sum = redis.call("INCRBY", KEYS[1], ARGV[1])
        return {sum, ARGV[2], redis.call("GET", KEYS[1])}`,
};

async function commandsOfOurOwn(client) {
  client.defineCommand("add", ADD);
  client.defineCommand("refuse", { numberOfKeys: 0, lua: "return redis.error_reply('MINE is what it says')" });
  client.defineCommand("pairs", { lua: "return {#KEYS, #ARGV, KEYS[#KEYS], false, 'after'}" });
  client.defineCommand("echoed", { numberOfKeys: 0, lua: "return ARGV[1]" });
  await client.config("RESETSTAT");
  assert.deepEqual(await client.add("sum", 5, "größe"), [5, "größe", "5"]);
  assert.deepEqual(await client.add("sum", 1, "x"), [6, "x", "6"]);
  assert.deepEqual(await calls(client), { eval: [1, 0], evalsha: [1, 0] });
  // The script is gone, which the client learns when it names it: then it sends it again.
  await client.script("FLUSH");
  assert.deepEqual(await client.add("sum", 1, "x"), [7, "x", "7"]);
  assert.deepEqual(await calls(client), { eval: [2, 0], evalsha: [2, 1] });
  const script = client.scriptsSet.add.sha;
  assert.deepEqual(await client.script("EXISTS", script, "0".repeat(40)), [1, 0]);
  assert.deepEqual(await client.evalsha(script, 1, "sum", 1, "x"), [8, "x", "8"]);
  await assert.rejects(client.evalsha("0".repeat(40), 0), {
    name: "ReplyError",
    message: "NOSCRIPT No matching script. Please use EVAL.",
  });
  await assert.rejects(client.refuse(), { message: "MINE is what it says" });
  await assert.rejects(client.add("sum", "no number", "x"), /^ReplyError: ERR value is not an integer or out of range/);
  assert.deepEqual(await client.pairs(2, "a", "b", "c"), [2, 1, "b", null, "after"]);
  const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  assert.deepEqual(await client.echoedBuffer(binary), binary);
}

// How often each was called, and how often it failed.
async function calls(client) {
  const lines = (await client.info("commandstats")).matchAll(/cmdstat_(eval|evalsha):calls=(\d+),.*failed_calls=(\d+)/g);
  return Object.fromEntries([...lines].map(([, name, calls, failed]) => [name, [Number(calls), Number(failed)]]));
}

async function commandsInPipelines(client) {
  await client.del("sum");
  await client.script("FLUSH");
  const pipeline = client.pipeline();
  for (let number = 1; number <= 1000; number += 1) pipeline.add("sum", 1, number).get("sum");
  const replies = await pipeline.exec();
  assert.equal(replies.filter(([error]) => error).length, 0);
  // What the server did not know was sent again behind the others: once each, but later.
  assert.equal(await client.get("sum"), "1000");
  const echoed = replies.filter((_, index) => index % 2 === 0).map(([, [, number]]) => Number(number));
  assert.deepEqual(echoed, Array.from({ length: 1000 }, (_, index) => index + 1));
}

async function transactions(client) {
  await client.flushall();
  const replies = await client.multi().set("k", "größe").add("sum", 2, "in it").get("k").rpush("l", "a", "b").exec();
  assert.deepEqual(replies, [[null, "OK"], [null, [2, "in it", "2"]], [null, "größe"], [null, 2]]);
  // One that fails does not undo the others.
  const [failed, counted] = await client.multi().lpush("k", "x").incr("count").exec();
  assert.match(failed[0].message, /^WRONGTYPE /);
  assert.deepEqual(counted, [null, 1]);
  // One that is not even accepted does.
  await assert.rejects(client.multi().incr("count").call("NOSUCH").exec(), /^ReplyError: EXECABORT /);
  assert.equal(await client.get("count"), "1");
  // Without a pipeline every command is confirmed.
  assert.equal(await client.multi({ pipeline: false }), "OK");
  assert.equal(await client.incr("count"), "QUEUED");
  await assert.rejects(client.multi({ pipeline: false }), /MULTI calls can not be nested/);
  assert.deepEqual(await client.exec(), [[null, 2]]);
  await client.multi({ pipeline: false });
  await client.incr("count");
  assert.equal(await client.discard(), "OK");
  assert.equal(await client.get("count"), "2");
  await assert.rejects(client.exec(), /EXEC without MULTI/);
}

// Who reads, thinks and writes does not overwrite what others have written meanwhile.
async function competition(client) {
  await client.set("count", 0);
  let refused = 0;
  const compete = async () => {
    const own = client.duplicate();
    for (let done = 0; done < 10; ) {
      await own.watch("count", "other");
      const count = Number(await own.get("count"));
      const replies = await own.multi().set("count", count + 1).exec();
      if (replies === null) refused += 1;
      else done += 1;
    }
    await own.quit();
  };
  await Promise.all(Array.from({ length: 16 }, compete));
  assert.equal(await client.get("count"), "160");
  assert.ok(refused > 0);
}

async function events(client, protocol) {
  assert.equal(await client.config("SET", "notify-keyspace-events", "KEA"), "OK");
  const listener = client.duplicate();
  const heard = { all: [], news: [] };
  const over = new Promise((resolve) => {
    listener.on("pmessage", (_, channel, message) => heard.all.push([channel, message]));
    listener.on("message", (channel, message) => (channel === "over" ? resolve() : heard.news.push([channel, message])));
  });
  assert.equal(await listener.psubscribe("__key*@0__:*"), 1);
  assert.equal(await listener.subscribe("news", "over", "__keyspace@0__:k"), 4);
  await client.flushall();
  await client.multi().set("k", 1, "PX", 20).incr("sum").exec();
  await client.add("sum", 1, "x");
  await client.multi().publish("news", "in a transaction").exec();
  await client.eval("return redis.call('PUBLISH', 'news', ARGV[1])", 0, "in a script");
  await client.del("sum", "missing");
  const expired = () => heard.all.some(([channel]) => channel === "__keyevent@0__:expired");
  await eventually(expired);
  await client.publish("over", "");
  await over;
  const pair = (event, key) => [[`__keyspace@0__:${key}`, event], [`__keyevent@0__:${event}`, key]];
  // When the key expires is not ours to say.
  const ofKey = (key) => heard.all.filter(([channel, message]) => channel.endsWith(`:${key}`) || message === key);
  assert.deepEqual(ofKey("k"), [pair("set", "k"), pair("expire", "k"), pair("expired", "k")].flat());
  assert.deepEqual(ofKey("sum"), [pair("incrby", "sum"), pair("incrby", "sum"), pair("del", "sum")].flat());
  assert.equal(heard.all.length, 12);
  const own = heard.news.filter(([channel]) => channel === "__keyspace@0__:k").map(([, event]) => event);
  assert.deepEqual(own, ["set", "expire", "expired"]);
  const news = heard.news.filter(([channel]) => channel === "news").map(([, message]) => message);
  assert.deepEqual(news, ["in a transaction", "in a script"]);
  if (protocol === 3) assert.equal(await listener.get("k"), null);
  else await assert.rejects(listener.get("k"), /subscriber mode/);
  await listener.quit();
}

start(main);

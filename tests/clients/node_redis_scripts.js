// Scripts, transactions and events of node-redis: `node_redis_scripts.js URL`. Succeeds if everything is as a real server has it.

"use strict";

const assert = require("node:assert/strict");
const { WatchError, createClient, createClientPool, defineScript } = require("redis");
const { eventually, start } = require("./harness");

const [url] = process.argv.slice(2);

const scripts = {
  add: defineScript({
    SCRIPT: 'local sum = redis.call("INCRBY", KEYS[1], ARGV[1]); return {sum, ARGV[2], redis.call("GET", KEYS[1])}',
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key, number, word) {
      parser.pushKey(key);
      parser.push(String(number), word);
    },
    transformReply: ([sum, word, text]) => ({ sum, word, text }),
  }),
  refuse: defineScript({
    SCRIPT: "return redis.error_reply('MINE is what it says')",
    NUMBER_OF_KEYS: 0,
    parseCommand() {},
    transformReply: (reply) => reply,
  }),
};

async function main() {
  for (const RESP of [2, 3]) {
    const client = await createClient({ url, RESP, scripts }).connect();
    await client.flushAll();
    await client.scriptFlush();
    await ourOwn(client);
    await types(client, RESP);
    await transactions(client);
    await competition(RESP);
    await events(client);
    await client.close();
  }
}

async function ourOwn(client) {
  const { SHA1 } = scripts.add;
  assert.deepEqual(await client.scriptExists([SHA1]), [0]);
  assert.deepEqual(await client.add("sum", 5, "größe"), { sum: 5, word: "größe", text: "5" });
  assert.deepEqual(await client.scriptExists([SHA1]), [1]);
  await client.scriptFlush();
  assert.deepEqual(await client.add("sum", 1, "x"), { sum: 6, word: "x", text: "6" });
  // Those that are on their way together are all sent again, each once.
  await client.scriptFlush();
  const numbers = Array.from({ length: 500 }, (_, number) => String(number));
  const replies = await Promise.all(numbers.map((word) => client.add("sum", 1, word)));
  assert.deepEqual(replies.map(({ word }) => word), numbers);
  assert.equal(await client.get("sum"), "506");
  assert.deepEqual((await client.multi().add("sum", 1, "in it").get("sum").exec())[0].sum, 507);
  const noScript = client.evalSha("0".repeat(40), { keys: [], arguments: [] });
  await assert.rejects(noScript, { message: "NOSCRIPT No matching script. Please use EVAL." });
  await assert.rejects(client.refuse(), { message: "MINE is what it says" });
  await assert.rejects(client.add("sum", "no number", "x"), /ERR value is not an integer or out of range script: [0-9a-f]{40}/);
  assert.equal(await client.scriptLoad(scripts.add.SCRIPT), SHA1);
  assert.deepEqual(await client.evalSha(SHA1, { keys: ["sum"], arguments: ["1", "x"] }), [508, "x", "508"]);
  const readOnly = client.evalRo("return redis.call('SET', KEYS[1], 1)", { keys: ["k"], arguments: [] });
  await assert.rejects(readOnly, /^Error: ERR Write commands are not allowed from read-only scripts/);
}

// What a script answers, as each protocol shows it.
async function types(client, RESP) {
  const ask = (script) => client.eval(script, { keys: ["h"], arguments: ["1.5"] });
  await client.hSet("h", { field: "value" });
  assert.deepEqual(await ask("return {1, 2.9, 'text', true, false, {'inside'}, nil, 'never seen'}"), [1, 2, "text", 1, null, ["inside"]]);
  assert.deepEqual(await ask("return redis.call('HGETALL', KEYS[1])"), ["field", "value"]);
  const three = (script) => ask(`redis.setresp(3); return ${script}`);
  const map = await three("redis.call('HGETALL', KEYS[1])");
  if (RESP === 3) {
    assert.deepEqual({ ...map }, { field: "value" });
    assert.equal(await three("{double = tonumber(ARGV[1])}"), 1.5);
    assert.equal(await three("true"), true);
  } else {
    assert.deepEqual(map, ["field", "value"]);
    assert.equal(await three("{double = tonumber(ARGV[1])}"), "1.5");
    assert.equal(await three("true"), 1);
  }
}

async function transactions(client) {
  assert.deepEqual(await client.multi().set("k", "größe").get("k").rPush("l", ["a", "b"]).exec(), ["OK", "größe", 2]);
  assert.deepEqual(await client.multi().set("k", 1).incr("k").execTyped(), ["OK", 2]);
  assert.deepEqual(await client.multi().incr("k").get("k").execAsPipeline(), [3, "3"]);
  const failed = await client.multi().incr("k").lPush("k", "x").incr("k").exec().catch((error) => error);
  assert.equal(failed.replies[0], 4);
  assert.match(failed.replies[1].message, /^WRONGTYPE /);
  assert.equal(failed.replies[2], 5);
  await assert.rejects(client.multi().incr("k").addCommand(["NOSUCH"]).exec(), /unknown command 'NOSUCH'|EXECABORT/);
  assert.equal(await client.get("k"), "5");
  await client.watch("k");
  const other = await client.duplicate().connect();
  await other.set("k", 10);
  await assert.rejects(client.multi().set("k", 0).exec(), WatchError);
  await client.watch(["k", "l"]);
  await other.set("k", 11);
  await client.unwatch();
  assert.deepEqual(await client.multi().incr("k").exec(), [12]);
  await other.close();
}

async function competition(RESP) {
  const pool = await createClientPool({ url, RESP }, { minimum: 8, maximum: 8 }).connect();
  await pool.set("count", "0");
  let refused = 0;
  const increment = async (client) => {
    await client.watch("count");
    const count = Number(await client.get("count"));
    await client.multi().set("count", String(count + 1)).exec();
  };
  const insist = async () => {
    for (;;) {
      try {
        return await pool.execute(increment);
      } catch (error) {
        assert.ok(error instanceof WatchError, error);
        refused += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: 100 }, insist));
  assert.equal(await pool.get("count"), "100");
  assert.ok(refused > 0);
  await pool.close();
}

async function events(client) {
  await client.configSet("notify-keyspace-events", "KEA");
  const listener = await client.duplicate().connect();
  const heard = [];
  let over = false;
  await listener.pSubscribe("__keyevent@0__:*", (key, channel) => heard.push([channel.split(":")[1], key]));
  await listener.subscribe("__keyspace@0__:k", (event) => heard.push(["own", event]));
  await listener.subscribe(["news", "over"], (message, channel) => {
    if (channel === "over") over = true;
    else heard.push(["news", message]);
  });
  await listener.sSubscribe("shard", (message) => heard.push(["shard", message]));
  await client.flushAll();
  await client.multi().hSet("h", { a: "1" }).publish("news", "größe").del("h").exec();
  await client.add("sum", 1, "x");
  await client.sPublish("shard", "sharded");
  await client.set("k", "v", { expiration: { type: "PX", value: 20 } });
  await eventually(() => heard.some(([event]) => event === "expired"));
  await client.publish("over", "");
  await eventually(() => over);
  const own = [["own", "set"], ["own", "expire"], ["own", "expired"]];
  assert.deepEqual(heard.filter(([event]) => event === "own"), own);
  assert.deepEqual(heard.filter(([event]) => event !== "own"), [
    ["hset", "h"], ["news", "größe"], ["del", "h"], ["incrby", "sum"], ["shard", "sharded"],
    ["set", "k"], ["expire", "k"], ["expired", "k"],
  ]);
  await listener.unsubscribe("news");
  await listener.pUnsubscribe();
  assert.deepEqual(await client.pubSubNumSub(["news", "over"]), { news: 0, over: 1 });
  assert.equal(await client.pubSubNumPat(), 0);
  await listener.close();
}

start(main);

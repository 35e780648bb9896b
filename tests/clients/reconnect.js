// A client of node through a server that is killed and started again: `reconnect.js LIBRARY URL`. Says `connected`, waits for
// a line, and says `again` when what it does with its old connections works without an error.

"use strict";

const assert = require("node:assert/strict");
const readline = require("node:readline");
const { start } = require("./harness");

const [library, url] = process.argv.slice(2);

// Losing the connection is what this is about; both libraries go on by themselves.
const ignore = () => {};

const libraries = {
  ioredis: async () => {
    const Redis = require("ioredis");
    const client = new Redis(url);
    client.on("error", ignore);
    await client.ping();
    return client;
  },
  redis: async () => {
    const { createClient } = require("redis");
    return createClient({ url }).on("error", ignore).connect();
  },
};

async function main() {
  const clients = await Promise.all(Array.from({ length: 4 }, libraries[library]));
  await use(clients, "before");
  console.log("connected");
  for await (const _ of readline.createInterface({ input: process.stdin })) break;
  await use(clients, "after");
  console.log("again");
  process.exit(0);
}

async function use(clients, when) {
  await Promise.all(clients.map((client, number) => patiently(() => useOne(client, `${when}:${number}`))));
}

async function useOne(client, key) {
  assert.equal(await client.set(key, "1"), "OK");
  assert.equal(await client.get(key), "1");
}

// A client may learn only from its first command that the old connection is gone; the second one must work.
async function patiently(work) {
  try {
    await work();
  } catch {
    await work();
  }
}

start(main);

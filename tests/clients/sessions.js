// A web server that keeps its sessions in ours: `sessions.js URL`. Succeeds if visitors are known for as long as they are to be,
// and if everything that happens to their sessions is told as an event.

"use strict";

const assert = require("node:assert/strict");
const http = require("node:http");
const { RedisStore } = require("connect-redis");
const session = require("express-session");
const { createClient } = require("redis");
const { eventually, start } = require("./harness");

const [url] = process.argv.slice(2);

async function main() {
  // It would ask for a feature of newer servers, which is refused.
  const client = await createClient({ url, maintNotifications: "disabled" }).connect();
  await client.flushAll();
  await client.configSet("notify-keyspace-events", "Eg$x");
  const diary = await Diary.of(client);
  const store = new RedisStore({ client, prefix: "sess:", ttl: 1000 });
  const site = await serve(store);
  await oneVisitor(site, client, diary);
  await onTime(site, client, diary);
  await many(site, store, client);
  site.server.close();
  site.server.closeAllConnections();
  await diary.listener.close();
  await client.close();
}

// What has happened to each session, in its order.
class Diary {
  static async of(client) {
    const diary = new Diary();
    diary.events = new Map();
    diary.listener = await client.duplicate().connect();
    await diary.listener.pSubscribe("__keyevent@0__:*", (key, channel) => {
      diary.events.set(key, [...diary.about(key), channel.split(":")[1]]);
    });
    return diary;
  }

  about(key) {
    return this.events.get(key) ?? [];
  }

  async says(key, expected) {
    await eventually(() => this.about(key).length >= expected.length);
    assert.deepEqual(this.about(key), expected);
  }
}

// A site that knows who has logged in.
async function serve(store) {
  const sessions = session({
    store,
    secret: "no secret",
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 600_000 },
  });
  const pages = {
    "/enter": (request, query) => {
      request.session.name = query.get("name");
      if (query.has("ms")) request.session.cookie.maxAge = Number(query.get("ms"));
    },
    "/look": () => {},
    "/count": (request) => {
      request.session.count = (request.session.count ?? 0) + 1;
    },
    "/change": (request) => new Promise((resolve) => request.session.regenerate(resolve)),
    "/leave": (request) => new Promise((resolve) => request.session.destroy(resolve)),
  };
  const server = http.createServer((request, response) =>
    sessions(request, response, async (error) => {
      const { pathname, searchParams } = new URL(request.url, "http://site");
      if (!error) await pages[pathname](request, searchParams);
      const { name, count } = request.session ?? {};
      response.statusCode = error ? 500 : 200;
      response.end(JSON.stringify({ name, count }));
    }),
  );
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

class Visitor {
  constructor(site) {
    this.site = site;
    this.cookie = "";
  }

  async get(path) {
    const response = await fetch(this.site.origin + path, { headers: { cookie: this.cookie } });
    assert.equal(response.status, 200);
    this.cookie = response.headers.get("set-cookie")?.split(";")[0] ?? this.cookie;
    return response.json();
  }

  // The key that the session is at.
  get key() {
    return `sess:${decodeURIComponent(this.cookie).match(/=s:([^.]+)\./)[1]}`;
  }
}

async function oneVisitor(site, client, diary) {
  const visitor = new Visitor(site);
  assert.deepEqual(await visitor.get("/look"), {});
  assert.equal(await client.dbSize(), 0);
  assert.deepEqual(await visitor.get("/enter?name=Jürgen"), { name: "Jürgen" });
  const { key } = visitor;
  const ttl = await client.pTTL(key);
  assert.ok(ttl > 590_000 && ttl <= 600_000, `${ttl}`);
  assert.equal(JSON.parse(await client.get(key)).name, "Jürgen");
  // To look at a page makes the session last longer, without writing it again.
  await client.pExpire(key, 100_000);
  assert.deepEqual(await visitor.get("/look"), { name: "Jürgen" });
  assert.ok((await client.pTTL(key)) > 590_000);
  assert.deepEqual(await visitor.get("/count"), { name: "Jürgen", count: 1 });
  await diary.says(key, ["set", "expire", "expire", "expire", "set", "expire"]);
  assert.deepEqual(await visitor.get("/leave"), {});
  assert.equal(await client.exists(key), 0);
  await diary.says(key, ["set", "expire", "expire", "expire", "set", "expire", "del"]);
  assert.deepEqual(await visitor.get("/look"), {});
  // Another name for what comes after: the old session is gone.
  await visitor.get("/enter?name=x");
  const before = visitor.key;
  assert.deepEqual(await visitor.get("/change"), {});
  await diary.says(before, ["set", "expire", "del"]);
}

async function onTime(site, client, diary) {
  const visitors = Array.from({ length: 20 }, () => new Visitor(site));
  const lasting = new Visitor(site);
  await lasting.get("/enter?name=lasting");
  await Promise.all(visitors.map((visitor, number) => visitor.get(`/enter?name=${number}&ms=1000`)));
  for (const { key } of visitors) await diary.says(key, ["set", "expire", "expired"]);
  for (const visitor of visitors) assert.deepEqual(await visitor.get("/look"), {});
  assert.deepEqual(await lasting.get("/look"), { name: "lasting" });
  await diary.says(lasting.key, ["set", "expire", "expire"]);
  await lasting.get("/leave");
}

async function many(site, store, client) {
  await store.clear();
  assert.equal(await client.dbSize(), 0);
  const visitors = Array.from({ length: 200 }, () => new Visitor(site));
  const names = visitors.map((_, number) => `visitor ${number}`);
  await Promise.all(visitors.map((visitor, number) => visitor.get(`/enter?name=${names[number]}`)));
  assert.equal(await store.length(), 200);
  assert.deepEqual((await store.ids()).map((id) => `sess:${id}`).sort(), visitors.map(({ key }) => key).sort());
  assert.deepEqual((await store.all()).map(({ name }) => name).sort(), [...names].sort());
  assert.deepEqual(await Promise.all(visitors.map((visitor) => visitor.get("/look"))), names.map((name) => ({ name })));
  await store.clear();
  assert.equal(await store.length(), 0);
}

start(main);

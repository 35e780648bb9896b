//! The connection: greeting, authentication, protocol and database. What concerns clients as a set (`CLIENT`) is beside.

use shardis_protocol::{Reply, Request, Version, number};
use shardis_storage::Db;

use super::client::{CLIENT, is_plain, set_name};
use crate::acl;
use crate::client::{Client, Gate};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Args, Call, Category, Command, Databases, Done, Error, Family, Flags, Flow, Told};
use crate::config::{Dialect, Personality};
use crate::state::State;

pub static FAMILY: Family = Family::new(
    "connection",
    Category::CONNECTION,
    &[&AUTH, &CLIENT, &ECHO, &HELLO, &PING, &QUIT, &RESET, &SELECT],
);

/// Allowed before anything else is.
const HANDSHAKE: Flags = Flags::NO_SCRIPT
    .union(Flags::LOADING)
    .union(Flags::STALE)
    .union(Flags::FAST)
    .union(Flags::NO_AUTH)
    .union(Flags::ALLOW_BUSY);
const ORDINARY: Flags = Flags::LOADING.union(Flags::STALE).union(Flags::FAST);

static AUTH: Command = Command::client("AUTH", auth)
    .syntax("[username]@6.0.0 password")
    .arity(AtLeast(2))
    .flags(HANDSHAKE)
    .since("1.0.0")
    .complexity("O(N) where N is the number of passwords defined for the user")
    .summary("Authenticates the connection.")
    .history(&[("6.0.0", "Added ACL style (username and password).")])
    .secrets(|_, at| at > 0);

fn auth(call: &mut Call<'_>, client: &mut Client) -> Done {
    let first = call.args.take()?;
    let (user, password) = match call.args.next() {
        Some(password) => (first, password),
        // One word alone is the form that servers had before they had users.
        None if call.state.acl.is_unprotected() => return Err(Error::NO_PASSWORD_SET),
        None => (acl::DEFAULT, first),
    };
    call.args.finish()?;
    authenticate(call, client, user, password)?;
    call.ok()
}

/// Lets a client in, or says that the name or the password is wrong; a client that was in before stays so.
fn authenticate(call: &Call<'_>, client: &mut Client, user: &[u8], password: &[u8]) -> Result<(), Error> {
    let (state, request) = (call.state, call.request());
    if !state.acl.log_in(client, user, password) {
        state.acl.note_failed_login(state, client, user, request);
        return Err(Error::WRONG_PASSWORD);
    }
    Ok(())
}

static ECHO: Command = Command::client("ECHO", echo)
    .syntax("message")
    .arity(Exactly(2))
    .flags(ORDINARY)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the given string.");

fn echo(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let message = call.args.take()?;
    call.bulk(message)
}

static HELLO: Command = Command::client("HELLO", hello)
    .syntax("arguments=[protover [AUTH username password] [SETNAME clientname]]")
    .arity(AtLeast(1))
    .flags(HANDSHAKE)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Handshakes with the Redis server.")
    .history(&[(
        "6.2.0",
        "`protover` made optional; when called without arguments the command reports the current connection's context.",
    )])
    .secrets(|request, at| {
        let follows_auth = |words: usize| {
            at > 1 + words && request.arg(at - words).is_some_and(|word| is_word(word, "AUTH"))
        };
        follows_auth(1) || follows_auth(2)
    });

fn hello(call: &mut Call<'_>, client: &mut Client) -> Done {
    let dialect = call.dialect();
    let version = call.args.next().map(protocol_version).transpose()?;
    let mut wishes = Wishes::default();
    while !call.args.is_empty() {
        wishes.read(&mut call.args, dialect)?;
        if dialect.hello_word_by_word {
            wishes.authenticate(call, client)?;
            wishes.set_name(client);
        }
    }
    wishes.authenticate(call, client)?;
    if !client.is_authenticated {
        return Err(Error::hello_needs_authentication(dialect));
    }
    wishes.set_name(client);
    if let Some(version) = version {
        let mut messages = client.set_version(version);
        call.reply.append(&mut messages);
        client.note_pushed(call.reply);
        call.reply.set_version(version);
    }
    introduce(call, client)
}

fn protocol_version(word: &[u8]) -> Result<Version, Error> {
    match number::parse_i64(word) {
        Some(2) => Ok(Version::Resp2),
        Some(3) => Ok(Version::Resp3),
        Some(_) => Err(Error::UNSUPPORTED_PROTOCOL),
        None => Err(Error::INVALID_PROTOCOL),
    }
}

/// What a greeting asks for.
#[derive(Default)]
struct Wishes<'a> {
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Wishes<'a> {
    fn read(&mut self, args: &mut Args<'a>, dialect: &Dialect) -> Result<(), Error> {
        let option = args.take()?;
        if is_word(option, "AUTH") && args.len() >= 2 {
            self.credentials = Some((args.take()?, args.take()?));
        } else if is_word(option, "SETNAME") && !args.is_empty() {
            self.name = Some(args.take()?).filter(|name| is_plain(dialect, name));
            self.name.ok_or(Error::CLIENT_NAME)?;
        } else {
            return Err(Error::hello_option(option));
        }
        Ok(())
    }

    fn authenticate(&mut self, call: &Call<'_>, client: &mut Client) -> Result<(), Error> {
        match self.credentials.take() {
            Some((user, password)) => authenticate(call, client, user, password),
            None => Ok(()),
        }
    }

    fn set_name(&mut self, client: &Client) {
        if let Some(name) = self.name.take() {
            set_name(client, name);
        }
    }
}

fn introduce(call: &mut Call<'_>, client: &Client) -> Done {
    let dialect = call.dialect();
    let reply = &mut *call.reply;
    reply.map(7);
    for (name, value) in [("server", dialect.server_name), ("version", dialect.server_version())] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(if client.version == Version::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(client.id as i64);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    write_modules(reply, dialect);
    Ok(Flow::Done)
}

/// The modules that the imitated server has from the start.
pub fn write_modules(reply: &mut Reply, dialect: &Dialect) {
    reply.array(dialect.modules.len());
    for (name, version, path) in dialect.modules {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(name.as_bytes());
        reply.bulk(b"ver");
        reply.integer(*version);
        reply.bulk(b"path");
        reply.bulk(path.as_bytes());
        reply.bulk(b"args");
        reply.array(0);
    }
}

static PING: Command = Command::client("PING", ping)
    .syntax("[message]")
    .arity(AtLeast(1))
    .flags(Flags::FAST.union(Flags::WHILE_SUBSCRIBED))
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the server's liveliness response.")
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]);

/// Where replies and messages look alike, it answers like a message.
fn ping(call: &mut Call<'_>, client: &mut Client) -> Done {
    if client.info.gates.has(Gate::Subscribed) && call.args.len() <= 1 {
        call.reply.array(2);
        call.reply.bulk(b"pong");
        let message = call.args.next().unwrap_or_default();
        return call.bulk(message);
    }
    match (call.args.next(), call.args.is_empty()) {
        (None, _) => call.simple("PONG"),
        (Some(message), true) => call.bulk(message),
        (Some(_), false) => Err(Error::arity("ping")),
    }
}

static QUIT: Command = Command::client("QUIT", quit)
    .arity(AtLeast(1))
    .flags(HANDSHAKE.union(Flags::NOT_QUEUED).union(Flags::WHILE_SUBSCRIBED))
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Closes the connection.")
    .deprecated("7.2.0", "just closing the connection");

fn quit(call: &mut Call<'_>, client: &mut Client) -> Done {
    client.close_after_reply = true;
    call.ok()
}

static RESET: Command = Command::client("RESET", reset)
    .arity(Exactly(1))
    .flags(HANDSHAKE.union(Flags::NOT_QUEUED).union(Flags::WHILE_SUBSCRIBED))
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Resets the connection.");

fn reset(call: &mut Call<'_>, client: &mut Client) -> Done {
    let is_open = call.state.acl.log_out(client);
    let mut messages = client.reset(is_open);
    call.reply.append(&mut messages);
    client.note_pushed(call.reply);
    call.reply.set_version(client.version);
    call.simple("RESET")
}

pub static SELECT: Command = Command::client("SELECT", select)
    .syntax("index")
    .arity(Exactly(2))
    .databases(Databases::At(&[1]))
    .flags(ORDINARY)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Changes the selected database.")
    .elsewhere(&[(Personality::Valkey91, Told::Flags(ORDINARY.union(Flags::ALLOW_BUSY)))]);

fn select(call: &mut Call<'_>, client: &mut Client) -> Done {
    let number = u16::try_from(call.args.integer_32()?).ok();
    let db = number.filter(|&number| number < call.state.keyspace.databases()).map(Db);
    client.select(db.ok_or(Error::DB_OUT_OF_RANGE)?);
    call.ok()
}

/// The database that a call of SELECT selects, if it does.
pub fn selected(state: &State, request: Request<'_>) -> Option<Db> {
    let named = SELECT.databases.named(request, state.keyspace.databases());
    named.first().map(|(_, number)| Db(*number))
}

//! Looking at locks.

use shardis_protocol::Reply;
use shardis_storage::glob::Pattern;
use shardis_storage::types::lock::{Grant, Lock};
use shardis_storage::{Key, Kind, View};

use super::options::{Of, Options, in_range};
use super::{SINCE, count, lease};
use crate::blocking::Waiter;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Args, Call, Category, Command, Done, Error, Flow, key};
use crate::jobs::rights::Rights;
use crate::locks::COUNT_MAX;
use crate::locks::site::instant_ms;

pub static INFO: Command = Command::read("LOCK.INFO", info)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only().accesses()])
    .since(SINCE)
    .complexity("O(N) with N being the number of owners that hold the lock or wait for it.")
    .summary("Tells who holds a lock, and who waits for it.");

fn info(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    // A lock that nobody holds may have a queue: of those who wait for other locks as well.
    let is_free = view.read::<Lock>(&key)?.is_none();
    if is_free && call.state.waiters.first(call.db, key.bytes(), Kind::Lock).is_none() {
        return call.null_array();
    }
    call.reply.map(3);
    describe(call, view, &key);
    Ok(Flow::Done)
}

/// Writes the fields of a lock.
fn describe(call: &mut Call<'_>, view: &mut View<'_>, key: &Key<'_>) {
    let now_ms = instant_ms(call.state);
    let lock = view.inspect(key).and_then(|entry| entry.object::<Lock>());
    let grants: Vec<&Grant> =
        lock.map_or(&[][..], Lock::grants).iter().filter(|grant| !grant.term.is_over(now_ms)).collect();
    let reply = &mut *call.reply;
    reply.bulk(b"mode");
    reply.bulk(grants.first().map_or("free", |grant| grant.mode().name()).as_bytes());
    reply.bulk(b"holders");
    reply.array(grants.len());
    for grant in grants {
        reply.map(6);
        reply.bulk(b"owner");
        reply.bulk(&grant.owner);
        reply.bulk(b"fence");
        count(reply, grant.fence);
        reply.bulk(b"holds");
        count(reply, grant.holds().into());
        reply.bulk(b"lease");
        lease(reply, grant.term, now_ms);
        reply.bulk(b"client");
        count(reply, grant.client);
        reply.bulk(b"note");
        reply.bulk(&grant.note);
    }
    reply.bulk(b"waiters");
    let waiters = call.state.waiters.all(call.db, key.bytes(), Kind::Lock);
    reply.array(waiters.len());
    for waiter in waiters {
        let (owner, options) = asked(&waiter).unwrap_or_default();
        reply.map(3);
        reply.bulk(b"owner");
        reply.bulk(owner);
        reply.bulk(b"mode");
        reply.bulk(options.mode().name().as_bytes());
        reply.bulk(b"since");
        since(reply, &waiter, now_ms);
    }
}

/// Writes for how many milliseconds somebody has been waiting.
pub fn since(reply: &mut Reply, waiter: &Waiter, now_ms: u64) {
    let since_ms = u64::try_from(waiter.since.as_millis()).unwrap_or(u64::MAX);
    count(reply, now_ms.saturating_sub(since_ms));
}

/// For whom somebody waits, and how.
fn asked(waiter: &Waiter) -> Option<(&[u8], Options<'_>)> {
    let request = waiter.request.as_request();
    // The owner stands behind the last key.
    let last = waiter.keys_at().max()?;
    let mut args = Args::new(request, last + 1);
    let owner = args.next()?;
    Some((owner, Options::parse(&mut args, Of::Lock).ok()?))
}

pub static LIST: Command = Command::read("LOCK.LIST", list)
    .syntax("[MATCH pattern] [COUNT count]")
    .arity(AtLeast(1))
    .walk()
    .with_client()
    .categories(Category::KEYSPACE)
    .since(SINCE)
    .complexity("O(N) with N being the number of locks that are held in the database.")
    .summary("Tells of the locks that are held in the database, by the order of their keys.");

fn list(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let (mut pattern, mut limit) = (None, None);
    while !call.args.is_empty() {
        if pattern.is_none() && call.args.take_word("MATCH") {
            pattern = Some(Pattern::new(call.args.take()?));
        } else if limit.is_none() && call.args.take_word("COUNT") {
            limit = Some(in_range(&mut call.args, "COUNT", 1, COUNT_MAX)?);
        } else {
            return Err(Error::SYNTAX);
        }
    }
    // It goes through the whole register.
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let mut keys = call.state.locks.register.keys(call.db);
    keys.retain(|key| pattern.as_ref().is_none_or(|pattern| pattern.matches(key)));
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let rights = Rights::of_call(call);
    if rights.is_some_and(|rights| !keys.iter().all(|key| rights.may_touch(key))) {
        return Err(Error::FORBIDDEN_KEY_LISTED);
    }
    let header = call.reply.mark();
    let mut listed = 0;
    for key in keys.iter().map(|bytes| call.state.keyspace.key(bytes)) {
        if listed == limit {
            break;
        }
        // Semaphores are in the register as well, and what has been given back since is not there.
        let Ok(found) = view.walk_to_key(&key) else { return Ok(Flow::Offload) };
        if found.is_some_and(|entry| entry.kind() == Kind::Lock) {
            call.reply.map(4);
            call.reply.bulk(b"key");
            call.reply.bulk(key.bytes());
            describe(call, view, &key);
            listed += 1;
        }
    }
    call.reply.insert_array_header(header, listed);
    Ok(Flow::Done)
}

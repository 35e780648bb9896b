//! Semaphores: so many permits, handed out in turn. A request that is first and too large for what is left is not overtaken.

use shardis_protocol::{Reply, number};
use shardis_storage::types::lock::Term;
use shardis_storage::types::semaphore::{Permit, Semaphore};
use shardis_storage::{Interest, Key, Kind, Notice, Transaction, View};

use super::info::since;
use super::options::{Of, Options, in_range, milliseconds, owner};
use super::{SINCE, count, lease};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Args, Call, Command, Done, Error, Flags, Flow, KeySpec, key};
use crate::locks::COUNT_MAX;
use crate::locks::site::{Site, instant_ms};

const UPDATED: &[KeySpec] = &[key(1).read_write().updates()];

pub static CREATE: Command = Command::write("SEM.CREATE", create)
    .syntax("key permits:integer")
    .arity(Exactly(3))
    .keys(&[key(1).read_write().inserts()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since(SINCE)
    .complexity("O(1)")
    .summary("Creates a semaphore with so many permits, unless there is one.");

fn create(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let size = in_range(&mut call.args, "permits", 0, COUNT_MAX)?;
    let is_there = Site::new(call.state, txn, key).semaphore()?.is_some();
    if !is_there {
        txn.announce(Notice::Usual);
        txn.set_collection(&key, Semaphore::of_size(size));
    }
    call.integer(i64::from(!is_there))
}

pub static ACQUIRE: Command = Command::blocking("SEM.ACQUIRE", Kind::Semaphore, acquire)
    .syntax("key owner [N count] [LEASE milliseconds | SESSION [GRACE milliseconds]] [WAIT milliseconds]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .in_turn()
    .with_client()
    .since(SINCE)
    .complexity("O(N) with N being the number of requests that have permits.")
    .summary("Acquires permits of a semaphore under one number, or waits for them in turn.");

fn acquire(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let mut args = call.args;
    let (owner, options) = (owner(&mut args)?, Options::parse(&mut args, Of::Semaphore)?);
    let wanted = options.count.unwrap_or(1);
    let is_queue = txn.is_observed(Interest::in_kind(Kind::Semaphore));
    let mut site = Site::new(call.state, txn, key);
    let semaphore = site.semaphore()?.ok_or(Error::NO_SEMAPHORE)?;
    if wanted > semaphore.size() {
        return Err(Error::permits_beyond_size(wanted, semaphore.size()));
    }
    let ticket = call.ticket.unwrap_or(i64::MAX);
    let is_next = || call.state.waiters.is_next(call.db, key.bytes(), Kind::Semaphore, ticket);
    if !semaphore.has(wanted) || is_queue && !is_next() {
        return match options.wait_ms {
            Some(wait_ms) => call.block(wait_ms, Reply::null_array),
            None => call.null_array(),
        };
    }
    let term = options.term(call, site.now_ms);
    let client = call.client.as_ref().map_or(0, |client| client.id);
    let permit = Permit { owner: owner.into(), count: wanted, term, client };
    let handed_out = site.hand_out(permit, call.client.as_ref())?;
    let (fence, left, grant) = handed_out.ok_or(Error::NO_SEMAPHORE)?;
    call.granted.push(grant);
    call.reply.map(3);
    call.reply.bulk(b"permit");
    call.reply.bulk(itoa::Buffer::new().format(fence).as_bytes());
    call.reply.bulk(b"fence");
    count(call.reply, fence);
    call.reply.bulk(b"left");
    call.integer(left)
}

/// Takes the number of a permit; what is no number is that of none.
fn permit(args: &mut Args<'_>) -> Result<u64, Error> {
    let number = number::parse_i64(args.take()?).and_then(|number| u64::try_from(number).ok());
    Ok(number.unwrap_or_default())
}

pub static RELEASE: Command = Command::write("SEM.RELEASE", release)
    .syntax("key permit")
    .arity(Exactly(3))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(log(N)) with N being the number of requests that have permits.")
    .summary("Gives permits back to a semaphore, which go to those who wait in turn.");

fn release(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let permit = permit(&mut call.args)?;
    let mut site = Site::new(call.state, txn, key);
    site.semaphore()?;
    let left = site.give_back(permit)?.ok_or_else(|| Error::not_owner(key.bytes(), "the permit"))?;
    call.integer(left)
}

pub static RENEW: Command = Command::write("SEM.RENEW", renew)
    .syntax("key permit LEASE milliseconds")
    .arity(Exactly(5))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(log(N)) with N being the number of requests that have permits.")
    .summary("Lets the lease of permits that are still out end so many milliseconds from now.");

fn renew(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let permit = permit(&mut call.args)?;
    if !call.args.take_word("LEASE") {
        return Err(Error::SYNTAX);
    }
    let lease_ms = milliseconds(&mut call.args, "LEASE", 1)?;
    let mut site = Site::new(call.state, txn, key);
    let found = site.semaphore()?.and_then(|semaphore| semaphore.permit(permit)).map(|permit| permit.term);
    if found.ok_or_else(|| Error::lock_lost(key.bytes()))?.is_of_session() {
        return Err(Error::RENEW_SESSION);
    }
    let end_ms = site.now_ms.saturating_add(lease_ms);
    site.set_permit_term(permit, Term::Lease { end_ms }, None);
    count(call.reply, lease_ms);
    Ok(Flow::Done)
}

pub static RESIZE: Command = Command::write("SEM.RESIZE", resize)
    .syntax("key permits:integer")
    .arity(Exactly(3))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(1)")
    .summary("Changes how many permits a semaphore has: how many are left, negative while too many are out.");

fn resize(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let size = in_range(&mut call.args, "permits", 0, COUNT_MAX)?;
    Site::new(call.state, txn, key).semaphore()?;
    txn.announce(Notice::Usual);
    let mut semaphore = txn.edit::<Semaphore>(&key)?.ok_or(Error::NO_SEMAPHORE)?;
    let left = semaphore.change(|semaphore| {
        semaphore.resize(size);
        (true, semaphore.left())
    });
    call.integer(left)
}

pub static INFO: Command = Command::read("SEM.INFO", info)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only().accesses()])
    .since(SINCE)
    .complexity("O(N) with N being the number of requests that have permits or wait for some.")
    .summary("Tells who has permits of a semaphore, and who waits for some.");

fn info(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let now_ms = instant_ms(call.state);
    let Some(semaphore) = view.read::<Semaphore>(&key)? else { return call.null_array() };
    let permits: Vec<(u64, &Permit)> =
        semaphore.permits().filter(|(_, permit)| !permit.term.is_over(now_ms)).collect();
    let used: u64 = permits.iter().map(|(_, permit)| permit.count).sum();
    let reply = &mut *call.reply;
    reply.map(5);
    reply.bulk(b"permits");
    count(reply, semaphore.size());
    reply.bulk(b"used");
    count(reply, used);
    reply.bulk(b"left");
    reply.integer(
        i64::try_from(semaphore.size()).unwrap_or(i64::MAX) - i64::try_from(used).unwrap_or(i64::MAX),
    );
    reply.bulk(b"holders");
    reply.array(permits.len());
    for (fence, permit) in permits {
        reply.map(5);
        reply.bulk(b"permit");
        reply.bulk(itoa::Buffer::new().format(fence).as_bytes());
        reply.bulk(b"owner");
        reply.bulk(&permit.owner);
        reply.bulk(b"n");
        count(reply, permit.count);
        reply.bulk(b"lease");
        lease(reply, permit.term, now_ms);
        reply.bulk(b"client");
        count(reply, permit.client);
    }
    write_waiters(call, &key, now_ms);
    Ok(Flow::Done)
}

fn write_waiters(call: &mut Call<'_>, key: &Key<'_>, now_ms: u64) {
    let waiters = call.state.waiters.all(call.db, key.bytes(), Kind::Semaphore);
    let reply = &mut *call.reply;
    reply.bulk(b"waiters");
    reply.array(waiters.len());
    for waiter in waiters {
        let request = waiter.request.as_request();
        let options = Options::parse(&mut Args::new(request, 3), Of::Semaphore).unwrap_or_default();
        reply.map(3);
        reply.bulk(b"owner");
        reply.bulk(request.arg(2).unwrap_or_default());
        reply.bulk(b"n");
        count(reply, options.count.unwrap_or(1));
        reply.bulk(b"since");
        since(reply, &waiter, now_ms);
    }
}

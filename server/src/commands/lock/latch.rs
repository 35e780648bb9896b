//! Latches: all who wait go on when something has happened so often.

use shardis_protocol::Reply;
use shardis_storage::types::latch::Latch;
use shardis_storage::{Kind, Transaction, View};

use super::options::{in_range, milliseconds};
use super::{SINCE, count};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};
use crate::locks::COUNT_MAX;

pub static SET: Command = Command::write("LATCH.SET", set)
    .syntax("key count:integer [TTL milliseconds]")
    .arity(AtLeast(3))
    .keys(&[key(1).overwrites().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since(SINCE)
    .complexity("O(1)")
    .summary("Sets a latch that opens when it has been taken down so often.");

fn set(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let steps = in_range(&mut call.args, "count", 0, COUNT_MAX)?;
    let ttl_ms =
        if call.args.take_word("TTL") { Some(milliseconds(&mut call.args, "TTL", 1)?) } else { None };
    call.args.finish()?;
    if txn.find(&key).is_some_and(|found| found.kind() != Kind::Latch) {
        return Err(Error::WRONG_TYPE);
    }
    txn.set_collection(&key, Latch::of_count(steps));
    if let Some(ttl_ms) = ttl_ms.and_then(|ttl_ms| i64::try_from(ttl_ms).ok()) {
        txn.set_deadline(&key, Some(call.now_ms.saturating_add(ttl_ms)));
    }
    call.ok()
}

pub static DOWN: Command = Command::write("LATCH.DOWN", down)
    .syntax("key [count:integer]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(1); O(N) with N being the number of clients that wait, when it opens.")
    .summary("Takes a latch down by one step or several, and wakes all who wait when it opens.");

fn down(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let steps = if call.args.is_empty() { 1 } else { in_range(&mut call.args, "count", 1, COUNT_MAX)? };
    call.args.finish()?;
    let mut latch = txn.edit::<Latch>(&key)?.ok_or(Error::NO_LATCH)?;
    let left = latch.change(|latch| (!latch.is_open(), latch.down(steps)));
    drop(latch);
    count(call.reply, left);
    Ok(Flow::Done)
}

pub static AWAIT: Command = Command::blocking("LATCH.AWAIT", Kind::Latch, wait)
    .syntax("key [WAIT milliseconds]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .in_turn()
    .since(SINCE)
    .complexity("O(1)")
    .summary("Waits until a latch is open, also one that has not been set yet.");

fn wait(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let wait_ms =
        if call.args.take_word("WAIT") { Some(milliseconds(&mut call.args, "WAIT", 0)?) } else { None };
    call.args.finish()?;
    if txn.read::<Latch>(&key)?.is_some_and(|latch| latch.is_open()) {
        return call.integer(1);
    }
    match wait_ms {
        Some(wait_ms) => call.block(wait_ms, not_open),
        None => call.integer(0),
    }
}

fn not_open(reply: &mut Reply) {
    reply.integer(0);
}

pub static INFO: Command = Command::read("LATCH.INFO", info)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(N) with N being the number of clients that wait.")
    .summary("Tells how many steps a latch has left, and how many clients wait for it.");

fn info(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let Some(steps) = view.read::<Latch>(&key)?.map(|latch| latch.count()) else { return call.null_array() };
    let deadline_ms = view.inspect(&key).and_then(|entry| entry.deadline_ms());
    call.reply.map(3);
    call.reply.bulk(b"count");
    count(call.reply, steps);
    call.reply.bulk(b"waiters");
    let waiters = call.state.waiters.all(call.db, key.bytes(), Kind::Latch);
    call.reply.integer(i64::try_from(waiters.len()).unwrap_or(i64::MAX));
    call.reply.bulk(b"ttl");
    call.integer(deadline_ms.map_or(-1, |deadline_ms| (deadline_ms - call.now_ms).max(0)))
}

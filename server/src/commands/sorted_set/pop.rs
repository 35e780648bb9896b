//! Taking members off either end.

use shardis_storage::types::packed::Side;
use shardis_storage::types::sorted_set::SortedSet;
use shardis_storage::{Key, Notice, Transaction};

use super::reply_elements;
use crate::command::Arity::AtLeast;
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key, numbered};

const KEYS: &[KeySpec] = &[key(1).read_write().accesses().deletes()];
const COMPLEXITY: &str = "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number \
    of elements popped.";

pub(super) const MANY_COMPLEXITY: &str = "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of \
    elements in the sorted set, and M being the number of elements popped.";

pub static ZPOPMIN: Command = Command::write("ZPOPMIN", zpopmin)
    .syntax("key [count]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("5.0.0")
    .complexity(COMPLEXITY)
    .summary(
        "Returns the lowest-scoring members from a sorted set after removing them. \
         Deletes the sorted set if the last member was popped.",
    );

fn zpopmin(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Front)
}

pub static ZPOPMAX: Command = Command::write("ZPOPMAX", zpopmax)
    .syntax("key [count]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("5.0.0")
    .complexity(COMPLEXITY)
    .summary(
        "Returns the highest-scoring members from a sorted set after removing them. \
         Deletes the sorted set if the last member was popped.",
    );

fn zpopmax(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Back)
}

fn pop(call: &mut Call<'_>, txn: &mut Transaction<'_>, side: Side) -> Done {
    let key = call.next_key()?;
    let count = match call.args.len() {
        0 => None,
        1 => Some(call.args.positive()?),
        _ => return Err(Error::SYNTAX),
    };
    let Some(mut set) = txn.edit::<SortedSet>(&key)? else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    let popped = count.unwrap_or(1).min(set.len());
    if call.should_offload(popped) {
        return Ok(Flow::Offload);
    }
    set.change(|set| {
        let done = match set.iter_from(end(set, side), side.opposite()).next() {
            // One that was not counted is no pair of its own in RESP3 either.
            Some((member, score)) if count.is_none() => {
                call.reply.array(2);
                call.element(member).and_then(|_| call.double(score))
            }
            _ => reply_elements(
                call,
                popped,
                set.iter_from(end(set, side), side.opposite()).take(popped),
                true,
            ),
        };
        remove(set, side, popped);
        (popped > 0, done)
    })
}

pub static ZMPOP: Command = Command::write("ZMPOP", zmpop)
    .syntax("numkeys key [key ...] where=<MIN | MAX> [COUNT count]")
    .arity(AtLeast(4))
    .keys(&[numbered(1, 1).read_write().accesses().deletes()])
    .since("7.0.0")
    .complexity(MANY_COMPLEXITY)
    .summary(
        "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. \
         Deletes the sorted set if the last member was popped.",
    );

fn zmpop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (side, count) = many(call)?;
    for key in call.keys() {
        if let Some(done) = pop_many(call, txn, &key, side, count)? {
            return Ok(done);
        }
    }
    call.null_array()
}

/// Takes a number of keys with these keys, an end and a number of members off the arguments, to their end.
pub(super) fn many(call: &mut Call<'_>) -> Result<(Side, usize), Error> {
    let numkeys = call.args.above_zero("numkeys")?;
    let mut options = call.args.behind(numkeys)?;
    let side = match () {
        () if options.take_word("MIN") => Side::Front,
        () if options.take_word("MAX") => Side::Back,
        () => return Err(Error::SYNTAX),
    };
    let mut count = 1;
    if options.len() > 1 && options.take_word("COUNT") {
        count = options.above_zero("count")?;
    }
    options.finish()?;
    Ok((side, count))
}

/// Replies a key and so many of its members; `None` if it has none.
pub(super) fn pop_many(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
    side: Side,
    count: usize,
) -> Result<Option<Flow>, Error> {
    let event = if side == Side::Front { &event::POPPED_LEAST } else { &event::POPPED_GREATEST };
    txn.announce(Notice::Event(event));
    let Some(mut set) = txn.edit::<SortedSet>(key)? else { return Ok(None) };
    let popped = count.min(set.len());
    if call.should_offload(popped) {
        return Ok(Some(Flow::Offload));
    }
    call.reply.array(2);
    call.reply.bulk(key.bytes());
    set.change(|set| {
        let done = reply_nested(call, set, side, popped);
        remove(set, side, popped);
        (true, done.map(Some))
    })
}

/// Replies a key and the member at an end with its score; `None` if it has none.
pub(super) fn pop_one(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
    side: Side,
) -> Result<Option<Flow>, Error> {
    let Some(mut set) = txn.edit::<SortedSet>(key)? else { return Ok(None) };
    call.reply.array(3);
    call.reply.bulk(key.bytes());
    set.change(|set| {
        let done = match set.iter_from(end(set, side), side.opposite()).next() {
            Some((member, score)) => call.element(member).and_then(|_| call.double(score)),
            None => Ok(Flow::Done),
        };
        remove(set, side, 1);
        (true, done.map(Some))
    })
}

/// Replies elements as pairs, in either version of the protocol.
fn reply_nested(call: &mut Call<'_>, set: &SortedSet, side: Side, count: usize) -> Done {
    call.reply.array(count);
    for (member, score) in set.iter_from(end(set, side), side.opposite()).take(count) {
        call.reply.array(2);
        call.element(member)?;
        call.double(score)?;
    }
    Ok(Flow::Done)
}

fn remove(set: &mut SortedSet, side: Side, count: usize) {
    let first = match side {
        Side::Front => 0,
        Side::Back => set.len() - count,
    };
    set.remove_ranks(first, count);
}

/// The rank at an end.
fn end(set: &SortedSet, side: Side) -> usize {
    match side {
        Side::Front => 0,
        Side::Back => set.len().saturating_sub(1),
    }
}

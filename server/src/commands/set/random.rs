//! Members by chance, removed or only shown.

use shardis_storage::types::set::Set;
use shardis_storage::{Transaction, View};

use super::{context, empty_like};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static SPOP: Command = Command::write("SPOP", spop)
    .syntax("key [count]@3.2.0")
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().accesses().deletes()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("Without the count argument O(1), otherwise O(N) where N is the value of the passed count.")
    .summary(
        "Returns one or more random members from a set after removing them. Deletes the set if the last \
         member was popped.",
    )
    .history(&[("3.2.0", "Added the `count` argument.")])
    .tips(&["nondeterministic_output"]);

fn spop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if !call.args.is_empty() {
        let mut args = call.args;
        args.take()?;
        args.finish()?;
        return pop_several(call, txn);
    }
    let Some(mut set) = txn.edit::<Set>(&key)? else { return call.null() };
    let mut random = call.random();
    set.change(|set| (true, set.pop_random(&mut random, |member| call.element(member))))
        .unwrap_or(Ok(Flow::Done))
}

/// The count is the argument that is left.
fn pop_several(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.key(1)?;
    let count = call.args.positive()?;
    let set = match txn.find(&key) {
        None => None,
        Some(entry) => Some(entry.object::<Set>().ok_or(Error::WRONG_TYPE)?),
    };
    let len = set.map_or(0, Set::len);
    let count = count.min(len);
    if call.should_offload(count) {
        return Ok(Flow::Offload);
    }
    call.reply.set(count);
    if count == len {
        for member in set.iter().flat_map(|set| set.iter()) {
            call.element(member)?;
        }
        txn.remove_emptied(&key);
        return Ok(Flow::Done);
    }
    let (context, mut random) = (context(call, &key), call.random());
    let Some(mut set) = txn.edit::<Set>(&key)? else { return Ok(Flow::Done) };
    let left = len - count;
    let mut done = Ok(Flow::Done);
    // Where few are left, those few become a new set, as in the real servers.
    let rest = (left.saturating_mul(DIVIDED_SHARE) <= count).then(|| {
        let mut rest = empty_like(call, &set);
        set.divide(left, &mut rest, &context, &mut random, |member| done = call.element(member));
        rest
    });
    set.change(|set| {
        match rest {
            Some(rest) => *set = rest,
            None => (0..count).for_each(|_| {
                set.pop_random(&mut random, |member| done = call.element(member));
            }),
        }
        (count > 0, ())
    });
    done
}

pub static SRANDMEMBER: Command = Command::read("SRANDMEMBER", srandmember)
    .syntax("key [count]@2.6.0")
    .arity(AtLeast(2))
    .keys(&[key(1).read_only().accesses()])
    .since("1.0.0")
    .complexity(
        "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    )
    .summary("Gets one or multiple random members from a set.")
    .history(&[("2.6.0", "Added the optional `count` argument.")])
    .tips(&["nondeterministic_output"]);

fn srandmember(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    if call.args.is_empty() {
        let set = view.read::<Set>(&key)?;
        return match set.and_then(|set| set.random_member(&mut call.random())) {
            Some(member) => call.element(member),
            None => call.null(),
        };
    }
    let mut args = call.args;
    args.take()?;
    args.finish()?;
    let count = call.args.integer_in(-i64::MAX..=i64::MAX, Error::OUT_OF_RANGE_NEGATABLE)?;
    let is_repeating = count < 0;
    let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let Some(set) = view.read::<Set>(&key)? else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    let count = if is_repeating { count } else { count.min(set.len()) };
    if call.should_offload(count) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    if is_repeating {
        return repeat(call, set, count);
    }
    call.reply.array(count);
    let mut done = Ok(Flow::Done);
    set.sample(count, &mut call.random(), |member| done = call.element(member));
    done
}

/// Replies members that may be the same.
fn repeat(call: &mut Call<'_>, set: &Set, count: usize) -> Done {
    let mut random = call.random();
    call.bound_repeated(count)?;
    call.reply.array(count);
    for _ in 0..count {
        if let Some(member) = set.random_member(&mut random) {
            call.element(member)?;
        }
        call.bound_repeated(count)?;
    }
    Ok(Flow::Done)
}

/// Up to this part of what is taken may be left for the rest to become a new set.
const DIVIDED_SHARE: usize = 5;

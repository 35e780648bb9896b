//! What several sets have in common, together, or the first alone: replied, counted or stored. All keys are looked at
//! before anything is worked out, so that one of another type is an error wherever it stands.

use shardis_protocol::{Aggregate, number};
use shardis_storage::types::packed::Element;
use shardis_storage::types::set::{Set, SetContext};
use shardis_storage::{Key, Transaction, View};
use smallvec::SmallVec;

use super::{context, empty_like};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key, keys, numbered};

const KEYS: &[KeySpec] = &[keys(1, -1, 1).read_only().accesses()];
const TIPS: &[&str] = &["nondeterministic_output_order"];
const INTERSECTION: &str =
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";
const ALL: &str = "O(N) where N is the total number of elements in all given sets.";

pub static SINTER: Command = Command::read("SINTER", sinter)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .since("1.0.0")
    .complexity(INTERSECTION)
    .summary("Returns the intersect of multiple sets.")
    .tips(TIPS);

fn sinter(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let keys = rest(call)?;
    let Some(sets) = open(call, view, &keys, intersection_work)? else { return Ok(Flow::Offload) };
    let start = call.reply.mark();
    let mut count = 0;
    for member in intersection(&sets) {
        call.element(member)?;
        count += 1;
    }
    call.reply.insert_header(start, Aggregate::Set, count);
    Ok(Flow::Done)
}

pub static SINTERCARD: Command = Command::read("SINTERCARD", sintercard)
    .syntax("numkeys key [key ...] [LIMIT limit]")
    .arity(AtLeast(3))
    .keys(&[numbered(1, 1).read_only().accesses()])
    .since("7.0.0")
    .complexity(INTERSECTION)
    .summary("Returns the number of members of the intersect of multiple sets.");

fn sintercard(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let count = call.args.above_zero("numkeys")?;
    let mut options = call.args.behind(count).map_err(|_| Error::NUMKEYS_BEYOND_ARGUMENTS)?;
    let mut limit = 0;
    while !options.is_empty() {
        if !options.take_word("LIMIT") {
            return Err(Error::SYNTAX);
        }
        let word = options.take()?;
        let number = number::parse_i64(word).and_then(|limit| usize::try_from(limit).ok());
        limit = number.ok_or(Error::LIMIT_NEGATIVE)?;
    }
    let keys = next(call, count)?;
    let Some(sets) = open(call, view, &keys, intersection_work)? else { return Ok(Flow::Offload) };
    let limit = if limit == 0 { usize::MAX } else { limit };
    let count = intersection(&sets).take(limit).count();
    call.integer(count)
}

pub static SINTERSTORE: Command = Command::write("SINTERSTORE", sinterstore)
    .syntax("destination key [key ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().updates(), keys(2, -1, 1).read_only().accesses()])
    .flags(Flags::DENY_OOM)
    .since("1.0.0")
    .complexity(INTERSECTION)
    .summary("Stores the intersect of multiple sets in a key.");

fn sinterstore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store(call, txn, intersection_work, |call, sets, context| {
        let Some(smallest) = smallest(sets) else { return Set::new() };
        let mut result = empty_like(call, smallest);
        for member in intersection(sets) {
            result.add(member, context);
        }
        result.narrow(context);
        result
    })
}

pub static SUNION: Command = Command::read("SUNION", sunion)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .since("1.0.0")
    .complexity(ALL)
    .summary("Returns the union of multiple sets.")
    .tips(TIPS);

fn sunion(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply(call, view, union)
}

pub static SUNIONSTORE: Command = Command::write("SUNIONSTORE", sunionstore)
    .syntax("destination key [key ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).overwrites().updates(), keys(2, -1, 1).read_only().accesses()])
    .flags(Flags::DENY_OOM)
    .since("1.0.0")
    .complexity(ALL)
    .summary("Stores the union of multiple sets in a key.");

fn sunionstore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store(call, txn, total_work, |_, sets, context| union(sets, context))
}

pub static SDIFF: Command = Command::read("SDIFF", sdiff)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .since("1.0.0")
    .complexity(ALL)
    .summary("Returns the difference of multiple sets.")
    .tips(TIPS);

fn sdiff(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply(call, view, difference)
}

pub static SDIFFSTORE: Command = Command::write("SDIFFSTORE", sdiffstore)
    .syntax("destination key [key ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).overwrites().updates(), keys(2, -1, 1).read_only().accesses()])
    .flags(Flags::DENY_OOM)
    .since("1.0.0")
    .complexity(ALL)
    .summary("Stores the difference of multiple sets in a key.");

fn sdiffstore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store(call, txn, total_work, |_, sets, context| difference(sets, context))
}

/// Sets in the order of their keys; a key that is not there has none.
type Sets<'v> = SmallVec<[Option<&'v Set>; SETS_INLINE]>;
type Keys<'c> = SmallVec<[Key<'c>; SETS_INLINE]>;

/// Takes all arguments that are left as keys.
fn rest<'c>(call: &mut Call<'c>) -> Result<Keys<'c>, Error> {
    next(call, call.args.len())
}

/// Takes so many arguments as keys.
fn next<'c>(call: &mut Call<'c>, count: usize) -> Result<Keys<'c>, Error> {
    (0..count).map(|_| call.next_key()).collect()
}

/// Looks all keys up; nothing if what is to be done with the sets is so much that it has to be done elsewhere.
fn open<'v>(
    call: &Call<'_>,
    view: &'v mut View<'_>,
    keys: &[Key<'_>],
    work: fn(&[Option<&Set>]) -> usize,
) -> Result<Option<Sets<'v>>, Error> {
    for key in keys {
        view.read::<Set>(key)?;
    }
    if call.should_offload(work(&found(view, keys))) {
        keys.iter().for_each(|key| view.uncount(key));
        return Ok(None);
    }
    Ok(Some(found(view, keys)))
}

/// The sets of keys that have been looked up.
fn found<'v>(view: &'v View<'_>, keys: &[Key<'_>]) -> Sets<'v> {
    keys.iter().map(|key| view.looked_up(key).and_then(|entry| entry.object())).collect()
}

/// Replies a set made of those of all keys.
fn reply(call: &mut Call<'_>, view: &mut View<'_>, combine: fn(&[Option<&Set>], &SetContext) -> Set) -> Done {
    let keys = rest(call)?;
    let context = context(call, &call.key(1)?);
    let Some(sets) = open(call, view, &keys, total_work)? else { return Ok(Flow::Offload) };
    let result = combine(&sets, &context);
    call.reply.set(result.len());
    for member in result.iter() {
        call.element(member)?;
    }
    Ok(Flow::Done)
}

/// Stores a set made of those of all keys but the first, or removes the first key if that is empty.
fn store(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    work: fn(&[Option<&Set>]) -> usize,
    combine: fn(&Call<'_>, &[Option<&Set>], &SetContext) -> Set,
) -> Done {
    let destination = call.next_key()?;
    let (keys, context) = (rest(call)?, context(call, &destination));
    let Some(sets) = open(call, txn, &keys, work)? else { return Ok(Flow::Offload) };
    let result = combine(call, &sets, &context);
    drop(sets);
    let len = result.len();
    txn.set_collection(&destination, result);
    call.integer(len)
}

/// The members that are in all sets, in the order of the smallest.
fn intersection<'v>(sets: &[Option<&'v Set>]) -> impl Iterator<Item = Element<'v>> {
    let smallest = smallest(sets);
    let mut others: Sets<'v> = sets.iter().copied().collect();
    others.retain(|set| !is_same(*set, smallest));
    others.sort_by_key(|set| set.map_or(0, Set::len));
    let is_common = move |member: &Element<'_>| others.iter().flatten().all(|set| set.contains(*member));
    smallest.into_iter().flat_map(Set::iter).filter(is_common)
}

/// The smallest of all sets, the first of several; none if one of them is not there.
fn smallest<'v>(sets: &[Option<&'v Set>]) -> Option<&'v Set> {
    let all = sets.iter().copied().collect::<Option<Vec<_>>>()?;
    all.into_iter().min_by_key(|set| set.len())
}

/// The members of all sets, added in order.
fn union(sets: &[Option<&Set>], context: &SetContext) -> Set {
    let mut result = Set::new();
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        result.add(member, context);
    }
    result
}

/// The members of the first set that are in no other. As in the real servers they are looked for in the others, or all
/// of the others are removed, whichever seems less work: how the result is stored depends on that.
fn difference(sets: &[Option<&Set>], context: &SetContext) -> Set {
    let mut result = Set::new();
    let Some((Some(first), others)) = sets.split_first().map(|(first, others)| (*first, others)) else {
        return result;
    };
    if others.iter().any(|other| is_same(*other, Some(first))) {
        return result;
    }
    let present = sets.iter().flatten().count();
    if first.len().saturating_mul(present) / 2 <= total_work(sets) {
        let is_alone = |member: &Element<'_>| !others.iter().flatten().any(|set| set.contains(*member));
        for member in first.iter().filter(is_alone) {
            result.add(member, context);
        }
        return result;
    }
    for member in first.iter() {
        result.add(member, context);
    }
    for member in others.iter().flatten().flat_map(|set| set.iter()) {
        result.remove(member);
    }
    result
}

fn is_same(one: Option<&Set>, other: Option<&Set>) -> bool {
    one.zip(other).is_some_and(|(one, other)| std::ptr::eq(one, other))
}

/// Every member of the smallest set is looked for in each of the others.
fn intersection_work(sets: &[Option<&Set>]) -> usize {
    smallest(sets).map_or(0, Set::len).saturating_mul(sets.len())
}

/// Every member is looked at.
fn total_work(sets: &[Option<&Set>]) -> usize {
    sets.iter().flatten().map(|set| set.len()).sum()
}

/// Keys of a call that take no allocation.
const SETS_INLINE: usize = 8;

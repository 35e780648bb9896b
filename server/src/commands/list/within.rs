//! Changing lists elsewhere than at their ends.

use shardis_storage::Transaction;
use shardis_storage::types::list::{List, Side};
use shardis_storage::types::packed::Element;

use super::range::{place, range};
use super::{directed, limit};
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static LINSERT: Command = Command::write("LINSERT", linsert)
    .syntax("key <BEFORE | AFTER> pivot element")
    .arity(Exactly(5))
    .keys(&[key(1).read_write().inserts()])
    .flags(Flags::DENY_OOM)
    .since("2.2.0")
    .complexity(
        "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting \
         somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end \
         (tail) is O(N).",
    )
    .summary("Inserts an element before or after another element in a list.");

fn linsert(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let side = match () {
        () if call.args.take_word("BEFORE") => Side::Front,
        () if call.args.take_word("AFTER") => Side::Back,
        () => return Err(Error::SYNTAX),
    };
    let pivot = Element::stored(call.args.take()?);
    let element = Element::from(call.args.take()?);
    let limit = limit(call);
    let Some(mut list) = txn.edit::<List>(&key)? else { return call.integer(0) };
    if call.should_offload(list.len()) {
        return Ok(Flow::Offload);
    }
    let is_inserted = list.change(|list| {
        list.expect_elements(element.len(), 1, limit);
        let index = list.iter().position(|element| element == pivot);
        let is_inserted = index.is_some_and(|index| list.insert(index, side, element, limit));
        (is_inserted, is_inserted)
    });
    if is_inserted { call.integer(list.len()) } else { call.integer(NO_PIVOT) }
}

/// The reply of LINSERT instead of a length when the pivot is not in the list.
const NO_PIVOT: i64 = -1;

pub static LSET: Command = Command::write("LSET", lset)
    .syntax("key index element")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::DENY_OOM)
    .since("1.0.0")
    .complexity(
        "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
    )
    .summary("Sets the value of an element in a list by its index.");

fn lset(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    // A missing key is reported before an index that is no number.
    let mut list = txn.edit::<List>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
    let mut index = call.args.integer()?;
    if call.dialect().lset_cuts_index {
        index = i64::from(index as i32);
    }
    let element = Element::from(call.args.take()?);
    let is_set = list.change(|list| {
        let index = place(index, list.len()).unwrap_or(usize::MAX);
        let is_set = list.set(index, element, limit(call));
        (is_set, is_set)
    });
    if is_set { call.ok() } else { Err(Error::INDEX_OUT_OF_RANGE) }
}

pub static LREM: Command = Command::write("LREM", lrem)
    .syntax("key count element")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().deletes()])
    .since("1.0.0")
    .complexity("O(N+M) where N is the length of the list and M is the number of elements removed.")
    .summary("Removes elements from a list. Deletes the list if the last element was removed.");

fn lrem(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let (from, count) = directed(call)?;
    let count = count.filter(|&count| count > 0).unwrap_or(usize::MAX);
    let element = call.args.take()?;
    let Some(mut list) = txn.edit::<List>(&key)? else { return call.integer(0) };
    if call.should_offload(list.len()) {
        return Ok(Flow::Offload);
    }
    let removed = list.change(|list| {
        let removed = list.remove_equal(element, from, count, limit(call));
        (removed > 0, removed)
    });
    call.integer(removed)
}

pub static LTRIM: Command = Command::write("LTRIM", ltrim)
    .syntax("key start stop")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().deletes()])
    .since("1.0.0")
    .complexity("O(N) where N is the number of elements to be removed by the operation.")
    .summary("Removes elements from both ends a list. Deletes the list if all elements were trimmed.");

fn ltrim(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let (start, stop) = (call.args.integer()?, call.args.integer()?);
    let limit = limit(call);
    let Some(mut list) = txn.edit::<List>(&key)? else { return call.ok() };
    let len = list.len();
    let (first, count) = range(start, stop, len).unwrap_or((0, 0));
    if call.should_offload(len - count) {
        return Ok(Flow::Offload);
    }
    let is_change = count < len || call.dialect().ltrim_always_changes;
    list.change(|list| {
        list.remove(first + count, len, limit);
        (is_change, list.remove(0, first, limit))
    });
    call.ok()
}

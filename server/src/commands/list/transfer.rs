//! Moving an element from one list to another, or from one end of a list to one of its own.

use shardis_storage::types::list::{List, Moved, Side};
use shardis_storage::{Event, Key, Kind, Notice, Transaction};

use super::{limit, side};
use crate::command::Arity::Exactly;
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key};

/// Where elements come from and where they go to.
pub(super) const KEYS: &[KeySpec] =
    &[key(1).read_write().accesses().deletes(), key(2).read_write().inserts()];

pub static LMOVE: Command = Command::write("LMOVE", lmove)
    .syntax("source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT>")
    .arity(Exactly(5))
    .keys(KEYS)
    .flags(Flags::DENY_OOM)
    .since("6.2.0")
    .complexity("O(1)")
    .summary(
        "Returns an element after popping it from one list and pushing it to another. Deletes the list if the last \
         element was moved.",
    );

fn lmove(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (source, destination) = (call.next_key()?, call.next_key()?);
    let (from, to) = (side(call)?, side(call)?);
    match transfer(call, txn, [&source, &destination], [from, to])? {
        Some(done) => Ok(done),
        None => call.null(),
    }
}

pub static RPOPLPUSH: Command = Command::write("RPOPLPUSH", rpoplpush)
    .syntax("source destination")
    .arity(Exactly(3))
    .keys(KEYS)
    .flags(Flags::DENY_OOM)
    .since("1.2.0")
    .complexity("O(1)")
    .summary(
        "Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last \
         element was popped.",
    )
    .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments");

fn rpoplpush(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (source, destination) = (call.next_key()?, call.next_key()?);
    match transfer(call, txn, [&source, &destination], [Side::Back, Side::Front])? {
        Some(done) => Ok(done),
        None => call.null(),
    }
}

/// Moves an element and replies it; `None` if there is nothing to move. Which type the destination has matters only then.
pub(super) fn transfer(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    [source, destination]: [&Key<'_>; 2],
    [from, to]: [Side; 2],
) -> Result<Option<Flow>, Error> {
    if !is_list(txn, source)? {
        return Ok(None);
    }
    is_list(txn, destination)?;
    let limit = limit(call);
    // Adding is told before taking, as in the real servers, who do it in that order.
    txn.announce(Notice::Silent);
    let Some(mut list) = txn.edit::<List>(source)? else { return Ok(None) };
    if source.bytes() == destination.bytes() {
        let mut rotate = |list: &mut List| list.rotate(from, to, limit, |element| call.element(element));
        let flow = list.change(|list| (true, rotate(list)));
        drop(list);
        txn.tell(destination, pushed(to));
        txn.tell(source, popped(from));
        return flow.transpose();
    }
    let moved = list.change(|list| (true, list.pop_with(from, limit, Moved::new)));
    drop(list);
    let Some(moved) = moved else { return Ok(None) };
    let mut list = txn.upsert::<List>(destination)?;
    list.change(|list| (true, list.push(to, std::iter::once(moved.element()), limit)));
    drop(list);
    txn.tell(destination, pushed(to));
    txn.tell(source, popped(from));
    if txn.find(source).is_none() {
        txn.tell(source, &event::DELETED);
    }
    call.element(moved.element()).map(Some)
}

/// What adding to this end is told as.
fn pushed(side: Side) -> &'static Event {
    match side {
        Side::Front => &event::PUSHED_FRONT,
        Side::Back => &event::PUSHED_BACK,
    }
}

/// What taking from this end is told as.
pub(super) fn popped(side: Side) -> &'static Event {
    match side {
        Side::Front => &event::POPPED_FRONT,
        Side::Back => &event::POPPED_BACK,
    }
}

/// Whether there is a list at a key; an error if there is something else.
fn is_list(txn: &mut Transaction<'_>, key: &Key<'_>) -> Result<bool, Error> {
    match txn.find(key).map(|entry| entry.kind()) {
        None => Ok(false),
        Some(Kind::List) => Ok(true),
        Some(_) => Err(Error::WRONG_TYPE),
    }
}

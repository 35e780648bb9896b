//! Adding elements.

use shardis_storage::Transaction;

use super::{change, create, is_raw, read, sparse_bytes_max};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Flags, key};

pub static PFADD: Command = Command::write("PFADD", pfadd)
    .syntax("key [element [element ...]]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().inserts()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("2.8.9")
    .complexity("O(1) to add every element.")
    .summary("Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.");

fn pfadd(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let (elements, bytes_max) = (call.args, sparse_bytes_max(call));
    // Most elements change nothing, which is found out in place.
    if let Some(entry) = txn.find(&key) {
        let is_raw = is_raw(call, &key, &entry);
        let value = read(entry)?;
        if is_raw && elements.into_iter().all(|element| value.covers(element)) {
            return call.integer(0);
        }
    }
    let changed = change(txn, &key, |value| {
        let mut is_changed = false;
        for element in elements {
            match value.add(element, bytes_max) {
                Ok(is_raised) => is_changed |= is_raised,
                // What was added before stays, and nobody is told, as in Redis.
                Err(corrupted) => return (false, Err(corrupted)),
            }
        }
        if is_changed {
            value.invalidate();
        }
        (is_changed, Ok(is_changed))
    })?;
    let is_changed = match changed {
        Some(is_changed) => is_changed,
        None => {
            create(txn, &key, |value| {
                elements.into_iter().try_for_each(|element| value.add(element, bytes_max).map(drop))
            })?;
            true
        }
    };
    call.integer(i64::from(is_changed))
}

//! Estimating how many elements there are, in one or in several together; and writing down several as one.

use shardis_storage::hyperloglog::Union;
use shardis_storage::{Notice, Transaction};

use super::{change, create, is_raw, read, sparse_bytes_max};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key, keys};

pub static PFCOUNT: Command = Command::write("PFCOUNT", pfcount)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(&[keys(1, -1, 1)
        .read_write()
        .accesses()
        .notes("RW because it may change the internal representation of the key, and propagate to replicas")])
    .flags(Flags::READONLY.union(Flags::MAY_REPLICATE))
    .since("2.8.9")
    .complexity(
        "O(1) with a very small average constant time when called with a single key. O(N) with N being the \
         number of keys, and much bigger constant times, when called with multiple keys.",
    )
    .summary("Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).");

fn pfcount(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    if call.args.len() > 1 {
        if call.should_offload(call.args.len() * WORK_OF_KEY) {
            return Ok(Flow::Offload);
        }
        let mut union = Union::default();
        add_all(call, txn, &mut union)?;
        return call.integer(union.count());
    }
    let key = call.next_key()?;
    // The one lookup that counts as a read.
    let Some(entry) = txn.lookup(&key) else { return call.integer(0) };
    let is_raw = is_raw(call, &key, &entry);
    if let (Some(count), true) = (read(entry)?.cached_count(), is_raw) {
        return call.integer(count);
    }
    // The estimate is kept in the value, which no event tells.
    txn.announce(Notice::Silent);
    let count = change(txn, &key, |value| match value.as_ref().cached_count() {
        Some(count) => (false, Ok(count)),
        None => {
            let count = value.as_ref().count();
            if let Ok(count) = count {
                value.cache_count(count);
            }
            (count.is_ok(), count)
        }
    })?;
    call.integer(count.unwrap_or_default())
}

pub static PFMERGE: Command = Command::write("PFMERGE", pfmerge)
    .syntax("destkey [sourcekey [sourcekey ...]]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().accesses().inserts(), keys(2, -1, 1).read_only().accesses()])
    .flags(Flags::DENY_OOM)
    .event("pfadd")
    .since("2.8.9")
    .complexity("O(N) to merge N HyperLogLogs, but with high constant times.")
    .summary("Merges one or more HyperLogLog values into a single key.");

fn pfmerge(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let bytes_max = sparse_bytes_max(call);
    let writing = bytes_max.min(SPARSE_BYTES_MAX) / SPARSE_BYTES_PER_WORK_UNIT;
    if call.should_offload(call.args.len() * WORK_OF_KEY + writing) {
        return Ok(Flow::Offload);
    }
    let mut union = Union::default();
    add_all(call, txn, &mut union)?;
    let destination = call.next_key()?;
    let merged = change(txn, &destination, |value| (true, value.take(&union, bytes_max)))?;
    if merged.is_none() {
        create(txn, &destination, |value| value.take(&union, bytes_max))?;
    }
    call.ok()
}

/// Adds what the keys of a call have; a missing one has nothing.
fn add_all(call: &Call<'_>, txn: &mut Transaction<'_>, union: &mut Union) -> Result<(), Error> {
    for key in call.keys() {
        if let Some(entry) = txn.lookup(&key) {
            union.add(read(entry)?)?;
        }
    }
    Ok(())
}

/// What it costs to take all registers of a key, in units of [`Call::should_offload`]: four microseconds at most.
const WORK_OF_KEY: usize = 40;
/// Bytes of sparse registers that are written in one unit, when all of them are.
const SPARSE_BYTES_PER_WORK_UNIT: usize = 8;
/// No sparse value is longer.
const SPARSE_BYTES_MAX: usize = 1 << 15;

//! Strings: commands over a value that is one run of bytes, or one number written as such. Bitmaps and
//! HyperLogLogs are strings to storage but families of their own.

mod conditional;
mod counter;
mod get_set;
mod lcs;
mod multi;
pub mod options;
mod range;

use shardis_storage::{Deadline, Key, Transaction};

use crate::command::{Call, Category, Family};

pub static FAMILY: Family = Family::new(
    "string",
    Category::STRING,
    &[
        &get_set::GET,
        &get_set::SET,
        &get_set::GETSET,
        &get_set::GETDEL,
        &get_set::GETEX,
        &get_set::SETNX,
        &get_set::SETEX,
        &get_set::PSETEX,
        &conditional::DELIFEQ,
        &conditional::DELEX,
        &conditional::DIGEST,
        &multi::MGET,
        &multi::MSET,
        &multi::MSETNX,
        &multi::MSETEX,
        &counter::INCR,
        &counter::DECR,
        &counter::INCRBY,
        &counter::DECRBY,
        &counter::INCRBYFLOAT,
        &range::STRLEN,
        &range::APPEND,
        &range::GETRANGE,
        &range::SUBSTR,
        &range::SETRANGE,
        &lcs::LCS,
    ],
);

/// Sets a string as the imitated server would: what does not fit beside its key now stays `raw` under every name.
fn set_string(call: &Call<'_>, txn: &mut Transaction<'_>, key: &Key<'_>, value: &[u8], deadline: Deadline) {
    if value.len() <= INTEGER_BYTES_MAX {
        return txn.set_string(key, value, deadline);
    }
    let dialect = call.dialect();
    let raw_bytes_min = (dialect.raw_bytes_min)(key.bytes().len());
    let is_close = value.len() + dialect.replaced_deadline_bytes >= raw_bytes_min;
    let had_deadline =
        |txn: &mut Transaction<'_>| txn.find(key).is_some_and(|old| old.deadline_ms().is_some());
    if value.len() >= raw_bytes_min || (is_close && had_deadline(txn)) {
        txn.set_raw_string(key, value, deadline);
    } else {
        txn.set_string(key, value, deadline);
    }
}

/// Longer strings are no integers.
const INTEGER_BYTES_MAX: usize = 20;

/// The longest string there may be.
pub fn string_bytes_max(call: &Call<'_>) -> usize {
    usize::try_from(call.state.config.proto_max_bulk_len.value()).unwrap_or(usize::MAX)
}

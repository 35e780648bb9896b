//! Strings: commands over a value that is one run of bytes, or one number written as such. Bitmaps and
//! HyperLogLogs are strings to storage but families of their own.

mod conditional;
mod counter;
mod get_set;
mod lcs;
mod multi;
mod options;
mod range;

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

/// The longest string there may be.
fn string_bytes_max(call: &Call<'_>) -> usize {
    usize::try_from(call.state.config.proto_max_bulk_len.value()).unwrap_or(usize::MAX)
}

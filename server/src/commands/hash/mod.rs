//! Hashes: commands over `storage::types::hash`.

mod all;
mod clause;
mod counter;
mod deadlines;
mod fields;
mod random;
mod scan;
mod timed;

use shardis_storage::Key;
use shardis_storage::types::hash::HashContext;

use crate::command::{Call, Category, Family};

pub static FAMILY: Family = Family::new(
    "hash",
    Category::HASH,
    &[
        &fields::HSET,
        &fields::HMSET,
        &fields::HSETNX,
        &fields::HGET,
        &fields::HMGET,
        &fields::HEXISTS,
        &fields::HSTRLEN,
        &fields::HDEL,
        &fields::HLEN,
        &all::HGETALL,
        &all::HKEYS,
        &all::HVALS,
        &random::HRANDFIELD,
        &scan::HSCAN,
        &counter::HINCRBY,
        &counter::HINCRBYFLOAT,
        &deadlines::HEXPIRE,
        &deadlines::HPEXPIRE,
        &deadlines::HEXPIREAT,
        &deadlines::HPEXPIREAT,
        &deadlines::HTTL,
        &deadlines::HPTTL,
        &deadlines::HEXPIRETIME,
        &deadlines::HPEXPIRETIME,
        &deadlines::HPERSIST,
        &timed::HGETEX,
        &timed::HSETEX,
        &timed::HGETDEL,
    ],
);

/// How large a hash stays compact. What seeds a large one is the hash of its key: nobody outside can know it.
fn context(call: &Call<'_>, key: &Key<'_>) -> HashContext {
    let limit = |setting: i64| usize::try_from(setting).unwrap_or(0);
    HashContext {
        entries_max: limit(call.state.config.hash_max_listpack_entries.value()),
        value_bytes_max: limit(call.state.config.hash_max_listpack_value.value()),
        seed: key.hash().0,
        now_ms: call.now_ms,
    }
}

//! Sets: commands over `storage::types::set`.

mod algebra;
mod members;
mod random;
mod scan;

use shardis_storage::Key;
use shardis_storage::types::set::{Set, SetContext, SetEncoding};

use crate::command::{Call, Category, Family};

pub static FAMILY: Family = Family::new(
    "set",
    Category::SET,
    &[
        &members::SADD,
        &members::SREM,
        &members::SISMEMBER,
        &members::SMISMEMBER,
        &members::SCARD,
        &members::SMEMBERS,
        &members::SMOVE,
        &random::SPOP,
        &random::SRANDMEMBER,
        &algebra::SINTER,
        &algebra::SINTERCARD,
        &algebra::SINTERSTORE,
        &algebra::SUNION,
        &algebra::SUNIONSTORE,
        &algebra::SDIFF,
        &algebra::SDIFFSTORE,
        &scan::SSCAN,
    ],
);

/// How large a set stays compact. What seeds a large one is the hash of its key: nobody outside can know it.
fn context(call: &Call<'_>, key: &Key<'_>) -> SetContext {
    let limit = |setting: i64| usize::try_from(setting).unwrap_or(0);
    let config = &call.state.config;
    SetContext {
        ints_max: limit(config.set_max_intset_entries.value()),
        entries_max: limit(config.set_max_listpack_entries.value()),
        value_bytes_max: limit(config.set_max_listpack_value.value()),
        seed: key.hash().0,
    }
}

/// An empty set to put members of another one into, which becomes one of integers only if that is one, or where there is
/// nothing between integers and tables.
fn empty_like(call: &Call<'_>, set: &Set) -> Set {
    let may_narrow = set.encoding() == SetEncoding::Ints || call.dialect().sets_without_listpacks;
    if may_narrow { Set::new() } else { Set::packed() }
}

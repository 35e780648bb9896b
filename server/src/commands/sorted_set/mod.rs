//! Sorted sets: commands over `storage::types::sorted_set`.

mod add;
mod algebra;
mod blocking;
mod bounds;
mod combine;
mod count;
mod members;
mod pop;
mod random;
mod range;
mod remove;
mod scan;

use shardis_protocol::number;
use shardis_storage::types::packed::Element;
use shardis_storage::types::sorted_set::{SortedSet, SortedSetContext};
use shardis_storage::{Key, Transaction};

pub use self::add::{Options as AddOptions, Scores, add_members};
use crate::command::{Call, Category, Done, Family, Flow};

pub static FAMILY: Family = Family::new(
    "sorted-set",
    Category::SORTED_SET,
    &[
        &add::ZADD,
        &add::ZINCRBY,
        &members::ZCARD,
        &members::ZSCORE,
        &members::ZMSCORE,
        &members::ZRANK,
        &members::ZREVRANK,
        &members::ZREM,
        &count::ZCOUNT,
        &count::ZLEXCOUNT,
        &range::ZRANGE,
        &range::ZREVRANGE,
        &range::ZRANGEBYSCORE,
        &range::ZREVRANGEBYSCORE,
        &range::ZRANGEBYLEX,
        &range::ZREVRANGEBYLEX,
        &range::ZRANGESTORE,
        &remove::ZREMRANGEBYRANK,
        &remove::ZREMRANGEBYSCORE,
        &remove::ZREMRANGEBYLEX,
        &pop::ZPOPMIN,
        &pop::ZPOPMAX,
        &pop::ZMPOP,
        &blocking::BZPOPMIN,
        &blocking::BZPOPMAX,
        &blocking::BZMPOP,
        &random::ZRANDMEMBER,
        &combine::ZUNION,
        &combine::ZINTER,
        &combine::ZDIFF,
        &combine::ZUNIONSTORE,
        &combine::ZINTERSTORE,
        &combine::ZDIFFSTORE,
        &combine::ZINTERCARD,
        &scan::ZSCAN,
    ],
);

/// How large a sorted set stays compact. What seeds a large one is the hash of its key: nobody outside can know it.
pub fn context(call: &Call<'_>, key: &Key<'_>) -> SortedSetContext {
    let limit = |setting: i64| usize::try_from(setting).unwrap_or(0);
    SortedSetContext {
        entries_max: limit(call.state.config.zset_max_listpack_entries.value()),
        member_bytes_max: limit(call.state.config.zset_max_listpack_value.value()),
        seed: key.hash().0,
    }
}

/// Gives a key a sorted set in the place of whatever it had, or nothing where that is empty; replies how many members it has.
pub fn store(call: &mut Call<'_>, txn: &mut Transaction<'_>, key: &Key<'_>, set: SortedSet) -> Done {
    let len = set.len();
    txn.set_collection(key, set);
    call.integer(len)
}

/// A score, as the imitated server reads one.
pub fn parse_score(call: &Call<'_>, text: &[u8]) -> Option<f64> {
    call.dialect().reads_double(text).then(|| number::parse_f64(text)).flatten()
}

/// An element with its score.
type Scored<'a> = (Element<'a>, f64);

/// Replies so many elements, with their scores or alone.
fn reply_elements<'a>(
    call: &mut Call<'_>,
    count: usize,
    elements: impl Iterator<Item = Scored<'a>>,
    with_scores: bool,
) -> Done {
    call.elements(count, with_scores);
    for element in elements {
        reply_element(call, element, with_scores)?;
    }
    Ok(Flow::Done)
}

fn reply_element(call: &mut Call<'_>, (member, score): Scored<'_>, with_scores: bool) -> Done {
    if !with_scores {
        return call.element(member);
    }
    call.pair();
    call.element(member)?;
    call.double(score)
}

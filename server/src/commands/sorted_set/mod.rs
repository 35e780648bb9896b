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

use shardis_protocol::{Version, number};
use shardis_storage::types::packed::Element;
use shardis_storage::types::sorted_set::{SortedSet, SortedSetContext};
use shardis_storage::{Key, Transaction};

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
fn context(call: &Call<'_>, key: &Key<'_>) -> SortedSetContext {
    let limit = |setting: i64| usize::try_from(setting).unwrap_or(0);
    SortedSetContext {
        entries_max: limit(call.state.config.zset_max_listpack_entries.value()),
        member_bytes_max: limit(call.state.config.zset_max_listpack_value.value()),
        seed: key.hash().0,
    }
}

/// Gives a key a sorted set in the place of whatever it had, or nothing where that is empty; replies how many members it has.
fn store(call: &mut Call<'_>, txn: &mut Transaction<'_>, key: &Key<'_>, set: SortedSet) -> Done {
    let len = set.len();
    if set.is_empty() {
        txn.remove(key);
    } else {
        txn.set_collection(key, set);
    }
    call.integer(len)
}

/// A score, as the imitated server reads one.
fn parse_score(call: &Call<'_>, text: &[u8]) -> Option<f64> {
    is_readable(call, text).then(|| number::parse_f64(text)).flatten()
}

/// Whether a number is written in a way that the imitated server knows: not all read hexadecimal digits.
fn is_readable(call: &Call<'_>, text: &[u8]) -> bool {
    call.dialect().doubles_of_c || !text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'x'))
}

/// Replies so many elements with their scores: pairs in RESP3, one after the other in RESP2.
fn reply_pairs<'a>(
    call: &mut Call<'_>,
    count: usize,
    elements: impl Iterator<Item = (Element<'a>, f64)>,
) -> Done {
    let are_pairs = call.reply.version() == Version::Resp3;
    call.reply.array(if are_pairs { count } else { 2 * count });
    for (member, score) in elements {
        if are_pairs {
            call.reply.array(2);
        }
        call.element(member)?;
        call.double(score)?;
    }
    Ok(Flow::Done)
}

/// Replies so many members.
fn reply_members<'a>(call: &mut Call<'_>, count: usize, members: impl Iterator<Item = Element<'a>>) -> Done {
    call.reply.array(count);
    for member in members {
        call.element(member)?;
    }
    Ok(Flow::Done)
}

//! Removing a range of members.

use shardis_storage::Transaction;
use shardis_storage::types::sorted_set::SortedSet;

use super::bounds::{Bounds, By};
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Flow, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_write().deletes()];
const COMPLEXITY: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
    elements removed by the operation.";

pub static ZREMRANGEBYRANK: Command = Command::write("ZREMRANGEBYRANK", zremrangebyrank)
    .syntax("key start:integer stop:integer")
    .arity(Exactly(4))
    .keys(KEYS)
    .since("2.0.0")
    .complexity(COMPLEXITY)
    .summary(
        "Removes members in a sorted set within a range of indexes. \
         Deletes the sorted set if all members were removed.",
    );

fn zremrangebyrank(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    remove(call, txn, By::Rank)
}

pub static ZREMRANGEBYSCORE: Command = Command::write("ZREMRANGEBYSCORE", zremrangebyscore)
    .syntax("key min:double max:double")
    .arity(Exactly(4))
    .keys(KEYS)
    .since("1.2.0")
    .complexity(COMPLEXITY)
    .summary(
        "Removes members in a sorted set within a range of scores. \
         Deletes the sorted set if all members were removed.",
    );

fn zremrangebyscore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    remove(call, txn, By::Score)
}

pub static ZREMRANGEBYLEX: Command = Command::write("ZREMRANGEBYLEX", zremrangebylex)
    .syntax("key min:string max:string")
    .arity(Exactly(4))
    .keys(KEYS)
    .since("2.8.9")
    .complexity(COMPLEXITY)
    .summary(
        "Removes members in a sorted set within a lexicographical range. \
         Deletes the sorted set if all members were removed.",
    );

fn zremrangebylex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    remove(call, txn, By::Lex)
}

fn remove(call: &mut Call<'_>, txn: &mut Transaction<'_>, by: By) -> Done {
    let key = call.next_key()?;
    let bounds = Bounds::take(call, by)?;
    let Some(mut set) = txn.edit::<SortedSet>(&key)? else { return call.integer(0) };
    let ranks = bounds.ranks(&set, false);
    let is_all = ranks.len() == set.len();
    if is_all {
        // Whole values are freed in the background.
        drop(set);
        txn.remove_emptied(&key);
        return call.integer(ranks.len());
    }
    if call.should_offload(ranks.len()) {
        return Ok(Flow::Offload);
    }
    set.change(|set| (!ranks.is_empty(), set.remove_ranks(ranks.start, ranks.len())));
    call.integer(ranks.len())
}

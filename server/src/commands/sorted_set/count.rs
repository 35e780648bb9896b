//! How many members a range has.

use shardis_storage::View;
use shardis_storage::types::sorted_set::SortedSet;

use super::bounds::{Bounds, By};
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Flags, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_only().accesses()];

pub static ZCOUNT: Command = Command::read("ZCOUNT", zcount)
    .syntax("key min:double max:double")
    .arity(Exactly(4))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(log(N)) with N being the number of elements in the sorted set.")
    .summary("Returns the count of members in a sorted set that have scores within a range.");

fn zcount(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    count(call, view, By::Score)
}

pub static ZLEXCOUNT: Command = Command::read("ZLEXCOUNT", zlexcount)
    .syntax("key min:string max:string")
    .arity(Exactly(4))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("2.8.9")
    .complexity("O(log(N)) with N being the number of elements in the sorted set.")
    .summary("Returns the number of members in a sorted set within a lexicographical range.");

fn zlexcount(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    count(call, view, By::Lex)
}

fn count(call: &mut Call<'_>, view: &mut View<'_>, by: By) -> Done {
    let key = call.next_key()?;
    let bounds = Bounds::take(call, by)?;
    let count = view.read::<SortedSet>(&key)?.map_or(0, |set| bounds.ranks(set, false).len());
    call.integer(count)
}

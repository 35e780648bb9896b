//! Single members: their scores and ranks, and removing them.

use shardis_storage::types::sorted_set::SortedSet;
use shardis_storage::{Transaction, View};

use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, Told, key};
use crate::config::Personality;

const KEYS: &[KeySpec] = &[key(1).read_only().accesses()];

pub static ZCARD: Command = Command::read("ZCARD", zcard)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("1.2.0")
    .complexity("O(1)")
    .summary("Returns the number of members in a sorted set.");

fn zcard(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let len = view.read::<SortedSet>(&key)?.map_or(0, SortedSet::len);
    call.integer(len)
}

pub static ZSCORE: Command = Command::read("ZSCORE", zscore)
    .syntax("key member")
    .arity(Exactly(3))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("1.2.0")
    .complexity("O(1)")
    .summary("Returns the score of a member in a sorted set.");

fn zscore(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let member = call.args.take()?;
    match view.read::<SortedSet>(&key)?.and_then(|set| set.score(member)) {
        Some(score) => call.double(score),
        None => call.null(),
    }
}

pub static ZMSCORE: Command = Command::read("ZMSCORE", zmscore)
    .syntax("key member [member ...]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("6.2.0")
    .complexity("O(N) where N is the number of members being requested.")
    .summary("Returns the score of one or more members in a sorted set.");

fn zmscore(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let set = view.read::<SortedSet>(&key)?;
    call.reply.array(call.args.len());
    while let Some(member) = call.args.next() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => call.double(score)?,
            None => call.null()?,
        };
    }
    Ok(Flow::Done)
}

pub static ZRANK: Command = Command::read("ZRANK", zrank)
    .syntax("key member [WITHSCORE]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(log(N))")
    .summary("Returns the index of a member in a sorted set ordered by ascending scores.")
    .history(RANK_HISTORY)
    .elsewhere(RANK_WITHOUT_SCORE);

fn zrank(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    rank(call, view, |rank, _| rank)
}

pub static ZREVRANK: Command = Command::read("ZREVRANK", zrevrank)
    .syntax("key member [WITHSCORE]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(log(N))")
    .summary("Returns the index of a member in a sorted set ordered by descending scores.")
    .history(RANK_HISTORY)
    .elsewhere(RANK_WITHOUT_SCORE);

fn zrevrank(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    rank(call, view, |rank, len| len - 1 - rank)
}

const RANK_WITHOUT_SCORE: &[(Personality, Told)] = &[(Personality::Redis70, Told::Arity(Exactly(3)))];
const RANK_HISTORY: &[(&str, &str)] = &[("7.2.0", "Added the optional `WITHSCORE` argument.")];

/// Replies the rank of a member; `place` counts it from either end.
fn rank(call: &mut Call<'_>, view: &mut View<'_>, place: fn(usize, usize) -> usize) -> Done {
    let key = call.next_key()?;
    let member = call.args.take()?;
    let with_score = call.args.take_word("WITHSCORE");
    match call.args.len() {
        0 => {}
        1 if !with_score => return Err(Error::SYNTAX),
        _ => return Err(Error::arity(&call.command.name.to_ascii_lowercase())),
    }
    let set = view.read::<SortedSet>(&key)?;
    match set.and_then(|set| Some((set.rank(member)?, set.len()))) {
        Some(((rank, score), len)) if with_score => {
            call.reply.array(2);
            call.integer(place(rank, len))?;
            call.double(score)
        }
        Some(((rank, _), len)) => call.integer(place(rank, len)),
        None if with_score => call.null_array(),
        None => call.null(),
    }
}

pub static ZREM: Command = Command::write("ZREM", zrem)
    .syntax("key member [member ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().deletes()])
    .flags(Flags::FAST)
    .since("1.2.0")
    .complexity(
        "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be \
         removed.",
    )
    .summary(
        "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.",
    )
    .history(&[("2.4.0", "Accepts multiple elements.")]);

fn zrem(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let Some(mut set) = txn.edit::<SortedSet>(&key)? else { return call.integer(0) };
    let removed = set.change(|set| {
        let removed = call.args.rest().filter(|member| set.remove(member).is_some()).count();
        (removed > 0, removed)
    });
    call.integer(removed)
}

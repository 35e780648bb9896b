//! Members by chance.

use std::collections::BTreeSet;

use shardis_storage::types::sorted_set::SortedSet;
use shardis_storage::{Random, View};

use super::{reply_element, reply_elements};
use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flow, key};

pub static ZRANDMEMBER: Command = Command::read("ZRANDMEMBER", zrandmember)
    .syntax("key options=[count [WITHSCORES]]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_only().accesses()])
    .since("6.2.0")
    .complexity("O(N) where N is the number of members returned")
    .summary("Returns one or more random members from a sorted set.")
    .tips(&["nondeterministic_output"]);

fn zrandmember(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    if call.args.is_empty() {
        let set = view.read::<SortedSet>(&key)?;
        return match set.and_then(|set| set.random_entry(&mut call.random())) {
            Some((member, _)) => call.element(member),
            None => call.null(),
        };
    }
    let (count, with_scores) = options(call)?;
    let set = view.read::<SortedSet>(&key)?;
    let len = set.map_or(0, SortedSet::len);
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let is_repeating = count < 0 && len > 0;
    let picked = if is_repeating { wanted } else { wanted.min(len) };
    if call.should_offload(picked) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let mut random = call.random();
    let nth = |rank: usize| set.and_then(|set| set.nth(rank));
    if is_repeating {
        call.bound_repeated(picked)?;
        call.elements(picked, with_scores);
        for element in (0..picked).filter_map(|_| nth(random.below(len as u64) as usize)) {
            reply_element(call, element, with_scores)?;
            call.bound_repeated(picked)?;
        }
        return Ok(Flow::Done);
    }
    let ranks = distinct(len, picked, &mut random);
    reply_elements(call, picked, ranks.into_iter().filter_map(nth), with_scores)
}

/// How many members, negative for repeated ones, and whether with their scores.
fn options(call: &mut Call<'_>) -> Result<(i64, bool), Error> {
    let count = call.args.integer_in(-i64::MAX..=i64::MAX, Error::OUT_OF_RANGE_NEGATABLE)?;
    let with_scores = match call.args.next() {
        Some(word) if !is_word(word, "WITHSCORES") => return Err(Error::SYNTAX),
        word => word.is_some(),
    };
    call.args.finish()?;
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    Ok((count, with_scores))
}

/// So many different ranks below `len`, every choice of them as likely as another: Floyd's way, which needs one number by
/// chance for each. All of them come in the order of the real servers: from the last.
fn distinct(len: usize, count: usize, random: &mut Random) -> Vec<usize> {
    if count == len {
        return (0..len).rev().collect();
    }
    let mut chosen = BTreeSet::new();
    for last in len - count..len {
        let rank = random.below(last as u64 + 1) as usize;
        chosen.insert(if chosen.contains(&rank) { last } else { rank });
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_ranks_are_as_many_as_asked_for_and_every_one_comes_up() {
        let mut random = Random::seeded(1);
        let mut seen = [0; 10];
        for count in 0..=10 {
            for _ in 0..500 {
                let ranks = distinct(10, count, &mut random);
                assert_eq!(ranks.iter().collect::<BTreeSet<_>>().len(), count);
                ranks.iter().for_each(|&rank| seen[rank] += 1);
            }
        }
        assert!(seen.iter().all(|count| (2_500..3_000).contains(count)), "{seen:?}");
    }
}

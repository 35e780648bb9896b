//! Fields by chance.

use shardis_storage::types::hash::Hash;
use shardis_storage::types::packed::Element;
use shardis_storage::{Random, View};

use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flow, key};

pub static HRANDFIELD: Command = Command::read("HRANDFIELD", hrandfield)
    .syntax("key options=[count [WITHVALUES]]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_only().accesses()])
    .since("6.2.0")
    .complexity("O(N) where N is the number of fields returned")
    .summary("Returns one or more random fields from a hash.")
    .tips(&["nondeterministic_output"]);

fn hrandfield(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let options = if call.args.is_empty() { None } else { Some(options(call)?) };
    let Some(hash) = view.read::<Hash>(&key)? else {
        if options.is_none() {
            return call.null();
        }
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    let (count, with_values) = options.unwrap_or((-1, false));
    let (number, is_repeating) = (usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX), count < 0);
    let picked = if is_repeating { number } else { number.min(hash.len()) };
    // Those that have expired are told from the others by a look at all of them.
    let looks = if hash.is_due(call.now_ms) { hash.len() } else { 0 };
    if call.should_offload(picked.max(looks)) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let mut random = call.random();
    if options.is_none() {
        return match hash.random_entry(&mut random, call.now_ms) {
            Some((field, _)) => call.element(field),
            None => call.null(),
        };
    }
    if is_repeating {
        return reply_repeated(call, hash, number, with_values, &mut random);
    }
    let pairs = hash.sample(number, &mut random, call.now_ms);
    call.elements(pairs.len(), with_values);
    for pair in pairs {
        reply_pair(call, pair, with_values)?;
    }
    Ok(Flow::Done)
}

/// How many fields, negative for repeated ones, and whether with their values.
fn options(call: &mut Call<'_>) -> Result<(i64, bool), Error> {
    let count = call.args.integer_in(-i64::MAX..=i64::MAX, Error::OUT_OF_RANGE_NEGATABLE)?;
    let with_values = call.args.take_word("WITHVALUES");
    call.args.finish()?;
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    Ok((count, with_values))
}

/// Replies so many fields, the same ones perhaps several times.
fn reply_repeated(
    call: &mut Call<'_>,
    hash: &Hash,
    count: usize,
    with_values: bool,
    random: &mut Random,
) -> Done {
    let live: Option<Vec<_>> = hash.is_due(call.now_ms).then(|| hash.iter(call.now_ms).collect());
    let count = if live.as_ref().is_some_and(Vec::is_empty) { 0 } else { count };
    call.bound_repeated(count)?;
    call.elements(count, with_values);
    for _ in 0..count {
        let pair = match &live {
            Some(live) => Some(live[random.below(live.len() as u64) as usize]),
            None => hash.random_entry(random, call.now_ms),
        };
        let Some(pair) = pair else { break };
        reply_pair(call, pair, with_values)?;
        call.bound_repeated(count)?;
    }
    Ok(Flow::Done)
}

fn reply_pair(call: &mut Call<'_>, (field, value): (Element<'_>, Element<'_>), with_values: bool) -> Done {
    if !with_values {
        return call.element(field);
    }
    call.pair();
    call.element(field)?;
    call.element(value)
}

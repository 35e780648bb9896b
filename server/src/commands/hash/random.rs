//! Fields by chance.

use shardis_protocol::Version;
use shardis_protocol::limits::ARGUMENT_BYTES_MIN;
use shardis_storage::types::hash::Hash;
use shardis_storage::types::packed::Element;
use shardis_storage::{Random, View};

use crate::client::limits::OUTPUT_BYTES_MAX;
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
    // Nobody waits for the server's generator while fields are gathered.
    let mut random = Random::seeded(call.state.random().u64());
    if call.args.is_empty() {
        return match view.read::<Hash>(&key)?.and_then(|hash| hash.random_entry(&mut random, call.now_ms)) {
            Some((field, _)) => call.element(field),
            None => call.null(),
        };
    }
    let count = call.args.integer_in(-i64::MAX..=i64::MAX, Error::OUT_OF_RANGE_NEGATABLE)?;
    let with_values = call.args.take_word("WITHVALUES");
    call.args.finish()?;
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    let Some(hash) = view.read::<Hash>(&key)? else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    let number = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let is_repeating = count < 0;
    if call.should_offload(if is_repeating { number } else { number.min(hash.len()) }) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    if is_repeating {
        return reply_repeated(call, hash, number, with_values, &mut random);
    }
    let pairs = hash.sample(number, &mut random, call.now_ms);
    reply_len(call, pairs.len(), with_values);
    for pair in pairs {
        reply_pair(call, pair, with_values)?;
    }
    Ok(Flow::Done)
}

/// Replies so many fields, the same ones perhaps several times.
fn reply_repeated(
    call: &mut Call<'_>,
    hash: &Hash,
    count: usize,
    with_values: bool,
    random: &mut Random,
) -> Done {
    if count > OUTPUT_BYTES_MAX / ARGUMENT_BYTES_MIN {
        return Err(Error::OUT_OF_RANGE);
    }
    // Either there is a field every time, or all have expired.
    let count = if hash.random_entry(random, call.now_ms).is_some() { count } else { 0 };
    reply_len(call, count, with_values);
    for _ in 0..count {
        let Some(pair) = hash.random_entry(random, call.now_ms) else { break };
        reply_pair(call, pair, with_values)?;
        if call.reply.len() > OUTPUT_BYTES_MAX {
            return Err(Error::OUT_OF_RANGE);
        }
    }
    Ok(Flow::Done)
}

fn reply_len(call: &mut Call<'_>, count: usize, with_values: bool) {
    let is_flat = with_values && call.reply.version() == Version::Resp2;
    call.reply.array(if is_flat { 2 * count } else { count });
}

fn reply_pair(call: &mut Call<'_>, (field, value): (Element<'_>, Element<'_>), with_values: bool) -> Done {
    if !with_values {
        return call.element(field);
    }
    if call.reply.version() == Version::Resp3 {
        call.reply.array(2);
    }
    call.element(field)?;
    call.element(value)
}

//! All fields at once, with their values or without.

use shardis_storage::View;
use shardis_storage::types::hash::Hash;
use shardis_storage::types::packed::Element;

use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Flow, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_only().accesses()];
const TIPS: &[&str] = &["nondeterministic_output_order"];

pub static HGETALL: Command = Command::read("HGETALL", hgetall)
    .syntax("key")
    .arity(Exactly(2))
    .keys(KEYS)
    .since("2.0.0")
    .complexity("O(N) where N is the size of the hash.")
    .summary("Returns all fields and values in a hash.")
    .tips(TIPS);

fn hgetall(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let hash = view.read::<Hash>(&key)?;
    if call.should_offload(hash.map_or(0, Hash::len)) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let now_ms = call.now_ms;
    let len = hash.map_or(0, |hash| hash.live_len(now_ms));
    call.reply.map(len);
    for (field, value) in hash.iter().flat_map(|hash| hash.iter(now_ms)) {
        call.element(field)?;
        call.element(value)?;
    }
    Ok(Flow::Done)
}

pub static HKEYS: Command = Command::read("HKEYS", hkeys)
    .syntax("key")
    .arity(Exactly(2))
    .keys(KEYS)
    .since("2.0.0")
    .complexity("O(N) where N is the size of the hash.")
    .summary("Returns all fields in a hash.")
    .tips(TIPS);

fn hkeys(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_halves(call, view, |(field, _)| field)
}

pub static HVALS: Command = Command::read("HVALS", hvals)
    .syntax("key")
    .arity(Exactly(2))
    .keys(KEYS)
    .since("2.0.0")
    .complexity("O(N) where N is the size of the hash.")
    .summary("Returns all values in a hash.")
    .tips(TIPS);

fn hvals(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_halves(call, view, |(_, value)| value)
}

/// Replies one half of every pair of field and value.
fn reply_halves(
    call: &mut Call<'_>,
    view: &mut View<'_>,
    half: for<'h> fn((Element<'h>, Element<'h>)) -> Element<'h>,
) -> Done {
    let key = call.next_key()?;
    let hash = view.read::<Hash>(&key)?;
    if call.should_offload(hash.map_or(0, Hash::len)) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let now_ms = call.now_ms;
    let len = hash.map_or(0, |hash| hash.live_len(now_ms));
    call.reply.array(len);
    for pair in hash.iter().flat_map(|hash| hash.iter(now_ms)) {
        call.element(half(pair))?;
    }
    Ok(Flow::Done)
}

//! Reading entries by their ids.

use shardis_storage::View;
use shardis_storage::types::stream::Stream;

use super::{id, negative_is_zero, reply_entries};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_only().accesses()];
const COMPLEXITY: &str = "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking \
    for the first 10 elements with COUNT), you can consider it O(1).";
const REVERSED_COMPLEXITY: &str = "O(N) with N being the number of elements returned. If N is constant (e.g. always asking \
    for the first 10 elements with COUNT), you can consider it O(1).";
const HISTORY: &[(&str, &str)] = &[("6.2.0", "Added exclusive ranges.")];

pub static XLEN: Command = Command::read("XLEN", xlen)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Return the number of messages in a stream.");

fn xlen(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let len = view.read::<Stream>(&key)?.map_or(0, |stream| stream.log().len());
    call.integer(len)
}

pub static XRANGE: Command = Command::read("XRANGE", xrange)
    .syntax("key start:string end:string [COUNT count:integer]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("5.0.0")
    .complexity(COMPLEXITY)
    .summary("Returns the messages from a stream within a range of IDs.")
    .history(HISTORY);

fn xrange(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    range(call, view, false)
}

pub static XREVRANGE: Command = Command::read("XREVRANGE", xrevrange)
    .syntax("key end:string start:string [COUNT count:integer]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("5.0.0")
    .complexity(REVERSED_COMPLEXITY)
    .summary("Returns the messages from a stream within a range of IDs in reverse order.")
    .history(HISTORY);

fn xrevrange(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    range(call, view, true)
}

fn range(call: &mut Call<'_>, view: &mut View<'_>, is_reversed: bool) -> Done {
    let key = call.next_key()?;
    let (first, second) = (call.args.take()?, call.args.take()?);
    let [from, to] =
        if is_reversed { id::parse_range(second, first) } else { id::parse_range(first, second) }?;
    let mut count = None;
    while !call.args.is_empty() {
        if call.args.len() < 2 || !call.args.take_word("COUNT") {
            return Err(Error::SYNTAX);
        }
        count = Some(negative_is_zero(call.args.integer()?));
    }
    let Some(stream) = view.read::<Stream>(&key)? else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    if count == Some(0) {
        return call.null_array();
    }
    let (log, count) = (stream.log(), count.unwrap_or(usize::MAX));
    if call.should_offload(count.min(log.len_between(from, to, OFFLOAD_LEN))) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    if is_reversed {
        reply_entries(call.reply, log.range_reversed(from, to).take(count));
    } else {
        reply_entries(call.reply, log.range(from, to).take(count));
    }
    Ok(Flow::Done)
}

/// So many entries are looked for when it is judged whether there are many.
pub(super) const OFFLOAD_LEN: usize = 2000;

//! What a command cost, and who wants to know: the statistics always, the logs and the latency monitor from their limits on.
//! Whoever runs a command measures it and tells it here; when a command is measured by itself is told here too.
//!
//! 1. A look at the clock costs as much as a short command, so those that run together share the time from the first to the
//!    last of them: that is what their statistics get.
//! 2. A command is timed by itself if it can take long: if it is not short, if its words are long, if it runs alone, or if
//!    somebody wants to hear of times that many short ones may take together.
//! 3. What is left is constant work on short words. Where some of that takes as long as a slow command, the machine
//!    was busy with something else, and no command is to blame: the latency monitor gets the time, the slow log nothing.

use std::time::Duration;

use shardis_protocol::Request;

use super::Context;
use crate::client::ClientInfo;
use crate::command::Flags;
use crate::command::table::Entry;
use crate::observe::command_log::{Subject, abridged};
use crate::observe::latency::Event;
use crate::observe::stats::Took;
use crate::observe::thresholds::{Cost, nanoseconds};

/// The length of a call that a client sent: that of its words in the protocol.
pub fn request_bytes(request: Request<'_>) -> usize {
    let line_bytes = |number: usize| 1 + number.max(1).ilog10() as usize + 1 + 2;
    let words = request.iter().map(|word| line_bytes(word.len()) + word.len() + 2);
    line_bytes(request.len()) + words.sum::<usize>()
}

/// Tells what a command cost.
#[inline]
pub fn note(ctx: &Context<'_>, info: &ClientInfo, entry: &Entry, request: Request<'_>, cost: Cost) {
    note_computed(ctx, info, entry, request, cost, None);
}

/// The same of one that may have been a computation, which has looked at so many rows.
#[inline]
pub fn note_computed(
    ctx: &Context<'_>,
    info: &ClientInfo,
    entry: &Entry,
    request: Request<'_>,
    cost: Cost,
    scanned: Option<u64>,
) {
    let thresholds = &ctx.state.thresholds;
    if let Some(took) = cost.took {
        ctx.stats.command(entry.id).took(Took::new(nanoseconds(took)), thresholds.is_tracked());
    }
    if thresholds.are_reached(&cost) {
        tell(ctx, info, entry, request, cost, scanned);
    }
}

/// Tells how long commands took together of which no single one could take long.
#[inline]
pub fn note_shared(ctx: &Context<'_>, took: Duration) {
    if ctx.state.thresholds.is_long(took) {
        let (state, now_seconds) = (ctx.state, ctx.now_ms.div_euclid(1000));
        state.latency.note(Event::FastCommand, took, &state.config, now_seconds);
    }
}

#[cold]
fn tell(
    ctx: &Context<'_>,
    info: &ClientInfo,
    entry: &Entry,
    request: Request<'_>,
    cost: Cost,
    scanned: Option<u64>,
) {
    let state = ctx.state;
    let now_seconds = state.clock.now_ms().div_euclid(1000);
    let bytes = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut values = vec![
        (Subject::LargeRequest, bytes(cost.request_bytes)),
        (Subject::LargeReply, bytes(cost.reply_bytes)),
    ];
    if let Some(took) = cost.took {
        let event = if entry.flags.contains(Flags::FAST) { Event::FastCommand } else { Event::Command };
        state.latency.note(event, took, &state.config, now_seconds);
        values.push((Subject::Slow, i64::try_from(took.as_micros()).unwrap_or(i64::MAX)));
    }
    if entry.flags.contains(Flags::SKIP_SLOWLOG) {
        return;
    }
    let words = || {
        let mut words = abridged(entry.command.shown(request));
        words.extend(scanned.map(|rows| format!("(scanned {rows})").into_bytes()));
        words
    };
    for (subject, value) in values {
        state.command_log.note(subject, value, &state.config, now_seconds, info, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_as_long_as_it_is_sent() {
        let args = [&b"SET"[..], b"", b"0123456789"];
        let sent = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$10\r\n0123456789\r\n";
        assert_eq!(request_bytes(shardis_protocol::OwnedRequest::from_args(&args).as_request()), sent.len());
    }
}

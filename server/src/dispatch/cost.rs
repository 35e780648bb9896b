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
use crate::config::Config;
use crate::observe::command_log::Subject;
use crate::observe::latency::Event;
use crate::observe::stats::Took;

/// What a command cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Its time; `None` if it was not timed by itself.
    pub took: Option<Duration>,
    /// The length of the call.
    pub request_bytes: usize,
    /// The length of its reply.
    pub reply_bytes: usize,
}

/// From what on somebody wants to hear of a command.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    took: Duration,
    request_bytes: usize,
    reply_bytes: usize,
    /// The length from which on a short call is timed by itself.
    singled_out_bytes: usize,
    /// Whether times are counted by their length.
    pub is_tracked: bool,
}

impl Thresholds {
    /// As they are now.
    #[inline]
    pub fn of(config: &Config) -> Thresholds {
        let slow_us = or_never(config.slowlog_log_slower_than.value());
        let held_up_ms = or_never(config.latency_monitor_threshold.value() - 1).saturating_add(1);
        let took = Duration::from_micros(slow_us.min(held_up_ms.saturating_mul(1000)));
        let request_bytes = or_never(config.commandlog_request_larger_than.value()) as usize;
        let is_close_look = took < SHARED_TIME_MAX;
        Thresholds {
            took,
            request_bytes,
            singled_out_bytes: if is_close_look { 0 } else { request_bytes.min(SHARED_BYTES_MAX) },
            reply_bytes: or_never(config.commandlog_reply_larger_than.value()) as usize,
            is_tracked: config.latency_tracking.value(),
        }
    }

    /// Whether a command is timed by itself wherever it runs.
    #[inline]
    pub fn singles_out(&self, entry: &Entry, request_bytes: usize) -> bool {
        !entry.is_short || request_bytes >= self.singled_out_bytes
    }

    /// Whether somebody wants to hear of a reply for its length.
    #[inline]
    pub fn is_large_reply(&self, bytes: usize) -> bool {
        bytes >= self.reply_bytes
    }

    /// Whether somebody wants to hear of this.
    #[inline]
    fn are_reached(&self, cost: &Cost) -> bool {
        cost.took.is_some_and(|took| took >= self.took)
            || cost.request_bytes >= self.request_bytes
            || cost.reply_bytes >= self.reply_bytes
    }
}

/// The length of a call that a client sent: that of its words in the protocol.
pub fn request_bytes(request: Request<'_>) -> usize {
    let line_bytes = |number: usize| 1 + number.max(1).ilog10() as usize + 1 + 2;
    let words = request.iter().map(|word| line_bytes(word.len()) + word.len() + 2);
    line_bytes(request.len()) + words.sum::<usize>()
}

/// Tells what a command cost.
#[inline]
pub fn note(
    ctx: &Context<'_>,
    thresholds: &Thresholds,
    info: &ClientInfo,
    entry: &Entry,
    request: Request<'_>,
    cost: Cost,
) {
    if let Some(took) = cost.took {
        ctx.stats.command(entry.id).took(Took::new(took.as_nanos() as u64), thresholds.is_tracked);
    }
    if thresholds.are_reached(&cost) {
        tell(ctx, info, entry, request, cost);
    }
}

/// Tells how long commands took together of which no single one could take long.
#[inline]
pub fn note_shared(ctx: &Context<'_>, thresholds: &Thresholds, took: Duration) {
    if took >= thresholds.took {
        let (state, now_seconds) = (ctx.state, ctx.now_ms.div_euclid(1000));
        state.latency.note(Event::FastCommand, took, &state.config, now_seconds);
    }
}

#[cold]
fn tell(ctx: &Context<'_>, info: &ClientInfo, entry: &Entry, request: Request<'_>, cost: Cost) {
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
    for (subject, value) in values {
        let words = entry.command.shown(request);
        state.command_log.note(subject, value, &state.config, now_seconds, info, words);
    }
}

/// A negative limit is never reached.
fn or_never(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

/// Short commands that share their time do not take this long together unless the machine is busy with something else.
const SHARED_TIME_MAX: Duration = Duration::from_millis(5);
/// Calls of this length take a time that depends on their length, compared with which a look at the clock is cheap.
const SHARED_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_limit_counts_and_a_negative_one_never_does() {
        let config = Config::default();
        assert_eq!(Thresholds::of(&config).took, Duration::from_millis(10));
        config.latency_monitor_threshold.set(7);
        assert_eq!(Thresholds::of(&config).took, Duration::from_millis(7));
        config.slowlog_log_slower_than.set(0);
        assert_eq!(Thresholds::of(&config).took, Duration::ZERO);
        config.slowlog_log_slower_than.set(-1);
        config.latency_monitor_threshold.set(0);
        assert!(Thresholds::of(&config).took > Duration::from_secs(1 << 40));
        config.commandlog_request_larger_than.set(-1);
        assert_eq!(Thresholds::of(&config).request_bytes, usize::MAX);
    }

    #[test]
    fn a_call_is_as_long_as_it_is_sent() {
        let args = [&b"SET"[..], b"", b"0123456789"];
        let sent = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$10\r\n0123456789\r\n";
        assert_eq!(request_bytes(shardis_protocol::OwnedRequest::from_args(&args).as_request()), sent.len());
    }

    #[test]
    fn short_commands_share_their_time_unless_somebody_looks_closely() {
        let (config, table) = (Config::default(), crate::command_table());
        let entry = |name: &[u8]| table.lookup(name).expect("a command");
        let singles_out = |name: &[u8], bytes| Thresholds::of(&config).singles_out(entry(name), bytes);
        for name in [&b"GET"[..], b"SET", b"INCR", b"PING"] {
            assert!(!singles_out(name, 100), "{}", name.escape_ascii());
            assert!(singles_out(name, SHARED_BYTES_MAX));
        }
        for name in [&b"GETRANGE"[..], b"SETRANGE", b"MSET", b"KEYS"] {
            assert!(singles_out(name, 10), "{}", name.escape_ascii());
        }
        config.latency_monitor_threshold.set(1);
        assert!(singles_out(b"GET", 10));
    }
}

//! What a command cost, and from what on somebody wants to hear of it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::Duration;

use crate::command::table::Entry;
use crate::config::Config;

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

/// From what on somebody wants to hear of a command: what follows from the settings, made once for all that run one.
#[derive(Debug, Default)]
pub struct Thresholds {
    took_ns: AtomicU64,
    request_bytes: AtomicUsize,
    reply_bytes: AtomicUsize,
    /// The length from which on a short call is timed by itself.
    singled_out_bytes: AtomicUsize,
    /// Whether times are counted by their length.
    is_tracked: AtomicBool,
}

impl Thresholds {
    /// As a server has them from its start.
    pub fn of(config: &Config) -> Thresholds {
        let thresholds = Thresholds::default();
        thresholds.apply(config);
        thresholds
    }

    /// Follows the settings.
    pub fn apply(&self, config: &Config) {
        let slow_us = or_never(config.logged.slower_than_us.value());
        let held_up_ms = or_never(config.latency_monitor_threshold.value() - 1).saturating_add(1);
        let took_ns = slow_us.min(held_up_ms.saturating_mul(1000)).saturating_mul(1000);
        let request_bytes = or_never(config.logged.request_larger_than.value()) as usize;
        let reply_bytes = or_never(config.logged.reply_larger_than.value()) as usize;
        let is_close_look = took_ns < SHARED_TIME_MAX_NS;
        let singled_out_bytes = if is_close_look { 0 } else { request_bytes.min(SHARED_BYTES_MAX) };
        self.took_ns.store(took_ns, Relaxed);
        self.request_bytes.store(request_bytes, Relaxed);
        self.reply_bytes.store(reply_bytes, Relaxed);
        self.singled_out_bytes.store(singled_out_bytes, Relaxed);
        self.is_tracked.store(config.latency_tracking.value(), Relaxed);
    }

    /// Whether a command is timed by itself wherever it runs.
    #[inline]
    pub fn singles_out(&self, entry: &Entry, request_bytes: usize) -> bool {
        !entry.is_short || request_bytes >= self.singled_out_bytes.load(Relaxed)
    }

    /// Whether somebody wants to hear of a reply for its length.
    #[inline]
    pub fn is_large_reply(&self, bytes: usize) -> bool {
        bytes >= self.reply_bytes.load(Relaxed)
    }

    /// Whether times are counted by their length.
    #[inline]
    pub fn is_tracked(&self) -> bool {
        self.is_tracked.load(Relaxed)
    }

    /// Whether somebody wants to hear of this time.
    #[inline]
    pub fn is_long(&self, took: Duration) -> bool {
        nanoseconds(took) >= self.took_ns.load(Relaxed)
    }

    /// Whether somebody wants to hear of this.
    #[inline]
    pub fn are_reached(&self, cost: &Cost) -> bool {
        cost.took.is_some_and(|took| self.is_long(took))
            || cost.request_bytes >= self.request_bytes.load(Relaxed)
            || self.is_large_reply(cost.reply_bytes)
    }
}

/// A time as the statistics count it.
pub fn nanoseconds(took: Duration) -> u64 {
    took.as_nanos() as u64
}

/// A negative limit is never reached.
fn or_never(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

/// Short commands that share their time do not take this long together unless the machine is busy with something else.
const SHARED_TIME_MAX_NS: u64 = 5_000_000;
/// Calls of this length take a time that depends on their length, compared with which a look at the clock is cheap.
const SHARED_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_limit_counts_and_a_negative_one_never_does() {
        let config = Config::default();
        let took_ms = || Thresholds::of(&config).took_ns.load(Relaxed) / 1_000_000;
        assert_eq!(took_ms(), 10);
        config.latency_monitor_threshold.set(7);
        assert_eq!(took_ms(), 7);
        config.logged.slower_than_us.set(0);
        assert_eq!(took_ms(), 0);
        config.logged.slower_than_us.set(-1);
        config.latency_monitor_threshold.set(0);
        assert!(!Thresholds::of(&config).is_long(Duration::from_secs(1 << 33)));
        config.logged.request_larger_than.set(-1);
        assert_eq!(Thresholds::of(&config).request_bytes.load(Relaxed), usize::MAX);
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

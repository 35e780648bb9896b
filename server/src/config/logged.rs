//! The parameters of the logs of commands that cost much. Valkey has all of them; under Redis those beyond the slow log are found
//! by their names only, as its patterns would not find them.

use super::declare::number;
use super::options::Parameter;
use super::setting::Setting;

/// What is logged of commands, and how much of it is kept.
pub struct LoggedSettings {
    /// Microseconds; -1 for never.
    pub slower_than_us: Setting<i64>,
    pub slow_max_len: Setting<i64>,
    /// Bytes; -1 for never.
    pub request_larger_than: Setting<i64>,
    pub large_request_max_len: Setting<i64>,
    /// Bytes; -1 for never.
    pub reply_larger_than: Setting<i64>,
    pub large_reply_max_len: Setting<i64>,
}

impl Default for LoggedSettings {
    fn default() -> LoggedSettings {
        LoggedSettings {
            slower_than_us: Setting::new(10_000),
            slow_max_len: Setting::new(128),
            request_larger_than: Setting::new(1 << 20),
            large_request_max_len: Setting::new(128),
            reply_larger_than: Setting::new(1 << 20),
            large_reply_max_len: Setting::new(128),
        }
    }
}

pub const SLOWER_THAN: Parameter =
    number("slowlog-log-slower-than", -1, i64::MAX, |config| config.logged.slower_than_us.raw())
        .summary("Microseconds from which on a command is slow; -1 for never.");

pub const SLOW_MAX_LEN: Parameter =
    number("slowlog-max-len", 0, i64::MAX, |config| config.logged.slow_max_len.raw())
        .summary("Slow commands that are kept at most.");

pub const REQUEST_LARGER_THAN: Parameter =
    number("commandlog-request-larger-than", -1, i64::MAX, |config| config.logged.request_larger_than.raw())
        .summary("Bytes from which on a command is large; -1 for never.");

pub const LARGE_REQUEST_MAX_LEN: Parameter =
    number("commandlog-large-request-max-len", 0, i64::MAX, |config| {
        config.logged.large_request_max_len.raw()
    })
    .summary("Large commands that are kept at most.");

pub const REPLY_LARGER_THAN: Parameter =
    number("commandlog-reply-larger-than", -1, i64::MAX, |config| config.logged.reply_larger_than.raw())
        .summary("Bytes from which on a reply is large; -1 for never.");

pub const LARGE_REPLY_MAX_LEN: Parameter =
    number("commandlog-large-reply-max-len", 0, i64::MAX, |config| config.logged.large_reply_max_len.raw())
        .summary("Commands with large replies that are kept at most.");

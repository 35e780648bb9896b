//! The parameters of scripts.

use super::declare::{memory, number};
use super::options::Parameter;

pub const BUSY_REPLY_THRESHOLD: Parameter =
    number("busy-reply-threshold", 0, i64::MAX, |config| config.busy_reply_threshold.raw())
        .alias("lua-time-limit")
        .summary("Milliseconds after which a script is said to be busy, and may be ended; 0 for never.");

pub const LUA_MEMORY_LIMIT: Parameter = memory("lua-memory-limit", 0, |config| config.lua_memory_limit.raw())
    .summary("Bytes that the scripts of one thread may take; 0 for any. Heeded when an engine starts.");

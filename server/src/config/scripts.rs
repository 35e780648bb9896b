//! The parameters of scripts.

use super::declare::{memory, number};
use super::options::Parameter;
use super::setting::Setting;

/// What scripts are held to.
pub struct ScriptSettings {
    /// Milliseconds after which one is busy.
    pub busy_reply_threshold: Setting<i64>,
    /// Bytes that those of one thread may take.
    pub lua_memory_limit: Setting<i64>,
}

impl Default for ScriptSettings {
    fn default() -> ScriptSettings {
        ScriptSettings { busy_reply_threshold: Setting::new(5000), lua_memory_limit: Setting::new(0) }
    }
}

pub const BUSY_REPLY_THRESHOLD: Parameter =
    number("busy-reply-threshold", 0, i64::MAX, |config| config.scripts.busy_reply_threshold.raw())
        .alias("lua-time-limit")
        .summary("Milliseconds after which a script is said to be busy, and may be ended; 0 for never.");

pub const LUA_MEMORY_LIMIT: Parameter =
    memory("lua-memory-limit", 0, |config| config.scripts.lua_memory_limit.raw())
        .summary("Bytes that the scripts of one thread may take; 0 for any. Heeded when an engine starts.");

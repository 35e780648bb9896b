//! The parameters of streams.

use super::declare::{memory, number};
use super::options::Parameter;
use super::setting::Setting;

/// How large a block of entries becomes.
pub struct StreamSettings {
    /// Bytes, counted as Redis would; 0 for the most that is possible.
    pub node_bytes_max: Setting<i64>,
    /// Entries; 0 for any number.
    pub node_entries_max: Setting<i64>,
}

impl Default for StreamSettings {
    fn default() -> StreamSettings {
        StreamSettings { node_bytes_max: Setting::new(4096), node_entries_max: Setting::new(100) }
    }
}

pub const STREAM_NODE_MAX_BYTES: Parameter =
    memory("stream-node-max-bytes", 0, |config| config.streams.node_bytes_max.raw())
        .summary("Bytes of a block of entries of a stream at most; 0 for a gigabyte.");

pub const STREAM_NODE_MAX_ENTRIES: Parameter =
    number("stream-node-max-entries", 0, i64::MAX, |config| config.streams.node_entries_max.raw())
        .summary("Entries of a block at most; 0 for any number.");

//! Who listens to changes of keys of any type: the bits of `storage`'s [`Interest`](shardis_storage::Interest) that mean
//! something to this server. Those who wait for values of one type have bits of their own there.

/// Somebody watches keys.
pub const WATCHED: u32 = 1 << 0;
/// Events are to be published.
pub const EVENTS: u32 = 1 << 1;
/// Somebody caches what it has read.
pub const TRACKED: u32 = 1 << 2;

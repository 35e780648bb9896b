//! Data and keys: what Shardis holds in memory. No networking, no async, no RESP, and no clock: time is an argument.
//!
//! The model on one page: a [`Keyspace`] is a power of two of shards, each one lock over the numbered databases'
//! tables. A command begins a [`Transaction`] over the shards its keys fall into, reads through [`View`], writes
//! through the transaction's guards, and what it changed stands in the transaction's log, if anyone listens.
//!
//! - `table`: the cache-line hash table, also used by large hashes;
//! - `types`: the values, as plain data structures;
//! - `keyspace`: keys: where they live, when they die, what they weigh;
//! - `bits`: what bitmaps are made of;
//! - `geo`: places on the earth as scores of sorted sets;
//! - `hyperloglog`: what some strings mean.

#![deny(unsafe_code)]

#[cfg(feature = "mimalloc")]
#[expect(unsafe_code, reason = "an allocator is unsafe by its contract")]
pub mod allocator;
pub mod bits;
pub mod geo;
pub mod glob;
pub mod hyperloglog;
pub mod keyspace;
pub mod number;
pub mod random;
pub mod table;
pub mod types;

pub use self::keyspace::{
    Access, Ahead, CUTS_MAX, Change, Contended, Cover, Cut, CutRefusal, CutVisit, CycleStep, DatabaseTotals,
    Db, Deadline, Detached, Edit, EntryRef, Event, Evicted, Eviction, ExpiryCycle, Feed, Gauge, Hand, Hold,
    Interest, Key, Keyspace, KeyspaceOptions, ManyExpired, Moved, Notice, Orphan, Patience, Rank, Scope,
    Settled, ShardTotals, ShardVisit, Transaction, View, What,
};
pub use self::random::Random;
pub use self::table::{Frontier, Hasher, KeyHash};
pub use self::types::string::{IntBuffer, StringRef, StringTooLong};
pub use self::types::{Collection, Kind, Object, ObjectRef, WrongType};

//! Keys: where they live, when they die, what they weigh.
//!
//! # Locks, in five sentences
//!
//! 1. Only this module locks a shard, once per outermost command, from the scope that the command declared.
//! 2. One shard (almost everything, every expiry step): lock it; never wait for another while holding it.
//! 3. Several known shards: take `order` shared, then the shards in ascending index.
//! 4. Shards discovered while running: take `order` exclusive, then lock each shard on first touch and keep it.
//! 5. Whoever may hold shards for long marks them; who cannot wait for long gets [`Contended`] and comes back when the
//!    keyspace says that something long was released.
//!
//! Nobody deadlocks: holders under 2 never wait while holding, under 3 they wait in one global order, and under 4 there
//! is at most one, which excludes 3. What open cuts keep of a shard is behind a lock of its own, in which nobody waits (`cut`).

mod access;
mod ahead;
mod change;
mod cut;
mod edit;
#[expect(unsafe_code, reason = "key, value and deadline in one allocation: 43 bytes a small key, not 75")]
mod entry;
mod entry_ref;
mod eviction;
mod expiry;
mod new_value;
mod scan;
mod scope;
mod shape;
mod shard;
mod strings;
mod survey;
mod transaction;
mod view;
mod visit;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

pub use self::access::Access;
use self::access::AccessCell;
pub use self::ahead::Ahead;
pub use self::change::{Change, Event, Interest, Notice, What};
use self::cut::Cuts;
pub use self::cut::{CUTS_MAX, Cover, Cut, CutRefusal, CutVisit, Feed};
pub use self::edit::Edit;
pub use self::entry_ref::EntryRef;
pub use self::eviction::{Evicted, Eviction, Gauge, Hand, Measure, Rank};
pub use self::expiry::{CycleStep, ExpiryCycle};
pub use self::scope::{Contended, Hold, Patience, Scope};
use self::shard::{Database, Slot};
pub use self::shard::{DatabaseTotals, ShardTotals};
pub use self::strings::Deadline;
pub use self::survey::ManyExpired;
pub use self::transaction::{Detached, Moved, Orphan, Settled, Transaction};
pub use self::view::View;
pub use self::visit::{GROUP_BUCKETS, ShardVisit};
use crate::table::hash::SHARD_BITS_MAX;
use crate::table::{Hasher, KeyHash};

/// The number of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Db(pub u16);

/// A key with its hash, made once per command.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    bytes: &'a [u8],
    hash: KeyHash,
}

impl<'a> Key<'a> {
    /// A key whose hash is known already, by [`Keyspace::hash`].
    pub fn with_hash(bytes: &'a [u8], hash: KeyHash) -> Key<'a> {
        Key { bytes, hash }
    }

    /// The key itself.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its hash.
    pub fn hash(&self) -> KeyHash {
        self.hash
    }
}

/// How a keyspace is laid out.
#[derive(Clone, Copy, Debug)]
pub struct KeyspaceOptions {
    /// Shards: a power of two, at most 65536.
    pub shards: usize,
    /// Numbered databases.
    pub databases: u16,
    /// Seed of the hash.
    pub seed: u64,
}

/// All keys of one server.
pub struct Keyspace {
    slots: Box<[Slot]>,
    shard_bits: u32,
    order: OrderLock,
    hasher: Hasher,
    databases: u16,
    /// Also who listens to changes.
    cuts: Arc<Cuts>,
    access: AccessCell,
    on_release: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Hits, misses and expired keys up to when they were last counted anew.
    counted_before: [AtomicU64; 3],
}

/// The lock that orders transactions over several shards. They write it and everybody reads what would be beside it, so
/// it has a line of its own.
#[derive(Default)]
#[repr(align(64))]
struct OrderLock {
    lock: RwLock<()>,
    /// Long transactions that hold it in either way.
    holders_long: AtomicU32,
}

impl std::fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyspace").field("shards", &self.slots.len()).finish_non_exhaustive()
    }
}

impl Keyspace {
    /// An empty keyspace. Tables are allocated with their first key.
    pub fn new(options: KeyspaceOptions) -> Keyspace {
        assert!(options.shards.is_power_of_two() && options.shards <= 1 << SHARD_BITS_MAX);
        assert!(options.databases > 0);
        Keyspace {
            slots: (0..options.shards).map(|_| Slot::default()).collect(),
            shard_bits: options.shards.trailing_zeros(),
            order: OrderLock::default(),
            hasher: Hasher::new(options.seed),
            databases: options.databases,
            cuts: Arc::default(),
            access: AccessCell::default(),
            on_release: OnceLock::new(),
            counted_before: Default::default(),
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.slots.len()
    }

    /// How many databases there are.
    pub fn databases(&self) -> u16 {
        self.databases
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> KeyHash {
        self.hasher.hash(bytes)
    }

    /// A key with its hash.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.hash(bytes) }
    }

    /// The shard of a key.
    #[inline]
    pub fn shard_of(&self, hash: KeyHash) -> usize {
        hash.shard(self.shard_bits)
    }

    /// Who listens to changes.
    #[inline]
    pub fn interest(&self) -> &Interest {
        &self.cuts.interest
    }

    /// Changes how accesses are remembered, from the next transaction on.
    pub fn set_access(&self, access: Access) {
        self.access.set(access);
    }

    /// What to call, without any lock held, whenever a long holder has released its shards. Set once, at start.
    pub fn on_release(&self, call: impl Fn() + Send + Sync + 'static) {
        let set = self.on_release.set(Box::new(call)).is_ok();
        assert!(set, "the release hook is set once");
    }

    /// Counters and sizes, shard by shard: the sum is no single instant. Waits for each shard.
    pub fn totals(&self) -> ShardTotals {
        let mut totals = ShardTotals::new(self.databases);
        for slot in &self.slots {
            slot.lock().add_to(&mut totals);
        }
        self.complete(totals)
    }

    /// Adds what is in no shard, and takes away what is not to be counted any more.
    fn complete(&self, mut totals: ShardTotals) -> ShardTotals {
        totals.memory_bytes += self.slots.len() * size_of::<Slot>();
        totals.memory_bytes +=
            (0..self.slots.len()).map(|shard| self.cuts.memory_bytes(shard)).sum::<usize>();
        for (counter, base) in totals.counters_mut().into_iter().zip(&self.counted_before) {
            *counter = counter.saturating_sub(base.load(Ordering::Relaxed));
        }
        totals
    }

    /// From now on counts hits, misses and expired keys anew. `totals` are those of this moment; no shard is asked, so that
    /// whoever holds some can do it too.
    pub fn count_anew(&self, mut totals: ShardTotals) {
        for (counter, base) in totals.counters_mut().into_iter().zip(&self.counted_before) {
            base.fetch_add(*counter, Ordering::Relaxed);
        }
    }

    /// Asserts what must hold of every shard at any time.
    pub fn check_invariants(&self) {
        for (index, slot) in self.slots.iter().enumerate() {
            slot.lock().check_invariants(&self.hasher, |hash| self.shard_of(hash) == index);
        }
    }

    fn released(&self) {
        if let Some(call) = self.on_release.get() {
            call();
        }
    }
}

static EMPTY: Database = Database::new();

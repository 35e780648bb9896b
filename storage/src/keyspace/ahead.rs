//! Prefetching for a window of commands: the lines of all their keys are asked for before the first one runs, so that
//! the misses overlap. A hint, nothing more: what it skips costs time, never correctness.
//!
//! In rounds over all keys, each asking for the lines that the next one reads: the lock, the bucket, the entry, and the
//! rest of the chain where a bucket overflows. A shard is locked for a look and let go before the next one is taken:
//! holding those of a whole window makes other threads wait and gains nothing (it was measured to lose a tenth).

use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::shard::{Database, Shard};
use super::{Db, Keyspace};
use crate::table::{KeyHash, prefetch};

/// Keys of a window whose lines are asked for without allocating.
pub const AHEAD_INLINE: usize = 32;
/// Lines of a chain that are followed; longer ones are rare.
const CHAIN_LINES_MAX: usize = 3;

impl Keyspace {
    /// Asks for the lines that looking up these keys will read.
    pub fn prefetch(&self, db: Db, hashes: &[KeyHash]) {
        for &hash in hashes {
            prefetch(&raw const self.slots[self.shard_of(hash)]);
        }
        let mut look = Look { keyspace: self, db, held: None };
        for &hash in hashes {
            if let Some(database) = look.at(hash) {
                database.table.prefetch_bucket(hash);
            }
        }
        let mut wanted = SmallVec::<[KeyHash; AHEAD_INLINE]>::from_slice(hashes);
        for line in 0..CHAIN_LINES_MAX {
            wanted.retain(|&mut hash| {
                look.at(hash).is_some_and(|database| database.table.prefetch_behind(hash, line))
            });
        }
    }
}

/// The shard that is looked at, kept while keys of the same one follow each other.
struct Look<'k> {
    keyspace: &'k Keyspace,
    db: Db,
    held: Option<(usize, MutexGuard<'k, Shard>)>,
}

impl Look<'_> {
    /// The database that a key would be in, unless its shard is busy.
    #[inline]
    fn at(&mut self, hash: KeyHash) -> Option<&Database> {
        let index = self.keyspace.shard_of(hash);
        if self.held.as_ref().is_none_or(|(held, _)| *held != index) {
            self.held = None;
            self.held = self.keyspace.slots[index].try_lock().map(|guard| (index, guard));
        }
        self.held.as_ref().map(|(_, shard)| shard.database(self.db))
    }
}

//! Prefetching for a window of commands: the lines of all their keys are asked for before the first one runs, so that
//! the misses overlap. A hint, nothing more: what it skips costs time, never correctness.
//!
//! In rounds over all keys, each asking for the lines that the next one reads: the lock, the bucket, the entry, and the
//! rest of the chain where a bucket overflows. A shard is locked for a look and let go before the next one is taken:
//! holding those of a whole window makes other threads wait and gains nothing (it was measured to lose a tenth).

use smallvec::SmallVec;

use super::entry::Entry;
use super::{Db, Keyspace};
use crate::table::{KeyHash, Table, prefetch};

/// Lines of a chain that are followed; longer ones are rare.
const CHAIN_LINES_MAX: usize = 3;
/// Keys of a window that are behind the first line of their bucket, without allocating.
const CHAINED_INLINE: usize = 16;

impl Keyspace {
    /// Asks for the lines that looking up these keys will read.
    pub fn prefetch(&self, db: Db, hashes: &[KeyHash]) {
        for &hash in hashes {
            prefetch(&raw const self.slots[self.shard_of(hash)]);
        }
        for &hash in hashes {
            self.glance(db, hash, |table| table.prefetch_bucket(hash));
        }
        let goes_on = |hash: KeyHash, line| self.glance(db, hash, |table| table.prefetch_behind(hash, line));
        let mut chained = SmallVec::<[KeyHash; CHAINED_INLINE]>::new();
        for &hash in hashes {
            if goes_on(hash, 0) {
                chained.push(hash);
            }
        }
        for line in 1..CHAIN_LINES_MAX {
            chained.retain(|hash| goes_on(*hash, line));
        }
    }

    /// Looks at the table that a key would be in; `false` if its shard is busy.
    #[inline]
    fn glance<T: Default>(&self, db: Db, hash: KeyHash, look: impl FnOnce(&Table<Entry>) -> T) -> T {
        match self.slots[self.shard_of(hash)].try_lock() {
            Some(shard) => look(&shard.database(db).table),
            None => T::default(),
        }
    }
}

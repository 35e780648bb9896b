//! Prefetching for a window of commands: the lines of all their keys are asked for before the first one runs, so that
//! the misses overlap. A hint, nothing more: what it skips costs time, never correctness.
//!
//! In steps, each asking for the lines that the next one reads: shard and bucket ([`Keyspace::ask`], without any lock,
//! as soon as a key is known), the entry, and the rest of the chain where a bucket overflows; where a command is about
//! collections, also the beginning of what is in the collection. For the later ones a shard is
//! locked for a look and let go before the next one is taken: holding those of a whole window makes other threads wait and
//! gains nothing (it was measured to lose a tenth).

use smallvec::SmallVec;

use super::entry::Entry;
use super::visit::prefetch_content;
use super::{Db, Keyspace};
use crate::table::{KeyHash, Table};

/// Lines of a chain that are followed; longer ones are rare.
const CHAIN_LINES_MAX: usize = 3;
/// Keys of a window that are behind the first line of their bucket, without allocating.
const CHAINED_INLINE: usize = 16;

/// The keys of a window. Reused from window to window.
#[derive(Debug, Default)]
pub struct Ahead {
    hashes: Vec<KeyHash>,
    /// Those of keys that should hold collections.
    collections: Vec<KeyHash>,
    /// How many of the buckets could not be asked for without a lock.
    untold: usize,
}

impl Ahead {
    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.hashes.clear();
        self.collections.clear();
        self.untold = 0;
    }
}

impl Keyspace {
    /// Adds a key to a window and asks for its bucket.
    #[inline]
    pub fn look_ahead(&self, db: Db, hash: KeyHash, is_collection: bool, ahead: &mut Ahead) {
        ahead.untold += usize::from(!self.ask(db, hash));
        ahead.hashes.push(hash);
        if is_collection {
            ahead.collections.push(hash);
        }
    }

    /// Asks for the bucket that a key would be in; `false` if only a look under the lock can tell which that is.
    #[inline]
    pub fn ask(&self, db: Db, hash: KeyHash) -> bool {
        // What is published is database 0.
        db.0 == 0 && self.slots[self.shard_of(hash)].ask(hash)
    }

    /// Asks for the entries of a window, whose buckets have been asked for. One key alone is not worth the look.
    pub fn prefetch(&self, db: Db, Ahead { hashes, collections, untold }: &Ahead) {
        if hashes.len() < 2 {
            return;
        }
        if *untold > 0 {
            for &hash in hashes {
                self.glance(db, hash, |table| table.prefetch_bucket(hash));
            }
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
        for &hash in collections {
            self.glance(db, hash, |table| table.likely(hash, CHAIN_LINES_MAX).map_or((), prefetch_content));
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

//! Growth and shrinking by linear hashing: one bucket is split per insert while the load is too high, one merged per
//! removal while it is far too low. Bucket `s` of the lower half splits into `s` and `s + base`, where `base` is the
//! largest power of two that is not above the number of buckets; merging is the reverse.
//!
//! The load is a trade: fuller buckets cost chains (a third line for some lookups), emptier ones memory. A table moves to a
//! larger allocation only when there are 7 entries per bucket, and then uses all of that: 13 to 14 bytes an entry for most
//! sizes, and one lookup in four or five reads one more bucket line.

use super::hash::BUCKET_BITS_MAX;
use super::prefetch::prefetch;
use super::{Bucket, Hasher, Table, TableEntry};

/// Entries per primary bucket above which a bucket is split.
const LOAD_MAX: usize = 7;
/// The same while there is room for buckets that is paid for anyway.
const LOAD_MAX_ROOMY: usize = 5;
/// Entries per primary bucket below which one is merged. Far below the maximum, so that no sequence of inserts and
/// removals makes the table swing.
const LOAD_MIN: usize = 2;
const _: () = assert!(LOAD_MIN * 2 < LOAD_MAX_ROOMY);
const BUCKETS_MAX: u64 = 1 << (BUCKET_BITS_MAX - 1);

impl<E: TableEntry> Table<E> {
    /// Makes room for one more entry.
    #[inline]
    pub(super) fn grow(&mut self, hasher: &Hasher) {
        let load_max = if self.buckets.has_room() { LOAD_MAX_ROOMY } else { LOAD_MAX };
        let buckets = self.buckets.len();
        if self.len >= buckets as usize * load_max && u64::from(buckets) < BUCKETS_MAX {
            self.split(hasher);
        }
    }

    /// Gives room back after a removal.
    #[inline]
    pub(super) fn shrink(&mut self, hasher: &Hasher) {
        let is_sparse = self.len < self.buckets.len() as usize * LOAD_MIN;
        if is_sparse && (self.buckets.len() > 1 || self.is_empty()) {
            self.merge(hasher);
        }
    }

    #[cold]
    fn split(&mut self, hasher: &Hasher) {
        let new = self.buckets.len();
        self.buckets.push();
        if new > 0 {
            self.redistribute(new - base_of(new), hasher);
        }
    }

    #[cold]
    fn merge(&mut self, hasher: &Hasher) {
        let emptied = self.buckets.pop().expect("invariant: only a table with buckets shrinks");
        self.overflow -= super::bucket::overflow_lines(emptied.len()) as u32;
        self.distribute(emptied, hasher);
    }

    /// Takes all entries of a bucket and puts each where it belongs now.
    fn redistribute(&mut self, index: u32, hasher: &Hasher) {
        let taken = std::mem::take(self.bucket_mut(index));
        self.overflow -= super::bucket::overflow_lines(taken.len()) as u32;
        self.distribute(taken, hasher);
    }

    fn distribute(&mut self, mut taken: Bucket<E>, hasher: &Hasher) {
        // Every key is read to be hashed again: their lines are asked for together.
        taken.iter().for_each(|entry| prefetch(entry.address()));
        while let Some((tag, entry, _)) = taken.pop() {
            let hash = hasher.hash(entry.key());
            debug_assert_eq!(hash.tag(), tag);
            let index = self.index(hash).expect("invariant: a table with entries has a bucket");
            let chained = self.bucket_mut(index).push(tag, entry);
            self.overflow += u32::from(chained);
        }
    }
}

/// The largest power of two that is not above `buckets`.
pub(crate) fn base_of(buckets: u32) -> u32 {
    1 << buckets.ilog2()
}

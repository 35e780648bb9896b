//! The best of a few entries.

use std::ops::Range;

use super::prefetch::prefetch;
use super::{Table, TableEntry};

impl<E: TableEntry> Table<E> {
    /// The entry of some buckets that `rank` ranks highest, with its rank, behind how many had a rank. Numbers of buckets are
    /// taken around, but each is looked at once. What shares a bucket has nothing in common but some bits of its hash, so all
    /// of it may be looked at for the price of one line.
    pub fn highest(
        &self,
        buckets: Range<u64>,
        mut rank: impl FnMut(&E) -> Option<u64>,
    ) -> (usize, Option<(u64, &E)>) {
        let (mut ranked, mut highest) = (0, None);
        let count = u64::from(self.buckets.len());
        for number in buckets.take(count as usize) {
            let bucket = self.bucket((number % count) as u32);
            bucket.iter().for_each(|entry| prefetch(entry.address()));
            for entry in bucket.iter() {
                let Some(rank) = rank(entry) else { continue };
                ranked += 1;
                if highest.is_none_or(|(highest, _)| rank > highest) {
                    highest = Some((rank, entry));
                }
            }
        }
        (ranked, highest)
    }

    /// How many buckets there are.
    pub fn buckets(&self) -> u32 {
        self.buckets.len()
    }
}

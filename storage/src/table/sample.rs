//! The best of a few entries by chance.

use super::prefetch::prefetch;
use super::{Position, Table, TableEntry};

impl<E: TableEntry> Table<E> {
    /// The entry that `rank` ranks highest. Ranked are those of one bucket after another (each number stands for one, taken
    /// around), until `wanted` have a rank. What shares a bucket has nothing in common but some bits of its hash, so all of
    /// it may be looked at for the price of one line; buckets should be by chance each, lest one corner is picked bare.
    pub fn highest(
        &self,
        buckets: impl IntoIterator<Item = u64>,
        wanted: usize,
        mut rank: impl FnMut(&E) -> Option<u64>,
    ) -> Option<Position> {
        let (mut best, mut ranked) = (None, 0);
        for number in buckets {
            let bucket = number.checked_rem(u64::from(self.buckets.len()))? as u32;
            let entries = self.bucket(bucket);
            entries.iter().for_each(|entry| prefetch(entry.address()));
            for (place, entry) in entries.places() {
                let Some(rank) = rank(entry) else { continue };
                ranked += 1;
                if best.is_none_or(|(highest, _)| rank > highest) {
                    best = Some((rank, Position { bucket, place }));
                }
            }
            if ranked >= wanted {
                break;
            }
        }
        best.map(|(_, position)| position)
    }

    /// How many buckets there are.
    pub fn buckets(&self) -> u32 {
        self.buckets.len()
    }
}

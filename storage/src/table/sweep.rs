//! A walk over a table in steps that visits every entry exactly once, although buckets split and merge
//! between the steps. SCAN's cursor (`cursor`) is smaller and promises less: at least once.
//!
//! Why it is exact:
//!
//! 1. The position of an entry is the 32 bucket bits of its hash in reverse, a number that never changes.
//! 2. A bucket takes the hashes that share its low bits: one bit more where it has been split. Those have in
//!    common the high bits of their positions, so a bucket is an interval of positions. As every hash has one
//!    bucket, the buckets of a table of any size cut all positions into intervals without gap or overlap.
//! 3. A walk is one number, its frontier: positions below it are behind, the others ahead. It begins at 0 and
//!    is over at 2^32.
//! 4. A step looks up the bucket whose interval holds the frontier in the table as it is now, visits the
//!    entries of that bucket that are not behind the frontier, and moves the frontier to the end of the
//!    interval. By 2, those are all entries between the old and the new frontier, and nothing else.
//! 5. So the steps of a walk cut all positions into intervals without gap or overlap, too. An entry that is
//!    there from beginning to end is visited in the one step whose interval holds its position, whatever
//!    happened in between.
//!
//! The frontier is inside an interval only when a merge has joined what was visited with what was not; only
//! then are keys hashed.

use super::growth::base_of;
use super::hash::BUCKET_BITS_MAX;
use super::prefetch::prefetch;
use super::{Hasher, KeyHash, Table, TableEntry};

/// How far a walk has come. It begins with the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frontier(u64);

impl Frontier {
    /// Behind all entries.
    pub const END: Frontier = Frontier(1 << BUCKET_BITS_MAX);

    /// The share of all positions that are behind it, which is about that of the entries: 0 to 1.
    pub fn share(self) -> f64 {
        self.0 as f64 / Frontier::END.0 as f64
    }

    /// The position of a key: behind a frontier if it is below it.
    pub(crate) fn of(hash: KeyHash) -> Frontier {
        Frontier(u64::from(hash.bucket_bits().reverse_bits()))
    }
}

/// One bucket as an interval of positions.
struct Interval {
    bucket: u32,
    start: Frontier,
    end: Frontier,
}

impl<E: TableEntry> Table<E> {
    /// Goes on through up to `buckets_max` buckets and returns the new frontier. Entries that are not behind
    /// the old one are given to `visit`, each with the end of its bucket, which a walk that stops earlier may
    /// take for its frontier.
    pub fn sweep<'t>(
        &'t self,
        frontier: Frontier,
        buckets_max: usize,
        hasher: &Hasher,
        mut visit: impl FnMut(&'t E, Frontier),
    ) -> Frontier {
        if self.buckets.len() == 0 {
            return Frontier::END;
        }
        let mut end = frontier;
        for _ in 0..buckets_max {
            if end == Frontier::END {
                break;
            }
            let interval = self.interval(end);
            prefetch(self.bucket(interval.bucket));
            end = interval.end;
        }
        let mut at = frontier;
        while at < end {
            let interval = self.interval(at);
            let is_whole = interval.start == at;
            for entry in self.bucket(interval.bucket).iter() {
                if is_whole || at <= Frontier::of(hasher.hash(entry.key())) {
                    visit(entry, interval.end);
                }
            }
            at = interval.end;
        }
        end
    }

    /// The bucket whose interval holds `frontier`, which is not at the end.
    fn interval(&self, frontier: Frontier) -> Interval {
        debug_assert!(frontier < Frontier::END);
        let bits = (frontier.0 as u32).reverse_bits();
        let bucket = self.index(KeyHash(bits.into())).expect("invariant: only a table with buckets is swept");
        let base = base_of(self.buckets.len());
        let is_split = bucket >= base || bucket + base < self.buckets.len();
        let depth = base.ilog2() + u32::from(is_split);
        let start = u64::from(bucket.reverse_bits());
        let end = start + (Frontier::END.0 >> depth);
        Interval { bucket, start: Frontier(start), end: Frontier(end) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    type Words = Table<Box<Vec<u8>>>;

    const HASHER: Hasher = Hasher::new(11);

    fn word(n: u32) -> Vec<u8> {
        n.to_string().into_bytes()
    }

    fn number(entry: &[u8]) -> u32 {
        std::str::from_utf8(entry).unwrap().parse().unwrap()
    }

    fn insert(table: &mut Words, present: &mut HashSet<u32>, n: u32) {
        if present.insert(n) {
            table.insert(HASHER.hash(&word(n)), Box::new(word(n)), &HASHER);
        }
    }

    fn remove(table: &mut Words, present: &mut HashSet<u32>, n: u32) {
        let removed = table.remove(HASHER.hash(&word(n)), &word(n), &HASHER);
        assert_eq!(removed.is_some(), present.remove(&n));
    }

    #[derive(Clone, Debug)]
    enum Change {
        Insert(u32, u32),
        Remove(u32, u32),
    }

    /// Runs of inserts and removals, with how many buckets are swept between them.
    fn changes() -> impl Strategy<Value = Vec<(Change, usize)>> {
        let run = (0..3000u32, 0..900u32);
        let change = prop_oneof![
            run.clone().prop_map(|(from, n)| Change::Insert(from, n)),
            run.prop_map(|(from, n)| Change::Remove(from, n)),
        ];
        proptest::collection::vec((change, 0..40usize), 1..40)
    }

    proptest! {
        #[test]
        fn what_is_present_throughout_is_swept_exactly_once(before in 0..3000u32, changes in changes()) {
            let (mut table, mut present) = (Words::new(), HashSet::new());
            (0..before).for_each(|n| insert(&mut table, &mut present, n));
            let mut stayed = present.clone();
            let (mut seen, mut frontier) = (HashMap::new(), Frontier::default());
            let mut removed = HashSet::new();
            for (change, buckets) in changes {
                frontier = table.sweep(frontier, buckets, &HASHER, |entry, _| {
                    *seen.entry(number(entry)).or_insert(0) += 1;
                });
                match change {
                    Change::Insert(from, n) => {
                        (from..from + n).for_each(|n| insert(&mut table, &mut present, n));
                    }
                    Change::Remove(from, n) => {
                        (from..from + n).for_each(|n| remove(&mut table, &mut present, n));
                        removed.extend(from..from + n);
                    }
                }
                stayed.retain(|n| present.contains(n));
            }
            while frontier < Frontier::END {
                frontier = table.sweep(frontier, 1, &HASHER, |entry, _| {
                    *seen.entry(number(entry)).or_insert(0) += 1;
                });
            }
            for n in stayed {
                prop_assert_eq!(seen.get(&n), Some(&1), "{} was there all the time", n);
            }
            let twice = seen.iter().find(|(n, count)| **count > 1 && !removed.contains(*n));
            prop_assert_eq!(twice, None, "only what was removed may come back");
        }
    }

    /// A table with so many buckets: as many as inserts have made.
    fn table_of(buckets: u32) -> Words {
        let (mut table, mut present) = (Words::new(), HashSet::new());
        let mut next = 0;
        while table.buckets.len() < buckets {
            insert(&mut table, &mut present, next);
            next += 1;
        }
        table
    }

    #[test]
    fn buckets_of_any_table_cut_all_positions_without_gap_or_overlap() {
        for buckets in 1..70 {
            let table = table_of(buckets);
            let (mut frontier, mut swept) = (Frontier::default(), HashSet::new());
            while frontier < Frontier::END {
                let interval = table.interval(frontier);
                assert_eq!(interval.start, frontier);
                assert!(swept.insert(interval.bucket), "bucket {} of {buckets} twice", interval.bucket);
                for entry in table.bucket(interval.bucket).iter() {
                    let position = Frontier::of(HASHER.hash(entry));
                    assert!((interval.start..interval.end).contains(&position));
                }
                frontier = interval.end;
            }
            assert_eq!((frontier, swept.len()), (Frontier::END, buckets as usize));
        }
    }

    #[test]
    fn an_empty_table_is_swept_at_once_and_the_share_runs_from_0_to_1() {
        let swept =
            Words::new().sweep(Frontier::default(), 1, &HASHER, |_, _| unreachable!("nothing is there"));
        assert_eq!((Frontier::default().share(), swept.share()), (0.0, 1.0));
        let half = table_of(2).sweep(Frontier::default(), 1, &HASHER, |_, _| {});
        assert_eq!(half.share(), 0.5);
    }
}

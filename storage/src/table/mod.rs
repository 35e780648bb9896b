//! The cache-line hash table, generic over its entry: the keyspace and large hashes use it.
//!
//! A lookup reads two lines: the bucket, then the entry whose tag matches. The table grows and shrinks by linear
//! hashing, one bucket at a time (`growth`), so that no operation pays for a rehash; iteration survives both
//! (`cursor`); and both lines of a lookup can be asked for in advance (`prefetch`), that of the bucket even by somebody who
//! has not locked the table (`outline`).
//!
//! The table does not hash by itself: callers hash a key once and pass the hash along. It knows nothing of shards,
//! databases or expiry.

#[expect(
    unsafe_code,
    reason = "a bucket is one line, its words entries or links: 0.20 us per pipelined GET, not 0.75"
)]
mod bucket;
mod buckets;
mod cursor;
mod growth;
pub mod hash;
mod outline;
#[expect(unsafe_code, reason = "the prefetch instruction: 0.21 us per pipelined GET, not 0.37")]
mod prefetch;
mod sample;
mod sweep;

pub use self::bucket::Place;
use self::bucket::{Bucket, Probe};
use self::buckets::Buckets;
pub(crate) use self::cursor::scan_step;
pub(crate) use self::growth::base_of;
pub use self::hash::{Hasher, KeyHash};
pub(crate) use self::outline::{Outline, Published};
pub(crate) use self::prefetch::prefetch;
pub use self::sweep::Frontier;
use crate::random::Random;

/// What a table needs to know of an entry. An entry is one word: a thin owning pointer.
pub trait TableEntry {
    /// The key, which must not change while the entry is in a table.
    fn key(&self) -> &[u8];

    /// Where the key lies, for prefetching.
    fn address(&self) -> *const u8;
}

/// A hash table of entries, unique by key.
pub struct Table<E: TableEntry> {
    buckets: Buckets<E>,
    /// Overflow lines behind them.
    overflow: u32,
    len: usize,
}

impl<E: TableEntry> Default for Table<E> {
    fn default() -> Self {
        Table::new()
    }
}

/// Where an entry stands in its table. Valid until the table changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    bucket: u32,
    place: Place,
}

impl<E: TableEntry> Table<E> {
    /// An empty table, which allocates nothing.
    pub const fn new() -> Table<E> {
        Table { buckets: Buckets::new(), overflow: 0, len: 0 }
    }

    /// Entries in the table.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry with this key.
    #[inline]
    pub fn find(&self, hash: KeyHash, key: &[u8]) -> Option<&E> {
        let bucket = self.bucket(self.index(hash)?);
        let place = bucket.find(hash.tag(), |entry| has_key(entry, key))?;
        Some(bucket.at(place))
    }

    /// The entry with this key, to be changed (its key must stay).
    #[inline]
    pub fn find_mut(&mut self, hash: KeyHash, key: &[u8]) -> Option<&mut E> {
        let index = self.index(hash)?;
        let bucket = self.bucket_mut(index);
        let place = bucket.find(hash.tag(), |entry| has_key(entry, key))?;
        Some(bucket.at_mut(place))
    }

    /// Where the entry with this key stands.
    #[inline]
    pub fn position(&self, hash: KeyHash, key: &[u8]) -> Option<Position> {
        let bucket = self.index(hash)?;
        let place = self.bucket(bucket).find(hash.tag(), |entry| has_key(entry, key))?;
        Some(Position { bucket, place })
    }

    /// The entry at a position.
    #[inline]
    pub fn at(&self, position: Position) -> &E {
        self.bucket(position.bucket).at(position.place)
    }

    /// The entry at a position, to be changed (its key must stay).
    #[inline]
    pub fn at_mut(&mut self, position: Position) -> &mut E {
        self.bucket_mut(position.bucket).at_mut(position.place)
    }

    /// Adds an entry whose key is not in the table.
    pub fn insert(&mut self, hash: KeyHash, entry: E, hasher: &Hasher) {
        debug_assert!(self.position(hash, entry.key()).is_none());
        self.grow(hasher);
        let index = self.index(hash).expect("invariant: a grown table has a bucket");
        let chained = self.bucket_mut(index).push(hash.tag(), entry);
        self.overflow += u32::from(chained);
        self.len += 1;
    }

    /// Takes the entry with this key out.
    pub fn remove(&mut self, hash: KeyHash, key: &[u8], hasher: &Hasher) -> Option<E> {
        let position = self.position(hash, key)?;
        Some(self.remove_at(position, hasher))
    }

    /// Takes the entry at a position out.
    pub fn remove_at(&mut self, position: Position, hasher: &Hasher) -> E {
        let (entry, freed) = self.bucket_mut(position.bucket).remove(position.place);
        self.overflow -= u32::from(freed);
        self.len -= 1;
        self.shrink(hasher);
        entry
    }

    /// Every entry, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        (0..self.buckets.len()).flat_map(|index| self.bucket(index).iter())
    }

    /// An entry by chance, each as likely as any other.
    pub fn random(&self, random: &mut Random) -> Option<&E> {
        if self.is_empty() {
            return None;
        }
        // A bucket is taken with a chance in proportion to its length, by rejection: a growing table is at least
        // sparsely filled, so that a few tries do, and after many the walk below ends it.
        for _ in 0..RANDOM_TRIES_MAX {
            let bucket = self.bucket(random.below(u64::from(self.buckets.len())) as u32);
            let at = random.below(RANDOM_CHAIN_MAX) as usize;
            if let Some(entry) = bucket.iter().nth(at) {
                return Some(entry);
            }
        }
        self.iter().nth(random.below(self.len as u64) as usize)
    }

    /// Heap bytes of the table itself, its entries not included.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.memory_bytes() + self.overflow as usize * size_of::<Bucket<E>>()
    }

    /// Entries that there is room for, those that are there included.
    pub fn room(&self) -> usize {
        (self.buckets.len() as usize + self.overflow as usize) * bucket::SLOTS
    }

    /// What may be known of the table by those who have not locked it.
    #[inline]
    pub(crate) fn outline(&self) -> Outline {
        self.buckets.outline()
    }

    /// Asks for the line of the bucket that a key would be in.
    #[inline]
    pub fn prefetch_bucket(&self, hash: KeyHash) {
        if let Some(index) = self.index(hash) {
            prefetch(self.bucket(index));
        }
    }

    /// Reads a line of the chain that a key would be in, which should have been asked for, and asks for what it leads
    /// to: the entry, or the next line; true if it is the line.
    #[inline]
    pub fn prefetch_behind(&self, hash: KeyHash, line: usize) -> bool {
        match self.index(hash).map_or(Probe::Absent, |index| self.bucket(index).probe(hash.tag(), line)) {
            Probe::Entry(entry) => {
                prefetch(entry.address());
                prefetch(second_line(entry));
                false
            }
            Probe::Chained(next) => {
                prefetch(next);
                true
            }
            Probe::Absent => false,
        }
    }

    /// The entry that is probably the one of a key, whose own line is not read to find it.
    #[inline]
    pub fn likely(&self, hash: KeyHash, lines_max: usize) -> Option<&E> {
        let bucket = self.bucket(self.index(hash)?);
        (0..lines_max).find_map(|line| match bucket.probe(hash.tag(), line) {
            Probe::Entry(entry) => Some(entry),
            Probe::Chained(_) | Probe::Absent => None,
        })
    }

    /// Asserts what must hold of the table at any time.
    pub fn check_invariants(&self, hasher: &Hasher) {
        let mut len = 0;
        let mut overflow = 0;
        for index in 0..self.buckets.len() {
            let bucket = self.bucket(index);
            bucket.check_invariants();
            let count = bucket.len();
            len += count;
            overflow += bucket::overflow_lines(count);
            for entry in bucket.iter() {
                assert_eq!(
                    self.index(hasher.hash(entry.key())),
                    Some(index),
                    "an entry is where its hash says"
                );
            }
        }
        assert_eq!((len, overflow), (self.len, self.overflow as usize));
    }

    #[inline]
    fn index(&self, hash: KeyHash) -> Option<u32> {
        hash.bucket_among(self.buckets.len())
    }

    #[inline]
    fn bucket(&self, index: u32) -> &Bucket<E> {
        self.buckets.at(index)
    }

    #[inline]
    fn bucket_mut(&mut self, index: u32) -> &mut Bucket<E> {
        self.buckets.at_mut(index)
    }
}

/// Whether an entry, which is probably the one, has this key. Where its value begins is written in its first line: a short one
/// ends in the second, which is asked for without waiting for that.
#[inline]
fn has_key<E: TableEntry>(entry: &E, key: &[u8]) -> bool {
    prefetch(second_line(entry));
    entry.key() == key
}

#[inline]
fn second_line<E: TableEntry>(entry: &E) -> *const u8 {
    entry.address().wrapping_add(size_of::<Bucket<E>>())
}

/// Enough for the sparsest table to find an entry all but always.
const RANDOM_TRIES_MAX: usize = 300;
/// The tails of longer chains are never chosen by rejection. Where half of the buckets are still to be split, those hold
/// 14 entries on average, and one in a hundred million more than this.
const RANDOM_CHAIN_MAX: u64 = 40;

#[cfg(test)]
mod tests {
    #![expect(clippy::box_collection, reason = "an entry is one word, which a vector is not")]

    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    impl TableEntry for Box<Vec<u8>> {
        fn key(&self) -> &[u8] {
            self
        }
        fn address(&self) -> *const u8 {
            self.as_ptr()
        }
    }

    fn entry(n: u32) -> Box<Vec<u8>> {
        Box::new(n.to_string().into_bytes())
    }

    const HASHER: Hasher = Hasher::new(7);

    fn hash(n: u32) -> KeyHash {
        HASHER.hash(n.to_string().as_bytes())
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32),
        Remove(u32),
        InsertMany(u32, u32),
        RemoveMany(u32, u32),
        Scan,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let key = 0..400u32;
        let step = prop_oneof![
            key.clone().prop_map(Step::Insert),
            key.clone().prop_map(Step::Remove),
            (key.clone(), 1..300u32).prop_map(|(from, n)| Step::InsertMany(from, n)),
            (key, 1..300u32).prop_map(|(from, n)| Step::RemoveMany(from, n)),
            Just(Step::Scan),
        ];
        proptest::collection::vec(step, 1..60)
    }

    fn insert(table: &mut Table<Box<Vec<u8>>>, model: &mut HashMap<u32, ()>, n: u32) {
        if model.insert(n, ()).is_none() {
            table.insert(hash(n), entry(n), &HASHER);
        }
    }

    fn remove(table: &mut Table<Box<Vec<u8>>>, model: &mut HashMap<u32, ()>, n: u32) {
        let removed = table.remove(hash(n), n.to_string().as_bytes(), &HASHER);
        assert_eq!(removed.is_some(), model.remove(&n).is_some());
    }

    proptest! {
        /// The table equals a std map, and a scan that runs through all changes sees every key that stayed.
        #[test]
        fn table_equals_model_and_scan_sees_what_stays(steps in steps()) {
            let (mut table, mut model) = (Table::new(), HashMap::new());
            let (mut cursor, mut stayed, mut seen) = (0, HashSet::new(), HashSet::new());
            let mut scanning = false;
            for step in steps {
                match step {
                    Step::Insert(n) => insert(&mut table, &mut model, n),
                    Step::Remove(n) => remove(&mut table, &mut model, n),
                    Step::InsertMany(from, n) => (from..from + n).for_each(|n| insert(&mut table, &mut model, n)),
                    Step::RemoveMany(from, n) => (from..from + n).for_each(|n| remove(&mut table, &mut model, n)),
                    Step::Scan => {
                        if !scanning {
                            (cursor, scanning) = (0, true);
                            stayed = model.keys().copied().collect();
                            seen.clear();
                        }
                        cursor = table.scan(cursor, &mut |entry| {
                            seen.insert(std::str::from_utf8(entry.key()).unwrap().parse::<u32>().unwrap());
                        });
                        if cursor == 0 {
                            prop_assert!(stayed.is_subset(&seen));
                            scanning = false;
                        }
                    }
                }
                stayed.retain(|n| model.contains_key(n));
                table.check_invariants(&HASHER);
                prop_assert_eq!(table.len(), model.len());
            }
            for n in 0..700 {
                prop_assert_eq!(table.find(hash(n), n.to_string().as_bytes()).is_some(), model.contains_key(&n));
            }
            prop_assert_eq!(table.iter().count(), model.len());
        }
    }

    #[test]
    fn memory_comes_back_when_entries_go() {
        let mut table = Table::new();
        (0..10_000).for_each(|n| table.insert(hash(n), entry(n), &HASHER));
        let full = table.memory_bytes();
        (0..10_000).for_each(|n| drop(table.remove(hash(n), n.to_string().as_bytes(), &HASHER)));
        assert!(table.is_empty() && table.memory_bytes() * 100 < full);
    }

    #[test]
    fn random_reaches_every_entry_about_equally() {
        let mut table = Table::new();
        (0..50).for_each(|n| table.insert(hash(n), entry(n), &HASHER));
        let mut random = Random::seeded(1);
        let mut counts = HashMap::new();
        for _ in 0..50_000 {
            *counts.entry(table.random(&mut random).unwrap().to_vec()).or_insert(0) += 1;
        }
        assert!(counts.len() == 50 && counts.values().all(|count| (700..1300).contains(count)));
    }
}

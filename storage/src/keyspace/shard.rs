//! A shard: one lock over the tables of all databases, with the counters that are kept under it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::cut::Fed;
use super::entry::Entry;
use super::eviction::Measure;
use super::{Db, EMPTY};
use crate::random::Random;
use crate::table::{Hasher, KeyHash, Position, Published, Table, TableEntry, prefetch};

/// A shard behind its lock. In its first line is what a lookup needs: the outline, and the table of database 0.
#[derive(Default)]
#[repr(C, align(64))]
pub(super) struct Slot {
    /// Of the table of database 0.
    outline: Published,
    shard: Mutex<Shard>,
    /// The mark that says that the holder may keep it for long.
    held_long: AtomicBool,
    /// Accesses, while their number is remembered; what chance is made of.
    accesses: AtomicU32,
}

const _: () = assert!(size_of::<Slot>() == 128);

impl Slot {
    #[inline]
    pub fn try_lock(&self) -> Option<Locked<'_>> {
        Some(self.locked(self.shard.try_lock()?))
    }

    pub fn try_lock_for(&self, duration: std::time::Duration) -> Option<Locked<'_>> {
        Some(self.locked(self.shard.try_lock_for(duration)?))
    }

    pub fn lock(&self) -> Locked<'_> {
        self.locked(self.shard.lock())
    }

    #[inline]
    fn locked<'k>(&'k self, shard: MutexGuard<'k, Shard>) -> Locked<'k> {
        Locked { outline: &self.outline, shard }
    }

    /// Asks for the lines of a lookup that are known without the lock; `false` if the bucket's is not.
    #[inline]
    pub fn ask(&self, hash: KeyHash) -> bool {
        // The first line, with the lock, is read right here; the counters are in the second.
        prefetch((&raw const *self).cast::<u8>().wrapping_add(size_of::<Slot>() / 2));
        self.outline.prefetch_bucket(hash)
    }

    /// Numbers an access. By the holder only, so no atomic addition.
    pub fn count_access(&self) -> u32 {
        let nth = self.accesses.load(Ordering::Relaxed).wrapping_add(1);
        self.accesses.store(nth, Ordering::Relaxed);
        nth
    }

    pub fn is_held_long(&self) -> bool {
        self.held_long.load(Ordering::Acquire)
    }

    /// Set and cleared by the holder only, while it holds the lock.
    pub fn mark_held_long(&self, long: bool) {
        self.held_long.store(long, Ordering::Release);
    }
}

/// A shard that is locked. Letting it go publishes its outline.
pub(super) struct Locked<'k> {
    outline: &'k Published,
    shard: MutexGuard<'k, Shard>,
}

impl Deref for Locked<'_> {
    type Target = Shard;

    #[inline]
    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for Locked<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        self.outline.publish(self.shard.databases.first.table.outline());
    }
}

/// One numbered database of one shard.
#[derive(Default)]
#[repr(C)]
pub(super) struct Database {
    pub table: Entries,
    /// Keys that have a deadline.
    pub deadlines: u32,
    /// Hashes with fields that have one. In 32 bits, both leave the slot its two lines; four billion keys in one shard
    /// would fill hundreds of gigabytes.
    pub timed_hashes: u32,
    /// Heap bytes of the entries.
    pub weight_bytes: usize,
}

impl Database {
    pub const fn new() -> Database {
        Database { table: Entries(Table::new()), deadlines: 0, timed_hashes: 0, weight_bytes: 0 }
    }

    /// Whether anything in it may expire.
    pub fn is_mortal(&self) -> bool {
        self.deadlines > 0 || self.timed_hashes > 0
    }

    /// Bytes of the entries and the table.
    pub fn memory_bytes(&self) -> usize {
        self.weight_bytes + self.table.memory_bytes()
    }
}

/// The entries of a database: to be read by anybody, and changed by who has fed the open cuts with what is about to change.
#[derive(Default)]
#[repr(transparent)]
pub(super) struct Entries(Table<Entry>);

impl Deref for Entries {
    type Target = Table<Entry>;

    #[inline]
    fn deref(&self) -> &Table<Entry> {
        &self.0
    }
}

impl Entries {
    /// The table, to be changed.
    #[inline]
    pub fn change(&mut self, _: Fed) -> &mut Table<Entry> {
        &mut self.0
    }

    /// The entry with this key, for an access to be noted.
    #[inline]
    pub fn touchable(&mut self, hash: KeyHash, key: &[u8]) -> Option<Touchable<'_>> {
        self.0.find_mut(hash, key).map(Touchable)
    }

    /// The entry at a position, for an access to be noted.
    #[inline]
    pub fn touchable_at(&mut self, position: Position) -> Touchable<'_> {
        Touchable(self.0.at_mut(position))
    }
}

/// An entry of which nothing can be changed but what it remembers of its accesses.
pub(super) struct Touchable<'e>(&'e mut Entry);

impl<'e> Touchable<'e> {
    #[inline]
    pub fn entry(self) -> &'e Entry {
        self.0
    }

    #[inline]
    pub fn deadline_ms(&self) -> Option<i64> {
        self.0.deadline_ms()
    }

    #[inline]
    pub fn clock(&self) -> u32 {
        self.0.clock()
    }

    #[inline]
    pub fn touch(&mut self, clock: u32) {
        self.0.touch(clock);
    }
}

/// What one lock protects.
#[derive(Default)]
#[repr(C)]
pub(super) struct Shard {
    pub databases: Databases,
    pub counters: Counters,
}

/// The numbered databases of one shard.
#[derive(Default)]
#[repr(C)]
pub(super) struct Databases {
    first: Database,
    /// Databases from 1 on, made when they are first written to.
    others: Option<Box<Others>>,
}

/// Databases from 1 on. Rarely there, so behind one word.
#[derive(Default)]
struct Others(Vec<Database>);

/// What became of the lookups in one shard, and of its keys.
#[derive(Default)]
pub(super) struct Counters {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
}

impl Databases {
    #[inline]
    pub fn one(&self, db: Db) -> &Database {
        match db.0 {
            0 => &self.first,
            n => self.others().get(usize::from(n) - 1).unwrap_or(&EMPTY),
        }
    }

    /// The database to be written to.
    #[inline]
    pub fn one_mut(&mut self, db: Db) -> &mut Database {
        match db.0 {
            0 => &mut self.first,
            n => self.other_mut(usize::from(n)),
        }
    }

    /// The database unless it was never written to.
    #[inline]
    pub fn existing_mut(&mut self, db: Db) -> Option<&mut Database> {
        match db.0 {
            0 => Some(&mut self.first),
            n => self.others.as_mut()?.0.get_mut(usize::from(n) - 1),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Database> {
        std::iter::once(&self.first).chain(self.others())
    }

    #[cold]
    fn other_mut(&mut self, n: usize) -> &mut Database {
        let others = &mut self.others.get_or_insert_default().0;
        if others.len() < n {
            others.resize_with(n, Database::default);
        }
        &mut others[n - 1]
    }

    fn others(&self) -> &[Database] {
        self.others.as_ref().map_or(&[], |others| &others.0)
    }

    fn others_bytes(&self) -> usize {
        self.others
            .as_ref()
            .map_or(0, |others| size_of::<Others>() + others.0.capacity() * size_of::<Database>())
    }
}

impl Shard {
    #[inline]
    pub fn database(&self, db: Db) -> &Database {
        self.databases.one(db)
    }

    #[inline]
    pub fn database_mut(&mut self, db: Db) -> &mut Database {
        self.databases.one_mut(db)
    }

    /// A database by chance, each in proportion to what `count` counts in it; `None` if that is nothing anywhere.
    pub fn one_by_chance(&self, count: impl Fn(&Database) -> usize, random: &mut Random) -> Option<Db> {
        let total: usize = self.databases.all().map(&count).sum();
        let mut at = (total > 0).then(|| random.below(total as u64) as usize)?;
        for (database, db) in self.databases.all().zip(0..) {
            match at.checked_sub(count(database)) {
                Some(rest) => at = rest,
                None => return Some(Db(db)),
            }
        }
        None
    }

    pub fn swap(&mut self, a: Db, b: Db) {
        if self.database(a).table.is_empty() && self.database(b).table.is_empty() {
            return;
        }
        let was_a = std::mem::take(self.database_mut(a));
        let was_b = std::mem::replace(self.database_mut(b), was_a);
        *self.database_mut(a) = was_b;
    }

    /// What there is in all databases.
    pub fn measure(&self) -> Measure {
        Measure {
            bytes: self.memory_bytes(),
            keys: self.databases.all().map(|database| database.table.len()).sum(),
            mortal_keys: self.databases.all().map(|database| database.deadlines as usize).sum(),
        }
    }

    /// Bytes of the entries and tables of all databases.
    pub fn memory_bytes(&self) -> usize {
        self.databases.all().map(Database::memory_bytes).sum::<usize>() + self.databases.others_bytes()
    }

    pub fn add_to(&self, totals: &mut ShardTotals) {
        for (database, sum) in self.databases.all().zip(&mut totals.databases) {
            sum.keys += database.table.len();
            sum.deadlines += database.deadlines as usize;
            sum.timed_hashes += database.timed_hashes as usize;
            sum.table_bytes += database.table.memory_bytes();
            totals.table_bytes += database.table.memory_bytes();
        }
        totals.memory_bytes += self.memory_bytes();
        totals.hits += self.counters.hits;
        totals.misses += self.counters.misses;
        totals.expired += self.counters.expired;
    }

    pub fn check_invariants(&self, hasher: &Hasher, is_ours: impl Fn(KeyHash) -> bool) {
        for database in self.databases.all() {
            database.table.check_invariants(hasher);
            let (mut deadlines, mut timed_hashes, mut weight_bytes) = (0, 0, 0);
            for entry in database.table.iter() {
                assert!(is_ours(hasher.hash(entry.key())), "a key lives in its shard");
                deadlines += u32::from(entry.deadline_ms().is_some());
                timed_hashes += u32::from(entry.has_field_deadlines());
                weight_bytes += entry.weight_bytes();
            }
            let counted = (database.deadlines, database.timed_hashes, database.weight_bytes);
            assert_eq!((deadlines, timed_hashes, weight_bytes), counted);
        }
    }
}

/// Counters and sizes of a keyspace.
#[derive(Clone, Debug, Default)]
pub struct ShardTotals {
    /// One for each database.
    pub databases: Vec<DatabaseTotals>,
    /// Bytes of entries, tables and shards.
    pub memory_bytes: usize,
    /// Bytes of tables, part of the above.
    pub table_bytes: usize,
    /// Lookups that found their key.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
}

/// Sizes of one database.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseTotals {
    /// Keys, expired ones that nobody has met yet included.
    pub keys: usize,
    /// Keys with a deadline.
    pub deadlines: usize,
    /// Hashes with fields that have one.
    pub timed_hashes: usize,
    /// Bytes of tables.
    pub table_bytes: usize,
}

impl ShardTotals {
    /// Hits, misses and expired keys.
    pub(super) fn counters_mut(&mut self) -> [&mut u64; 3] {
        [&mut self.hits, &mut self.misses, &mut self.expired]
    }

    pub(super) fn new(databases: u16) -> ShardTotals {
        ShardTotals { databases: vec![DatabaseTotals::default(); databases.into()], ..ShardTotals::default() }
    }
}

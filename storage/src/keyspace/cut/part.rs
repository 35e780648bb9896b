//! What an open cut has still to see of one shard: where, and what not any more. It knows which entries those are, and neither locks
//! shards nor feeds of its own accord: that is `hook` and `visit`.
//!
//! A part over a whole table has a frontier (`table::sweep`): what is behind it was visited. Ahead of it, everything in the table is still
//! to be seen but the keys that are *done*: fed, or created after the cut. Positions never change, so neither the frontier nor the
//! keys that are done care how the table grows and shrinks. A part over keys is the other way round: it has those that are still
//! to be seen.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::super::change::Epoch;
use super::super::entry::Entry;
use super::super::entry_ref::EntryRef;
use super::super::new_value::NewValue;
use super::super::shard::{Database, Shard};
use super::super::{Db, Key};
use super::Facts;
use crate::table::{Frontier, Hasher, Table};

/// The parts in one shard of all open cuts, behind a lock on a line of its own.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct ShardCuts(Mutex<Parts>);

/// The parts in one shard.
#[derive(Default)]
pub(super) struct Parts(Vec<Part>);

/// What a cut has still to see of one shard.
pub(super) struct Part {
    facts: Arc<Facts>,
    place: Place,
    pub coverage: Coverage,
}

/// Where a cut reads in one shard.
enum Place {
    /// In a numbered database, which may have got another number since.
    Live(Db),
    /// In what was flushed.
    Detached(Arc<Database>),
}

/// What a cut reads there.
pub(super) enum Coverage {
    /// All that is not behind the frontier and not done.
    Table { frontier: Frontier, done: Names },
    /// These.
    Keys { pending: Names },
}

/// A set of keys: entries of which nothing but the key counts.
#[derive(Default)]
pub(super) struct Names {
    table: Table<Entry>,
    weight_bytes: usize,
}

impl ShardCuts {
    pub fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock()
    }
}

impl Parts {
    pub fn add(&mut self, part: Part) {
        // There is seldom more than one, in each of many shards.
        self.0.reserve_exact(1);
        self.0.push(part);
    }

    /// Takes the part of a cut out.
    pub fn take(&mut self, cut: &Arc<Facts>) -> Option<Part> {
        let at = self.0.iter().position(|part| Arc::ptr_eq(&part.facts, cut))?;
        Some(self.0.swap_remove(at))
    }

    /// The part of a cut.
    pub fn of(&mut self, cut: &Arc<Facts>) -> Option<&mut Part> {
        self.0.iter_mut().find(|part| Arc::ptr_eq(&part.facts, cut))
    }

    /// The parts of the cuts that somebody is after who has read this epoch.
    pub fn before(&mut self, epoch: Epoch) -> impl Iterator<Item = &mut Part> {
        self.0.iter_mut().filter(move |part| epoch.has_reached(part.facts.epoch))
    }

    /// Bytes of the list, the keys, and the tables that were flushed, each of these once.
    pub fn memory_bytes(&self) -> usize {
        let parts = self.0.iter().map(|part| part.coverage.names().memory_bytes()).sum::<usize>();
        let detached = self.0.iter().enumerate().map(|(at, part)| match &part.place {
            Place::Detached(database) if !self.0[..at].iter().any(|other| other.is_in(database)) => {
                database.memory_bytes()
            }
            _ => 0,
        });
        self.0.capacity() * size_of::<Part>() + parts + detached.sum::<usize>()
    }
}

impl Part {
    pub fn new(facts: &Arc<Facts>, db: Db, coverage: Coverage) -> Part {
        Part { facts: Arc::clone(facts), place: Place::Live(db), coverage }
    }

    /// Whether it reads in this database.
    pub fn reads(&self, db: Db) -> bool {
        matches!(self.place, Place::Live(at) if at == db)
    }

    /// Two databases have changed places.
    pub fn swap(&mut self, a: Db, b: Db) {
        if let Place::Live(db) = &mut self.place {
            *db = match *db {
                db if db == a => b,
                db if db == b => a,
                db => db,
            };
        }
    }

    /// It goes on in what was flushed.
    pub fn detach(&mut self, database: &Arc<Database>) {
        self.place = Place::Detached(Arc::clone(database));
    }

    fn is_in(&self, database: &Arc<Database>) -> bool {
        matches!(&self.place, Place::Detached(own) if Arc::ptr_eq(own, database))
    }

    /// Sees to it that a key is not seen any more; what was at it is fed, if it was there at the cut and has not been seen.
    pub fn pass(&mut self, shard: usize, key: &Key<'_>, entry: Option<EntryRef<'_>>, hasher: &Hasher) {
        let is_unseen = match &self.coverage {
            Coverage::Table { frontier, done } => *frontier <= Frontier::of(key.hash) && !done.contains(key),
            Coverage::Keys { pending } => pending.contains(key),
        };
        if !is_unseen {
            return;
        }
        if let Some(entry) = entry.filter(|entry| is_alive(entry.deadline_ms(), self.facts.now_ms)) {
            self.facts.feed.feed(shard, key.bytes, entry);
        }
        match &mut self.coverage {
            Coverage::Table { done, .. } => done.insert(key, hasher),
            Coverage::Keys { pending } => pending.remove(key, hasher),
        }
    }

    /// What it covers, in the table it reads.
    pub fn split<'p>(&'p mut self, shard: &'p Shard) -> (&'p mut Coverage, &'p Table<Entry>) {
        let database = match &self.place {
            Place::Live(db) => shard.database(*db),
            Place::Detached(database) => database,
        };
        (&mut self.coverage, &database.table)
    }
}

/// Whether what has this deadline is alive at an instant.
pub(super) fn is_alive(deadline_ms: Option<i64>, now_ms: i64) -> bool {
    deadline_ms.is_none_or(|deadline| deadline > now_ms)
}

impl Coverage {
    pub fn table() -> Coverage {
        Coverage::Table { frontier: Frontier::default(), done: Names::default() }
    }

    pub fn keys<'a>(keys: impl Iterator<Item = &'a Key<'a>>, hasher: &Hasher) -> Coverage {
        let mut pending = Names::default();
        for key in keys {
            if !pending.contains(key) {
                pending.insert(key, hasher);
            }
        }
        Coverage::Keys { pending }
    }

    /// Whether there is nothing more to see.
    pub fn is_over(&self) -> bool {
        match self {
            Coverage::Table { frontier, .. } => *frontier == Frontier::END,
            Coverage::Keys { pending } => pending.is_empty(),
        }
    }

    fn names(&self) -> &Names {
        match self {
            Coverage::Table { done: names, .. } | Coverage::Keys { pending: names } => names,
        }
    }
}

impl Names {
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn contains(&self, key: &Key<'_>) -> bool {
        self.table.position(key.hash, key.bytes).is_some()
    }

    /// Adds a key that is not in it.
    fn insert(&mut self, key: &Key<'_>, hasher: &Hasher) {
        let name = Entry::new(key.bytes, NewValue::Inline(b""), None, 0);
        self.weight_bytes += name.weight_bytes();
        self.table.insert(key.hash, name, hasher);
    }

    pub fn remove(&mut self, key: &Key<'_>, hasher: &Hasher) {
        if let Some(name) = self.table.remove(key.hash, key.bytes, hasher) {
            self.weight_bytes -= name.weight_bytes();
        }
    }

    fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.weight_bytes
    }
}

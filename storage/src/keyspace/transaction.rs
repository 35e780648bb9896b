//! The read-write face of the locked shards: the only way to change a key.
//!
//! Every change passes through here or through an [`Edit`] from here, so that what must follow a change (books, change
//! log) cannot be forgotten. Strings are in `strings`.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::change::{Change, Event, Notice, What};
use super::edit::Edit;
use super::entry::Entry;
use super::entry_ref::EntryRef;
use super::new_value::NewValue;
use super::scope::{Contended, Hold, Patience, Scope};
use super::shard::Database;
use super::view::View;
use super::{Db, Key, Keyspace};
use crate::table::{Position, TableEntry};
use crate::types::{Collection, Kind, ObjectRef, WrongType};

/// The locked shards, to be read and written.
pub struct Transaction<'k>(pub(super) View<'k>);

/// A value that was taken from its key, with its deadline.
#[derive(Debug)]
pub struct Moved(Entry);

/// Databases that were emptied: dropping this frees them, but for those in which a [`Cut`](super::Cut) goes on.
#[derive(Default)]
pub struct Detached {
    /// Open cuts may go on in them; whoever is the last to let go of one frees it.
    databases: Vec<Arc<Database>>,
    entries: Vec<Entry>,
}

impl Detached {
    /// Keys that will be freed.
    pub fn keys(&self) -> usize {
        self.entries.len() + self.databases.iter().map(|database| database.table.len()).sum::<usize>()
    }

    /// Whether there is nothing to free.
    pub fn is_empty(&self) -> bool {
        self.keys() == 0
    }
}

impl std::fmt::Debug for Detached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detached").field("keys", &self.keys()).finish()
    }
}

/// What a transaction leaves behind when it is over.
#[derive(Debug, Default)]
pub struct Settled {
    /// What it changed, if anybody listened.
    pub changes: Vec<Change>,
    /// What is too heavy to be freed by a thread that serves clients.
    pub garbage: Detached,
    /// What clients had met at and was removed or replaced.
    pub orphans: Vec<Orphan>,
}

/// A value that clients had met at, behind the key that it had. What was flushed with its whole database is not among these.
#[derive(Debug)]
pub struct Orphan {
    /// The database that it was in.
    pub db: Db,
    entry: Entry,
}

impl Orphan {
    /// Its key.
    pub fn key(&self) -> &[u8] {
        self.entry.key()
    }

    /// The value.
    pub fn object(&self) -> Option<ObjectRef<'_>> {
        self.entry.object()
    }
}

impl Keyspace {
    /// Locks the shards of a scope and begins. `now_ms` is the instant of everything in the transaction.
    #[inline]
    pub fn begin(
        &self,
        scope: Scope<'_>,
        patience: Patience,
        hold: Hold,
        now_ms: i64,
    ) -> Result<Transaction<'_>, Contended> {
        Ok(Transaction(View::begin(self, scope, patience, hold, now_ms)?))
    }
}

impl<'k> Transaction<'k> {
    /// A transaction that holds nothing yet. The caller who runs every command makes it where it stays, and then takes its
    /// shards: moving it makes the processor wait for what it has just written.
    #[inline]
    pub fn new(keyspace: &'k Keyspace, patience: Patience, hold: Hold, now_ms: i64) -> Transaction<'k> {
        Transaction(View::new(keyspace, patience, hold, now_ms))
    }

    /// Locks the shards of its scope; once.
    #[inline]
    pub fn acquire(&mut self, scope: Scope<'_>) -> Result<(), Contended> {
        self.0.acquire(scope)
    }
}

impl<'k> Deref for Transaction<'k> {
    type Target = View<'k>;

    fn deref(&self) -> &View<'k> {
        &self.0
    }
}

impl<'k> DerefMut for Transaction<'k> {
    fn deref_mut(&mut self) -> &mut View<'k> {
        &mut self.0
    }
}

impl<'k> Transaction<'k> {
    /// The entry at a key, noted as an access but not counted: a write looks before it changes something.
    pub fn find(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let clock = self.0.clock;
        let position = self.live_position(key)?;
        Some(EntryRef::new(self.0.database_mut(key.hash).table.at(position), clock))
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &Key<'_>) -> bool {
        let removed = self.take(key);
        let was_there = removed.is_some();
        if let Some(Moved(entry)) = removed {
            self.0.discard(entry);
        }
        was_there
    }

    /// Removes a collection of which a command has taken everything: that is a change, and then the key is gone.
    pub fn remove_emptied(&mut self, key: &Key<'_>) {
        let Some(kind) = self.find(key).map(|found| found.kind()) else { return };
        self.0.log(key.bytes, kind, What::Modified);
        self.remove(key);
    }

    /// Takes the value from a key, with its deadline.
    pub fn take(&mut self, key: &Key<'_>) -> Option<Moved> {
        let position = self.live_position(key)?;
        let entry = self.0.remove_at(key.hash, position);
        self.0.log(key.bytes, entry.kind(), What::Removed);
        Some(Moved(entry))
    }

    /// Gives a key a value that was taken from another or copied, in the place of what it had.
    pub fn put(&mut self, key: &Key<'_>, moved: Moved) {
        self.replace(key, moved.0.with_key(key.bytes));
    }

    /// Gives a key a collection that never expires, in the place of what it had; an empty one is no value, so that the key
    /// has none then.
    pub fn set_collection<T: Collection>(&mut self, key: &Key<'_>, collection: T) {
        if collection.is_empty() {
            self.remove(key);
            return;
        }
        let value = NewValue::Object(collection.into_object());
        self.replace(key, Entry::new(key.bytes, value, None, self.0.clock));
    }

    /// A deep copy of the value at a key, with its deadline.
    pub fn duplicate(&mut self, key: &Key<'_>) -> Option<Moved> {
        let position = self.live_position(key)?;
        let clock = self.0.clock;
        Some(Moved(self.0.database_mut(key.hash).table.at(position).duplicate(key.bytes, clock)))
    }

    /// Changes when a key expires; false if there is no such key.
    pub fn set_deadline(&mut self, key: &Key<'_>, deadline_ms: Option<i64>) -> bool {
        let Some(position) = self.live_position(key) else { return false };
        let fed = self.0.before_change(key.hash, position);
        let database = self.0.database_mut(key.hash);
        let entry = database.table.change(fed).at_mut(position);
        let (old_weight, old_deadline) = (entry.weight_bytes(), entry.deadline_ms());
        entry.set_deadline(deadline_ms);
        let kind = entry.kind();
        database.weight_bytes = database.weight_bytes + entry.weight_bytes() - old_weight;
        database.deadlines =
            database.deadlines + u32::from(deadline_ms.is_some()) - u32::from(old_deadline.is_some());
        self.0.log(key.bytes, kind, if deadline_ms.is_some() { What::Deadline } else { What::DeadlineLost });
        true
    }

    /// The collection at a key, to be changed.
    pub fn edit<T: Collection>(&mut self, key: &Key<'_>) -> Result<Option<Edit<'_, 'k, T>>, WrongType> {
        match self.live_position(key) {
            None => Ok(None),
            Some(position) => Edit::of(&mut self.0, key, position, What::Modified).map(Some),
        }
    }

    /// The collection at a key, to be changed; an empty one if there is none, which is not kept if it stays empty.
    pub fn upsert<T: Collection>(&mut self, key: &Key<'_>) -> Result<Edit<'_, 'k, T>, WrongType> {
        if let Some(position) = self.live_position(key) {
            return Edit::of(&mut self.0, key, position, What::Modified);
        }
        let value = NewValue::Object(T::default().into_object());
        self.add(key, Entry::new(key.bytes, value, None, self.0.clock));
        let table = &self.0.database_mut(key.hash).table;
        let position = table.position(key.hash, key.bytes).expect("invariant: just added");
        Edit::of(&mut self.0, key, position, What::Created)
    }

    /// Empties one database or all; needs every shard. The keys are freed when the result is dropped.
    pub fn flush(&mut self, db: Option<Db>) -> Detached {
        let databases = match db {
            Some(db) => db.0..db.0 + 1,
            None => 0..self.0.keyspace.databases,
        };
        let mut detached = Detached::default();
        for db in databases {
            let mut keys = 0;
            for index in 0..self.0.keyspace.slots.len() {
                if let Some(taken) = self.0.detach(index, Db(db)) {
                    keys += taken.table.len();
                    detached.databases.push(taken);
                }
            }
            self.log_whole(Db(db), What::Flushed, keys > 0);
        }
        detached
    }

    /// Exchanges two databases; needs every shard.
    pub fn swap(&mut self, a: Db, b: Db) {
        if a == b {
            return;
        }
        for index in 0..self.0.keyspace.slots.len() {
            self.0.swap_in(index, a, b);
        }
        self.log_whole(a, What::Swapped, true);
        self.log_whole(b, What::Swapped, true);
    }

    /// Says who makes the changes that follow, by a number whose meaning is the caller's business.
    #[inline]
    pub fn attribute(&mut self, cause: u16) {
        self.0.cause = cause;
        self.0.notice = Notice::Usual;
    }

    /// Says what those are told of the changes that follow who hear of events.
    pub fn announce(&mut self, notice: Notice) {
        self.0.notice = notice;
    }

    /// Tells those who hear of events of one at a key.
    pub fn tell(&mut self, key: &Key<'_>, event: &'static Event) {
        self.0.log_told(key.bytes, Kind::String, Notice::Event(event));
    }

    /// Counts a change that nobody hears of, because it is none of what those see who watch a key or keep a copy.
    pub fn count_change(&mut self) {
        self.0.has_changed = true;
    }

    /// Lets those look again who wait for a value of this type at a key.
    pub fn tell_waiters<T: Collection>(&mut self, key: &Key<'_>) {
        self.0.log_told(key.bytes, T::KIND, Notice::Silent);
    }

    /// Whether it has changed anything since this was asked before; what expired or was evicted is no change.
    #[inline]
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.0.has_changed)
    }

    /// Whether there is anything for [`Transaction::settle`] to do.
    #[inline]
    pub fn has_leftovers(&self) -> bool {
        self.0.has_leftovers()
    }

    /// Removes the expired keys that it has met so far.
    pub fn drop_expired(&mut self) {
        self.0.remove_expired();
    }

    /// Ends the transaction but for its locks: removes the expired keys it met and hands out what it left behind.
    pub fn settle(&mut self) -> Settled {
        self.0.remove_expired();
        let leftovers = self.0.take_leftovers();
        let garbage = Detached { databases: Vec::new(), entries: leftovers.garbage };
        let orphans = leftovers.orphans.into_iter().map(|(db, entry)| Orphan { db, entry }).collect();
        Settled { changes: leftovers.changes, garbage, orphans }
    }

    /// Where a live key stands, noted as an access; one whose time has come is removed on the way.
    #[inline]
    pub(super) fn live_position(&mut self, key: &Key<'_>) -> Option<Position> {
        let (db, now_ms, toucher) = (self.0.db, self.0.now_ms, self.0.toucher());
        let database = self.0.shard_mut(key.hash).databases.existing_mut(db)?;
        let position = database.table.position(key.hash, key.bytes)?;
        let mut entry = database.table.touchable_at(position);
        if entry.deadline_ms().is_some_and(|deadline| deadline <= now_ms) {
            self.0.expire(key);
            return None;
        }
        toucher.touch(&mut entry, key.hash);
        Some(position)
    }

    /// Puts an entry in the place of what a key had.
    fn replace(&mut self, key: &Key<'_>, entry: Entry) {
        let replaced = self.live_position(key).map(|position| self.0.remove_at(key.hash, position));
        let what = if replaced.is_some() { What::Overwritten } else { What::Created };
        if let Some(entry) = replaced {
            self.0.discard(entry);
        }
        self.insert(key, entry, what);
    }

    /// Adds an entry for a key that has none.
    pub(super) fn insert(&mut self, key: &Key<'_>, entry: Entry, what: What) {
        let kind = entry.kind();
        self.add(key, entry);
        self.0.log(key.bytes, kind, what);
    }

    /// The same without a word in the log.
    pub(super) fn add(&mut self, key: &Key<'_>, entry: Entry) {
        let hasher = self.0.keyspace.hasher;
        let fed = self.0.before_creation(key);
        let database = self.0.database_mut(key.hash);
        database.weight_bytes += entry.weight_bytes();
        database.deadlines += u32::from(entry.deadline_ms().is_some());
        database.timed_hashes += u32::from(entry.has_field_deadlines());
        database.table.change(fed).insert(key.hash, entry, &hasher);
    }

    fn log_whole(&mut self, db: Db, what: What, happened: bool) {
        self.0.has_changed |= happened;
        // Logged even if nobody listens: clients may have met at keys that were in there.
        let (cause, notice) = (self.0.cause, self.0.notice);
        let change = Change { db, key: Box::default(), kind: Kind::String, what, cause, notice };
        self.0.leftovers().changes.push(change);
    }
}

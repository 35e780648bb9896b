//! The read-only face of the locked shards, with a current database.
//!
//! A reader meets expired keys but cannot delete: it takes them for absent and notes them, and when the transaction
//! settles they are removed under the same lock, as if the read had done it.

use super::access::{AccessWord, Toucher};
use super::change::{Change, Notice, Observers, What};
use super::entry::Entry;
use super::entry_ref::{EntryRef, seconds_between};
use super::scope::{self, Contended, Held, Hold, Order, Patience, Scope};
use super::shard::{Database, Shard, Touchable};
use super::{Db, Key, Keyspace};
use crate::table::{KeyHash, Position, TableEntry};
use crate::types::string::StringRef;
use crate::types::{Collection, Kind, WrongType};

/// The locked shards, to be read.
pub struct View<'k> {
    pub(super) keyspace: &'k Keyspace,
    pub(super) held: Held<'k>,
    pub(super) order: Order<'k>,
    pub(super) patience: Patience,
    pub(super) hold: Hold,
    pub(super) db: Db,
    pub(super) now_ms: i64,
    /// How accesses are remembered.
    access: AccessWord,
    /// What a key remembers that is made now.
    pub(super) clock: u32,
    /// For whom changes are logged, and after which cuts they are.
    pub(super) observers: Observers,
    /// Whether lookups are noted as accesses.
    pub(super) notes_accesses: bool,
    /// Whether keys whose time has come stay where they are.
    pub(super) keeps_expired: bool,
    /// Whether anything was changed since somebody asked, by more than time or want of memory.
    pub(super) has_changed: bool,
    /// Who makes the changes.
    pub(super) cause: u16,
    /// What those are told of them who hear of events.
    pub(super) notice: Notice,
    /// Rarely there, so behind one word: most transactions leave nothing behind.
    leftovers: Option<Box<Leftovers>>,
}

/// What a transaction gathers for its end.
#[derive(Default)]
pub(super) struct Leftovers {
    /// Keys met expired.
    expired: Vec<(Db, KeyHash, Box<[u8]>)>,
    /// What was changed, if anybody listens.
    pub changes: Vec<Change>,
    /// Entries that are too heavy to be freed under a lock.
    pub garbage: Vec<Entry>,
    /// What clients have met at and is gone.
    pub orphans: Vec<(Db, Entry)>,
}

impl<'k> View<'k> {
    #[inline]
    pub(super) fn begin(
        keyspace: &'k Keyspace,
        scope: Scope<'_>,
        patience: Patience,
        hold: Hold,
        now_ms: i64,
    ) -> Result<View<'k>, Contended> {
        let mut view = View::new(keyspace, patience, hold, now_ms);
        view.acquire(scope)?;
        Ok(view)
    }

    /// Takes the shards of a scope; once.
    #[inline]
    pub(super) fn acquire(&mut self, scope: Scope<'_>) -> Result<(), Contended> {
        let Scope::One(index) = scope else { return self.take(scope) };
        let held = Held::One(scope::lock_one(self.keyspace, index, self.patience, self.hold)?);
        // It held nothing, and a call to let go of that would be made all the same.
        std::mem::forget(std::mem::replace(&mut self.held, held));
        self.look();
        Ok(())
    }

    /// Looks who listens and which cuts there have been, with a shard just locked: a listener may have registered under this
    /// very lock, and a cut may have been here. Of the cuts, the last look before the first change counts; `cut` tells why.
    #[inline]
    pub(super) fn look(&mut self) {
        #[cfg(test)]
        if self.keyspace.cuts.fault.is(super::cut::Fault::EarlyEpoch) {
            return;
        }
        self.observers = self.keyspace.interest().observers();
    }

    #[inline]
    pub(super) fn new(keyspace: &'k Keyspace, patience: Patience, hold: Hold, now_ms: i64) -> View<'k> {
        let access = keyspace.access.word();
        View {
            keyspace,
            held: Held::None,
            order: Order::None,
            patience,
            hold,
            db: Db(0),
            now_ms,
            access,
            clock: access.new_at(now_ms),
            observers: keyspace.interest().observers(),
            notes_accesses: true,
            keeps_expired: false,
            has_changed: false,
            cause: 0,
            notice: Notice::Usual,
            leftovers: None,
        }
    }

    /// The current database.
    pub fn db(&self) -> Db {
        self.db
    }

    /// Makes another database the current one.
    pub fn select(&mut self, db: Db) {
        debug_assert!(db.0 < self.keyspace.databases);
        self.db = db;
    }

    /// Says whether lookups are noted as accesses, as they are unless somebody says otherwise.
    pub fn note_accesses(&mut self, notes: bool) {
        self.notes_accesses = notes;
    }

    /// Leaves keys whose time has come where they are when lookups meet them: nobody sees them, and somebody removes them
    /// later.
    pub fn keep_expired(&mut self) {
        self.keeps_expired = true;
    }

    /// Goes on at a later instant: Unix milliseconds. It never goes back, whatever the clock does.
    pub fn advance(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.clock = self.access.new_at(self.now_ms);
    }

    /// The instant of this transaction: Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The entry at a key, counted and noted as an access.
    #[inline]
    pub fn lookup(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let toucher = self.toucher();
        let mut entry = self.counted(key)?;
        toucher.touch(&mut entry, key.hash);
        Some(EntryRef::new(entry.entry(), toucher.clock))
    }

    /// The entry at a key, counted but not noted as an access.
    pub fn peek(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let clock = self.clock;
        Some(EntryRef::new(self.counted(key)?.entry(), clock))
    }

    /// How often a key is used, from what it remembers: 0 to 255, on a logarithmic scale. Only while frequency is remembered.
    pub fn frequency(&self, access_clock: u32) -> u32 {
        self.access.frequency(access_clock, self.now_ms)
    }

    /// Seconds since the last access of an entry; only while recency is remembered.
    pub(super) fn idle_seconds(&self, entry: &Entry) -> u32 {
        seconds_between(entry.clock(), self.clock)
    }

    /// Takes back that the lookup of a key was counted: the command will run once more, elsewhere.
    pub fn uncount(&mut self, key: &Key<'_>) {
        let hits = u64::from(self.looked_up(key).is_some());
        let counters = &mut self.shard_mut(key.hash).counters;
        counters.hits -= hits;
        counters.misses -= 1 - hits;
    }

    /// The entry at a key, neither counted nor noted.
    pub fn inspect(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        self.touch(self.keyspace.shard_of(key.hash));
        self.looked_up(key)
    }

    /// The entry at a key, even one whose time has come and that nobody has removed yet; neither counted nor noted.
    pub fn inspect_stored(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        self.touch(self.keyspace.shard_of(key.hash));
        self.stored(key).map(|entry| EntryRef::new(entry, self.clock))
    }

    /// Makes sure that the shard of a key is locked, where whichever is touched is.
    pub fn reach(&mut self, key: &Key<'_>) {
        self.touch(self.keyspace.shard_of(key.hash));
    }

    /// The entry at a key that has been looked up before, so that its shard is locked; this time neither counted nor
    /// noted. Several such entries may be borrowed at once.
    pub fn looked_up(&self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let live = self.stored(key).filter(|entry| !self.is_expired(entry));
        live.map(|entry| EntryRef::new(entry, self.clock))
    }

    /// Whether there is something at a key whose time has come, and that nobody has removed yet.
    pub fn has_expired(&self, key: &Key<'_>) -> bool {
        self.stored(key).is_some_and(|entry| self.is_expired(entry))
    }

    /// The entry at a key whose shard is locked, even one whose time has come.
    fn stored(&self, key: &Key<'_>) -> Option<&Entry> {
        let shard = self.held.shard(self.keyspace.shard_of(key.hash));
        shard.database(self.db).table.find(key.hash, key.bytes)
    }

    /// The string at a key.
    #[inline(always)]
    pub fn string(&mut self, key: &Key<'_>) -> Result<Option<StringRef<'_>>, WrongType> {
        match self.lookup(key) {
            None => Ok(None),
            Some(found) => found.string().map(Some).ok_or(WrongType),
        }
    }

    /// The collection at a key.
    #[inline]
    pub fn read<T: Collection>(&mut self, key: &Key<'_>) -> Result<Option<&T>, WrongType> {
        match self.lookup(key) {
            None => Ok(None),
            Some(found) => found.object().map(Some).ok_or(WrongType),
        }
    }

    /// Whether changes are logged for any of these listeners.
    #[inline]
    pub fn is_observed(&self, bits: u32) -> bool {
        self.observers.include(bits)
    }

    /// Logs changes from now on for those who have begun to listen since the shards were locked, too.
    pub fn listen_again(&mut self) {
        self.observers = self.observers.and_listeners_of(self.keyspace.interest().observers());
    }

    /// The changes that have been logged and not been handed out yet.
    pub fn changes(&self) -> &[Change] {
        self.leftovers.as_ref().map_or(&[], |leftovers| &leftovers.changes)
    }

    /// Whether the shard of a key is locked.
    pub fn holds(&self, key: &Key<'_>) -> bool {
        self.held.holds(self.keyspace.shard_of(key.hash))
    }

    /// The live entry at a key; counts the hit or miss, and notes an expired one for removal.
    #[inline]
    fn counted(&mut self, key: &Key<'_>) -> Option<Touchable<'_>> {
        let index = self.keyspace.shard_of(key.hash);
        self.touch(index);
        let Shard { databases, counters } = self.held.shard_mut(index);
        let database = databases.existing_mut(self.db);
        let Some(entry) = database.and_then(|database| database.table.touchable(key.hash, key.bytes)) else {
            counters.misses += 1;
            if self.observers.listen_to_misses() {
                note_missed(&mut self.leftovers, self.db, self.cause, key);
            }
            return None;
        };
        if entry.deadline_ms().is_some_and(|deadline| deadline <= self.now_ms) {
            counters.misses += 1;
            note_expired(&mut self.leftovers, self.db, key);
            if self.observers.listen_to_misses() {
                note_missed(&mut self.leftovers, self.db, self.cause, key);
            }
            return None;
        }
        counters.hits += 1;
        Some(entry)
    }

    /// Notes accesses of this instant.
    #[inline]
    pub(super) fn toucher(&self) -> Toucher<'k> {
        Toucher {
            keyspace: self.keyspace,
            access: self.access,
            notes: self.notes_accesses,
            clock: self.clock,
            now_ms: self.now_ms,
        }
    }

    /// Bytes of the current database in the shards that are held.
    pub fn memory_bytes(&self) -> usize {
        self.held.all().iter().map(|(_, shard)| shard.database(self.db).memory_bytes()).sum()
    }

    #[inline]
    pub(super) fn shard_mut(&mut self, hash: KeyHash) -> &mut Shard {
        self.shard_at(self.keyspace.shard_of(hash))
    }

    #[inline]
    pub(super) fn shard_at(&mut self, index: usize) -> &mut Shard {
        self.touch(index);
        self.held.shard_mut(index)
    }

    #[inline]
    pub(super) fn database_mut(&mut self, hash: KeyHash) -> &mut Database {
        let db = self.db;
        self.shard_mut(hash).database_mut(db)
    }

    pub(super) fn is_expired(&self, entry: &Entry) -> bool {
        entry.deadline_ms().is_some_and(|deadline| deadline <= self.now_ms)
    }

    pub(super) fn has_leftovers(&self) -> bool {
        self.leftovers.is_some()
    }

    pub(super) fn leftovers(&mut self) -> &mut Leftovers {
        self.leftovers.get_or_insert_default()
    }

    pub(super) fn take_leftovers(&mut self) -> Leftovers {
        self.leftovers.take().map(|leftovers| *leftovers).unwrap_or_default()
    }

    /// Removes what was met expired and is so still.
    pub(super) fn remove_expired(&mut self) {
        let current = self.db;
        let Some(leftovers) = &mut self.leftovers else { return };
        let met = std::mem::take(&mut leftovers.expired);
        if self.keeps_expired {
            return;
        }
        for (db, hash, bytes) in met {
            self.db = db;
            self.expire(&Key { bytes: &bytes, hash });
        }
        self.db = current;
    }

    /// Notes a key of the current database that was met expired.
    pub(super) fn note_expired(&mut self, hash: KeyHash, key: Box<[u8]>) {
        let db = self.db;
        self.leftovers().expired.push((db, hash, key));
    }

    /// Removes a key whose time has come; whether it was such a one.
    #[cold]
    pub(super) fn expire(&mut self, key: &Key<'_>) -> bool {
        let table = &self.database_mut(key.hash).table;
        let Some(position) = table.position(key.hash, key.bytes) else { return false };
        let deadline_ms = table.at(position).deadline_ms();
        if deadline_ms.is_none_or(|deadline| deadline > self.now_ms) {
            return false;
        }
        let entry = self.remove_at(key.hash, position);
        self.log(key.bytes, entry.kind(), What::Expired);
        self.discard(entry);
        self.shard_mut(key.hash).counters.expired += 1;
        true
    }

    /// Takes an entry out of its table and out of the books.
    pub(super) fn remove_at(&mut self, hash: KeyHash, position: Position) -> Entry {
        let hasher = self.keyspace.hasher;
        let fed = self.before_change(hash, position);
        let database = self.database_mut(hash);
        let entry = database.table.change(fed).remove_at(position, &hasher);
        database.weight_bytes -= entry.weight_bytes();
        database.deadlines -= u32::from(entry.deadline_ms().is_some());
        database.timed_hashes -= u32::from(entry.has_field_deadlines());
        entry
    }

    /// Frees an entry, or keeps it for whoever settles this transaction when that would take long.
    pub(super) fn discard(&mut self, entry: Entry) {
        if entry.is_relied_on() {
            let db = self.db;
            return self.leftovers().orphans.push((db, entry));
        }
        if entry.kind() == Kind::Stream {
            self.log_told(entry.key(), Kind::Stream, Notice::Silent);
        }
        if entry.weight_bytes() > DISCARD_BYTES_MAX {
            self.leftovers().garbage.push(entry);
        }
    }

    #[inline]
    pub(super) fn log(&mut self, key: &[u8], kind: Kind, what: What) {
        self.has_changed |=
            !matches!(what, What::FieldsExpired | What::Expired | What::Evicted | What::Told | What::Missed);
        if self.observers.listen_to(kind) {
            let change = Change { key: key.into(), ..self.unnamed(kind, what) };
            self.leftovers().changes.push(change);
        }
    }

    /// Logs something of a value that is no change of what is in it. Those hear of it who wait for a value of this type at the key.
    pub(super) fn log_told(&mut self, key: &[u8], kind: Kind, notice: Notice) {
        let usual = std::mem::replace(&mut self.notice, notice);
        self.log(key, kind, What::Told);
        self.notice = usual;
    }

    /// Logs that a collection has become empty, so that its key is gone. The change that has emptied it is logged already, and
    /// has told what it was to tell.
    pub(super) fn log_emptied(&mut self, key: &[u8], kind: Kind) {
        let notice = self.notice;
        if notice != Notice::Silent {
            self.notice = Notice::Usual;
        }
        self.log(key, kind, What::Removed);
        self.notice = notice;
    }

    fn unnamed(&self, kind: Kind, what: What) -> Change {
        Change { db: self.db, key: Box::default(), kind, what, cause: self.cause, notice: self.notice }
    }
}

#[cold]
fn note_expired(leftovers: &mut Option<Box<Leftovers>>, db: Db, key: &Key<'_>) {
    leftovers.get_or_insert_default().expired.push((db, key.hash, key.bytes.into()));
}

#[cold]
fn note_missed(leftovers: &mut Option<Box<Leftovers>>, db: Db, cause: u16, key: &Key<'_>) {
    let (kind, what, notice) = (Kind::String, What::Missed, Notice::Usual);
    let change = Change { db, key: key.bytes.into(), kind, what, cause, notice };
    leftovers.get_or_insert_default().changes.push(change);
}

/// Entries heavier than this are freed in the background: freeing them may take more than some ten microseconds.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

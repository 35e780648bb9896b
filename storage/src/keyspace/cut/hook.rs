//! Visit before write: what whoever changes something owes the open cuts. There is no other way to a table that can be changed:
//! `Entries::change` asks for the proof that is made here and nowhere else.

use std::sync::Arc;

use super::super::entry_ref::EntryRef;
use super::super::shard::Database;
use super::super::view::View;
use super::super::{Db, Key};
use crate::table::{KeyHash, Position, TableEntry};

/// The proof that the open cuts have been fed with what is about to change.
#[derive(Clone, Copy)]
pub struct Fed(());

impl View<'_> {
    /// Before the entry at a position of the current database changes or goes.
    #[inline]
    pub(in super::super) fn before_change(&self, hash: KeyHash, position: Position) -> Fed {
        if self.observers.cuts_are_open() {
            self.feed_entry(hash, position);
        }
        Fed(())
    }

    /// Before a key of the current database that has no entry gets one.
    #[inline]
    pub(in super::super) fn before_creation(&self, key: &Key<'_>) -> Fed {
        if self.observers.cuts_are_open() {
            self.feed(key, None);
        }
        Fed(())
    }

    /// Takes a database out of a shard, if there is anything in it; open cuts go on in what was taken.
    pub(in super::super) fn detach(&mut self, shard: usize, db: Db) -> Option<Arc<Database>> {
        let epoch = self.observers.epoch();
        let locked = self.shard_at(shard);
        // Looking is not writing: a database is only made when it is written to.
        if locked.database(db).table.is_empty() {
            return None;
        }
        let detached = Arc::new(std::mem::take(locked.database_mut(db)));
        if self.observers.cuts_are_open() {
            let mut parts = self.keyspace.cuts.shard(shard).lock();
            parts.before(epoch).filter(|part| part.reads(db)).for_each(|part| part.detach(&detached));
        }
        Some(detached)
    }

    /// Exchanges two databases of a shard; open cuts follow.
    pub(in super::super) fn swap_in(&mut self, shard: usize, a: Db, b: Db) {
        self.shard_at(shard).swap(a, b);
        if self.observers.cuts_are_open() {
            let mut parts = self.keyspace.cuts.shard(shard).lock();
            parts.before(self.observers.epoch()).for_each(|part| part.swap(a, b));
        }
    }

    #[cold]
    fn feed_entry(&self, hash: KeyHash, position: Position) {
        let shard = self.held.shard(self.keyspace.shard_of(hash));
        let entry = shard.database(self.db).table.at(position);
        self.feed(&Key { bytes: entry.key(), hash }, Some(EntryRef::new(entry, self.clock)));
    }

    #[cold]
    fn feed(&self, key: &Key<'_>, entry: Option<EntryRef<'_>>) {
        #[cfg(test)]
        if self.keyspace.cuts.fault.is(super::tests::Fault::NoHook) {
            return;
        }
        let (epoch, keyspace) = (self.observers.epoch(), self.keyspace);
        let shard = keyspace.shard_of(key.hash);
        let mut parts = keyspace.cuts.shard(shard).lock();
        let parts = parts.before(epoch).filter(|part| part.reads(self.db));
        parts.for_each(|part| part.pass(shard, key, entry, &keyspace.hasher));
    }
}

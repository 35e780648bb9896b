//! What a view tells of a whole database: how large it is, a key of it by chance, and all of them.

use super::Key;
use super::entry::Entry;
use super::entry_ref::EntryRef;
use super::shard::ShardTotals;
use super::view::View;
use crate::random::Random;
use crate::table::TableEntry;

/// A key by chance was not found among many that have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManyExpired;

impl View<'_> {
    /// Keys in the current database, expired ones that nobody has met yet included.
    pub fn len(&self) -> usize {
        self.held.all().iter().map(|(_, shard)| shard.database(self.db).table.len()).sum()
    }

    /// Counters and sizes of all shards, each of which becomes locked.
    pub fn totals(&mut self) -> ShardTotals {
        let mut totals = ShardTotals::new(self.keyspace.databases);
        for index in 0..self.keyspace.slots.len() {
            self.shard_at(index).add_to(&mut totals);
        }
        self.keyspace.complete(totals)
    }

    /// Keys that the tables of the current database have room for without growing.
    pub fn room(&self) -> usize {
        self.held.all().iter().map(|(_, shard)| shard.database(self.db).table.room()).sum()
    }

    /// Whether the current database has no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A key by chance, each as likely as any other. Expired ones that come up are removed, so that it ends; but that
    /// may take long, and no more than `expired_max` are. Where they are to stay and there may be no other, one of them is
    /// given after some tries, as Redis does.
    pub fn random_key(
        &mut self,
        random: &mut Random,
        expired_max: usize,
    ) -> Result<Option<Vec<u8>>, ManyExpired> {
        let mut tries = 0;
        for _ in 0..expired_max {
            let Some(entry) = self.random_entry(random) else { return Ok(None) };
            let (key, is_expired) = (entry.key().to_vec(), self.is_expired(entry));
            if !is_expired {
                return Ok(Some(key));
            }
            if self.keeps_expired {
                tries += 1;
                if tries >= KEPT_TRIES_MAX && self.are_all_mortal() {
                    return Ok(Some(key));
                }
                continue;
            }
            let hash = self.keyspace.hash(&key);
            self.expire(&Key { bytes: &key, hash });
        }
        Err(ManyExpired)
    }

    /// Every live key of the current database.
    pub fn for_each_key(&self, visit: &mut dyn FnMut(&[u8], EntryRef<'_>)) {
        for (_, shard) in self.held.all() {
            for entry in shard.database(self.db).table.iter().filter(|entry| !self.is_expired(entry)) {
                visit(entry.key(), EntryRef::new(entry, self.clock));
            }
        }
    }

    /// Whether every key of the current database has a deadline.
    fn are_all_mortal(&self) -> bool {
        let databases = || self.held.all().iter().map(|(_, shard)| shard.database(self.db));
        databases().all(|database| database.deadlines as usize == database.table.len())
    }

    fn random_entry(&self, random: &mut Random) -> Option<&Entry> {
        let shards = self.held.all();
        let mut at = random.below(self.len().max(1) as u64) as usize;
        for (_, shard) in shards {
            let table = &shard.database(self.db).table;
            match at.checked_sub(table.len()) {
                Some(rest) => at = rest,
                None => return table.random(random),
            }
        }
        None
    }
}

/// Keys that are looked at for one that has not expired, where those that have are to stay.
const KEPT_TRIES_MAX: usize = 100;

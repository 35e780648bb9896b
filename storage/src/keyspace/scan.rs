//! SCAN over shards: the cursor is the bucket cursor of a shard's table with the shard in its low bits, so that it
//! counts through one shard after the other. The guarantee is the table's: what is present from beginning to end is
//! seen, whatever grows or shrinks in between; a key never changes its shard.

use smallvec::SmallVec;

use super::Key;
use super::entry::Entry;
use super::entry_ref::EntryRef;
use super::scope::Contended;
use super::view::View;
use crate::table::TableEntry;

impl View<'_> {
    /// The entry at a key, neither counted nor noted, in a walk that moves to its shard.
    pub fn walk_to_key(&mut self, key: &Key<'_>) -> Result<Option<EntryRef<'_>>, Contended> {
        self.walk_to(self.keyspace.shard_of(key.hash))?;
        Ok(self.looked_up(key))
    }

    /// One step: visits the keys of one bucket of the current database, after walking on through empty shards, each of which
    /// costs some ten nanoseconds. The next cursor, 0 at the end.
    ///
    /// `wants` tells which of them it wants; `keep` gets those, but those whose time has come are removed instead.
    pub fn scan(
        &mut self,
        cursor: u64,
        wants: &mut dyn FnMut(&[u8], EntryRef<'_>) -> bool,
        keep: &mut dyn FnMut(&[u8]),
    ) -> Result<u64, Contended> {
        let bits = self.keyspace.shard_bits;
        let shards = self.keyspace.slots.len();
        let mut shard = (cursor as usize) & (shards - 1);
        let mut bucket = cursor >> bits;
        loop {
            self.walk_to(shard)?;
            let (db, clock, now_ms) = (self.db, self.clock, self.now_ms);
            let table = &self.shard_at(shard).database(db).table;
            let is_empty = table.is_empty();
            let mut expired: SmallVec<[Box<[u8]>; 1]> = SmallVec::new();
            bucket = table.scan(bucket, &mut |entry: &Entry| {
                let key = entry.key();
                match entry.deadline_ms() {
                    _ if !wants(key, EntryRef::new(entry, clock)) => {}
                    Some(deadline) if deadline <= now_ms => expired.push(key.into()),
                    _ => keep(key),
                }
            });
            for key in expired {
                self.note_expired(self.keyspace.hash(&key), key);
            }
            if bucket == 0 {
                shard += 1;
                if shard == shards {
                    return Ok(0);
                }
            }
            if !is_empty {
                return Ok(bucket << bits | shard as u64);
            }
        }
    }
}

//! SCAN over shards: the cursor is the bucket cursor of a shard's table with the shard in its low bits, so that it
//! counts through one shard after the other. The guarantee is the table's: what is present from beginning to end is
//! seen, whatever grows or shrinks in between; a key never changes its shard.

use super::entry::Entry;
use super::scope::Contended;
use super::view::{EntryRef, View};
use crate::table::TableEntry;

impl View<'_> {
    /// One step: visits the live keys of one bucket of the current database, after walking on through empty shards, each
    /// of which costs some ten nanoseconds. The next cursor, 0 at the end.
    pub fn scan(
        &mut self,
        cursor: u64,
        visit: &mut dyn FnMut(&[u8], EntryRef<'_>),
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
            bucket = table.scan(bucket, &mut |entry: &Entry| {
                if entry.deadline_ms().is_none_or(|deadline| deadline > now_ms) {
                    visit(entry.key(), EntryRef::new(entry, clock));
                }
            });
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

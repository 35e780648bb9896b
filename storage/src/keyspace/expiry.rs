//! Active expiry: a cycle walks the tables bucket by bucket, one shard locked at a time, and removes what is due: keys, and
//! fields of hashes. Lazy expiry, on access, is in `view` and `transaction`, and that of fields in `types::hash`.
//!
//! The cycle knows no clock and no budget of time: its driver calls [`ExpiryCycle::step`] as often as it can afford.

use super::scope::{Hold, Patience, Scope};
use super::transaction::{Settled, Transaction};
use super::{Db, Key, Keyspace};
use crate::table::TableEntry;
use crate::types::hash::{ExpiredFields, Hash};

/// Where the walk over all tables stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpiryCycle {
    shard: usize,
    db: u16,
    bucket: u64,
}

/// What a step of the cycle did.
#[derive(Debug, Default)]
pub struct CycleStep {
    /// The database it was in.
    pub db: Db,
    /// Keys with a deadline that it looked at.
    pub sampled: usize,
    /// Keys that it removed.
    pub expired: usize,
    /// Fields with a deadline that it looked at and removed.
    pub fields: ExpiredFields,
    /// Milliseconds that the sampled live keys have left, added up.
    pub left_ms: i64,
    /// Whether the walk has come round.
    pub is_round: bool,
    /// What the removals left behind.
    pub settled: Settled,
}

impl ExpiryCycle {
    /// Visits up to `buckets_max` buckets of the current table and moves on. A shard that is busy is left for the next
    /// round.
    pub fn step(&mut self, keyspace: &Keyspace, now_ms: i64, buckets_max: usize) -> CycleStep {
        let mut done = CycleStep::default();
        let scope = Scope::One(self.shard);
        let Ok(mut txn) = keyspace.begin(scope, Patience::Short, Hold::Short, now_ms) else {
            done.is_round = self.next_shard(keyspace);
            return done;
        };
        let shard = txn.shard_at(self.shard);
        let Some(db) = (self.db..keyspace.databases).find(|&db| shard.database(Db(db)).is_mortal()) else {
            done.is_round = self.next_shard(keyspace);
            return done;
        };
        if db != self.db {
            (self.db, self.bucket) = (db, 0);
        }
        let db = Db(db);
        done.db = db;
        txn.select(db);
        let (mut due, mut due_hashes) = (Vec::<Box<[u8]>>::new(), Vec::<Box<[u8]>>::new());
        let database = txn.shard_at(self.shard).database(db);
        let began = self.bucket;
        for _ in 0..buckets_max {
            self.bucket = database.table.scan(self.bucket, &mut |entry| {
                let deadline = entry.deadline_ms();
                done.sampled += usize::from(deadline.is_some());
                match deadline {
                    Some(deadline) if deadline <= now_ms => return due.push(entry.key().into()),
                    Some(deadline) => done.left_ms = done.left_ms.saturating_add(deadline - now_ms),
                    None => {}
                }
                if database.timed_hashes > 0 && entry.has_fields_due(now_ms) {
                    due_hashes.push(entry.key().into());
                }
            });
            if self.bucket == 0 || due_hashes.len() >= HASHES_PER_STEP {
                break;
            }
        }
        for key in &due {
            done.expired += usize::from(txn.expire(&keyspace.key(key)));
        }
        let mut is_left = false;
        for key in &due_hashes {
            is_left |= expire_fields(&mut txn, &keyspace.key(key), &mut done.fields);
        }
        done.settled = txn.settle();
        if is_left {
            // The same buckets once more; what stays in them is counted when they have been done.
            self.bucket = began;
            (done.sampled, done.left_ms) = (done.expired, 0);
        } else if self.bucket == 0 {
            done.is_round = self.next_table(keyspace);
        }
        done
    }

    fn next_table(&mut self, keyspace: &Keyspace) -> bool {
        self.bucket = 0;
        self.db += 1;
        self.db >= keyspace.databases && self.next_shard(keyspace)
    }

    /// Moves on; whether that was the last shard.
    fn next_shard(&mut self, keyspace: &Keyspace) -> bool {
        (self.db, self.bucket) = (0, 0);
        self.shard = (self.shard + 1) & (keyspace.slots.len() - 1);
        self.shard == 0
    }
}

/// Removes some fields of a hash whose deadline has come. Whether it is worth while to go on with it at once: more are left,
/// and many of those that were looked at were due.
fn expire_fields(txn: &mut Transaction<'_>, key: &Key<'_>, fields: &mut ExpiredFields) -> bool {
    let now_ms = txn.now_ms();
    txn.note_accesses(false);
    let Ok(Some(mut hash)) = txn.edit::<Hash>(key) else { return false };
    hash.is_of_time();
    let done = hash.change(|hash| {
        let done = hash.expire_fields(now_ms, FIELDS_PER_HASH);
        (done.removed > 0, done)
    });
    fields.sampled += done.sampled;
    fields.removed += done.removed;
    hash.is_due(now_ms) && done.removed * FIELDS_DUE_SHARE > done.sampled
}

/// Deadlines of one hash that are looked at in one step.
const FIELDS_PER_HASH: usize = 100;
/// Hashes of which a step finds so many do not share it with those of the next bucket.
const HASHES_PER_STEP: usize = 8;
/// Share of due fields among the sampled ones of a hash above which the next step goes on with it: one in this many.
const FIELDS_DUE_SHARE: usize = 10;

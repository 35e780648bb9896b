//! Active expiry: a cycle walks the tables bucket by bucket, one shard locked at a time, and removes what is due. Lazy
//! expiry, on access, is in `view` and `transaction`.
//!
//! The cycle knows no clock and no budget of time: its driver calls [`ExpiryCycle::step`] as often as it can afford.

use super::scope::{Hold, Patience, Scope};
use super::transaction::Settled;
use super::{Db, Key, Keyspace};
use crate::table::TableEntry;

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
        let Some(db) = (self.db..keyspace.databases).find(|&db| shard.database(Db(db)).deadlines > 0) else {
            done.is_round = self.next_shard(keyspace);
            return done;
        };
        if db != self.db {
            (self.db, self.bucket) = (db, 0);
        }
        let db = Db(db);
        done.db = db;
        txn.select(db);
        let mut due: Vec<Box<[u8]>> = Vec::new();
        let database = txn.shard_at(self.shard).database(db);
        for _ in 0..buckets_max {
            self.bucket = database.table.scan(self.bucket, &mut |entry| {
                let Some(deadline) = entry.deadline_ms() else { return };
                done.sampled += 1;
                if deadline <= now_ms {
                    due.push(entry.key().into());
                } else {
                    done.left_ms = done.left_ms.saturating_add(deadline - now_ms);
                }
            });
            if self.bucket == 0 {
                break;
            }
        }
        for key in &due {
            done.expired += usize::from(txn.expire(&Key::with_hash(key, keyspace.hash(key))));
        }
        done.settled = txn.settle();
        if self.bucket == 0 {
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

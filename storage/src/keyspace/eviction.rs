//! Eviction: how much memory the keys take, and which of them goes when that is too much. When it is, is the caller's business.
//!
//! Redis looks at a few keys by chance each time and remembers the best candidates. Here the keys of a bucket lie together, so
//! three times as many are looked at for the same price, and nothing has to be remembered.

use super::change::What;
use super::entry::Entry;
use super::scope::{Hold, Patience, Scope};
use super::shard::Database;
use super::transaction::{Settled, Transaction};
use super::{Key, Keyspace};
use crate::random::Random;
use crate::table::TableEntry;

/// Which keys go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Those that were not used for the longest time.
    Idle,
    /// Those that are used least; needs accesses to be remembered by frequency.
    Unused,
    /// Those that expire soonest; keys that never do are no candidates.
    Soonest,
    /// Any.
    Chance,
}

/// How to choose a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Which keys go first.
    pub rank: Rank,
    /// Only keys that expire are candidates.
    pub only_mortal: bool,
    /// As `maxmemory-samples`: the more, the better the choice and the longer it takes.
    pub samples: usize,
}

/// A key that went.
#[derive(Debug)]
pub struct Evicted {
    /// Bytes that it gave back, or will when its value is freed.
    pub bytes: usize,
    /// Its time had come anyway.
    pub is_expired: bool,
    /// What its removal left behind.
    pub settled: Settled,
}

/// The memory of the keys, shard by shard, as last seen.
#[derive(Debug)]
pub struct Gauge(Box<[usize]>);

/// Candidates for each sample that is asked for.
const CANDIDATES_PER_SAMPLE: usize = 3;
/// Buckets that are looked at in one shard before another is tried. Only where candidates are so rare that none was found
/// anywhere are all of them looked at.
const BUCKETS_MAX: usize = 64;

impl Gauge {
    /// A gauge for this keyspace.
    pub fn new(keyspace: &Keyspace) -> Gauge {
        Gauge(vec![0; keyspace.shards()].into())
    }
}

impl Keyspace {
    /// Bytes of all keys. A shard that is busy counts as it was last time.
    pub fn measure(&self, gauge: &mut Gauge) -> usize {
        for (slot, bytes) in self.slots.iter().zip(&mut gauge.0) {
            if let Some(shard) = slot.try_lock() {
                *bytes = shard.memory_bytes();
            }
        }
        gauge.0.iter().sum::<usize>() + size_of_val(&*self.slots)
    }

    /// Removes one key; `None` if there is no candidate in any shard that is free.
    pub fn evict(&self, eviction: Eviction, random: &mut Random, now_ms: i64) -> Option<Evicted> {
        let first = random.below(self.slots.len() as u64) as usize;
        for thoroughly in [false, true] {
            for offset in 0..self.slots.len() {
                let shard = (first + offset) & (self.slots.len() - 1);
                // Who holds it for long is not waited for: others have keys too.
                let Ok(txn) = self.begin(Scope::One(shard), Patience::Short, Hold::Short, now_ms) else {
                    continue;
                };
                if let Some(evicted) = evict_from(txn, shard, eviction, thoroughly, random) {
                    return Some(evicted);
                }
            }
        }
        None
    }
}

fn evict_from(
    mut txn: Transaction<'_>,
    shard: usize,
    eviction: Eviction,
    thoroughly: bool,
    random: &mut Random,
) -> Option<Evicted> {
    let candidates = |database: &Database| match eviction.only_mortal || eviction.rank == Rank::Soonest {
        true => database.deadlines,
        false => database.table.len(),
    };
    let db = txn.shard_at(shard).one_by_chance(candidates, random)?;
    txn.select(db);
    let now_ms = txn.now_ms();
    let wanted = eviction.samples.saturating_mul(CANDIDATES_PER_SAMPLE);
    let view = &txn.0;
    let table = &view.held.shard(shard).database(db).table;
    let mut rank = |entry: &Entry| match entry.deadline_ms() {
        Some(deadline) if deadline <= now_ms => Some(u64::MAX),
        None if eviction.only_mortal => None,
        deadline => match eviction.rank {
            Rank::Idle => Some(u64::from(view.idle_seconds(entry))),
            Rank::Unused => Some(u64::MAX - 1 - u64::from(view.frequency(entry.clock()))),
            Rank::Soonest => deadline.map(|deadline| u64::MAX - 1 - deadline.cast_unsigned()),
            // The first one will do: its bucket is by chance.
            Rank::Chance => Some(0),
        },
    };
    let position = match thoroughly {
        false => {
            let buckets = std::iter::repeat_with(|| random.u64()).take(BUCKETS_MAX);
            table.highest(buckets, wanted, &mut rank)
        }
        true => table.highest(0..u64::from(table.buckets()), wanted, &mut rank),
    }?;
    let key: Box<[u8]> = table.at(position).key().into();
    let before = txn.memory_bytes();
    let is_expired = txn.evict(&Key { bytes: &key, hash: txn.0.keyspace.hash(&key) }, position);
    let bytes = before.saturating_sub(txn.memory_bytes());
    Some(Evicted { bytes, is_expired, settled: txn.settle() })
}

impl Transaction<'_> {
    /// Removes the key at a position; whether its time had come anyway.
    fn evict(&mut self, key: &Key<'_>, position: crate::table::Position) -> bool {
        if self.0.expire(key) {
            return true;
        }
        let entry = self.0.remove_at(key.hash, position);
        self.0.log(key.bytes, entry.kind(), What::Evicted);
        self.0.discard(entry);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Access, Db, Deadline, KeyspaceOptions};

    const NOW_MS: i64 = 1_700_000_000_000;

    fn keyspace(shards: usize) -> Keyspace {
        Keyspace::new(KeyspaceOptions { shards, databases: 16, seed: 3 })
    }

    fn with<R>(
        keyspace: &Keyspace,
        key: &str,
        now_ms: i64,
        run: impl FnOnce(&mut Transaction<'_>, &Key<'_>) -> R,
    ) -> R {
        let key = keyspace.key(key.as_bytes());
        let scope = Scope::One(keyspace.shard_of(key.hash()));
        run(&mut keyspace.begin(scope, Patience::Wait, Hold::Short, now_ms).unwrap(), &key)
    }

    fn set(keyspace: &Keyspace, key: &str, now_ms: i64, deadline: Deadline) {
        with(keyspace, key, now_ms, |txn, key| txn.set_string(key, b"value", deadline));
    }

    fn exists(keyspace: &Keyspace, key: &str) -> bool {
        with(keyspace, key, NOW_MS, |txn, key| txn.inspect(key).is_some())
    }

    fn eviction(rank: Rank, only_mortal: bool) -> Eviction {
        Eviction { rank, only_mortal, samples: 5 }
    }

    fn evict(keyspace: &Keyspace, eviction: Eviction, times: usize) -> usize {
        let mut random = Random::seeded(7);
        (0..times).filter(|_| keyspace.evict(eviction, &mut random, NOW_MS).is_some()).count()
    }

    /// Of keys of which the second half is worth keeping, those that are left after a third has gone.
    fn kept(keyspace: &Keyspace, keys: u32) -> (usize, usize) {
        let count =
            |range: std::ops::Range<u32>| range.filter(|n| exists(keyspace, &format!("key:{n}"))).count();
        (count(0..keys / 2), count(keys / 2..keys))
    }

    #[test]
    fn what_was_not_used_for_long_goes_first() {
        let keyspace = keyspace(16);
        (0..3000).for_each(|n| {
            let age_ms = if n < 1500 { 3_600_000 } else { 1_000 };
            set(&keyspace, &format!("key:{n}"), NOW_MS - age_ms, Deadline::Never);
        });
        assert_eq!(evict(&keyspace, eviction(Rank::Idle, false), 1000), 1000);
        let (old, young) = kept(&keyspace, 3000);
        assert!(old + young == 2000 && young >= 1470, "{young} of 1500 young ones");
        keyspace.check_invariants();
    }

    #[test]
    fn what_is_used_rarely_goes_first() {
        let keyspace = keyspace(16);
        keyspace.set_access(Access::Frequency { log_factor: 1, decay_minutes: 1 });
        (0..3000).for_each(|n| {
            let name = format!("key:{n}");
            set(&keyspace, &name, NOW_MS, Deadline::Never);
            let uses = if n < 1500 { 0 } else { 50 };
            (0..uses)
                .for_each(|_| with(&keyspace, &name, NOW_MS, |txn, key| assert!(txn.lookup(key).is_some())));
        });
        assert_eq!(evict(&keyspace, eviction(Rank::Unused, false), 1000), 1000);
        let (rare, often) = kept(&keyspace, 3000);
        assert!(rare + often == 2000 && often >= 1470, "{often} of 1500 that are used often");
    }

    #[test]
    fn what_expires_soonest_goes_first_and_what_never_does_stays() {
        let keyspace = keyspace(4);
        (0..900).for_each(|n| {
            let deadline = match n % 3 {
                0 => Deadline::Never,
                1 => Deadline::At(NOW_MS + 1_000_000),
                _ => Deadline::At(NOW_MS + 1000),
            };
            set(&keyspace, &format!("key:{n}"), NOW_MS, deadline);
        });
        assert_eq!(evict(&keyspace, eviction(Rank::Soonest, true), 150), 150);
        let left =
            |rest: u32| (0..900).filter(|n| n % 3 == rest && exists(&keyspace, &format!("key:{n}"))).count();
        assert!(left(0) == 300 && left(1) >= 297, "{} of 300 that live longer", left(1));
        for rank in [Rank::Idle, Rank::Chance, Rank::Unused] {
            evict(&keyspace, eviction(rank, true), 1000);
            assert_eq!((left(0), left(1) + left(2)), (300, 0), "all mortal ones and no other");
        }
        assert_eq!(evict(&keyspace, eviction(Rank::Chance, false), 1000), 300);
        assert_eq!(keyspace.totals().databases[0].keys, 0);
    }

    #[test]
    fn the_only_candidate_among_many_is_found_in_any_database() {
        let keyspace = keyspace(2);
        (0..20_000).for_each(|n| set(&keyspace, &format!("key:{n}"), NOW_MS, Deadline::Never));
        with(&keyspace, "mortal", NOW_MS, |txn, key| {
            txn.select(Db(9));
            txn.set_string(key, b"value", Deadline::At(NOW_MS + 1));
        });
        set(&keyspace, "another", NOW_MS, Deadline::At(NOW_MS + 1));
        assert_eq!(evict(&keyspace, eviction(Rank::Idle, true), 3), 2);
        assert!(!exists(&keyspace, "another"));
    }

    #[test]
    fn what_has_expired_goes_before_anything_else_and_counts_as_expired() {
        let keyspace = keyspace(1);
        set(&keyspace, "dead", NOW_MS - 10, Deadline::At(NOW_MS - 1));
        set(&keyspace, "idle", NOW_MS - 100_000_000, Deadline::Never);
        let evicted = keyspace.evict(eviction(Rank::Idle, false), &mut Random::seeded(1), NOW_MS).unwrap();
        assert!(evicted.is_expired && evicted.bytes > 0 && exists(&keyspace, "idle"));
        assert_eq!(keyspace.totals().expired, 1);
    }

    #[test]
    fn the_gauge_shows_what_the_totals_say_and_what_a_busy_shard_had_before() {
        let keyspace = keyspace(4);
        let mut gauge = Gauge::new(&keyspace);
        (0..100).for_each(|n| set(&keyspace, &format!("key:{n}"), NOW_MS, Deadline::Never));
        let before = keyspace.measure(&mut gauge);
        assert_eq!(before, keyspace.totals().memory_bytes);
        let busy = keyspace.begin(Scope::Every, Patience::Wait, Hold::Long, NOW_MS).unwrap();
        assert_eq!(keyspace.measure(&mut gauge), before);
        drop(busy);
    }
}

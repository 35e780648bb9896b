//! Eviction: how much memory the keys take, and which of them goes when that is too much. When it is, is the caller's business.
//!
//! Redis looks at a few keys by chance each time and remembers the best candidates. Here the keys of a bucket lie together, so
//! three times as many are looked at for the same price, and nothing has to be remembered. Each bucket is of another shard:
//! with few keys, a shard has no more than one.

use std::ops::Range;

use super::change::What;
use super::entry::Entry;
use super::scope::{Hold, Patience, Scope};
use super::shard::Database;
use super::transaction::Settled;
use super::{Db, Keyspace};
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

/// What there is in each shard, as last seen.
#[derive(Debug)]
pub struct Gauge(Box<[Measure]>);

/// What there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Bytes of all keys.
    pub bytes: usize,
    /// Keys.
    pub keys: usize,
    /// Keys that expire.
    pub mortal_keys: usize,
}

/// Candidates for each sample that is asked for.
const CANDIDATES_PER_SAMPLE: usize = 3;
/// Buckets that are looked at before candidates count as rare, and are looked for one after another.
const TRIES_MAX: usize = 256;
/// Steps of that search at a time, and buckets of one step.
const WALK_STEPS_MAX: usize = 128;
const STEP_BUCKETS: u64 = 16;

/// Candidates that others may take away before this gives up.
const ATTEMPTS_MAX: usize = 16;

/// Where the search for rare candidates goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hand {
    shard: usize,
    bucket: u64,
}

/// What a look at some buckets of a table found.
#[derive(Default)]
struct Ranking {
    /// Keys that had a rank.
    ranked: usize,
    /// Buckets of the table; none where there are no candidates.
    buckets: u32,
}

/// The best candidate so far.
struct Candidate {
    rank: u64,
    db: Db,
    key: Box<[u8]>,
}

impl Gauge {
    /// A gauge for this keyspace.
    pub fn new(keyspace: &Keyspace) -> Gauge {
        Gauge(vec![Measure::default(); keyspace.shards()].into())
    }
}

impl Measure {
    /// How many keys could be evicted.
    pub fn candidates(&self, eviction: Eviction) -> usize {
        if eviction.is_of_mortals() { self.mortal_keys } else { self.keys }
    }
}

impl Eviction {
    fn is_of_mortals(self) -> bool {
        self.only_mortal || self.rank == Rank::Soonest
    }
}

impl Keyspace {
    /// What there is in all shards. A busy one counts as it was last time.
    pub fn measure(&self, gauge: &mut Gauge) -> Measure {
        let mut sum = Measure { bytes: size_of_val(&*self.slots), ..Measure::default() };
        for (index, (slot, known)) in self.slots.iter().zip(&mut gauge.0).enumerate() {
            if let Some(shard) = slot.try_lock() {
                *known = shard.measure();
                known.bytes += self.cuts.memory_bytes(index);
            }
            sum.bytes += known.bytes;
            sum.keys += known.keys;
            sum.mortal_keys += known.mortal_keys;
        }
        sum
    }

    /// Removes one key; `None` if none was found. Where there are few candidates, the search ends unfinished after some hundred
    /// microseconds, and the next one goes on where it ended.
    pub fn evict(
        &self,
        eviction: Eviction,
        hand: &mut Hand,
        random: &mut Random,
        now_ms: i64,
    ) -> Option<Evicted> {
        // Somebody else may remove the candidate before it is locked again.
        std::iter::from_fn(|| self.candidate(eviction, hand, random, now_ms))
            .take(ATTEMPTS_MAX)
            .find_map(|candidate| self.remove_candidate(&candidate, now_ms))
    }

    /// The best among some candidates of shards and buckets by chance; where there are few, any.
    fn candidate(
        &self,
        eviction: Eviction,
        hand: &mut Hand,
        random: &mut Random,
        now_ms: i64,
    ) -> Option<Candidate> {
        let wanted = match eviction.rank {
            Rank::Chance => 1,
            _ => eviction.samples.saturating_mul(CANDIDATES_PER_SAMPLE),
        };
        let (mut best, mut ranked) = (None, 0);
        let shards = self.slots.len();
        for _ in 0..TRIES_MAX {
            let bucket = random.u64() >> 1;
            let shard = random.below(shards as u64) as usize;
            ranked += self.rank_in(shard, bucket..bucket + 1, eviction, random, now_ms, &mut best).ranked;
            if ranked >= wanted {
                return best;
            }
        }
        let mut steps = 0;
        while best.is_none() && steps < WALK_STEPS_MAX {
            let Hand { shard, bucket } = *hand;
            let ranking =
                self.rank_in(shard, bucket..bucket + STEP_BUCKETS, eviction, random, now_ms, &mut best);
            hand.bucket += STEP_BUCKETS;
            if hand.bucket >= u64::from(ranking.buckets) {
                *hand = Hand { shard: (shard + 1) & (shards - 1), bucket: 0 };
            }
            steps += 1;
        }
        best
    }

    /// Ranks the keys in some buckets of a shard, and keeps the best in `best`.
    fn rank_in(
        &self,
        shard: usize,
        buckets: Range<u64>,
        eviction: Eviction,
        random: &mut Random,
        now_ms: i64,
        best: &mut Option<Candidate>,
    ) -> Ranking {
        // Who holds it for long is not waited for: others have keys too.
        let Ok(mut txn) = self.begin(Scope::One(shard), Patience::Short, Hold::Short, now_ms) else {
            return Ranking::default();
        };
        let only_mortal = eviction.is_of_mortals();
        let candidates = |database: &Database| {
            if only_mortal { database.deadlines as usize } else { database.table.len() }
        };
        let Some(db) = txn.shard_at(shard).one_by_chance(candidates, random) else {
            return Ranking::default();
        };
        let view = &txn.0;
        let table = &view.held.shard(shard).database(db).table;
        let rank = |entry: &Entry| match entry.deadline_ms() {
            // Whoever relies on it must not lose it for want of memory.
            _ if entry.kind().is_meeting_point() => None,
            Some(deadline) if deadline <= now_ms => Some(u64::MAX),
            None if only_mortal => None,
            deadline => match eviction.rank {
                Rank::Idle => Some(u64::from(view.idle_seconds(entry))),
                Rank::Unused => Some(u64::MAX - 1 - u64::from(view.frequency(entry.clock()))),
                Rank::Soonest => deadline.map(|deadline| u64::MAX - 1 - deadline.cast_unsigned()),
                Rank::Chance => Some(random.u64() >> 1),
            },
        };
        let (ranked, highest) = table.highest(buckets, rank);
        if let Some((rank, entry)) = highest
            && best.as_ref().is_none_or(|best| rank > best.rank)
        {
            *best = Some(Candidate { rank, db, key: entry.key().into() });
        }
        Ranking { ranked, buckets: table.buckets() }
    }

    /// Removes what was found, if it is still there.
    fn remove_candidate(&self, candidate: &Candidate, now_ms: i64) -> Option<Evicted> {
        let key = self.key(&candidate.key);
        let scope = Scope::One(self.shard_of(key.hash));
        let mut txn = self.begin(scope, Patience::Short, Hold::Short, now_ms).ok()?;
        txn.select(candidate.db);
        let before = txn.memory_bytes();
        let is_expired = txn.0.expire(&key);
        if !is_expired {
            let position = txn.0.database_mut(key.hash).table.position(key.hash, key.bytes)?;
            let entry = txn.0.remove_at(key.hash, position);
            txn.0.log(key.bytes, entry.kind(), What::Evicted);
            txn.0.discard(entry);
        }
        let bytes = before.saturating_sub(txn.memory_bytes());
        Some(Evicted { bytes, is_expired, settled: txn.settle() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Access, Deadline, Key, KeyspaceOptions, Transaction};

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
        let mut hand = Hand::default();
        // Where there are few candidates, a search may end unfinished.
        let mut found = || (0..100).find_map(|_| keyspace.evict(eviction, &mut hand, &mut random, NOW_MS));
        (0..times).filter(|_| found().is_some()).count()
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
        let evicted = keyspace
            .evict(eviction(Rank::Idle, false), &mut Hand::default(), &mut Random::seeded(1), NOW_MS)
            .unwrap();
        assert!(evicted.is_expired && evicted.bytes > 0 && exists(&keyspace, "idle"));
        assert_eq!(keyspace.totals().expired, 1);
    }

    #[test]
    fn the_gauge_shows_what_the_totals_say_and_what_a_busy_shard_had_before() {
        let keyspace = keyspace(4);
        let mut gauge = Gauge::new(&keyspace);
        (0..100).for_each(|n| set(&keyspace, &format!("key:{n}"), NOW_MS, Deadline::Never));
        let before = keyspace.measure(&mut gauge);
        assert_eq!(before, Measure { bytes: keyspace.totals().memory_bytes, keys: 100, mortal_keys: 0 });
        let busy = keyspace.begin(Scope::Every, Patience::Wait, Hold::Long, NOW_MS).unwrap();
        assert_eq!(keyspace.measure(&mut gauge), before);
        drop(busy);
    }
}

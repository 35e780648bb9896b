//! Visits of the workers that compute: the live keys of one shard, a group of buckets at a time, for as long
//! as the worker keeps the shard locked. A visit is no access: it touches no clock and counts no hit, it
//! removes nothing, and nobody can change anything through it.
//!
//! What a walk over a shard promises, though the shard is unlocked and changed between two visits: a key that
//! is there from beginning to end is visited exactly once. That is `table::sweep`'s proof; a key never
//! changes its shard. Expiry is judged by the instant of the walk, which its caller keeps, so a key does not
//! vanish halfway.

use smallvec::SmallVec;

use super::entry::Entry;
use super::entry_ref::EntryRef;
use super::scope::{Contended, Hold, Patience, Scope};
use super::view::View;
use super::{Db, Keyspace};
use crate::table::{Frontier, Hasher, Table, TableEntry, prefetch};
use crate::types::ObjectRef;

/// A locked shard, to be visited.
pub struct ShardVisit<'k> {
    view: View<'k>,
    shard: usize,
}

/// An entry on its way through a step.
struct Candidate<'e> {
    entry: &'e Entry,
    bucket_end: Frontier,
    is_wanted: bool,
}

impl Keyspace {
    /// Locks a shard to visit what database `db` has in it, as of `now_ms`.
    pub fn visit(
        &self,
        shard: usize,
        db: Db,
        patience: Patience,
        now_ms: i64,
    ) -> Result<ShardVisit<'_>, Contended> {
        let mut view = View::begin(self, Scope::One(shard), patience, Hold::Short, now_ms)?;
        view.select(db);
        Ok(ShardVisit { view, shard })
    }
}

impl ShardVisit<'_> {
    /// Goes on from `frontier` through the next [`GROUP_BUCKETS`] buckets and returns the new frontier. Keys
    /// that `admits` lets through are given to `row`; once that answers false, the step ends with the bucket.
    ///
    /// A key costs three lines of memory, found one through the other: its entry, and what a collection in it points to,
    /// which often spans two. So entries go through three stages, each some entries behind the one before, and by the
    /// time a stage comes to an entry, the line that it reads has come from memory.
    pub fn step(
        &mut self,
        frontier: Frontier,
        admits: impl FnMut(&[u8], EntryRef<'_>) -> bool,
        row: impl FnMut(&[u8], EntryRef<'_>) -> bool,
    ) -> Frontier {
        self.view.sweep(self.shard, frontier, admits, row)
    }
}

impl View<'_> {
    /// The same as [`ShardVisit::step`] for whoever holds the shard anyway: what the current database has in it.
    pub fn sweep(
        &mut self,
        shard: usize,
        frontier: Frontier,
        mut admits: impl FnMut(&[u8], EntryRef<'_>) -> bool,
        row: impl FnMut(&[u8], EntryRef<'_>) -> bool,
    ) -> Frontier {
        let (db, clock, now_ms) = (self.db, self.clock, self.now_ms);
        let hasher = &self.keyspace.hasher;
        let table = &self.shard_at(shard).database(db).table;
        let admits = |entry: &Entry| {
            let is_live = entry.deadline_ms().is_none_or(|deadline| deadline > now_ms);
            is_live && admits(entry.key(), EntryRef::new(entry, clock))
        };
        sweep_rows(table, frontier, hasher, clock, admits, row)
    }
}

/// One step through a table: the entries that `admits` lets through are given to `row`, as [`ShardVisit::step`] says.
#[inline]
pub(super) fn sweep_rows(
    table: &Table<Entry>,
    frontier: Frontier,
    hasher: &Hasher,
    clock: u32,
    mut admits: impl FnMut(&Entry) -> bool,
    mut row: impl FnMut(&[u8], EntryRef<'_>) -> bool,
) -> Frontier {
    let mut group: SmallVec<[Candidate<'_>; GROUP_INLINE]> = SmallVec::new();
    let mut end = table.sweep(frontier, GROUP_BUCKETS, hasher, |entry, bucket_end| {
        group.push(Candidate { entry, bucket_end, is_wanted: false });
    });
    for at in 0..group.len() + 2 * STAGE_DISTANCE {
        // Wraps out of the group where a stage has not begun yet.
        let behind = |stages: usize| at.wrapping_sub(stages * STAGE_DISTANCE);
        if let Some(candidate) = group.get(at) {
            prefetch(candidate.entry.address());
        }
        if let Some(candidate) = group.get_mut(behind(1)) {
            candidate.is_wanted = admits(candidate.entry);
            if candidate.is_wanted {
                prefetch_content(candidate.entry);
            }
        }
        if let Some(candidate) = group.get(behind(2)).filter(|candidate| candidate.is_wanted) {
            if candidate.bucket_end > end {
                break;
            }
            if !row(candidate.entry.key(), EntryRef::new(candidate.entry, clock)) {
                end = candidate.bucket_end;
            }
        }
    }
    end
}

/// Asks for what a collection points to, which is where its elements begin. A string lies in its entry.
pub(super) fn prefetch_content(entry: &Entry) {
    match entry.object() {
        Some(ObjectRef::Hash(hash)) => hash.prefetch(),
        Some(ObjectRef::List(list)) => list.prefetch(),
        Some(ObjectRef::Set(set)) => set.prefetch(),
        Some(ObjectRef::SortedSet(set)) => set.prefetch(),
        Some(
            ObjectRef::Stream(_)
            | ObjectRef::Lock(_)
            | ObjectRef::Semaphore(_)
            | ObjectRef::Latch(_)
            | ObjectRef::Job(_),
        )
        | None => {}
    }
}

/// Buckets of one step: about a hundred entries, so that little time is lost while the first of them wait for
/// memory.
pub const GROUP_BUCKETS: usize = 16;
/// Entries of a step that need no allocation: buckets at their fullest, and many chains.
const GROUP_INLINE: usize = 256;
/// Entries between two stages of a step. When there were four stages, with 8 a sum over a million hashes took 128 ms where stages of
/// whole groups took 195: lines are asked for at the pace at which memory gives them, and none is asked for
/// in vain.
const STAGE_DISTANCE: usize = 8;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::keyspace::{Deadline, KeyspaceOptions, Transaction};
    use crate::random::Random;

    const NOW_MS: i64 = 1_000_000;
    const LATER_MS: i64 = NOW_MS + 60_000;

    fn keyspace(shards: usize) -> Keyspace {
        Keyspace::new(KeyspaceOptions { shards, databases: 4, seed: 5 })
    }

    fn write(keyspace: &Keyspace, key: &str, change: impl FnOnce(&mut Transaction<'_>, &crate::Key<'_>)) {
        let key = keyspace.key(key.as_bytes());
        let scope = Scope::One(keyspace.shard_of(key.hash()));
        let mut txn = keyspace.begin(scope, Patience::Wait, Hold::Short, NOW_MS).unwrap();
        change(&mut txn, &key);
    }

    fn set(keyspace: &Keyspace, key: &str) {
        write(keyspace, key, |txn, key| txn.set_string(key, b"1", Deadline::Never));
    }

    /// How often each key is seen by walks over all shards. Rows are refused as `is_full` says, and between
    /// two visits `meanwhile` happens.
    fn walk(
        keyspace: &Keyspace,
        db: u16,
        now_ms: i64,
        mut is_full: impl FnMut() -> bool,
        mut meanwhile: impl FnMut(),
    ) -> HashMap<String, usize> {
        let mut seen = HashMap::new();
        for shard in 0..keyspace.shards() {
            let mut frontier = Frontier::default();
            while frontier < Frontier::END {
                let mut visit = keyspace.visit(shard, Db(db), Patience::Wait, now_ms).unwrap();
                frontier = visit.step(
                    frontier,
                    |key, _| !key.starts_with(b"unwanted"),
                    |key, _| {
                        *seen.entry(String::from_utf8(key.to_vec()).unwrap()).or_default() += 1;
                        !is_full()
                    },
                );
                drop(visit);
                meanwhile();
            }
        }
        seen
    }

    #[test]
    fn what_stays_is_seen_once_though_the_shard_grows_and_shrinks_between_visits() {
        for seed in 0..6 {
            let keyspace = keyspace(2);
            let mut random = Random::seeded(seed);
            (0..600).for_each(|n| set(&keyspace, &format!("stays:{n}")));
            let mut guests = Vec::new();
            let come_and_go = || {
                if random.below(3) > 0 {
                    let arrivals = random.below(1500);
                    let names = (0..arrivals).map(|_| format!("guest:{}", random.u64()));
                    guests.extend(names.inspect(|name| set(&keyspace, name)));
                } else {
                    guests.drain(..).for_each(|name| {
                        write(&keyspace, &name, |txn, key| assert!(txn.remove(key)));
                    });
                }
            };
            let seen = walk(&keyspace, 0, NOW_MS, || seed % 2 == 0, come_and_go);
            assert!((0..600).all(|n| seen[&format!("stays:{n}")] == 1), "seed {seed}");
        }
    }

    #[test]
    fn a_step_ends_with_the_bucket_that_fills_its_caller_and_loses_nothing() {
        let keyspace = keyspace(1);
        (0..500).for_each(|n| set(&keyspace, &format!("key:{n}")));
        let mut visits = 0;
        let seen = walk(&keyspace, 0, NOW_MS, || true, || visits += 1);
        assert!(seen.len() == 500 && seen.values().all(|times| *times == 1));
        assert!(visits > 500 / 24, "each visit gave one bucket, not {} keys", 500 / visits);
    }

    #[test]
    fn only_live_and_wanted_keys_of_the_database_are_seen_and_nothing_is_counted() {
        let keyspace = keyspace(4);
        set(&keyspace, "here");
        set(&keyspace, "unwanted");
        write(&keyspace, "elsewhere", |txn, key| {
            txn.select(Db(2));
            txn.set_string(key, b"1", Deadline::Never);
        });
        write(&keyspace, "mortal", |txn, key| txn.set_string(key, b"1", Deadline::At(LATER_MS)));
        let names = |db, now_ms| {
            let mut names: Vec<_> = walk(&keyspace, db, now_ms, || false, || ()).into_keys().collect();
            names.sort();
            names
        };
        assert_eq!(names(0, LATER_MS - 1), ["here", "mortal"]);
        assert_eq!(names(0, LATER_MS), ["here"]);
        assert_eq!(names(2, NOW_MS), ["elsewhere"]);
        assert!(names(3, NOW_MS).is_empty());
        let totals = keyspace.totals();
        assert_eq!((totals.hits, totals.misses, totals.expired), (0, 0, 0));
        assert_eq!(totals.databases[0].keys, 3, "a visit removes nothing");
        write(&keyspace, "here", |txn, key| {
            let idle_ms = txn.inspect(key).map(|entry| entry.idle_ms());
            assert_eq!(idle_ms, Some(0), "a visit in the future is no access");
        });
    }

    #[test]
    fn a_shard_that_is_held_for_long_is_not_waited_for() {
        let keyspace = keyspace(1);
        let holder = keyspace.begin(Scope::One(0), Patience::Wait, Hold::Long, NOW_MS).unwrap();
        assert!(keyspace.visit(0, Db(0), Patience::Short, NOW_MS).is_err());
        drop(holder);
        assert!(keyspace.visit(0, Db(0), Patience::Short, NOW_MS).is_ok());
    }
}

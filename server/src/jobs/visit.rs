//! Rows for a plan from the shards of a keyspace: the [`RowSource`] of the shard workers. It locks one shard
//! at a time, takes the columns that the plan reads, and unlocks. Which shards it visits, what becomes of
//! the rows and when a run ends is decided elsewhere (`run`).

use std::time::Duration;

use shardis_compute::{Batch, Budget, Field, Plan, Progress, RowSource, Source};
use shardis_storage::glob::Pattern;
use shardis_storage::keyspace::GROUP_BUCKETS;
use shardis_storage::types::hash::Hash;
use shardis_storage::types::packed::Element;
use shardis_storage::{Db, EntryRef, Frontier, Keyspace, ObjectRef, Patience, ShardVisit, StringRef};

use crate::clock::Clock;

/// What a plan is run over: one database of a keyspace, as of one instant.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The data.
    pub keyspace: &'a Keyspace,
    /// Measures slices.
    pub clock: &'a Clock,
    /// What to read of which keys.
    pub plan: &'a Plan,
    /// The database.
    pub db: Db,
    /// The instant by which expiry is judged: Unix milliseconds.
    pub now_ms: i64,
}

/// How far a walk over shards has come.
#[derive(Debug, Default)]
pub struct Walk {
    /// The shard under way, and how far it is.
    shard: Option<(usize, Frontier)>,
    shards_done: usize,
}

/// The rows of a subject in the shards that `next_shard` names.
pub struct ShardRows<'a, N> {
    subject: Subject<'a>,
    pattern: Pattern<'a>,
    walk: &'a mut Walk,
    next_shard: N,
    /// What the calls so far have cost others.
    pub toll: Toll,
}

/// What visits cost others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toll {
    /// How often a shard was locked.
    pub slices: u64,
    /// The longest time that one was.
    pub held_max: Duration,
    /// Whether the walk has met a shard that somebody else keeps for long.
    pub is_contended: bool,
}

impl Walk {
    /// Shards behind it, in parts of one too.
    pub fn covered(&self) -> f64 {
        self.shards_done as f64 + self.shard.map_or(0.0, |(_, frontier)| frontier.share())
    }
}

impl<'a, N: FnMut() -> Option<usize>> ShardRows<'a, N> {
    /// Goes on with `walk`.
    pub fn new(subject: Subject<'a>, walk: &'a mut Walk, next_shard: N) -> ShardRows<'a, N> {
        let pattern = Pattern::new(subject.plan.pattern());
        ShardRows { subject, pattern, walk, next_shard, toll: Toll::default() }
    }

    /// Visits a locked shard from `frontier` on until its end, that of the budget or a full batch.
    fn slice(
        &mut self,
        mut visit: ShardVisit<'_>,
        mut frontier: Frontier,
        budget: Budget,
        out: &mut Batch,
    ) -> Frontier {
        let locked = self.subject.clock.tick();
        for _ in 0..budget.buckets.div_ceil(GROUP_BUCKETS) {
            frontier = visit.step(
                frontier,
                |key, entry| self.admits(key, entry),
                |key, entry| {
                    out.push_row(key, |source| self.field(source, entry));
                    !out.is_full()
                },
            );
            let is_over = frontier == Frontier::END || out.is_full();
            if is_over || locked.elapsed() >= Duration::from_micros(budget.micros) {
                break;
            }
        }
        drop(visit);
        self.toll.slices += 1;
        self.toll.held_max = self.toll.held_max.max(locked.elapsed());
        frontier
    }

    fn admits(&self, key: &[u8], entry: EntryRef<'_>) -> bool {
        // A type that is specified but not built yet is the type of no key.
        let kind = self.subject.plan.options().kind;
        kind.is_none_or(|kind| kind.name() == entry.kind().name()) && self.pattern.matches(key)
    }

    fn field<'e>(&self, source: &Source, entry: EntryRef<'e>) -> Field<'e> {
        match source {
            Source::Field(name) => {
                match entry.object::<Hash>().and_then(|hash| hash.field(name, self.subject.now_ms)) {
                    Some(Element::Int(value)) => Field::Int(value),
                    Some(Element::Bytes(bytes)) => Field::Bytes(bytes),
                    None => Field::Missing,
                }
            }
            Source::Value => match entry.string() {
                Some(StringRef::Int(value)) => Field::Int(value),
                Some(StringRef::Bytes(bytes)) => Field::Bytes(bytes),
                Some(StringRef::Shared(bytes)) => Field::Shared(bytes),
                None => Field::Missing,
            },
            Source::Length => Field::Int(i64::try_from(length(entry)).unwrap_or(i64::MAX)),
            Source::Ttl => {
                Field::Int(entry.deadline_ms().map_or(-1, |deadline| deadline - self.subject.now_ms))
            }
            Source::Type => Field::Bytes(entry.kind().name().as_bytes()),
            // A batch takes the key from elsewhere.
            Source::Key => Field::Missing,
        }
    }
}

impl<N: FnMut() -> Option<usize>> RowSource for ShardRows<'_, N> {
    /// Small shards share a call, each under a lock of its own; a long holder's shard ends it.
    fn next_batch(&mut self, budget: Budget, out: &mut Batch) -> Progress {
        let Subject { keyspace, clock, db, now_ms, .. } = self.subject;
        let started = clock.tick();
        loop {
            let under_way = self.walk.shard.or_else(|| Some(((self.next_shard)()?, Frontier::default())));
            let Some((shard, frontier)) = under_way else { return Progress::Stopped };
            self.walk.shard = Some((shard, frontier));
            let Ok(visit) = keyspace.visit(shard, db, Patience::Short, now_ms) else {
                self.toll.is_contended = true;
                return Progress::More;
            };
            match self.slice(visit, frontier, budget, out) {
                Frontier::END => {
                    self.walk.shard = None;
                    self.walk.shards_done += 1;
                }
                frontier => self.walk.shard = Some((shard, frontier)),
            }
            if out.is_full() || started.elapsed() >= Duration::from_micros(budget.micros) {
                return Progress::More;
            }
        }
    }
}

/// What STRLEN, LLEN, SCARD, ZCARD or HLEN would say.
fn length(entry: EntryRef<'_>) -> usize {
    match entry.any_object() {
        Some(ObjectRef::List(list)) => list.len(),
        Some(ObjectRef::Set(set)) => set.len(),
        Some(ObjectRef::SortedSet(set)) => set.len(),
        Some(ObjectRef::Hash(hash)) => hash.len(),
        Some(ObjectRef::Lock(lock)) => lock.grants().len(),
        Some(ObjectRef::Semaphore(semaphore)) => semaphore.permits().count(),
        Some(ObjectRef::Latch(_)) => 0,
        None => entry.string().map_or(0, |string| string.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shardis_storage::{Deadline, Hold, KeyspaceOptions, Scope};

    use super::*;

    #[test]
    fn a_large_string_is_held_on_to_and_not_copied_while_its_shard_is_locked() {
        let keyspace = Keyspace::new(KeyspaceOptions { shards: 1, databases: 1, seed: 3 });
        let key = keyspace.key(b"k");
        let begin = || keyspace.begin(Scope::One(0), Patience::Wait, Hold::Short, 0).unwrap();
        begin().set_string(&key, &vec![b'x'; 1 << 20], Deadline::Never);
        let holders = || match begin().find(&key).and_then(|entry| entry.string()) {
            Some(StringRef::Shared(buffer)) => Arc::strong_count(buffer),
            other => panic!("{other:?}"),
        };
        let words = "* ISOLATION FUZZY REDUCE MAX 1 v AS most".split(' ').map(str::as_bytes);
        let plan = Plan::aggregate(&words.collect::<Vec<_>>()).unwrap();
        let clock = Clock::manual(Duration::ZERO);
        let subject = Subject { keyspace: &keyspace, clock: &clock, plan: &plan, db: Db(0), now_ms: 0 };
        let (mut walk, mut batch, mut shards) = (Walk::default(), Batch::new(&plan), 0..1);
        let mut rows = ShardRows::new(subject, &mut walk, || shards.next());
        rows.next_batch(Budget { buckets: 256, micros: 25 }, &mut batch);
        assert_eq!((batch.rows(), holders()), (1, 2));
        batch.clear();
        assert_eq!(holders(), 1);
    }
}

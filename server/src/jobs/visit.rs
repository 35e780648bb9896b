//! Rows for a plan from the shards of a keyspace, one bounded slice at a time: it locks one shard, takes the columns that
//! the plan reads, and unlocks. Which shards it visits, what becomes of the rows and when a run ends is decided
//! elsewhere (`run`).

use std::time::Duration;

use shardis_compute::{Batch, Budget, Plan, Progress, RowSource};
use shardis_storage::keyspace::GROUP_BUCKETS;
use shardis_storage::{Cut, Db, Frontier, Keyspace, Patience};

use super::feed::{Collection, Fed, Refusal};
use super::rows::{ElementRows, KeyRows, Place};
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
    /// The cut that makes it one instant; `None` where writers go their own way.
    pub cut: Option<&'a Cut>,
    /// The collections, and what writers hand over.
    pub fed: &'a Fed,
}

/// How far a walk over shards, or collections, has come.
#[derive(Debug, Default)]
pub struct Walk {
    /// The shard or collection under way, and how far it is.
    under_way: Option<(usize, Frontier)>,
    done: usize,
}

/// What visits cost others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toll {
    /// How long the opening of the cut took, if that was part of it.
    pub opening: Duration,
    /// How often a shard was locked.
    pub slices: u64,
    /// The longest time that one was.
    pub held_max: Duration,
    /// How long they were in all.
    pub held: Duration,
    /// Whether the walk has met a shard that somebody else keeps for long.
    pub is_contended: bool,
}

impl Toll {
    /// Adds what other visits cost.
    pub fn add(&mut self, other: Toll) {
        self.slices += other.slices;
        self.held_max = self.held_max.max(other.held_max);
        self.held += other.held;
    }

    fn note(&mut self, held: Duration) {
        self.slices += 1;
        self.held_max = self.held_max.max(held);
        self.held += held;
    }
}

impl Walk {
    /// What is behind it, in parts of one too.
    pub fn covered(&self) -> f64 {
        self.done as f64 + self.under_way.map_or(0.0, |(_, frontier)| frontier.share())
    }
}

/// The rows of a subject in the shards or collections that `next` names.
pub struct Rows<'a, N> {
    /// What the plan is run over.
    pub subject: Subject<'a>,
    /// How far it has come.
    pub walk: &'a mut Walk,
    /// Names the next shard or collection.
    pub next: N,
    /// What the calls so far have cost others.
    pub toll: Toll,
}

impl<N: FnMut() -> Option<usize>> RowSource for Rows<'_, N> {
    /// Small shards share a call, each under a lock of its own; one that is kept by somebody for long ends it.
    fn next_batch(&mut self, budget: Budget, out: &mut Batch) -> Progress {
        let Rows { subject, walk, next, toll } = self;
        let started = subject.clock.tick();
        loop {
            let under_way = walk.under_way.or_else(|| Some((next()?, Frontier::default())));
            let Some((unit, frontier)) = under_way else { return Progress::Stopped };
            walk.under_way = Some((unit, frontier));
            let locked = subject.clock.tick();
            let slice = match subject.fed.collections.get(unit) {
                Some(collection) => subject.elements(collection, out),
                None => subject.keys(unit, frontier, budget, out),
            };
            let Some(frontier) = slice else {
                toll.is_contended = true;
                return Progress::More;
            };
            toll.note(locked.elapsed());
            walk.under_way = Some((unit, frontier));
            if frontier == Frontier::END {
                walk.under_way = None;
                walk.done += 1;
            }
            if out.is_full() || started.elapsed() >= Duration::from_micros(budget.micros) {
                return Progress::More;
            }
        }
    }
}

impl Subject<'_> {
    /// Visits a shard from `frontier` on until its end, that of the budget or a full batch. `None`: somebody keeps it.
    fn keys(
        &self,
        shard: usize,
        mut frontier: Frontier,
        budget: Budget,
        out: &mut Batch,
    ) -> Option<Frontier> {
        let rows = KeyRows::new(self.plan, self.now_ms);
        let mut visit = match self.cut {
            Some(cut) => Visit::Cut(self.keyspace.visit_cut(cut, shard, Patience::Short, self.now_ms).ok()?),
            None => Visit::Plain(self.keyspace.visit(shard, self.db, Patience::Short, self.now_ms).ok()?),
        };
        let locked = self.clock.tick();
        for _ in 0..budget.buckets.div_ceil(GROUP_BUCKETS) {
            frontier = visit.step(
                frontier,
                |key, entry| self.fed.admits(&rows, key, entry),
                |key, entry| {
                    rows.push(out, key, entry);
                    !out.is_full()
                },
            );
            let is_over = frontier == Frontier::END || out.is_full();
            if is_over || locked.elapsed() >= Duration::from_micros(budget.micros) {
                break;
            }
        }
        Some(frontier)
    }

    /// Visits a collection until its end or a full batch.
    fn elements(&self, collection: &Collection, out: &mut Batch) -> Option<Frontier> {
        let cut = self.cut.expect("invariant: collections are visited in a cut");
        let key = self.keyspace.key(&collection.key);
        let shard = self.keyspace.shard_of(key.hash());
        let mut visit = self.keyspace.visit_cut(cut, shard, Patience::Short, self.now_ms).ok()?;
        let mut place = collection.place.lock();
        let rows = ElementRows { plan: self.plan, now_ms: self.now_ms };
        *place = match visit.key(&key).filter(|_| *place != Place::End) {
            // It was not there at the cut, or a writer has handed over the rest of it.
            None => Place::End,
            Some(entry) => {
                rows.push(out, &collection.key, &collection.at, entry, *place).unwrap_or_else(|_| {
                    self.fed.refuse(Refusal::WrongType);
                    Place::End
                })
            }
        };
        if *place == Place::End {
            visit.end_key(&key);
            return Some(Frontier::END);
        }
        Some(Frontier::default())
    }
}

/// A locked shard, as it is or as it was at a cut.
enum Visit<'k> {
    Plain(shardis_storage::ShardVisit<'k>),
    Cut(shardis_storage::CutVisit<'k>),
}

impl Visit<'_> {
    fn step(
        &mut self,
        frontier: Frontier,
        admits: impl FnMut(&[u8], shardis_storage::EntryRef<'_>) -> bool,
        row: impl FnMut(&[u8], shardis_storage::EntryRef<'_>) -> bool,
    ) -> Frontier {
        match self {
            Visit::Plain(visit) => visit.step(frontier, admits, row),
            Visit::Cut(visit) => visit.step(admits, row),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shardis_compute::Form;
    use shardis_storage::{Deadline, Hold, Scope, StringRef};

    use super::super::run::tests::{clock, keyspace, order_of};
    use super::*;

    #[test]
    fn a_large_string_is_held_on_to_and_not_copied_while_its_shard_is_locked() {
        let (keyspace, clock) = (keyspace(1, 0), clock());
        let key = keyspace.key(b"k");
        let begin = || keyspace.begin(Scope::One(0), Patience::Wait, Hold::Short, 0).unwrap();
        begin().set_string(&key, &vec![b'x'; 1 << 20], Deadline::Never);
        let holders = || match begin().find(&key).and_then(|entry| entry.string()) {
            Some(StringRef::Shared(buffer)) => Arc::strong_count(buffer),
            other => panic!("{other:?}"),
        };
        let plan = order_of(Form::Aggregate, "* ISOLATION FUZZY REDUCE MAX 1 v AS most").plan;
        let fed = Fed::new(&plan, 0, None);
        let subject = Subject {
            keyspace: &keyspace,
            clock: &clock,
            plan: &plan,
            db: Db(0),
            now_ms: 0,
            cut: None,
            fed: &fed,
        };
        let (mut walk, mut batch, mut shards) = (Walk::default(), Batch::new(&plan), 0..1);
        let mut rows = Rows { subject, walk: &mut walk, next: || shards.next(), toll: Toll::default() };
        rows.next_batch(Budget { buckets: 256, micros: 25 }, &mut batch);
        assert_eq!((batch.rows(), holders()), (1, 2));
        batch.clear();
        assert_eq!(holders(), 1);
    }
}

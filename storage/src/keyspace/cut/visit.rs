//! Visits of whoever has opened a cut: what was in a shard at the cut and has not been fed, a group of buckets or a key at a time, for
//! as long as the visitor keeps the shard locked. As with [`ShardVisit`](super::super::ShardVisit), a visit is no access and changes
//! nothing.

use parking_lot::MutexGuard;

use super::super::entry::Entry;
use super::super::entry_ref::EntryRef;
use super::super::scope::{Contended, Hold, Patience, Scope};
use super::super::view::View;
use super::super::visit::sweep_rows;
use super::super::{Key, Keyspace};
use super::part::{Coverage, Part, Parts, is_alive};
use super::{Arc, Cut};
use crate::table::{Frontier, TableEntry};

/// A locked shard, to be visited for a cut.
pub struct CutVisit<'k> {
    cut: &'k Cut,
    parts: MutexGuard<'k, Parts>,
    view: View<'k>,
    shard: usize,
    /// What is over. It goes last, when nothing is locked any more: a flushed table may be freed with it.
    over: Option<Part>,
}

impl Keyspace {
    /// Locks a shard to visit what a cut has still to see in it. `now_ms` is the present, by which it is told how long ago entries were
    /// accessed, and nothing else.
    pub fn visit_cut<'k>(
        &'k self,
        cut: &'k Cut,
        shard: usize,
        patience: Patience,
        now_ms: i64,
    ) -> Result<CutVisit<'k>, Contended> {
        assert!(Arc::ptr_eq(&self.cuts, &cut.cuts), "a cut of this keyspace");
        let view = View::begin(self, Scope::One(shard), patience, Hold::Short, now_ms)?;
        debug_assert!(view.observers.epoch().has_reached(cut.facts.epoch), "a visitor comes after the cut");
        let parts = self.cuts.shard(shard).lock();
        Ok(CutVisit { cut, parts, view, shard, over: None })
    }
}

impl CutVisit<'_> {
    /// Goes on through the next [`GROUP_BUCKETS`](super::super::GROUP_BUCKETS) buckets of the shard, and returns how far the cut has
    /// come in it: to [`Frontier::END`] when it is over. Keys that `admits` lets through are given to `row`; once that answers false,
    /// the step ends with the bucket. Not for a cut over keys.
    pub fn step(
        &mut self,
        mut admits: impl FnMut(&[u8], EntryRef<'_>) -> bool,
        row: impl FnMut(&[u8], EntryRef<'_>) -> bool,
    ) -> Frontier {
        let Some(part) = self.parts.of(&self.cut.facts) else { return Frontier::END };
        let (clock, now_ms, hasher) = (self.view.clock, self.cut.facts.now_ms, &self.view.keyspace.hasher);
        let (coverage, table) = part.split(self.view.held.shard(self.shard));
        let Coverage::Table { frontier, done } = coverage else {
            unreachable!("a cut over keys is visited key by key")
        };
        let is_done =
            |key: &[u8]| !done.is_empty() && done.contains(&Key { bytes: key, hash: hasher.hash(key) });
        let admits = |entry: &Entry| {
            let is_there = is_alive(entry.deadline_ms(), now_ms) && !is_done(entry.key());
            is_there && admits(entry.key(), EntryRef::new(entry, clock))
        };
        *frontier = sweep_rows(table, *frontier, hasher, clock, admits, row);
        let reached = *frontier;
        self.end();
        reached
    }

    /// The entry at one of the keys of a cut, as it was at the cut. `None` if there was none, if it has been fed, or if the cut is done
    /// with it. Until then, it may be looked at in as many visits as it takes; a writer that comes between two of them feeds it.
    pub fn key(&mut self, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let (clock, now_ms) = (self.view.clock, self.cut.facts.now_ms);
        let part = self.parts.of(&self.cut.facts)?;
        let (coverage, table) = part.split(self.view.held.shard(self.shard));
        let Coverage::Keys { pending } = coverage else {
            unreachable!("a cut over a database is visited in steps")
        };
        let entry = table.find(key.hash, key.bytes).filter(|_| pending.contains(key))?;
        is_alive(entry.deadline_ms(), now_ms).then(|| EntryRef::new(entry, clock))
    }

    /// The cut is done with one of its keys: writers need not feed it any more.
    pub fn end_key(&mut self, key: &Key<'_>) {
        let Some(part) = self.parts.of(&self.cut.facts) else { return };
        if let Coverage::Keys { pending } = &mut part.coverage {
            pending.remove(key, &self.view.keyspace.hasher);
        }
        self.end();
    }

    /// Takes the part away if there is nothing more to see.
    fn end(&mut self) {
        let cut = &self.cut.facts;
        if self.parts.of(cut).is_some_and(|part| part.coverage.is_over()) {
            self.over = self.parts.take(cut);
        }
    }
}

//! A plan over shards that are held anyway: inside of a transaction or script, and for ISOLATION ATOMIC. Nobody writes
//! meanwhile, so that there is nothing to be handed over; it runs on one thread. When it is over before its end, whoever holds
//! the shards tells.

use std::time::Instant;

use shardis_compute::{Batch, Isolation, OnTimeout, Partial, Plan, Target};
use shardis_storage::{Frontier, Keyspace, View};

use super::feed::{Fed, Refusal};
use super::rows::{ElementRows, KeyRows, Place};
use super::run::{self, End, Order, Profile};

/// Runs an order that has come in at `started` over the shards that a view holds: all of them, or those of its keys.
pub fn run(
    order: &Order,
    view: &mut View<'_>,
    keyspace: &Keyspace,
    started: Instant,
    is_over: &dyn Fn() -> bool,
) -> End {
    let plan = &*order.plan;
    let fed = Fed::new(&order.plan, view.now_ms(), order.rights.clone());
    let mut within =
        Within { plan, fed: &fed, batch: Batch::new(plan), partial: Partial::new(plan), is_over };
    view.select(order.db);
    let covered = match plan.target() {
        Target::Pattern(_) => within.keys(order, view, keyspace),
        Target::Keys(_) => within.elements(view, keyspace),
    };
    let partial = within.partial;
    if let Some(refusal) = fed.refusal() {
        return End::refused(plan, refusal);
    }
    if covered < 1.0 && !partial.is_ended() && plan.options().on_timeout == OnTimeout::Fail {
        return End::Overdue { timeout_ms: plan.limits().timeout_ms, scanned: partial.scanned() };
    }
    let covered = (covered < 1.0).then_some(covered);
    let finished = partial.finish(plan);
    let profile = Profile { lanes: 1, ..Profile::default() };
    run::concluded(plan, finished, Isolation::Atomic, covered, started.elapsed(), profile)
}

/// What is gathered while shards are held.
struct Within<'p> {
    plan: &'p Plan,
    fed: &'p Fed,
    batch: Batch,
    partial: Partial,
    is_over: &'p dyn Fn() -> bool,
}

impl Within<'_> {
    /// The share of the shards that it has come through.
    fn keys(&mut self, order: &Order, view: &mut View<'_>, keyspace: &Keyspace) -> f64 {
        let rows = KeyRows::new(self.plan, view.now_ms());
        let units = order.units(keyspace);
        for unit in 0..units.count {
            let mut frontier = Frontier::default();
            while frontier < Frontier::END {
                let (fed, batch) = (self.fed, &mut self.batch);
                frontier = view.sweep(
                    units.first + unit,
                    frontier,
                    |key, entry| fed.admits(&rows, key, entry),
                    |key, entry| {
                        rows.push(batch, key, entry);
                        !batch.is_full()
                    },
                );
                if self.batch.is_full() && self.fold() {
                    return (unit as f64 + frontier.share()) / units.count as f64;
                }
            }
        }
        self.fold();
        1.0
    }

    fn elements(&mut self, view: &mut View<'_>, keyspace: &Keyspace) -> f64 {
        let rows = ElementRows { plan: self.plan, now_ms: view.now_ms() };
        let fed = self.fed;
        for (done, collection) in fed.collections.iter().enumerate() {
            let key = keyspace.key(&collection.key);
            let mut place = Place::Start;
            while place != Place::End {
                let Some(entry) = view.inspect(&key) else { break };
                let pushed = rows.push(&mut self.batch, &collection.key, &collection.at, entry, place);
                let Ok(next) = pushed else {
                    fed.refuse(Refusal::WrongType);
                    return 1.0;
                };
                place = next;
                if self.batch.is_full() && self.fold() {
                    return done as f64 / fed.collections.len() as f64;
                }
            }
        }
        self.fold();
        1.0
    }

    /// Folds what there is; whether it should stop.
    fn fold(&mut self) -> bool {
        self.partial.fold(self.plan, &self.batch);
        self.batch.clear();
        let memory_bytes = self.partial.memory_bytes() as u64;
        if memory_bytes > self.plan.limits().memory_bytes_max {
            self.fed.refuse(Refusal::Memory);
            return true;
        }
        (self.is_over)() || self.partial.is_ended() || self.fed.refusal().is_some()
    }
}

//! A plan over shards that are held anyway: inside of a transaction or script, and for ISOLATION ATOMIC. Nobody writes
//! meanwhile, so that there is nothing to be handed over; it runs on one thread. When it is over before its end, whoever holds
//! the shards tells.

use std::time::Instant;

use shardis_compute::{Batch, Isolation, OnTimeout, Partial, Plan, Target};
use shardis_storage::{Frontier, Keyspace, View};

use super::feed::{Fed, Refusal};
use super::order::{self, End, Order, Profile};
use super::rows::{ElementRows, KeyRows, Place};
use super::run::ALMOST_ALL;

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
    let covered = if partial.is_cut_short() { covered.min(ALMOST_ALL) } else { covered };
    if let Some(refusal) = fed.refusal() {
        return End::refused(plan, refusal);
    }
    if covered < 1.0 && !partial.is_ended() && plan.options().on_timeout == OnTimeout::Fail {
        return End::Overdue { timeout_ms: plan.limits().timeout_ms, scanned: partial.scanned() };
    }
    let covered = (covered < 1.0).then_some(covered);
    let finished = partial.finish(plan);
    let profile = Profile { lanes: 1, ..Profile::default() };
    order::concluded(plan, finished, Isolation::Atomic, covered, started.elapsed(), profile)
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
                if self.is_to_stop() {
                    self.fold();
                    return (unit as f64 + frontier.share()) / units.count as f64;
                }
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
                if self.batch.is_full() {
                    self.fold();
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
                if self.is_to_stop() {
                    self.fold();
                    return done as f64 / fed.collections.len() as f64;
                }
                let Some(entry) = view.inspect(&key) else { break };
                let pushed = rows.push(&mut self.batch, &collection.key, &collection.at, entry, place);
                let Ok(next) = pushed else {
                    fed.refuse(Refusal::WrongType);
                    return 1.0;
                };
                place = next;
                if self.batch.is_full() {
                    self.fold();
                }
            }
        }
        self.fold();
        1.0
    }

    fn fold(&mut self) {
        self.partial.fold_unless(self.plan, &self.batch, self.is_over);
        self.batch.clear();
        let memory_bytes = self.partial.memory_bytes() as u64;
        if memory_bytes > self.plan.limits().memory_bytes_max {
            self.fed.refuse(Refusal::Memory);
        }
    }

    /// Asked after each few buckets, and not only where there is something to fold: few rows may come of a long way.
    fn is_to_stop(&self) -> bool {
        (self.is_over)() || self.partial.is_ended() || self.fed.refusal().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use shardis_storage::{Hold, Patience, Scope};

    use super::super::run::tests::{clock, keyspace, order_of};
    use super::*;

    /// How a count ends that is told at its `over_at`th look that it is over, and how often it looks.
    fn counted(pattern: &str, over_at: usize) -> (End, usize) {
        let keyspace = keyspace(1, 5000);
        let mut txn = keyspace.begin(Scope::Every, Patience::Wait, Hold::Long, 0).unwrap();
        let looks = Cell::new(0);
        let is_over = || {
            looks.set(looks.get() + 1);
            looks.get() >= over_at
        };
        let order = order_of(shardis_compute::Form::Count, pattern);
        let end = run(&order, &mut txn, &keyspace, clock().tick(), &is_over);
        (end, looks.get())
    }

    #[test]
    fn it_ends_where_no_row_comes_of_a_long_way() {
        let (whole, looks) = counted("nothing*", usize::MAX);
        assert!(matches!(whole, End::Result(_)) && looks > 10, "{looks} looks at 5000 keys");
        let (ended, looks) = counted("nothing*", 3);
        assert!(matches!(ended, End::Overdue { scanned: 0, .. }), "{ended:?}");
        assert_eq!(looks, 3);
    }

    #[test]
    fn what_was_read_until_then_counts() {
        let (ended, _) = counted("key:*", 3);
        let End::Overdue { scanned, .. } = ended else { panic!("{ended:?}") };
        assert!((1..1000).contains(&scanned), "{scanned} rows");
    }
}

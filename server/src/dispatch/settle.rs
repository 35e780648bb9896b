//! What follows a transaction, whoever began it: a command, the expiry or the eviction. While its locks are held, the change
//! log is told to whoever listens, who then only marks or enqueues; and clients that wait for what has come are served, by
//! the protocol in `blocking`. Freeing, and telling other threads, happens when the locks are gone.
//!
//! Those who track keys are told first, then the events, then those who watch keys, then those who wait for them.

use std::collections::VecDeque;
use std::sync::Arc;

use shardis_storage::types::job::Job;
use shardis_storage::{Change, Contended, Db, Detached, Interest, Kind, Settled, Transaction, What};

use super::Context;
use super::execute::{self, Again};
use super::route::Route;
use crate::blocking::{Promised, Served, Waiter};
use crate::client::inbox::Wakes;
use crate::command::Presence;
use crate::interest;
use crate::locks::Errand;
use crate::locks::site::Site;
use crate::state::State;
use crate::tracking::{self, Teller};

/// Offers that are made in one go, with what has been set aside; then the rest is left to the executor. A thousand take about a
/// millisecond.
const OFFERS_MAX: usize = 1000;

/// What a transaction leaves to be done when its locks are gone.
#[derive(Debug, Default)]
pub struct Aftermath {
    garbage: Vec<Detached>,
    /// Has told those who track keys, and the events.
    teller: Teller,
    promised: Vec<Promised>,
    aside: VecDeque<Aside>,
    /// Offers made so far.
    offers: usize,
}

/// A key that is ready, and the first one in its queue, who needs other shards than those that were locked, or more time.
#[derive(Debug)]
struct Aside {
    db: Db,
    key: Box<[u8]>,
    waiter: Arc<Waiter>,
}

/// Takes care of what a transaction without a command has left behind, when its locks are gone. It only removes,
/// keys or fields of hashes. For that nobody waits, but of what clients meet at.
#[cold]
pub fn finish(state: &State, settled: Settled) {
    tracking::tell_removed(state, &settled.changes);
    for change in &settled.changes {
        state.watchers.note(change, |_, _| unreachable!("only commands exchange databases"));
    }
    // Of what else is told, nothing is done here.
    for change in settled.changes.iter().filter(|change| change.what == What::Told) {
        state.locks.errands.push(Errand::Offer { db: change.db, key: change.key.clone() });
    }
    for orphan in &settled.orphans {
        state.jobs.orphaned(orphan);
        state.locks.errands.push(Errand::Offer { db: orphan.db, key: orphan.key().into() });
    }
    state.executor.free(settled.garbage);
}

/// Ends the transaction of a command but for its locks, and offers a key once more to those who wait for it in turn.
pub(super) fn settle_and_offer(
    ctx: &Context<'_>,
    txn: &mut Transaction<'_>,
    db: Db,
    key: &[u8],
) -> Aftermath {
    let mut settling = Settling { ctx, txn, aftermath: Aftermath::default() };
    settling.run();
    settling.offer_to_all(db, key);
    settling.run();
    settling.aftermath
}

/// Ends the transaction of a command but for its locks. The teller may have told some of its changes.
#[cold]
pub fn settle(ctx: &Context<'_>, txn: &mut Transaction<'_>, teller: Teller) -> Aftermath {
    let aftermath = Aftermath { teller, ..Aftermath::default() };
    let mut settling = Settling { ctx, txn, aftermath };
    settling.run();
    settling.aftermath
}

impl Aftermath {
    /// Does what is left to be done; the locks are gone.
    #[cold]
    pub fn finish(mut self, ctx: &Context<'_>, wakes: &mut Wakes) {
        self.hand_over(ctx.state, wakes);
        if !self.aside.is_empty() {
            offer_again(ctx, self.aside, self.offers, wakes);
        }
    }

    fn hand_over(&mut self, state: &State, wakes: &mut Wakes) {
        std::mem::take(&mut self.teller).finish_in_turn(state, wakes);
        self.promised.drain(..).for_each(|promised| promised.keep(state));
        self.garbage.drain(..).for_each(|garbage| state.executor.free(garbage));
        // Expired keys may be among what it left, and what has been popped.
        state.memory_limit.note_freed();
    }
}

/// A transaction whose log is gone through.
struct Settling<'s, 'c, 'k> {
    ctx: &'s Context<'c>,
    txn: &'s mut Transaction<'k>,
    aftermath: Aftermath,
}

impl Settling<'_, '_, '_> {
    /// Goes through the log until serving writes nothing more into it.
    fn run(&mut self) {
        while self.txn.has_leftovers() {
            let Settled { changes, garbage, orphans } = self.txn.settle();
            self.aftermath.garbage.push(garbage);
            self.aftermath.teller.tell(self.ctx.state, &changes);
            self.aftermath.teller.turn_page();
            let (state, txn) = (self.ctx.state, &mut *self.txn);
            for change in &changes {
                state.watchers.note(change, |db, key| presence(state, txn, db, key));
            }
            // Who is served finds what has expired since the transaction began.
            txn.advance(self.ctx.now_ms);
            orphans.iter().for_each(|orphan| {
                state.locks.orphaned(state, self.txn, orphan);
                state.jobs.orphaned(orphan);
            });
            self.follow_whole(&changes);
            changes.iter().for_each(|change| self.follow(change));
            orphans.iter().for_each(|orphan| self.offer_to_all(orphan.db, orphan.key()));
        }
    }

    /// Lets those look for what is theirs who keep books on whole databases, where any was emptied or exchanged. What there is counts,
    /// not the order in which it came: a program may have done several things.
    fn follow_whole(&mut self, changes: &[Change]) {
        let whole = changes.iter().filter(|change| matches!(change.what, What::Flushed | What::Swapped));
        let mut dbs: Vec<Db> = whole.map(|change| change.db).collect();
        if dbs.is_empty() {
            return;
        }
        dbs.sort_unstable_by_key(|db| db.0);
        dbs.dedup();
        let (state, txn) = (self.ctx.state, &mut *self.txn);
        state.locks.follow(state, txn, &dbs);
        state.jobs.follow(&dbs, |number, key| {
            let key = state.keyspace.key(key);
            dbs.iter().copied().find(|db| {
                txn.select(*db);
                let job = txn.inspect(&key).and_then(|entry| entry.object::<Job>());
                job.is_some_and(|job| job.number() == number)
            })
        });
        for change in changes.iter().filter(|change| change.what == What::Flushed) {
            state.close_cursors(state.cursors.flushed(change.db));
        }
    }

    /// Offers what a change has made ready.
    fn follow(&mut self, change: &Change) {
        match change.what {
            What::Created | What::Modified | What::Overwritten | What::Removed
                if change.kind.is_meeting_point() =>
            {
                self.offer_in_turn(change.db, &change.key, change.kind);
            }
            What::Created | What::Modified | What::Overwritten => self.offer(change.db, &change.key),
            What::Told | What::Removed if change.kind == Kind::Stream => {
                self.offer(change.db, &change.key);
                self.offer_loss(change.db, &change.key);
            }
            What::Swapped => {
                let keys = self.ctx.state.waiters.keys(change.db);
                for key in &keys {
                    self.txn.select(change.db);
                    let state = self.ctx.state;
                    Site::new(state, self.txn, state.keyspace.key(key)).note_holders();
                    self.offer(change.db, key);
                    self.offer_to_all(change.db, key);
                }
            }
            What::Flushed => {
                let keys = self.ctx.state.waiters.keys(change.db);
                keys.iter().for_each(|key| self.offer_to_all(change.db, key));
            }
            What::Deadline
            | What::DeadlineLost
            | What::Told
            | What::Missed
            | What::Removed
            | What::FieldsExpired
            | What::Expired
            | What::Evicted => {}
        }
    }

    /// Offers a key to those who wait for it, until it is gone or none of them is left.
    fn offer(&mut self, db: Db, bytes: &[u8]) {
        let state = self.ctx.state;
        let key = state.keyspace.key(bytes);
        let mut ticket = i64::MIN;
        loop {
            self.txn.select(db);
            let Some(kind) = self.txn.inspect(&key).map(|entry| entry.kind()) else { return };
            let Some(waiter) = state.waiters.next(db, bytes, kind, ticket) else { return };
            if waiter.is_in_turn() {
                return;
            }
            let can_serve = self.aftermath.offers < OFFERS_MAX && self.holds_others(&waiter);
            if !can_serve || self.serve(&waiter, bytes) == Serving::Long {
                return self.aftermath.aside.push_back(Aside { db, key: bytes.into(), waiter });
            }
            ticket = waiter.ticket;
        }
    }

    /// Offers a key to those who wait for it in turn, whatever type they wait for, and to those who mind what they have lost.
    fn offer_to_all(&mut self, db: Db, bytes: &[u8]) {
        Kind::MEETING_POINTS.into_iter().for_each(|kind| self.offer_in_turn(db, bytes, kind));
        self.offer_loss(db, bytes);
    }

    /// Offers a key at which there is no stream any more to those who mind that.
    fn offer_loss(&mut self, db: Db, bytes: &[u8]) {
        let state = self.ctx.state;
        if !self.txn.is_observed(Interest::in_kind(Kind::Stream)) {
            return;
        }
        let key = state.keyspace.key(bytes);
        let mut ticket = i64::MIN;
        loop {
            self.txn.select(db);
            if self.txn.inspect(&key).is_some_and(|entry| entry.kind() == Kind::Stream) {
                return;
            }
            let Some(waiter) = state.waiters.next(db, bytes, Kind::Stream, ticket) else { return };
            ticket = waiter.ticket;
            if !waiter.minds_loss() {
                continue;
            }
            if self.aftermath.offers >= OFFERS_MAX || self.serve(&waiter, bytes) == Serving::Long {
                return self.aftermath.aside.push_back(Aside { db, key: bytes.into(), waiter });
            }
        }
    }

    /// Offers a key, whatever is there, to those who wait for this type in turn, up to the first who cannot be served.
    fn offer_in_turn(&mut self, db: Db, bytes: &[u8], kind: Kind) {
        let state = self.ctx.state;
        if !self.txn.is_observed(Interest::in_kind(kind)) {
            return;
        }
        while let Some(waiter) = state.waiters.first(db, bytes, kind) {
            let can_serve = self.aftermath.offers < OFFERS_MAX && self.holds_others(&waiter);
            if !can_serve || self.serve(&waiter, bytes) == Serving::Long {
                return self.aftermath.aside.push_back(Aside { db, key: bytes.into(), waiter });
            }
            if !waiter.is_over() {
                return;
            }
        }
    }

    /// Whether the keys of a waiter that it does not wait for are within reach; of one that is served in turn, all its keys.
    fn holds_others(&self, waiter: &Waiter) -> bool {
        let (state, request) = (self.ctx.state, waiter.request.as_request());
        let command = state.commands.entry(waiter.id).command;
        let awaited = command.key_words(request, true).filter(|_| command.is_in_turn);
        let mut others = command.key_words(request, false).chain(awaited);
        others.all(|at| request.arg(at).is_none_or(|bytes| self.txn.holds(&state.keyspace.key(bytes))))
    }

    /// Serves one waiter, if it still waits and there is something for it.
    fn serve(&mut self, waiter: &Waiter, offered: &[u8]) -> Serving {
        let (ctx, txn, teller) = (self.ctx, &mut *self.txn, &mut self.aftermath.teller);
        let mut serving = Serving::Done;
        self.aftermath.offers += 1;
        let promised = waiter.offer(|| {
            let started = ctx.state.clock.tick();
            match execute::run_again(ctx, txn, waiter, offered) {
                Again::Reply(reply, granted) => {
                    let is_tracked = txn.is_observed(interest::TRACKED);
                    let pushed = is_tracked.then(|| {
                        Box::new(teller.tell_served(ctx.state, txn.changes(), &waiter.client, waiter.version))
                    });
                    Some(Ok(Served { reply, pushed, took: started.elapsed(), granted }))
                }
                Again::Refused(error) => Some(Err(error)),
                Again::Nothing => None,
                Again::Offload => {
                    serving = Serving::Long;
                    None
                }
            }
        });
        if serving == Serving::Long {
            // It is for the executor, and so is what comes behind it.
            self.aftermath.offers = OFFERS_MAX;
        }
        if let Some(promised) = promised {
            ctx.state.waiters.remove(ctx.state.keyspace.interest(), waiter);
            if waiter.is_in_turn() {
                ctx.state.locks.graph.forget(waiter.ticket);
                // Those behind it may have waited for it alone; here its other keys may not be within reach.
                let others = waiter.keys().filter(|key| *key != offered && ctx.state.waiters.is_any(key));
                others.for_each(|key| {
                    ctx.state.locks.errands.push(Errand::Offer { db: waiter.db, key: key.into() });
                });
            }
            self.aftermath.promised.push(promised);
        }
        serving
    }
}

/// How far an offer has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serving {
    /// It has been made, whether it was taken or not.
    Done,
    /// It would take too long here.
    Long,
}

/// Offers keys once more that have been set aside, each under the shards of the waiter whose turn it was.
fn offer_again(ctx: &Context<'_>, mut aside: VecDeque<Aside>, mut offers: usize, wakes: &mut Wakes) {
    while let Some(next) = aside.front() {
        // The one who is to get it may have gone, so that no offer is made.
        offers += 1;
        let offered = if offers < OFFERS_MAX { offer_elsewhere(ctx, next, offers) } else { Err(Contended) };
        let Ok(mut aftermath) = offered else { return leave_to_executor(ctx, aside) };
        aftermath.hand_over(ctx.state, wakes);
        aside.pop_front();
        aside.append(&mut aftermath.aside);
        offers = aftermath.offers;
    }
}

/// Leaves it to a thread that may take and wait long.
fn leave_to_executor(ctx: &Context<'_>, aside: VecDeque<Aside>) {
    let state = ctx.state.clone();
    ctx.state.executor.run(move |worker| {
        offer_again(&Context::of_worker(&state, worker), aside, 0, &mut Wakes::default());
        state.clients.tracking.end_turn(&state);
    });
}

fn offer_elsewhere(ctx: &Context<'_>, next: &Aside, offers: usize) -> Result<Aftermath, Contended> {
    let Aside { db, key, waiter } = next;
    let entry = ctx.state.commands.entry(waiter.id);
    let (route, _) = Route::new(ctx.state, entry, waiter.request.as_request());
    let (patience, hold) = ctx.runner.manners();
    let mut txn = ctx.state.keyspace.begin(route.scope(), patience, hold, ctx.now_ms)?;
    if ctx.state.pause.is_on(&ctx.state.clock) {
        txn.keep_expired();
    }
    // Behind the transaction, so that the server is marked before its shards are free.
    let _guard = ctx.state.poison.guard();
    let aftermath = Aftermath { offers, ..Aftermath::default() };
    let mut settling = Settling { ctx, txn: &mut txn, aftermath };
    match waiter.kind() {
        Some(kind) if waiter.is_in_turn() => settling.offer_in_turn(*db, key, kind),
        _ => {
            settling.offer(*db, key);
            settling.offer_loss(*db, key);
        }
    }
    settling.run();
    Ok(settling.aftermath)
}

/// What is at a key, whose shard is locked.
pub(super) fn presence(state: &State, txn: &mut Transaction<'_>, db: Db, key: &[u8]) -> Presence {
    txn.select(db);
    let key = state.keyspace.key(key);
    if txn.inspect(&key).is_some() {
        Presence::Live
    } else if txn.has_expired(&key) {
        Presence::Expired
    } else {
        Presence::Absent
    }
}

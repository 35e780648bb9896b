//! Jobs set going: what a command has asked the shard workers for, or, under ISOLATION ATOMIC, a thread of the executor, with all
//! that it reads held for as long as it takes. Whoever holds everything looks often whether anybody still wants the answer, and
//! whether time is up; that runs from the command on, so that waiting counts. What changes rows is `apply`, what is stored
//! `store`, what nobody waits for `server_job`; here is what they share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shardis_protocol::Reply;
use shardis_storage::{Hold, Transaction};

use super::route::Route;
use super::{Context, admit, settle, store};
use crate::client::Client;
use crate::client::inbox::Wakes;
use crate::command::Error;
use crate::command::table::Entry;
use crate::jobs::directory::Listed;
use crate::jobs::order::{End, Order};
use crate::jobs::{Answer, Cancel, Job, Promise, Ticket, inline};
use crate::state::State;
use crate::tracking::Teller;

/// Sets a job going for a client that waits for the answer.
pub(super) fn start(ctx: &Context<'_>, client: &Client, entry: &Entry, job: Job) -> Ticket {
    let (ticket, promise) = Ticket::new();
    let order = job.into_order();
    let listing = ctx.state.jobs.list(Listed {
        db: order.db,
        key: None,
        client: client.id,
        command: entry.command.name,
        created_ms: ctx.now_ms,
        course: Arc::clone(&order.course),
        cancel: promise.cancel().clone(),
    });
    set_going(ctx.state, order, client.id, promise.listed(listing));
    ticket
}

/// Sets going what has been ordered by a client; how it ends is told by keeping the promise.
pub(super) fn set_going(state: &Arc<State>, mut order: Order, client: u64, promise: Promise) {
    let beginning = Beginning::new(state, &order, client);
    if order.is_atomic() {
        let server = Arc::clone(state);
        return state.executor.run(move |worker| {
            if promise.cancel().is_set() {
                return;
            }
            let ctx = Context::of_worker(&server, worker);
            order.course.begin(ctx.now_ms);
            if let Some(answer) = beginning.run_alone(&ctx, &order, promise.cancel()) {
                promise.fulfil(answer);
            }
        });
    }
    if order.changes_keys() {
        let (server, found) = (Arc::clone(state), order.clone());
        order.then = Some(Arc::new(move |end, promise| {
            let (state, order, beginning) = (Arc::clone(&server), found.clone(), beginning.clone());
            server.executor.run(move |worker| {
                let ctx = Context::of_worker(&state, worker);
                if let Some(answer) = beginning.go_on(&ctx, order, end, promise.cancel()) {
                    promise.fulfil(answer);
                }
                state.clients.tracking.end_turn(&state);
            });
        }));
    }
    state.pool.submit(state, order, promise);
}

/// Runs a job inside of a program, whose shards are held.
pub(super) fn run_within(within: &mut Within<'_, '_, '_>, job: Job, reply: &mut Reply) -> Result<(), Error> {
    let order = job.into_order();
    let beginning = Beginning::new(within.ctx.state, &order, 0);
    // A program goes on when its client has left.
    beginning.run_held(within, order, &Cancel::default()).write(reply)
}

/// Shards that are held, by whoever does all that is to be done there.
pub(super) struct Within<'w, 'c, 'k> {
    pub(super) ctx: &'w Context<'c>,
    pub(super) txn: &'w mut Transaction<'k>,
    /// Whether there was no memory left before they were locked.
    pub(super) is_out_of_memory: bool,
}

/// What is known of an order from its beginning.
#[derive(Clone)]
pub(super) struct Beginning {
    pub(super) started: Instant,
    /// When its time is up, by the server's clock.
    deadline: Option<Duration>,
    /// Who has called, by its id.
    pub(super) client: u64,
}

impl Beginning {
    fn new(state: &State, order: &Order, client: u64) -> Beginning {
        Beginning { started: state.clock.tick(), deadline: order.deadline(&state.clock), client }
    }

    /// Whether time is up.
    pub(super) fn is_overdue(&self, ctx: &Context<'_>) -> bool {
        ctx.state.clock.has_reached(self.deadline)
    }

    /// Runs an order with all shards held that it may need, from beginning to end.
    fn run_alone(&self, ctx: &Context<'_>, order: &Order, cancel: &Cancel) -> Option<Answer> {
        let is_out_of_memory = order.changes_keys() && admit::is_out_of_memory(ctx);
        let route = Route::to_target(&ctx.state.keyspace, order.plan.target(), order.other_key());
        let act = |txn: &mut Transaction<'_>| {
            let mut within = Within { ctx, txn, is_out_of_memory };
            self.run_held(&mut within, order.clone(), cancel)
        };
        let answer = holding(&ctx.now(), &route, Hold::Long, self.client, act);
        ctx.state.clients.tracking.end_turn(ctx.state);
        answer
    }

    /// Runs an order over shards that are held, and does with its end what it asks for.
    fn run_held(&self, within: &mut Within<'_, '_, '_>, order: Order, cancel: &Cancel) -> Answer {
        let (ctx, keyspace) = (within.ctx, &within.ctx.state.keyspace);
        let is_over = || cancel.is_set() || self.is_overdue(ctx);
        let end = inline::run(&order, within.txn, keyspace, self.started, &is_over);
        if let Some(apply) = order.apply.clone() {
            let outcome = self.change_held(within, &order, &apply, end, cancel);
            return apply.answer(outcome);
        }
        let end = if cancel.is_set() { end } else { store::within(within, &order, end) };
        order.answer(end)
    }

    /// Goes on with what the workers have found, while others are served. Nothing if nobody wants it any more.
    fn go_on(&self, ctx: &Context<'_>, order: Order, end: End, cancel: &Cancel) -> Option<Answer> {
        if let Some(apply) = order.apply.clone() {
            let outcome = self.change_among_others(ctx, &order, &apply, end, cancel);
            return Some(apply.answer(outcome));
        }
        let end = store::among_others(ctx, &order, self.client, end, cancel)?;
        Some(order.answer(end))
    }
}

/// Does something with shards held, and settles what it has changed. `None`: it did not get them.
pub(super) fn holding<T>(
    ctx: &Context<'_>,
    route: &Route,
    hold: Hold,
    client: u64,
    act: impl FnOnce(&mut Transaction<'_>) -> T,
) -> Option<T> {
    let (patience, _) = ctx.runner.manners();
    let mut txn = ctx.state.keyspace.begin(route.scope(), patience, hold, ctx.now_ms).ok()?;
    if ctx.state.pause.is_on(&ctx.state.clock) {
        txn.keep_expired();
    }
    // Behind the transaction, so that the server is marked before its shards are free.
    let guard = ctx.state.poison.guard();
    let made = act(&mut txn);
    let aftermath = txn.has_leftovers().then(|| settle::settle(&ctx.now(), &mut txn, Teller::of_id(client)));
    drop(txn);
    drop(guard);
    if let Some(aftermath) = aftermath {
        aftermath.finish(ctx, &mut Wakes::default());
    }
    Some(made)
}

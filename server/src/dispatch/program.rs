//! Programs: commands that run others in their own transaction. It locks, once and before anything runs, what they all need; at
//! its end, and only then, what they have changed is told and waiters are served, so that to everybody else they are one
//! command.

use std::sync::Arc;
use std::time::Instant;

use shardis_protocol::{Mark, Reply, Request};
use shardis_storage::{Db, Transaction};

use super::execute::{self, Handled};
use super::route::Route;
use super::{Context, Outcome, Runner, cost, settle, show};
use crate::client::Client;
use crate::command::table::{CommandId, Entry};
use crate::command::{Args, Call, Done, Flow, Inside, Presence, Reach, Run};
use crate::observe::thresholds::Cost;
use crate::state::State;

/// Calls in a queue that a network thread runs.
const CALLS_MAX: usize = 128;
/// Bytes of the values of keys that a network thread runs a queue over, unless its commands take constant time.
const VALUES_BYTES_MAX: usize = 64 * 1024;

type RunProgram = fn(&mut Call<'_>, &mut Client, &mut dyn Inside) -> Done;

/// Runs a program on the shards of all that it runs, or tells why it has to run elsewhere or later.
pub(super) fn execute(
    ctx: &Context<'_>,
    client: &mut Client,
    call: &mut Call<'_>,
    entry: &Entry,
    mark: Mark,
    run: RunProgram,
) -> Handled {
    let (route, keys) = Route::of_program(ctx.state, entry, call.request(), client);
    let is_long = matches!(route, Route::Every | Route::Discovered) || is_long_queue(entry, client);
    if ctx.runner == Runner::Network && is_long || call.should_offload(keys) {
        return Handled::Offload;
    }
    let (patience, hold) = ctx.runner.manners();
    let mut txn = Transaction::new(&ctx.state.keyspace, patience, hold, ctx.now_ms);
    if txn.acquire(route.scope()).is_err() {
        return Handled::Contended;
    }
    if ctx.state.pause.is_on(&ctx.state.clock) {
        txn.keep_expired();
    }
    if call.may_offload && has_heavy_values(ctx.state, entry, client, &mut txn) {
        return Handled::Offload;
    }
    // Behind the transaction, so that the server is marked before its shards are free.
    let guard = ctx.state.poison.guard();
    // What fails inside takes back only its own part of the reply.
    call.reply.keep_whole();
    call.may_offload = false;
    let mut inside = Running { ctx, txn: &mut txn, last_ended: ctx.state.clock.tick() };
    let done = run(call, client, &mut inside);
    let handled = execute::end(ctx, client, entry, mark, call, done);
    let aftermath = txn.has_leftovers().then(|| settle::settle(ctx, &mut txn));
    drop(txn);
    drop(guard);
    if let Some(aftermath) = aftermath {
        aftermath.finish(ctx);
    }
    handled
}

/// Whether there are many calls.
fn is_long_queue(entry: &Entry, client: &Client) -> bool {
    let queue = client.queue.as_ref().filter(|_| entry.command.reach == Reach::Queued);
    queue.is_some_and(|queue| queue.calls.len() > CALLS_MAX)
}

/// Whether calls that may take as long as their values are large have large ones.
fn has_heavy_values(state: &State, entry: &Entry, client: &Client, txn: &mut Transaction<'_>) -> bool {
    let Some(queue) = client.queue.as_ref().filter(|_| entry.command.reach == Reach::Queued) else {
        return false;
    };
    let mut bytes = 0;
    txn.select(client.db);
    for queued in &queue.calls {
        let entry = state.commands.entry(queued.id);
        if entry.is_short {
            continue;
        }
        let request = queued.request.as_request();
        for key in entry.keys(request) {
            bytes += txn.inspect(&state.keyspace.key(key)).map_or(0, |found| found.memory_bytes());
        }
    }
    bytes > VALUES_BYTES_MAX
}

/// A program that runs.
struct Running<'r, 'c, 'k> {
    ctx: &'r Context<'c>,
    txn: &'r mut Transaction<'k>,
    /// When the last call ended, and the next begins.
    last_ended: Instant,
}

impl Inside for Running<'_, '_, '_> {
    fn state(&self) -> &Arc<State> {
        self.ctx.state
    }

    fn run(&mut self, client: &mut Client, id: CommandId, request: Request<'_>, reply: &mut Reply) {
        let ctx = self.ctx;
        let entry = ctx.state.commands.entry(id);
        let mark = reply.mark();
        let replied_before = reply.len();
        reply.set_version(client.version);
        let mut call = Call {
            command: entry.command,
            args: Args::new(request, 1 + usize::from(entry.container.is_some())),
            reply,
            state: ctx.state,
            db: client.db,
            now_ms: ctx.now_ms,
            notes_accesses: client.notes_accesses,
            may_offload: false,
            totals: None,
            first_key: None,
            ready_key: None,
            block: None,
        };
        let done = self.invoke(client, entry, &mut call);
        match done {
            Ok(Flow::Done) => {}
            Ok(Flow::Block) => {
                let block = call.block.expect("invariant: a handler that blocks has said for how long");
                (block.cannot_wait)(call.reply);
            }
            Ok(Flow::Offload) => unreachable!("nobody may offload here"),
            Err(error) => execute::fail(ctx, entry, mark, &error, call.reply),
        }
        execute::count(ctx, client, id);
        execute::count_change(ctx, self.txn);
        self.note_cost(client, entry, request, reply.len() - replied_before);
        if ctx.state.clients.monitors.is_any() {
            show(ctx, client, request, entry, &Outcome::Done);
        }
    }

    fn presence(&mut self, db: Db, key: &[u8]) -> Presence {
        presence(self.ctx.state, self.txn, db, key)
    }
}

impl Running<'_, '_, '_> {
    fn invoke(&mut self, client: &mut Client, entry: &Entry, call: &mut Call<'_>) -> Done {
        self.txn.select(call.db);
        self.txn.note_accesses(call.notes_accesses);
        match entry.command.run {
            Run::Read(run) => run(call, self.txn),
            Run::Write(run) | Run::Blocking(_, run) => execute::write(self.ctx, call, self.txn, run),
            Run::Client(run) => {
                if entry.command.reach == Reach::Every {
                    call.totals = Some(Box::new(self.txn.totals()));
                }
                run(call, client)
            }
            Run::Program(run) => run(call, client, self),
            Run::Fanout(_) | Run::Container => unreachable!("nobody lets these into a program"),
        }
    }

    /// Tells what a call took: the time from the end of the one before it to its own.
    fn note_cost(&mut self, client: &Client, entry: &Entry, request: Request<'_>, reply_bytes: usize) {
        let now = self.ctx.state.clock.tick();
        let took = now - std::mem::replace(&mut self.last_ended, now);
        let cost = Cost { took: Some(took), request_bytes: cost::request_bytes(request), reply_bytes };
        cost::note(self.ctx, &client.info, entry, request, cost);
    }
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

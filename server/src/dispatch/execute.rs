//! Invokes a command by its shape: locks what it may touch, hands it that and nothing else, and rolls a half-written
//! reply back if it fails. Where it has to wait, its client is blocked while the shards are still locked.

use shardis_protocol::{Mark, Reply, Request};
use shardis_storage::{Hold, Kind, Patience, Scope, Transaction};
use smallvec::SmallVec;

use super::route::{self, Route};
use super::{Context, Outcome, Runner, answer_error, jobs, program, server_job, settle};
use crate::acl::{Attempt, log};
use crate::blocking::{Blocked, Waiter};
use crate::client::{Client, Gate};
use crate::command::call::{FirstKey, OFFLOAD_WORK_MIN};
use crate::command::table::{CommandId, Entry};
use crate::command::{Access, Call, Done, Error, Flow, Run};
use crate::locks::register::GrantRef;
use crate::tracking::Teller;

/// Bytes of the words of a computation that a network thread reads: usual ones have less, and the slowest expressions of so many
/// bytes take half a millisecond, while the longest take more than twenty.
const COMPUTATION_BYTES_MAX: usize = 512;

/// How a handler ended; its reply is complete, or gone again.
pub(super) enum Handled {
    /// The reply is written, an error included.
    Done,
    /// As the outcomes of the same names.
    Offload,
    Contended,
    Block(Box<Blocked>),
}

/// Runs an admitted call.
#[inline(always)]
pub fn execute(
    ctx: &Context<'_>,
    client: &mut Client,
    request: Request<'_>,
    entry: &Entry,
    first_key: Option<FirstKey>,
    reply: &mut Reply,
) -> Outcome {
    let mark = reply.mark();
    reply.set_version(client.version);
    let mut call = ctx.call(entry, request, reply, client.db, client.notes_accesses);
    call.first_key = first_key;
    if entry.command.knows_client {
        call.client = Some(client.info.clone());
    }
    let handled = match entry.command.run {
        Run::Read(_) | Run::Write(_) | Run::Blocking(..) => data_command(ctx, client, &mut call, entry, mark),
        Run::Program(run) => program::execute(ctx, client, &mut call, entry, mark, run),
        Run::Client(run) => {
            let _guard = ctx.state.poison.guard();
            let done = run(&mut call, client);
            end(ctx, client, entry, mark, &mut call, done)
        }
        Run::Fanout(_) if call.may_offload && is_long_to_read(entry, request) => return Outcome::Offload,
        Run::Fanout(run) => match run(&mut call) {
            Ok(job) => {
                let attempt = Attempt::new(ctx.state, client.db, entry, request);
                let job = job.held_to(client.info.rules(), &attempt);
                if job.is_asynchronous() {
                    server_job::start(ctx, client, entry, &mut call, job)
                } else {
                    count(ctx, client, entry.id);
                    return Outcome::Wait(jobs::start(ctx, client, entry, job));
                }
            }
            Err(error) => end(ctx, client, entry, mark, &mut call, Err(error)),
        },
        Run::Container => unreachable!("the table resolves a container to a subcommand or an error"),
    };
    let outcome = match handled {
        Handled::Done => Outcome::Done,
        Handled::Block(blocked) if counts_later(ctx, client) => return Outcome::Block(blocked),
        Handled::Block(blocked) => Outcome::Block(blocked),
        Handled::Offload => return Outcome::Offload,
        Handled::Contended => return Outcome::Contended,
    };
    count(ctx, client, entry.id);
    outcome
}

/// Whether a call is a computation whose words are too long to be read on a network thread.
pub(super) fn is_long_to_read(entry: &Entry, request: Request<'_>) -> bool {
    matches!(entry.command.run, Run::Fanout(_))
        && request.iter().map(<[u8]>::len).sum::<usize>() > COMPUTATION_BYTES_MAX
}

/// Counts a call that has run.
#[inline]
pub(super) fn count(ctx: &Context<'_>, client: &mut Client, id: CommandId) {
    client.commands += 1;
    ctx.stats.command(id).calls.add(1);
}

/// Counts a call as one that has changed something, if it has.
#[inline]
pub(super) fn count_change(ctx: &Context<'_>, txn: &mut Transaction<'_>) {
    if txn.take_changed() {
        ctx.stats.changes.add(1);
    }
}

/// Whether a call that has blocked counts when it is answered. A host that waits where it stands has begun, and that counts.
fn counts_later(ctx: &Context<'_>, client: &Client) -> bool {
    client.is_connection() && !ctx.state.config.dialect().counts_blocked_calls
}

/// Counts a call that had blocked its client and has an answer now.
pub fn count_answered(ctx: &Context<'_>, client: &mut Client, id: CommandId, is_error: bool) {
    if counts_later(ctx, client) {
        count(ctx, client, id);
    }
    if is_error {
        let counters = ctx.stats.command(id);
        let are_refused = ctx.state.config.dialect().unblocked_calls_are_refused;
        if are_refused { &counters.rejected } else { &counters.failed }.add(1);
    }
}

/// Runs a call on the shards of its keys, or tells why it has to run elsewhere or later.
#[inline(always)]
fn data_command(
    ctx: &Context<'_>,
    client: &mut Client,
    call: &mut Call<'_>,
    entry: &Entry,
    mark: Mark,
) -> Handled {
    let (route, keys);
    let scope = match route::single(ctx.state, entry, call.request(), call.first_key) {
        Some(shard) => Scope::One(shard),
        None => {
            // Only here, because who names more than one key is not in so much of a hurry.
            call.may_discover = may_discover(ctx, client, entry, call.request());
            (route, keys) = Route::new(ctx.state, entry, call.request());
            // Who discovers shards must be ready to wait for each of them.
            let must_wait = matches!(route, Route::Discovered) && ctx.runner == Runner::Network;
            if must_wait || call.should_offload(keys) {
                return Handled::Offload;
            }
            route.scope()
        }
    };
    let (patience, hold) = ctx.runner.manners();
    let mut txn = Transaction::new(&ctx.state.keyspace, patience, hold, ctx.now_ms);
    if txn.acquire(scope).is_err() {
        return Handled::Contended;
    }
    txn.select(call.db);
    txn.note_accesses(call.notes_accesses);
    txn.attribute(entry.id.index() as u16);
    if ctx.state.pause.is_on(&ctx.state.clock) {
        txn.keep_expired();
    }
    // Behind the transaction, so that the server is marked before its shards are free.
    let guard = ctx.state.poison.guard();
    let done = match entry.command.run {
        Run::Write(run) | Run::Blocking(_, run) => measured(ctx, &mut txn, |txn| run(call, txn)),
        Run::Read(run) => run(call, &mut txn),
        Run::Client(_) | Run::Program(_) | Run::Fanout(_) | Run::Container => unreachable!("no data command"),
    };
    let handled = end(ctx, client, entry, mark, call, done);
    if !call.granted.is_empty() {
        client.note_granted(&call.granted, call.reply.len());
    }
    count_change(ctx, &mut txn);
    let aftermath = txn.has_leftovers().then(|| settle::settle(ctx, &mut txn, Teller::of(&client.info)));
    if client.info.gates.has(Gate::Tracking) && matches!(handled, Handled::Done) {
        ctx.state.clients.tracking.note_read(ctx.state, &client.info, entry, call.request());
    }
    drop(txn);
    drop(guard);
    if let Some(aftermath) = aftermath {
        aftermath.finish(ctx, &mut client.wakes);
    }
    handled
}

/// Does what writes to the selected database, and counts the memory that it takes where there is a limit.
#[inline(always)]
pub(super) fn measured<T>(
    ctx: &Context<'_>,
    txn: &mut Transaction<'_>,
    write: impl FnOnce(&mut Transaction<'_>) -> T,
) -> T {
    if ctx.state.config.maxmemory.value() == 0 {
        return write(txn);
    }
    let before = txn.memory_bytes();
    let done = write(txn);
    ctx.state.memory_limit.note(&ctx.stats.memory_credit, before, txn.memory_bytes());
    done
}

/// Whether a call may read keys that only running it tells: those of all names.
pub(super) fn may_discover(ctx: &Context<'_>, client: &Client, entry: &Entry, request: Request<'_>) -> bool {
    let rules = client.info.rules();
    let attempt = || Attempt::new(ctx.state, client.db, entry, request);
    rules.is_none_or(|user| user.may_touch_all_keys(&attempt(), Access(Access::ACCESS)))
}

/// How a call went that had blocked and was run again.
pub enum Again {
    /// It has a reply, and this was granted with it.
    Reply(Reply, SmallVec<[GrantRef; 1]>),
    /// Its client has lost the right to it.
    Refused(Error),
    /// There is nothing for it.
    Nothing,
    /// As the outcome of this name.
    Offload,
}

/// Runs the call of a waiter again, in a transaction under way that has locked at least one of the keys it waits for. It
/// looks at the first one of these that is ready; `offered` is, and the imitated server may look at this one only.
pub fn run_again(ctx: &Context<'_>, txn: &mut Transaction<'_>, waiter: &Waiter, offered: &[u8]) -> Again {
    let state = ctx.state;
    let request = waiter.again.as_ref().unwrap_or(&waiter.request).as_request();
    let entry = state.commands.entry(waiter.id);
    let Run::Blocking(kind, run) = entry.command.run else {
        unreachable!("only commands that may block wait for keys")
    };
    txn.select(waiter.db);
    txn.note_accesses(waiter.notes_accesses);
    txn.attribute(entry.id.index() as u16);
    let only_offered = state.config.dialect().serves_what_came_first;
    let is_in_turn = entry.command.is_in_turn;
    // Whoever is served in turn looks at all its keys, and judges for itself; so does who reads what is new, at all that are locked.
    let reads_new = kind == Kind::Stream && !only_offered;
    let judges = is_in_turn || reads_new;
    let ready_key = entry.command.key_words(request, true).filter(|_| !judges).find(|&at| {
        let key = state.keyspace.key(request.arg(at).unwrap_or_default());
        if only_offered && key.bytes() != offered {
            return false;
        }
        let is_there =
            |txn: &mut Transaction<'_>| txn.inspect(&key).is_some_and(|entry| entry.kind() == kind);
        txn.holds(&key) && (entry.command.minds_loss || is_there(txn))
    });
    if ready_key.is_none() && !judges {
        return Again::Nothing;
    }
    if let Err(error) = still_allowed(ctx, waiter, entry, request) {
        return Again::Refused(error);
    }
    let mut reply = Reply::new(waiter.version);
    let mark = reply.mark();
    let mut call = ctx.call(entry, request, &mut reply, waiter.db, waiter.notes_accesses);
    call.ready_key = ready_key;
    call.ticket = Some(waiter.ticket);
    if is_in_turn {
        call.client = Some(waiter.client.clone());
    }
    let done = run(&mut call, txn);
    let granted = std::mem::take(&mut call.granted);
    // Where it counts when it blocks, what it changes then is part of the change that has woken it.
    if txn.take_changed() && !ctx.state.config.dialect().counts_blocked_calls {
        ctx.stats.changes.add(1);
    }
    match done {
        Ok(Flow::Done) => {}
        Ok(Flow::Block) => return Again::Nothing,
        Ok(Flow::Offload) => return Again::Offload,
        Err(error) => fail(ctx, entry, mark, &error, &mut reply),
    }
    Again::Reply(reply, granted)
}

/// Whether the client of a waiter still has the right to its call.
fn still_allowed(
    ctx: &Context<'_>,
    waiter: &Waiter,
    entry: &Entry,
    request: Request<'_>,
) -> Result<(), Error> {
    if !ctx.state.config.dialect().blocked_calls_need_rights {
        return Ok(());
    }
    let attempt = Attempt::new(ctx.state, waiter.db, entry, request);
    ctx.state
        .acl
        .check(ctx.state, &waiter.client, &attempt, log::Context::TopLevel, &entry.full_name)
        .map_err(|refused| {
            ctx.stats.command(entry.id).rejected.add(1);
            refused.error(&attempt)
        })
}

/// Completes the reply to what a handler answered. At once, while that is in registers: memory that is written in halves and
/// read as a whole makes the processor wait.
#[inline(always)]
pub(super) fn end(
    ctx: &Context<'_>,
    client: &Client,
    entry: &Entry,
    mark: Mark,
    call: &mut Call<'_>,
    done: Done,
) -> Handled {
    match done {
        Ok(Flow::Done) => Handled::Done,
        Ok(Flow::Offload) => {
            call.reply.rollback(mark);
            Handled::Offload
        }
        Ok(Flow::Block) => Handled::Block(block(ctx, client, entry, call)),
        Err(error) => {
            fail(ctx, entry, mark, &error, call.reply);
            Handled::Done
        }
    }
}

/// Blocks the client with its call.
#[cold]
fn block(ctx: &Context<'_>, client: &Client, entry: &Entry, call: &mut Call<'_>) -> Box<Blocked> {
    let block = call.block.take().expect("invariant: a handler that blocks has said for how long");
    Blocked::new(ctx.state, client, entry, call.request(), block)
}

/// Replies an error instead of whatever has been written.
#[inline]
pub(super) fn fail(ctx: &Context<'_>, entry: &Entry, mark: Mark, error: &Error, reply: &mut Reply) {
    reply.rollback(mark);
    ctx.stats.command(entry.id).failed.add(1);
    answer_error(ctx, error, reply);
}

impl Runner {
    /// How long it may wait for shards, and hold them.
    #[inline]
    pub(super) fn manners(self) -> (Patience, Hold) {
        match self {
            Runner::Network => (Patience::Short, Hold::Short),
            Runner::Executor => (Patience::Wait, Hold::Long),
            Runner::Direct => (Patience::Wait, Hold::Short),
        }
    }
}

const _: () = assert!(OFFLOAD_WORK_MIN > 0);

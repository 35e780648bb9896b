//! The life of a command: plan, then run = admit → route → execute → settle.
//!
//! Nothing here waits and nothing here is `async`: a transaction lives and dies inside [`run`]. What cannot be done now
//! is answered with an [`Outcome`] that tells the connection how to go on. No command is known by name.

mod admit;
mod apply;
pub mod cost;
mod execute;
mod jobs;
mod program;
mod route;
pub mod server_job;
pub mod settle;
mod store;
pub mod upkeep;

use std::num::NonZeroU16;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use shardis_protocol::{ProtocolError, Reply, Request};
use shardis_storage::{Db, KeyHash};
use smallvec::SmallVec;

pub use self::execute::count_answered;
use crate::blocking::Blocked;
use crate::client::{Answers, Client, Gate};
use crate::command::call::FirstKey;
use crate::command::table::Entry;
use crate::command::{Args, Call, Error, Flags, Reach};
use crate::jobs::Ticket;
use crate::jobs::executor::{Task, Worker};
use crate::observe::stats::ThreadStats;
use crate::scripting::engine::EngineSlot;
use crate::state::State;

/// What is known of a call before it runs. Planning checks and changes nothing, so that a whole window can be planned
/// ahead although one of its commands may change what the next one means.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'s> {
    /// What is invoked; `None` if that is an error, which running it will tell.
    pub entry: Option<&'s Entry>,
    /// The first key, if every call of the command has it at the same word.
    pub first_key: Option<FirstKey>,
}

/// How a call ended.
#[derive(Debug)]
pub enum Outcome {
    /// The reply is written.
    Done,
    /// Nothing was changed or written: run it again on an executor thread.
    Offload,
    /// Nothing was changed or written: run it again when a long holder has released its shards.
    Contended,
    /// Nothing was changed or written: run it again when the pause of all clients is over.
    Paused,
    /// The reply comes later.
    Wait(Ticket),
    /// The reply comes when what the client now waits for has come about.
    Block(Box<Blocked>),
}

/// Who runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// Must neither take nor wait long.
    Network,
    /// May do both, and marks the shards it holds: an executor thread, or the thread of a caller inside the process with
    /// something long.
    Executor,
    /// A caller inside the process, with something short: may wait, but must not take long.
    Direct,
}

/// Everything around one call.
pub struct Context<'c> {
    /// The server.
    pub state: &'c Arc<State>,
    /// The counters of the running thread.
    pub stats: &'c ThreadStats,
    /// Who is running.
    pub runner: Runner,
    /// Runs scripts, on a thread that can.
    pub engine: Option<&'c Rc<EngineSlot>>,
    /// The instant of the call: Unix milliseconds.
    pub now_ms: i64,
}

impl<'c> Context<'c> {
    /// On a thread of the executor, now.
    pub fn of_worker(state: &'c Arc<State>, worker: &'c Worker) -> Context<'c> {
        let Worker { stats, engine } = worker;
        let now_ms = state.clock.now_ms();
        Context { state, stats, runner: Runner::Executor, engine: Some(engine), now_ms }
    }

    /// The same at the present instant.
    fn now(&self) -> Context<'c> {
        Context { now_ms: self.state.clock.now_ms(), ..*self }
    }

    /// One invocation of a command, as nobody's part.
    #[inline(always)]
    fn call<'r>(
        &'r self,
        entry: &Entry,
        request: Request<'r>,
        reply: &'r mut Reply,
        db: Db,
        notes_accesses: bool,
    ) -> Call<'r> {
        Call {
            command: entry.command,
            args: Args::new(request, 1 + usize::from(entry.container.is_some())),
            reply,
            state: self.state,
            db,
            now_ms: self.now_ms,
            notes_accesses,
            may_discover: true,
            may_offload: self.runner != Runner::Executor,
            program: None,
            script: None,
            function: None,
            totals: None,
            first_key: None,
            ready_key: None,
            block: None,
            client: None,
            ticket: None,
            granted: SmallVec::new(),
        }
    }
}

impl<'s> Plan<'s> {
    /// Looks the command up and hashes its first key.
    #[inline(always)]
    pub fn new(state: &'s State, request: Request<'_>) -> Plan<'s> {
        Plan::with_hash(state, request, None)
    }

    /// The same where the hash of the second word may be known.
    #[inline(always)]
    pub fn with_hash(state: &'s State, request: Request<'_>, second: Option<KeyHash>) -> Plan<'s> {
        let Some(entry) = state.commands.resolvable(request) else {
            return Plan { entry: None, first_key: None };
        };
        let first_key = entry.first_key.and_then(|at| {
            let hash = match second {
                Some(hash) if at == NonZeroU16::MIN => hash,
                _ => state.keyspace.hash(request.arg(usize::from(at.get()))?),
            };
            Some(FirstKey { at, hash })
        });
        Plan { entry: Some(entry), first_key }
    }

    /// Gives the hashes of the keys that this call will look up, but not more than `limit` of them.
    #[inline]
    pub fn hashes(&self, state: &State, request: Request<'_>, limit: usize, mut give: impl FnMut(KeyHash)) {
        let Some(entry) = self.entry else { return };
        if entry.has_one_key(request) {
            if let Some(first) = self.first_key {
                give(first.hash);
            }
        } else if !entry.command.keys.is_empty() {
            let positions = entry.command.keys.iter().filter_map(|spec| spec.positions(request)).flatten();
            let keys = positions.filter_map(|at| request.arg(at)).take(limit);
            keys.for_each(|key| give(state.keyspace.hash(key)));
        }
    }
}

/// Which thread of the executor can run a call.
pub fn task_of(state: &State, client: &Client, request: Request<'_>) -> Task {
    let entry = state.commands.resolvable(request);
    let needs_functions = entry.is_some_and(|entry| program::runs_with_functions(entry, client));
    if needs_functions { Task::Functions } else { Task::Commands }
}

/// Runs one call and writes its reply.
#[inline(always)]
pub fn run(
    ctx: &Context<'_>,
    client: &mut Client,
    request: Request<'_>,
    plan: Plan<'_>,
    reply: &mut Reply,
) -> Outcome {
    let outcome = match client.answers {
        Answers::All => run_answered(ctx, client, request, plan, reply),
        _ => run_unanswered(ctx, client, request, plan, reply),
    };
    if client.info.gates.has(Gate::Inbox) {
        if client.info.gates.has(Gate::Tracking) {
            end_exception(client, plan, &outcome);
        }
        client.take_messages(reply);
    }
    outcome
}

/// Ends what a client that tracks has said about the caching of this call, or of this transaction.
#[cold]
fn end_exception(client: &Client, plan: Plan<'_>, outcome: &Outcome) {
    let runs_again = matches!(outcome, Outcome::Offload | Outcome::Contended | Outcome::Paused);
    let is_kept = plan.entry.is_some_and(|entry| entry.flags.contains(Flags::KEEPS_CACHING));
    if !runs_again && !is_kept && !client.info.gates.has(Gate::Transaction) {
        client.info.tracking.set_caching(false);
    }
}

/// The same for a client that does not want every reply. One that comes later is left out by whoever waits for it.
#[cold]
fn run_unanswered(
    ctx: &Context<'_>,
    client: &mut Client,
    request: Request<'_>,
    plan: Plan<'_>,
    reply: &mut Reply,
) -> Outcome {
    if client.answers == Answers::AllButNext {
        client.answers = Answers::AllButThis;
    }
    // What the call before it has pushed is sent in any case.
    client.take_pushed();
    let mark = reply.mark();
    let outcome = run_answered(ctx, client, request, plan, reply);
    let mark = client.take_pushed().unwrap_or(mark);
    if matches!(outcome, Outcome::Done) && client.is_unanswered() {
        reply.rollback(mark);
    }
    outcome
}

#[inline(always)]
fn run_answered(
    ctx: &Context<'_>,
    client: &mut Client,
    request: Request<'_>,
    plan: Plan<'_>,
    reply: &mut Reply,
) -> Outcome {
    let admitted = admit::admit(ctx, client, request, plan.entry);
    if client.info.gates.has(Gate::Tracking) {
        // What was removed to make room for the call is told before its reply.
        client.take_messages_here(reply);
    }
    let entry = match admitted {
        Ok(entry) => entry,
        Err(error) => {
            refuse(ctx, client, request, &error, reply);
            return Outcome::Done;
        }
    };
    // The host of a server is not held back, because it would have to wait where it stands; nor is what has begun already.
    if ctx.state.pause.may_be() && is_held_back(ctx, client, request, entry) {
        return Outcome::Paused;
    }
    if admit::gathers(client, entry) {
        gather(ctx, client, request, entry, plan.first_key, reply);
        return Outcome::Done;
    }
    let outcome = execute::execute(ctx, client, request, entry, plan.first_key, reply);
    if ctx.state.clients.monitors.is_any() {
        show(ctx, client, request, entry, &outcome);
    }
    outcome
}

#[cold]
fn is_held_back(ctx: &Context<'_>, client: &Client, request: Request<'_>, entry: &Entry) -> bool {
    let flags = admit::flags(ctx.state, client, request, entry);
    ctx.runner == Runner::Network && ctx.state.pause.holds_back(flags, &ctx.state.clock)
}

/// Gathers a call for a transaction. What has been gathered is input that waits, and limited as such.
#[cold]
fn gather(
    ctx: &Context<'_>,
    client: &mut Client,
    request: Request<'_>,
    entry: &Entry,
    first_key: Option<FirstKey>,
    reply: &mut Reply,
) {
    let limit = ctx.state.config.client_query_buffer_limit.value();
    let flags = admit::flags(ctx.state, client, request, entry);
    let bytes = client.gather(entry, flags, first_key, request);
    if i64::try_from(bytes).is_ok_and(|bytes| bytes <= limit) {
        reply.set_version(client.version);
        reply.simple("QUEUED");
        return;
    }
    ctx.state.stats.over_query_limit.fetch_add(1, Ordering::Relaxed);
    ctx.state.log.warning(format_args!(
        "Closing client that reached max query buffer length: id={} addr={}",
        client.id, client.info.addr
    ));
    client.close_after_reply = true;
}

/// Shows a call that ran to those who monitor. What is run again later is shown then.
#[cold]
fn show(ctx: &Context<'_>, client: &Client, request: Request<'_>, entry: &Entry, outcome: &Outcome) {
    let has_run = matches!(outcome, Outcome::Done | Outcome::Wait(_) | Outcome::Block(_));
    let is_hidden = entry.flags.contains(Flags::ADMIN) || entry.flags.contains(Flags::SKIP_MONITOR);
    if has_run && !is_hidden {
        let words = entry.command.shown(request);
        ctx.state.clients.monitors.tell(client, words, ctx.state);
    }
}

/// Writes an error reply and counts it.
#[cold]
pub fn answer_error(ctx: &Context<'_>, error: &Error, reply: &mut Reply) {
    ctx.stats.count_error(error.code());
    reply.error(error.text());
}

/// Writes the reply to input that makes no sense.
pub fn protocol_error(ctx: &Context<'_>, client: &Client, error: ProtocolError, reply: &mut Reply) {
    ctx.state.log.verbose(format_args!("Protocol error from client: {error}"));
    if !error.is_answered() {
        reply.clear();
    } else if client.answers != Answers::None {
        ctx.stats.count_error(b"ERR");
        reply.protocol_error(error);
    }
}

fn refuse(ctx: &Context<'_>, client: &mut Client, request: Request<'_>, error: &Error, reply: &mut Reply) {
    // A call with the wrong number of words has no plan, but it is a call of that command.
    let invoked = ctx.state.commands.invoked(request);
    if let Some(entry) = invoked {
        ctx.stats.command(entry.id).rejected.add(1);
    }
    reply.set_version(client.version);
    if invoked.is_some_and(|entry| entry.command.reach == Reach::Queued) {
        client.end_queue();
        client.watches = None;
        return answer_error(ctx, &Error::transaction_refused(error), reply);
    }
    if let Some(queue) = &mut client.queue {
        queue.is_broken = true;
    }
    answer_error(ctx, error, reply);
}

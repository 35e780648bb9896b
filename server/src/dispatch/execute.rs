//! Invokes a command by its shape: locks what it may touch, hands it that and nothing else, and rolls a half-written
//! reply back if it fails.

use shardis_protocol::{Reply, Request};
use shardis_storage::{Hold, Patience, Transaction};

use super::route::Route;
use super::{Context, Outcome, Runner, answer_error, settle};
use crate::client::Client;
use crate::command::call::{FirstKey, OFFLOAD_WORK_MIN};
use crate::command::table::Entry;
use crate::command::{Args, Call, Done, Flow, Run};

/// Runs an admitted call.
#[inline]
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
    let words_before_args = 1 + usize::from(entry.container.is_some());
    let mut call = Call {
        command: entry.command,
        request,
        args: Args::new(request, words_before_args),
        reply,
        state: ctx.state,
        db: client.db,
        now_ms: ctx.now_ms,
        may_offload: ctx.runner != Runner::Executor,
        first_key,
    };
    let done = match entry.command.run {
        Run::Client(run) => {
            let _guard = ctx.state.poison.guard();
            run(&mut call, client)
        }
        Run::Read(_) | Run::Write(_) => match data_command(ctx, &mut call, entry) {
            Ok(done) => done,
            Err(outcome) => return outcome,
        },
        Run::Fanout(run) => match run(&mut call) {
            Ok(job) => {
                client.commands += 1;
                ctx.stats.command(entry.id).calls.add(1);
                return Outcome::Wait(job.start(ctx.state));
            }
            Err(error) => Err(error),
        },
        Run::Container => unreachable!("the table resolves a container to a subcommand or an error"),
    };
    match done {
        Ok(Flow::Done) => {}
        Ok(Flow::Offload) => {
            reply.rollback(mark);
            return Outcome::Offload;
        }
        Err(error) => {
            reply.rollback(mark);
            ctx.stats.command(entry.id).failed.add(1);
            answer_error(ctx, &error, reply);
        }
    }
    client.commands += 1;
    ctx.stats.command(entry.id).calls.add(1);
    Outcome::Done
}

/// Runs a call on the shards of its keys, or tells why it has to run elsewhere or later.
#[inline]
fn data_command(ctx: &Context<'_>, call: &mut Call<'_>, entry: &Entry) -> Result<Done, Outcome> {
    let (route, keys) = Route::new(ctx.state, entry, call.request, call.first_key);
    if call.should_offload(keys) {
        return Err(Outcome::Offload);
    }
    let (patience, hold) = ctx.runner.manners();
    let mut txn = Transaction::new(&ctx.state.keyspace, patience, hold, ctx.now_ms);
    txn.acquire(route.scope()).map_err(|_| Outcome::Contended)?;
    txn.select(call.db);
    // Behind the transaction, so that the server is marked before its shards are free.
    let guard = ctx.state.poison.guard();
    let done = match entry.command.run {
        Run::Write(run) => run(call, &mut txn),
        Run::Read(run) => run(call, &mut txn),
        Run::Client(_) | Run::Fanout(_) | Run::Container => unreachable!("no data command"),
    };
    settle::settle(ctx.state, txn);
    drop(guard);
    Ok(done)
}

impl Runner {
    /// How long it may wait for shards, and hold them.
    #[inline]
    fn manners(self) -> (Patience, Hold) {
        match self {
            Runner::Network => (Patience::Short, Hold::Short),
            Runner::Executor => (Patience::Wait, Hold::Long),
            Runner::Direct => (Patience::Wait, Hold::Short),
        }
    }
}

const _: () = assert!(OFFLOAD_WORK_MIN > 0);

//! Jobs that the server does: computations with ASYNC, for which nobody waits. What a job is, is `storage::types::job`; which ones
//! there are, `jobs::directory`.
//!
//! 1. Its key is made under the lock of its shard, by the call that asks for it or inside of a program, and entered in the
//!    directory. The answer is the key. The work begins when these locks have been let go: so whoever has read the answer finds
//!    the job, and the work sees all that the program has written.
//! 2. The work is that of the same command without ASYNC, and answers to a promise like any other. That answer, or that there
//!    is none, is what ends the job: a thread of the executor writes it down at the key, in the protocol that tells most.
//! 3. Whoever writes it down has locked the shard of the key and asks the directory once more, in case that databases were exchanged or
//!    the key removed. What is there has the same number or is left alone: an outcome is never written to another job.
//! 4. A job that somebody has cancelled has its outcome from then on; the work stops within moments, and at most tells how
//!    much it had changed.

use std::sync::Arc;
use std::time::Duration;

use shardis_compute::Async;
use shardis_protocol::{Reply, Version};
use shardis_storage::types::job::{Job, Stage};
use shardis_storage::{Hold, Scope, Transaction};

use super::execute::Handled;
use super::jobs::{holding, set_going};
use super::route::Route;
use super::{Context, admit, execute, settle};
use crate::acl::Attempt;
use crate::client::Client;
use crate::command::table::Entry;
use crate::command::{Access, Call, Error, Flow};
use crate::jobs::directory::{Course, Listed};
use crate::jobs::order::Order;
use crate::jobs::site::Site;
use crate::jobs::{self, Answer, Cancel, Promise};
use crate::state::State;
use crate::tracking::Teller;

/// A job whose key has been made, and whose work has not begun.
pub(super) struct Created {
    number: u64,
    client: u64,
    order: Order,
    cancel: Cancel,
}

impl Created {
    /// Sets its work going; no shard is locked.
    pub(super) fn set_going(self, state: &Arc<State>) {
        let work = Work {
            number: self.number,
            course: Arc::clone(&self.order.course),
            changes_keys: self.order.changes_keys(),
        };
        let server = Arc::clone(state);
        let conclude = move |answer| conclude(&server, work, answer);
        set_going(state, self.order, self.client, Promise::to(conclude, self.cancel));
    }
}

/// What the end of the work has to know of it.
struct Work {
    number: u64,
    course: Arc<Course>,
    /// Whether something has been done that stays, whatever becomes of the outcome.
    changes_keys: bool,
}

/// Runs a call that asks for a job.
pub(super) fn start(
    ctx: &Context<'_>,
    client: &mut Client,
    entry: &Entry,
    call: &mut Call<'_>,
    job: jobs::Job,
) -> Handled {
    let mark = call.reply.mark();
    let key = key_of(ctx.state, &job);
    let (patience, hold) = ctx.runner.manners();
    let scope = Scope::One(ctx.state.keyspace.shard_of(ctx.state.keyspace.hash(&key)));
    let Ok(mut txn) = ctx.state.keyspace.begin(scope, patience, hold, ctx.now_ms) else {
        return Handled::Contended;
    };
    txn.attribute(entry.id.index() as u16);
    if ctx.state.pause.is_on(&ctx.state.clock) {
        txn.keep_expired();
    }
    // Behind the transaction, so that the server is marked before its shards are free.
    let guard = ctx.state.poison.guard();
    let created = create_at(&key, ctx, &mut txn, client, entry, call, job);
    execute::count_change(ctx, &mut txn);
    let aftermath = txn.has_leftovers().then(|| settle::settle(ctx, &mut txn, Teller::of(&client.info)));
    drop(txn);
    drop(guard);
    if let Some(aftermath) = aftermath {
        aftermath.finish(ctx, &mut client.wakes);
    }
    let done = created.map(|created| {
        created.set_going(ctx.state);
        Flow::Done
    });
    execute::end(ctx, client, entry, mark, call, done)
}

/// Makes the key of a job where its shard is held, or can be reached, and answers it.
pub(super) fn create(
    ctx: &Context<'_>,
    txn: &mut Transaction<'_>,
    client: &Client,
    entry: &Entry,
    call: &mut Call<'_>,
    job: jobs::Job,
) -> Result<Created, Error> {
    create_at(&key_of(ctx.state, &job), ctx, txn, client, entry, call, job)
}

fn create_at(
    bytes: &[u8],
    ctx: &Context<'_>,
    txn: &mut Transaction<'_>,
    client: &Client,
    entry: &Entry,
    call: &mut Call<'_>,
    job: jobs::Job,
) -> Result<Created, Error> {
    let (state, order, config) = (ctx.state, job.into_order(), &ctx.state.config.compute);
    let Async { id, notify } = order.plan.options().asynchronous.clone().unwrap_or_default();
    if id.is_none() && !may_make_up(ctx, client, entry, call, bytes) {
        return Err(Error::NO_PERMISSION_TO_JOB);
    }
    let key = state.keyspace.key(bytes);
    txn.select(order.db);
    if let Some(found) = txn.inspect(&key) {
        return Err(Error::job_exists(found.kind(), found.object::<Job>().map(Job::stage)));
    }
    let (number, cancel) = (state.jobs.next_number(), Cancel::default());
    let listed = Listed {
        db: order.db,
        key: Some(bytes.into()),
        client: client.id,
        command: entry.command.name,
        created_ms: ctx.now_ms,
        course: Arc::clone(&order.course),
        cancel: cancel.clone(),
    };
    if !state.jobs.enter(number, listed) {
        return Err(Error::too_many_jobs());
    }
    let kept = Duration::from_millis(config.job_kept_ms.value().unsigned_abs());
    let job = Job::new(number, entry.command.name, ctx.now_ms, kept, notify.as_deref());
    execute::measured(ctx, txn, |txn| Site::new(state, txn, key).create(job));
    call.reply.bulk(bytes);
    Ok(Created { number, client: client.id, order, cancel })
}

/// The key of a job: that of ID, or one that nobody has.
fn key_of(state: &State, job: &jobs::Job) -> Vec<u8> {
    let named = job.options().asynchronous.as_ref().and_then(|wanted| wanted.id.clone());
    named.unwrap_or_else(|| {
        let mut random = state.random();
        let digits = (0..KEY_DIGITS).map(|_| DIGITS[random.below(DIGITS.len() as u64) as usize]);
        KEY_PREFIX.iter().copied().chain(digits).collect()
    })
}

const KEY_PREFIX: &[u8] = b"compute:job:";
/// Digits of a key that is made up: 130 bits, so that two are never the same.
const KEY_DIGITS: usize = 26;
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Whether a client may write a key that no word of its call names.
fn may_make_up(ctx: &Context<'_>, client: &Client, entry: &Entry, call: &Call<'_>, key: &[u8]) -> bool {
    client.info.rules().is_none_or(|user| {
        let attempt = Attempt::new(ctx.state, call.db, entry, call.request());
        user.may_touch(&user.selectors_for(&attempt), key, Access(Access::INSERT))
    })
}

/// Writes down how the work on a job has ended.
fn conclude(state: &Arc<State>, work: Work, answer: Option<Answer>) {
    let server = Arc::clone(state);
    state.executor.run(move |worker| {
        let ctx = Context::of_worker(&server, worker);
        let Outcome { stage, text } = Outcome::of(&ctx, &work, answer);
        let hold = if text.len() > LARGE_BYTES { Hold::Long } else { Hold::Short };
        change(&ctx, work.number, hold, |site| {
            if let Some(begun_ms) = work.course.begun_ms() {
                site.begin(work.number, begun_ms);
            }
            // Somebody may have cancelled it, and said why.
            if let Some(more) = site.end(work.number, stage, text)
                && stage == Stage::Canceled
                && let Some(changed) = more.strip_prefix(Error::JOB_CANCELED.text())
            {
                site.explain(work.number, changed);
            }
        });
        server.jobs.close(work.number);
        server.clients.tracking.end_turn(&server);
    });
}

/// An outcome that is worth a look at the memory left, and whose shard is held for longer than moments.
const LARGE_BYTES: usize = 64 * 1024;

/// What has come of the work.
struct Outcome {
    stage: Stage,
    /// The result in RESP3, or the text of the error.
    text: Vec<u8>,
}

impl Outcome {
    fn of(ctx: &Context<'_>, work: &Work, answer: Option<Answer>) -> Outcome {
        let mut reply = Reply::new(Version::Resp3);
        let error = match answer.map(|answer| answer.write(&mut reply)) {
            Some(Ok(())) => {
                // What was changed has to be told, and a short result takes no more than an error.
                let is_refused =
                    reply.len() > LARGE_BYTES && !work.changes_keys && admit::is_out_of_memory(ctx);
                if !is_refused {
                    return Outcome { stage: Stage::Done, text: reply.to_vec() };
                }
                Error::OUT_OF_MEMORY
            }
            Some(Err(error)) => error,
            None => Error::JOB_CANCELED,
        };
        let stage = match error.code() {
            b"CANCELED" => Stage::Canceled,
            b"DEADLINE" => Stage::Expired,
            _ => Stage::Failed,
        };
        Outcome { stage, text: error.text().to_vec() }
    }
}

/// Tells those who look on how far the jobs at work have got.
pub fn tell_progress(ctx: &Context<'_>) {
    for (number, listed) in ctx.state.jobs.at_work() {
        let (begun_ms, percent) = (listed.course.begun_ms(), listed.course.percent());
        let Some(begun_ms) = begun_ms.filter(|_| listed.course.is_news(percent)) else { continue };
        let is_told = change(ctx, number, Hold::Short, |site| {
            site.begin(number, begun_ms);
            site.advance(number, percent);
        });
        if is_told {
            listed.course.note_told(percent);
        }
    }
}

/// Does something with the key of a job, if it is still there. False if somebody keeps its shard for longer than this thread may
/// wait: then it has not been looked at.
fn change(ctx: &Context<'_>, number: u64, hold: Hold, act: impl FnOnce(&mut Site<'_, '_, '_>)) -> bool {
    let state = ctx.state;
    let Some(key) = state.jobs.find(number).and_then(|listed| listed.key) else { return true };
    let route = Route::One(state.keyspace.shard_of(state.keyspace.hash(&key)));
    let act = |txn: &mut Transaction<'_>| {
        if let Some(listed) = state.jobs.find(number) {
            txn.select(listed.db);
            act(&mut Site::new(state, txn, state.keyspace.key(&key)));
        }
    };
    holding(ctx, &route, hold, 0, act).is_some()
}

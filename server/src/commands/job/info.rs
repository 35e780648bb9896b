//! What a job is like, and what has come of it.

use shardis_protocol::{Reply, Version};
use shardis_storage::types::job::{Job, Stage};
use shardis_storage::{Key, View};

use super::SINCE;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flow, key};
use crate::value;

pub static INFO: Command = Command::read("JOB.INFO", info)
    .syntax("key [FULL]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_only().accesses()])
    .since(SINCE)
    .complexity("O(N) with N being the size of the result.")
    .summary("Tells how far a job has got, and its result when it is done.");

fn info(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let is_full = call.args.take_word("FULL");
    call.args.finish()?;
    if is_long(call, view.read::<Job>(&key)?.ok_or(Error::NO_JOB)?) {
        return Ok(Flow::Offload);
    }
    describe(call, view, &key, is_full);
    Ok(Flow::Done)
}

pub static RESULT: Command = Command::read("JOB.RESULT", result)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only().accesses()])
    .since(SINCE)
    .complexity("O(N) with N being the size of the result.")
    .summary("Returns the result of a job, or nothing while it has none.");

fn result(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let job = view.read::<Job>(&key)?.ok_or(Error::NO_JOB)?;
    if is_long(call, job) {
        return Ok(Flow::Offload);
    }
    match job.stage() {
        Stage::Created | Stage::Running => return call.null_array(),
        Stage::Done => write_result(call.reply, job),
        Stage::Failed | Stage::Canceled | Stage::Expired => {
            return Err(Error::job_without_result(job.stage(), job.outcome()));
        }
    }
    Ok(Flow::Done)
}

/// Whether to write its result takes too long here: in RESP2, for which it is made anew.
pub(super) fn is_long(call: &Call<'_>, job: &Job) -> bool {
    call.reply.version() == Version::Resp2 && call.should_offload(job.outcome().len() / BYTES_OF_AN_ELEMENT)
}

/// What an element of a result has, about.
const BYTES_OF_AN_ELEMENT: usize = 64;

/// Writes the fields of the job at a key, if there is one.
pub(super) fn describe(call: &mut Call<'_>, view: &mut View<'_>, key: &Key<'_>, is_full: bool) {
    let now_ms = call.now_ms;
    let Some(entry) = view.inspect(key) else { return };
    let (Some(job), deadline_ms) = (entry.object::<Job>(), entry.deadline_ms()) else { return };
    let listed = call.state.jobs.find(job.number());
    let (stage, percent) =
        listed.as_ref().map_or((job.stage(), job.percent()), |listed| listed.stage(Some(job)));
    let begun_ms = listed.as_ref().and_then(|listed| listed.course.begun_ms());
    let reply = &mut *call.reply;
    reply.map(13 + 2 * usize::from(is_full));
    for (name, text) in [
        ("key", key.bytes()),
        ("name", job.command().as_bytes()),
        ("kind", b"server"),
        ("state", stage.name().as_bytes()),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
    reply.bulk(b"params");
    reply.map(0);
    reply.bulk(b"tasks");
    reply.map(TASKS.len());
    for name in TASKS {
        reply.bulk(name.as_bytes());
        reply.integer(0);
    }
    reply.bulk(b"progress");
    reply.integer(percent.into());
    reply.bulk(b"result");
    match job.stage() {
        Stage::Done => write_result(reply, job),
        _ => reply.null(),
    }
    reply.bulk(b"error");
    match job.stage() {
        Stage::Failed | Stage::Canceled | Stage::Expired => reply.bulk(job.outcome()),
        _ => reply.null(),
    }
    for (name, instant_ms) in [
        ("created", Some(job.created_ms())),
        ("started", job.started_ms().or(begun_ms)),
        ("ended", job.ended_ms()),
    ] {
        reply.bulk(name.as_bytes());
        match instant_ms {
            Some(instant_ms) => reply.integer(instant_ms),
            None => reply.null(),
        }
    }
    reply.bulk(b"ttl");
    reply.integer(deadline_ms.map_or(-1, |deadline_ms| (deadline_ms - now_ms).max(0)));
    if is_full {
        reply.bulk(b"client");
        reply.integer(listed.and_then(|listed| i64::try_from(listed.client).ok()).unwrap_or(-1));
        reply.bulk(b"notify");
        match job.channel() {
            Some(channel) => reply.bulk(channel),
            None => reply.null(),
        }
    }
}

/// What the tasks of a job may be doing. The server does a job without any.
const TASKS: [&str; 8] = ["total", "blocked", "queued", "delayed", "active", "done", "failed", "canceled"];

/// Writes a result, which is kept as its reply in RESP3.
fn write_result(reply: &mut Reply, job: &Job) {
    match reply.version() {
        Version::Resp3 => reply.raw(job.outcome()),
        Version::Resp2 => value::decode(job.outcome()).write(reply),
    }
}

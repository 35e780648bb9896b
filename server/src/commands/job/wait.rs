//! Waiting for a job.

use shardis_protocol::Reply;
use shardis_storage::types::job::Job;
use shardis_storage::{Kind, Transaction};

use super::SINCE;
use super::info::{describe, is_long};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flow, key};

pub static WAIT: Command = Command::blocking("JOB.WAIT", Kind::Job, wait)
    .syntax("key [WAIT milliseconds] [FOR PROGRESS]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_only().accesses()])
    .in_turn()
    .since(SINCE)
    .complexity("O(N) with N being the size of the result.")
    .summary("Waits until a job has ended, or got on.");

/// Those who wait for the end stand behind those who wait for any progress: an offer that the first in the queue cannot use
/// goes no further, and the end is for all of them.
const BEHIND: i64 = 1 << 62;

fn wait(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let (mut wait_ms, mut for_progress) = (None, false);
    while !call.args.is_empty() {
        if wait_ms.is_none() && call.args.take_word("WAIT") {
            wait_ms = Some(call.timeout_ms()?);
        } else if !for_progress && call.args.take_word("FOR") && call.args.take_word("PROGRESS") {
            for_progress = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let job = txn.read::<Job>(&key)?.ok_or(Error::NO_JOB)?;
    if is_long(call, job) {
        return Ok(Flow::Offload);
    }
    let is_open = job.stage().is_open();
    // Whoever waits for progress is run again when there is some.
    let has_got_on = for_progress && call.ticket.is_some();
    if !is_open || has_got_on {
        describe(call, txn, &key, false);
        return Ok(Flow::Done);
    }
    let Some(wait_ms) = wait_ms else { return call.null_array() };
    let ticket = match (call.ticket, for_progress) {
        (None, false) => Some(BEHIND + call.state.waiters.ticket()),
        (ticket, _) => ticket,
    };
    let blocked = call.block(wait_ms, |reply: &mut Reply| reply.null_array());
    if let Some(block) = &mut call.block {
        block.ticket = ticket;
    }
    blocked
}

//! Ending a job before its end.

use shardis_storage::Transaction;
use shardis_storage::types::job::{Job, Stage};

use super::SINCE;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, key};
use crate::jobs::site::Site;
use crate::locks::TEXT_BYTES_MAX;

pub static CANCEL: Command = Command::write("JOB.CANCEL", cancel)
    .syntax("key [REASON reason]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(1)")
    .summary("Ends a job. Its work stops within moments; what it has changed stays.");

fn cancel(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let reason = if call.args.take_word("REASON") { Some(call.args.take()?) } else { None };
    call.args.finish()?;
    if reason.is_some_and(|reason| reason.len() > TEXT_BYTES_MAX) {
        return Err(Error::text_length("REASON"));
    }
    let number = txn.read::<Job>(&key)?.ok_or(Error::NO_JOB)?.number();
    let outcome = match reason {
        Some(reason) => [b"CANCELED ", reason].concat(),
        None => Error::JOB_CANCELED.text().to_vec(),
    };
    let was_open = Site::new(call.state, txn, key).end(number, Stage::Canceled, outcome).is_none();
    if was_open && let Some(listed) = call.state.jobs.find(number) {
        listed.cancel.set();
    }
    call.integer(i64::from(was_open))
}

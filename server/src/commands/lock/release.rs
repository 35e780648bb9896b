//! Giving locks back, and taking them away.

use shardis_storage::Transaction;

use super::SINCE;
use super::options::{fence_option, owner, text};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, key};
use crate::locks::site::Site;

pub static RELEASE: Command = Command::write("LOCK.RELEASE", release)
    .syntax("key owner [FENCE fence:integer] [ALL]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::FAST)
    .since(SINCE)
    .complexity("O(1); O(N) with N owners that share the lock.")
    .summary(
        "Releases the latest hold of an owner on a lock, and hands the lock over to the next one in turn.",
    );

fn release(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let owner = owner(&mut call.args)?;
    let (mut fence, mut all) = (None, false);
    while !call.args.is_empty() {
        if !all && call.args.take_word("ALL") {
            all = true;
        } else if !fence_option(&mut call.args, &mut fence)? {
            return Err(Error::SYNTAX);
        }
    }
    let mut site = Site::new(call.state, txn, key);
    let held = site.read_lock(|lock| lock.of_owner(owner).map(|at| lock.grants()[at].fence))?;
    let held = held.filter(|held| fence.is_none_or(|fence| fence == *held));
    let not_owner = || Error::not_owner(key.bytes(), "the lock");
    let left = site.release(held.ok_or_else(not_owner)?, all)?.ok_or_else(not_owner)?;
    call.integer(left)
}

pub static BREAK: Command = Command::write("LOCK.BREAK", break_lock)
    .syntax("key [REASON text]")
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::ADMIN)
    .since(SINCE)
    .complexity("O(N) with N being the number of owners that hold the lock.")
    .summary("Ends all grants of a lock, whoever holds it, and hands it over to the next one in turn.");

fn break_lock(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let reason = if call.args.take_word("REASON") { Some(text(&mut call.args, "REASON")?) } else { None };
    call.args.finish()?;
    let mut site = Site::new(call.state, txn, key);
    site.read_lock(|_| ())?;
    let ended = site.end_all()?;
    if ended > 0 {
        call.state.log.notice(format_args!(
            "Lock '{}' was broken: {} grants ended, reason: {}",
            key.bytes().escape_ascii(),
            ended,
            reason.unwrap_or(b"none given").escape_ascii()
        ));
    }
    call.integer(i64::try_from(ended).unwrap_or(i64::MAX))
}

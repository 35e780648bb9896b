//! Fences at work: what is done only while a grant is current. The fence is checked under the same locks as what it guards is
//! done under, so that nobody can lose the lock in between.

use shardis_protocol::{Request, number};
use shardis_storage::types::lock::Lock;
use shardis_storage::{Deadline, Transaction, View, WrongType};

use super::SINCE;
use super::options::fence;
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow, Inside, Run, key, named_by_content};
use crate::locks::site::instant_ms;
use crate::state::State;

pub static CHECK: Command = Command::read("LOCK.CHECK", check)
    .syntax("key fence:integer")
    .arity(Exactly(3))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .condition(is_checked)
    .since(SINCE)
    .complexity("O(1); O(N) with N owners that share the lock.")
    .summary(
        "Tells whether a fence is that of a current grant; in a transaction, all of it runs only if so.",
    );

fn check(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let fence = fence(&mut call.args)?;
    // Whatever the transaction has done since it began: it began because this held.
    let has_held = call.program.is_some_and(|program| program.has_met_conditions);
    if has_held || is_current(call.state, view, key.bytes(), fence)? {
        return call.integer(1);
    }
    Err(Error::fenced(key.bytes()))
}

/// Whether a call of CHECK lets its transaction begin. One that makes no sense is an error in its own place.
fn is_checked(state: &State, request: Request<'_>, txn: &mut Transaction<'_>) -> bool {
    let (key, fence) = (request.arg(1).unwrap_or_default(), request.arg(2).unwrap_or_default());
    let fence = number::parse_i64(fence).and_then(|fence| u64::try_from(fence).ok());
    fence.is_none_or(|fence| is_current(state, txn, key, fence).unwrap_or(false))
}

/// Whether a fence is that of a grant whose time is not over.
fn is_current(state: &State, view: &mut View<'_>, key: &[u8], fence: u64) -> Result<bool, WrongType> {
    let now_ms = instant_ms(state);
    let lock = view.read::<Lock>(&state.keyspace.key(key))?;
    let mut grants = lock.map_or(&[][..], Lock::grants).iter();
    Ok(grants.any(|grant| grant.fence == fence && !grant.term.is_over(now_ms)))
}

pub static GUARD: Command = Command::program("LOCK.GUARD", guard)
    .syntax("key fence:integer command [arg [arg ...]]")
    .arity(AtLeast(4))
    .keys(&[
        key(1).read_only().accesses(),
        named_by_content().read_write().accesses().updates().notes("The keys of the command that is run"),
    ])
    .running(3)
    .flags(Flags::WRITE.union(Flags::NO_SCRIPT))
    .flagged(flags_of_inner)
    .since(SINCE)
    .complexity("O(1) and that of the command.")
    .summary("Runs a command only if a fence is that of a current grant.");

/// A call is what the command is that it runs.
fn flags_of_inner(state: &State, request: Request<'_>, flags: Flags) -> Flags {
    let inner = state.commands.resolvable(request.tail(3));
    inner.map_or(flags, |entry| {
        if entry.flags.contains(Flags::DENY_OOM) { flags.union(Flags::DENY_OOM) } else { flags }
    })
}

fn guard(call: &mut Call<'_>, client: &mut Client, inside: &mut dyn Inside) -> Done {
    let key = call.next_key()?;
    let fence = fence(&mut call.args)?;
    let request = call.request().tail(3);
    let entry = call.state.commands.resolve(request)?;
    let is_refused = entry.told_flags(call.state.config.personality.value()).contains(Flags::NO_SCRIPT)
        || matches!(entry.command.run, Run::Program(_) | Run::Fanout(_) | Run::Container);
    if is_refused {
        return Err(Error::NOT_GUARDED);
    }
    let is_current =
        inside.with_data(client.db, &mut |txn| is_current(call.state, txn, key.bytes(), fence))?;
    if !is_current {
        return Err(Error::fenced(key.bytes()));
    }
    let db = client.db;
    inside.run(client, entry.id, request, call.reply);
    client.select(db);
    Ok(Flow::Done)
}

pub static FENCE: Command = Command::write("LOCK.FENCE", fence_resource)
    .syntax("resource:key token:integer")
    .arity(Exactly(3))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since(SINCE)
    .complexity("O(1)")
    .summary("Records a token at a resource unless a greater one has been there: whether it counts.");

fn fence_resource(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let token = number::parse_i64(call.args.take()?).filter(|&token| token >= 0);
    let token = token.ok_or(Error::TOKEN_NOT_INTEGER)?;
    let highest = match txn.string(&key)? {
        None => None,
        Some(value) => Some(value.as_i64().ok_or(Error::FENCED_RESOURCE)?),
    };
    if highest.is_some_and(|highest| token < highest) {
        return call.integer(0);
    }
    if highest != Some(token) {
        txn.set_string(&key, itoa::Buffer::new().format(token).as_bytes(), Deadline::Keep);
    }
    call.integer(1)
}

//! The one gate list: what a call must pass before it runs, in Redis's order: known, arity, protected, authenticated, allowed in a
//! transaction and to the user, memory, no monitor, no listener, no busy script; in Valkey's authentication comes first. Nothing
//! is locked yet.

use std::sync::atomic::Ordering;

use shardis_protocol::Request;

use super::Context;
use crate::acl::{Attempt, log};
use crate::client::{Client, Gate};
use crate::command::table::Entry;
use crate::command::{Error, Flags, Reach, Run, ScriptRules};
use crate::eviction::Room;
use crate::state::State;

/// What the call invokes, or why it may not.
#[inline(always)]
pub fn admit<'s>(
    ctx: &Context<'s>,
    client: &mut Client,
    request: Request<'_>,
    planned: Option<&'s Entry>,
) -> Result<&'s Entry, Error> {
    if ctx.state.poison.is_set() {
        client.close_after_reply = true;
        return Err(Error::POISONED);
    }
    let is_let_in = client.is_authenticated || ctx.state.is_open();
    if !is_let_in && ctx.state.config.dialect().authentication_first {
        free_for_all(ctx.state.commands.invoked(request))?;
    }
    let entry = match planned {
        Some(entry) => entry,
        None => return Err(unresolved(ctx, client, request)),
    };
    if entry.flags.contains(Flags::PROTECTED) {
        protected(ctx, client, entry)?;
    }
    if !is_let_in {
        free_for_all(Some(entry))?;
    }
    if client.info.gates.any() {
        pass(ctx, client, request, entry)?;
    } else if ctx.state.config.maxmemory.value() != 0 {
        within_memory(ctx, client, request, entry)?;
    }
    if ctx.state.watchdog.is_busy() && !entry.flags.contains(Flags::ALLOW_BUSY) {
        busy(ctx)?;
    }
    Ok(entry)
}

/// Refuses what is called while something has been running for too long.
#[cold]
fn busy(ctx: &Context<'_>) -> Result<(), Error> {
    let kind = ctx.state.watchdog.busy_kind();
    kind.map_or(Ok(()), |kind| Err(Error::busy(ctx.state.config.dialect(), kind)))
}

/// Makes room where there is none: for whatever is called, as memory may have grown in other ways.
#[inline(never)]
fn within_memory(
    ctx: &Context<'_>,
    client: &Client,
    request: Request<'_>,
    entry: &Entry,
) -> Result<(), Error> {
    let is_gathered = gathers(client, entry) && ctx.state.config.dialect().transactions_need_memory;
    let needs_more = is_gathered || flags(ctx.state, client, request, entry).contains(Flags::DENY_OOM);
    match ctx.state.memory_limit.make_room(ctx.state, ctx.stats, needs_more) {
        Room::None if needs_more => Err(Error::OUT_OF_MEMORY),
        Room::None | Room::Soon | Room::Enough => Ok(()),
    }
}

/// What a call of a script invokes, or why it may not.
pub fn admit_in_script<'s>(
    ctx: &Context<'s>,
    request: Request<'_>,
    rules: &ScriptRules,
    is_out_of_memory: bool,
) -> Result<&'s Entry, Error> {
    let dialect = ctx.state.config.dialect();
    let entry = match ctx.state.commands.resolve(request) {
        Ok(entry) => entry,
        Err(error) => {
            return Err(match ctx.state.commands.invoked(request) {
                Some(_) => Error::arity_in_script(dialect),
                None if ctx.state.commands.lookup(request.name()).is_some()
                    && !dialect.scripts_name_redis =>
                {
                    error
                }
                None => Error::unknown_in_script(dialect),
            });
        }
    };
    let is_denied = entry.told_flags(ctx.state.config.personality.value()).contains(Flags::NO_SCRIPT);
    // A program in a script would need an engine inside of an engine.
    let is_for_tests = ctx.state.scripts_may_call_all.load(Ordering::Relaxed);
    if is_denied && (!is_for_tests || matches!(entry.command.run, Run::Program(_))) {
        return Err(Error::not_in_script(dialect));
    }
    // What may be replicated must wait for the end of a pause, while scripts that only read do not.
    let flags = call_flags(ctx.state, request, entry);
    let counts_as_write = flags.contains(Flags::WRITE) || flags.contains(Flags::MAY_REPLICATE);
    if rules.refuses_writes && counts_as_write {
        return Err(Error::SCRIPT_WRITES);
    }
    let may_grow = rules.allows_oom || rules.has_written || !flags.contains(Flags::DENY_OOM);
    if is_out_of_memory && !may_grow { Err(Error::OUT_OF_MEMORY) } else { Ok(entry) }
}

/// Whether there is no memory left.
pub fn is_out_of_memory(ctx: &Context<'_>) -> bool {
    ctx.state.config.maxmemory.value() != 0
        && ctx.state.memory_limit.make_room(ctx.state, ctx.stats, true) == Room::None
}

/// Whether clients may invoke this before they have authenticated.
#[cold]
fn free_for_all(entry: Option<&Entry>) -> Result<(), Error> {
    if entry.is_some_and(|entry| entry.flags.contains(Flags::NO_AUTH)) { Ok(()) } else { Err(Error::NO_AUTH) }
}

/// What only some clients are held to, with what stands in between, in the order of the real servers.
#[cold]
fn pass(ctx: &Context<'_>, client: &Client, request: Request<'_>, entry: &Entry) -> Result<(), Error> {
    let gates = &client.info.gates;
    if gates.has(Gate::Tracking) {
        ctx.state.clients.tracking.limit(ctx.state);
    }
    if gates.has(Gate::Transaction) && entry.flags.contains(Flags::NO_MULTI) {
        return Err(Error::not_in_transaction(ctx.state.config.dialect(), &entry.full_name));
    }
    if gates.has(Gate::Rules) {
        let attempt = Attempt::new(ctx.state, client.db, entry, request);
        let (acl, context) = (&ctx.state.acl, log::Context::of(client));
        let checked = acl.check(ctx.state, &client.info, &attempt, context, &entry.full_name);
        checked.map_err(|refused| refused.error(&attempt))?;
    }
    if ctx.state.config.maxmemory.value() != 0 {
        within_memory(ctx, client, request, entry)?;
    }
    if gates.has(Gate::Monitor) {
        no_data(entry)?;
    }
    if gates.has(Gate::Subscribed) && !entry.flags.contains(Flags::WHILE_SUBSCRIBED) {
        return Err(Error::while_subscribed(&entry.full_name));
    }
    Ok(())
}

/// Whether the call is gathered for a transaction, and does not run.
#[inline]
pub fn gathers(client: &Client, entry: &Entry) -> bool {
    client.info.gates.has(Gate::Transaction) && !entry.flags.contains(Flags::NOT_QUEUED)
}

/// What a call is; one that runs what has been gathered is all that this is.
pub fn flags(state: &State, client: &Client, request: Request<'_>, entry: &Entry) -> Flags {
    match &client.queue {
        Some(queue) if entry.command.reach == Reach::Queued => entry.flags | queue.flags,
        _ => call_flags(state, request, entry),
    }
}

/// What a call is that runs nothing gathered.
pub fn call_flags(state: &State, request: Request<'_>, entry: &Entry) -> Flags {
    entry.command.call_flags.map_or(entry.flags, |call_flags| call_flags(state, request, entry.flags))
}

/// The real servers keep monitors, which are replicas to them, from the data.
fn no_data(entry: &Entry) -> Result<(), Error> {
    let touches_data = entry.flags.contains(Flags::WRITE) || entry.flags.contains(Flags::READONLY);
    if touches_data { Err(Error::MONITOR_AND_DATA) } else { Ok(()) }
}

/// Why a call invokes nothing. Two words that browsers send as a command's name end the connection: somebody makes one
/// talk to us.
#[cold]
fn unresolved(ctx: &Context<'_>, client: &mut Client, request: Request<'_>) -> Error {
    if [b"POST".as_slice(), b"Host:"].iter().any(|word| request.name().eq_ignore_ascii_case(word)) {
        client.close_after_reply = true;
    }
    match ctx.state.commands.resolve(request) {
        Err(error) => error,
        Ok(_) => unreachable!("a plan without an entry is a call that does not resolve"),
    }
}

#[cold]
fn protected(ctx: &Context<'_>, client: &Client, entry: &Entry) -> Result<(), Error> {
    if ctx.state.config.enable_debug_command.value().lets_in(client.info.is_local()) {
        return Ok(());
    }
    let name = entry.container.map_or(entry.command.name, |container| container.name);
    Err(Error::protected(name, "enable-debug-command"))
}

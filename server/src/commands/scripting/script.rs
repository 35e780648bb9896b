//! SCRIPT: the scripts that the server keeps.

use super::{STALE_IN_91, TO_ALL_NODES, take_flush_mode};
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow, Inside};
use crate::scripting::watchdog::{Killed, Kind};

pub static SCRIPT: Command =
    Command::container("SCRIPT", &[&DEBUG, &EXISTS, &FLUSH, &HELP, &KILL, &LOAD, &SHOW])
        .since("2.6.0")
        .complexity("Depends on subcommand.")
        .summary("A container for Lua scripts management commands.");

static DEBUG: Command = Command::client("DEBUG", debug)
    .syntax("mode=<YES | SYNC | NO>")
    .arity(Exactly(3))
    .flags(Flags::NO_SCRIPT)
    .since("3.2.0")
    .complexity("O(1)")
    .summary("Sets the debug mode of server-side Lua scripts.");

fn debug(call: &mut Call<'_>, _: &mut Client) -> Done {
    let mode = call.args.take()?;
    match ["NO", "YES", "SYNC"].iter().position(|word| is_word(mode, word)) {
        Some(0) => call.ok(),
        Some(_) => Err(Error::NO_SCRIPT_DEBUGGER),
        None => Err(Error::SCRIPT_DEBUG_MODE),
    }
}

static EXISTS: Command = Command::client("EXISTS", exists)
    .syntax("sha1 [sha1 ...]")
    .arity(AtLeast(3))
    .flags(Flags::NO_SCRIPT)
    .since("2.6.0")
    .complexity("O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).")
    .summary("Determines whether server-side Lua scripts exist in the script cache.")
    .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
    .elsewhere(STALE_IN_91);

fn exists(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.reply.array(call.args.len());
    for name in call.args.rest() {
        call.reply.integer(call.state.scripts.named(name).is_some().into());
    }
    Ok(Flow::Done)
}

static FLUSH: Command = Command::client("FLUSH", flush)
    .syntax("flush-type=[ASYNC | SYNC]@6.2.0")
    .arity(AtLeast(2))
    .flags(Flags::NO_SCRIPT)
    .since("2.6.0")
    .complexity("O(N) with N being the number of scripts in cache")
    .summary("Removes all server-side Lua scripts from the script cache.")
    .history(&[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")])
    .tips(TO_ALL_NODES)
    .elsewhere(STALE_IN_91);

fn flush(call: &mut Call<'_>, _: &mut Client) -> Done {
    take_flush_mode(call, Error::SCRIPT_FLUSH_MODE)?;
    call.state.scripts.clear();
    call.ok()
}

static HELP: Command = Command::help(help).since("5.0.0");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("SCRIPT", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "DEBUG (YES|SYNC|NO)",
    "    Set the debug mode for subsequent scripts executed.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache. Very dangerous on replicas.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the scripts cache.",
    "    * SYNC: Synchronously flush the scripts cache.",
    "KILL",
    "    Kill the currently executing Lua script.",
    "LOAD <script>",
    "    Load a script into the scripts cache without executing it.",
];

static KILL: Command = Command::client("KILL", kill)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT.union(Flags::ALLOW_BUSY))
    .since("2.6.0")
    .complexity("O(1)")
    .summary("Terminates a server-side Lua script during execution.")
    .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]);

fn kill(call: &mut Call<'_>, _: &mut Client) -> Done {
    kill_all(call, Kind::Script)
}

/// Ends all of a kind that are busy.
pub fn kill_all(call: &mut Call<'_>, kind: Kind) -> Done {
    match call.state.watchdog.kill(kind) {
        Killed::Done => call.ok(),
        Killed::NotBusy => Err(Error::NOT_BUSY),
        Killed::HaveWritten => Err(Error::UNKILLABLE),
        Killed::Others(kind) => Err(Error::busy(call.dialect(), kind)),
    }
}

static LOAD: Command = Command::program("LOAD", load)
    .syntax("script")
    .arity(Exactly(3))
    .flags(Flags::NO_SCRIPT.union(Flags::STALE))
    .since("2.6.0")
    .complexity("O(N) with N being the length in bytes of the script body.")
    .summary("Loads a server-side Lua script to the script cache.")
    .tips(TO_ALL_NODES);

fn load(call: &mut Call<'_>, _: &mut Client, inside: &mut dyn Inside) -> Done {
    let Some(engine) = inside.engine() else { return Ok(Flow::Offload) };
    let script = super::eval::keep(call.state, call.args.take()?)?;
    let compiled = engine.with(inside, |engine, _| engine.compile(call.state, &script));
    compiled.transpose()?;
    call.bulk(script.name.as_bytes())
}

static SHOW: Command = Command::client("SHOW", show)
    .syntax("sha1")
    .arity(Exactly(3))
    .flags(Flags::NO_SCRIPT.union(Flags::STALE))
    .since("8.0.0")
    .complexity("O(1).")
    .summary("Shows a script of the script cache.");

fn show(call: &mut Call<'_>, _: &mut Client) -> Done {
    let script = call.state.scripts.named(call.args.take()?);
    let script = script.ok_or_else(|| Error::no_such_script(call.dialect()))?;
    call.bulk(&script.text)
}

//! MODULE: there are none and none can be loaded, which is what the real servers answer too unless
//! `enable-module-command` allows it.

use super::connection::write_modules;
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow};

pub static MODULE: Command = Command::container("MODULE", &[&HELP, &LIST, &LOAD, &LOADEX, &UNLOAD])
    .since("4.0.0")
    .complexity("Depends on subcommand.")
    .summary("A container for module commands.");

const FLAGS: Flags = Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::NO_ASYNC_LOADING);

fn refuse(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::protected("MODULE", "enable-module-command"))
}

static HELP: Command = Command::help(help).since("5.0.0");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("MODULE", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "LIST",
    "    Return a list of loaded modules.",
    "LOAD <path> [<arg> ...]",
    "    Load a module library from <path>, passing to it any optional arguments.",
    "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
    "    Load a module library from <path>, while passing it module configurations and optional arguments.",
    "UNLOAD <name>",
    "    Unload a module.",
];

static LIST: Command = Command::client("LIST", list)
    .arity(Exactly(2))
    .flags(Flags::ADMIN.union(Flags::NO_SCRIPT))
    .since("4.0.0")
    .complexity("O(N) where N is the number of loaded modules.")
    .summary("Returns all loaded modules.")
    .tips(&["nondeterministic_output_order"]);

/// Those that the imitated server has from the start.
fn list(call: &mut Call<'_>, _: &mut Client) -> Done {
    write_modules(call.reply, call.state.config.dialect());
    Ok(Flow::Done)
}

static LOAD: Command = Command::client("LOAD", refuse)
    .syntax("path [arg [arg ...]]")
    .arity(AtLeast(3))
    .flags(FLAGS)
    .since("4.0.0")
    .complexity("O(1)")
    .summary("Loads a module.");

static LOADEX: Command = Command::client("LOADEX", refuse)
    .syntax("path [configs=CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]")
    .arity(AtLeast(3))
    .flags(FLAGS)
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Loads a module using extended parameters.");

static UNLOAD: Command = Command::client("UNLOAD", refuse)
    .syntax("name")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("4.0.0")
    .complexity("O(1)")
    .summary("Unloads a module.");

//! SCRIPT and FUNCTION of a server that runs no scripts yet: the sets of scripts and functions are there and empty; what
//! would add to them is refused.

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Category, Command, Done, Error, Family, Flags, Flow, Told};
use crate::config::Personality;

pub static FAMILY: Family = Family::new("scripting", Category::SCRIPTING, &[&FUNCTION, &SCRIPT]);

const TO_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const TO_ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
/// Allowed in Valkey on a replica with stale data.
const STALE_IN_91: &[(Personality, Told)] =
    &[(Personality::Valkey91, Told::Flags(Flags::NO_SCRIPT.union(Flags::STALE)))];

/// What would bring a script into the server.
fn refuse(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::NO_SCRIPTS)
}

/// Nothing runs that could be ended.
fn kill(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::NOT_BUSY)
}

/// Takes how something is to be flushed, which makes no difference to what is empty.
fn take_flush_mode(call: &mut Call<'_>, error: Error) -> Result<(), Error> {
    let is_mode = call.args.is_empty() || call.args.take_word("ASYNC") || call.args.take_word("SYNC");
    if is_mode && call.args.is_empty() { Ok(()) } else { Err(error) }
}

static SCRIPT: Command = Command::container(
    "SCRIPT",
    &[&SCRIPT_DEBUG, &SCRIPT_EXISTS, &SCRIPT_FLUSH, &SCRIPT_HELP, &SCRIPT_KILL, &SCRIPT_LOAD],
)
.since("2.6.0")
.complexity("Depends on subcommand.")
.summary("A container for Lua scripts management commands.");

static FUNCTION: Command = Command::container(
    "FUNCTION",
    &[
        &FUNCTION_DELETE,
        &FUNCTION_DUMP,
        &FUNCTION_FLUSH,
        &FUNCTION_HELP,
        &FUNCTION_KILL,
        &FUNCTION_LIST,
        &FUNCTION_LOAD,
        &FUNCTION_RESTORE,
        &FUNCTION_STATS,
    ],
)
.since("7.0.0")
.complexity("Depends on subcommand.")
.summary("A container for function commands.");

static SCRIPT_DEBUG: Command = Command::client("DEBUG", script_debug)
    .syntax("mode=<YES | SYNC | NO>")
    .arity(Exactly(3))
    .flags(Flags::NO_SCRIPT)
    .since("3.2.0")
    .complexity("O(1)")
    .summary("Sets the debug mode of server-side Lua scripts.");

fn script_debug(call: &mut Call<'_>, _: &mut Client) -> Done {
    let mode = call.args.take()?;
    match ["NO", "YES", "SYNC"].iter().position(|word| is_word(mode, word)) {
        Some(0) => call.ok(),
        Some(_) => Err(Error::NO_SCRIPTS),
        None => Err(Error::SCRIPT_DEBUG_MODE),
    }
}

static SCRIPT_EXISTS: Command = Command::client("EXISTS", script_exists)
    .syntax("sha1 [sha1 ...]")
    .arity(AtLeast(3))
    .flags(Flags::NO_SCRIPT)
    .since("2.6.0")
    .complexity("O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).")
    .summary("Determines whether server-side Lua scripts exist in the script cache.")
    .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
    .elsewhere(STALE_IN_91);

fn script_exists(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.reply.array(call.args.len());
    call.args.rest().for_each(|_| call.reply.integer(0));
    Ok(Flow::Done)
}

static SCRIPT_FLUSH: Command = Command::client("FLUSH", script_flush)
    .syntax("flush-type=[ASYNC | SYNC]@6.2.0")
    .arity(AtLeast(2))
    .flags(Flags::NO_SCRIPT)
    .since("2.6.0")
    .complexity("O(N) with N being the number of scripts in cache")
    .summary("Removes all server-side Lua scripts from the script cache.")
    .history(&[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")])
    .tips(TO_ALL_NODES)
    .elsewhere(STALE_IN_91);

fn script_flush(call: &mut Call<'_>, _: &mut Client) -> Done {
    take_flush_mode(call, Error::SCRIPT_FLUSH_MODE)?;
    call.ok()
}

static SCRIPT_HELP: Command = Command::client("HELP", script_help)
    .arity(Exactly(2))
    .flags(Flags::LOADING.union(Flags::STALE))
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Returns helpful text about the different subcommands.");

fn script_help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("SCRIPT", SCRIPT_HELP_LINES)
}

const SCRIPT_HELP_LINES: &[&str] = &[
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

static SCRIPT_KILL: Command = Command::client("KILL", kill)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT.union(Flags::ALLOW_BUSY))
    .since("2.6.0")
    .complexity("O(1)")
    .summary("Terminates a server-side Lua script during execution.")
    .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]);

static SCRIPT_LOAD: Command = Command::client("LOAD", refuse)
    .syntax("script")
    .arity(Exactly(3))
    .flags(Flags::NO_SCRIPT.union(Flags::STALE))
    .since("2.6.0")
    .complexity("O(N) with N being the length in bytes of the script body.")
    .summary("Loads a server-side Lua script to the script cache.")
    .tips(TO_ALL_NODES);

static FUNCTION_DELETE: Command = Command::client("DELETE", function_delete)
    .syntax("library-name")
    .arity(Exactly(3))
    .flags(Flags::WRITE.union(Flags::NO_SCRIPT))
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Deletes a library and its functions.")
    .tips(TO_ALL_SHARDS);

fn function_delete(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::NO_LIBRARY)
}

static FUNCTION_DUMP: Command = Command::client("DUMP", refuse)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT)
    .since("7.0.0")
    .complexity("O(N) where N is the number of functions")
    .summary("Dumps all libraries into a serialized binary payload.");

static FUNCTION_FLUSH: Command = Command::client("FLUSH", function_flush)
    .syntax("flush-type=[ASYNC | SYNC]")
    .arity(AtLeast(2))
    .flags(Flags::WRITE.union(Flags::NO_SCRIPT))
    .since("7.0.0")
    .complexity("O(N) where N is the number of functions deleted")
    .summary("Deletes all libraries and functions.")
    .tips(TO_ALL_SHARDS);

fn function_flush(call: &mut Call<'_>, _: &mut Client) -> Done {
    if call.args.len() > 1 {
        return Err(Error::unknown_subcommand_or_arity(
            "FUNCTION",
            call.request().arg(1).unwrap_or_default(),
        ));
    }
    take_flush_mode(call, Error::FUNCTION_FLUSH_MODE)?;
    call.ok()
}

static FUNCTION_HELP: Command = Command::client("HELP", function_help)
    .arity(Exactly(2))
    .flags(Flags::LOADING.union(Flags::STALE))
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Returns helpful text about the different subcommands.");

fn function_help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("FUNCTION", FUNCTION_HELP_LINES)
}

const FUNCTION_HELP_LINES: &[&str] = &[
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Create a new library with the given library name and code.",
    "DELETE <LIBRARY NAME>",
    "    Delete the given library.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries:",
    "    * Library name",
    "    * The engine used to run the Library",
    "    * Library description",
    "    * Functions list",
    "    * Library code (if WITHCODE is given)",
    "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    "STATS",
    "    Return information about the current function running:",
    "    * Function name",
    "    * Command used to run the function",
    "    * Duration in MS that the function is running",
    "    If no function is running, return nil",
    "    In addition, returns a list of available engines.",
    "KILL",
    "    Kill the current running function.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the libraries.",
    "    * SYNC: Synchronously flush the libraries.",
    "DUMP",
    "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
    "    control how to handle existing libraries (default APPEND):",
    "    * FLUSH: delete all existing libraries.",
    "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
    "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
    "      libraries with the new libraries (notice that even on this option there is a chance of failure",
    "      in case of functions name collision with another library).",
];

static FUNCTION_KILL: Command = Command::client("KILL", kill)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT.union(Flags::ALLOW_BUSY))
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Terminates a function during execution.")
    .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]);

static FUNCTION_LIST: Command = Command::client("LIST", function_list)
    .syntax("[LIBRARYNAME library-name-pattern] [WITHCODE]")
    .arity(AtLeast(2))
    .flags(Flags::NO_SCRIPT)
    .since("7.0.0")
    .complexity("O(N) where N is the number of functions")
    .summary("Returns information about all libraries.")
    .tips(&["nondeterministic_output_order"]);

fn function_list(call: &mut Call<'_>, _: &mut Client) -> Done {
    let (mut has_code, mut has_name) = (false, false);
    while let Some(word) = call.args.next() {
        if !has_code && is_word(word, "WITHCODE") {
            has_code = true;
        } else if !has_name && is_word(word, "LIBRARYNAME") {
            has_name = true;
            call.args.next().ok_or(Error::LIBRARY_NAME_MISSING)?;
        } else {
            return Err(Error::unknown_argument(word));
        }
    }
    call.reply.array(0);
    Ok(Flow::Done)
}

static FUNCTION_LOAD: Command = Command::client("LOAD", refuse)
    .syntax("[REPLACE] function-code")
    .arity(AtLeast(3))
    .flags(Flags::WRITE.union(Flags::DENY_OOM).union(Flags::NO_SCRIPT))
    .since("7.0.0")
    .complexity("O(1) (considering compilation time is redundant)")
    .summary("Creates a library.")
    .tips(TO_ALL_SHARDS);

static FUNCTION_RESTORE: Command = Command::client("RESTORE", refuse)
    .syntax("serialized-value policy=[FLUSH | APPEND | REPLACE]")
    .arity(AtLeast(3))
    .flags(Flags::WRITE.union(Flags::DENY_OOM).union(Flags::NO_SCRIPT))
    .since("7.0.0")
    .complexity("O(N) where N is the number of functions on the payload")
    .summary("Restores all libraries from a payload.")
    .tips(TO_ALL_SHARDS);

static FUNCTION_STATS: Command = Command::client("STATS", function_stats)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT.union(Flags::ALLOW_BUSY))
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Returns information about a function during execution.")
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]);

/// The one engine is there for those who look for it, and has nothing.
fn function_stats(call: &mut Call<'_>, _: &mut Client) -> Done {
    let reply = &mut *call.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    reply.null();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    for name in ["libraries_count", "functions_count"] {
        reply.bulk(name.as_bytes());
        reply.integer(0);
    }
    Ok(Flow::Done)
}

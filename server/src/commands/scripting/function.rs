//! FUNCTION of a server that has no functions yet: the set of libraries is there and empty; what would add to it is refused.

use super::script::kill;
use super::{TO_ALL_SHARDS, take_flush_mode};
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow};

/// What would bring a library into the server.
fn refuse(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::NO_SCRIPTS)
}

pub static FUNCTION: Command = Command::container(
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

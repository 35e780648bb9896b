//! FUNCTION: the libraries that the server keeps. Calling their functions is `fcall`.

use shardis_protocol::Reply;
use shardis_storage::glob;

use super::script::kill_all;
use super::{TO_ALL_SHARDS, take_flush_mode};
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow, Inside};
use crate::scripting::functions::{Function, Policy};
use crate::scripting::payload;
use crate::scripting::shebang::{self, ScriptFlags};
use crate::scripting::watchdog::Kind;

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

fn function_delete(call: &mut Call<'_>, _: &mut Client) -> Done {
    let name = call.args.take()?;
    call.state.functions.delete(name)?;
    call.ok()
}

static FUNCTION_DUMP: Command = Command::client("DUMP", function_dump)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT)
    .since("7.0.0")
    .complexity("O(N) where N is the number of functions")
    .summary("Dumps all libraries into a serialized binary payload.");

fn function_dump(call: &mut Call<'_>, _: &mut Client) -> Done {
    let collection = call.state.functions.collection();
    let texts = collection.libraries().map(|library| &*library.code);
    let payload = payload::encode(texts, call.dialect());
    call.bulk(&payload)
}

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
        return Err(Error::unknown_subcommand_or_arity("FUNCTION", call.subcommand()));
    }
    take_flush_mode(call, Error::FUNCTION_FLUSH_MODE)?;
    call.state.functions.clear();
    call.ok()
}

static FUNCTION_HELP: Command = Command::help(function_help).since("7.0.0");

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

static FUNCTION_KILL: Command = Command::client("KILL", function_kill)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT.union(Flags::ALLOW_BUSY))
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Terminates a function during execution.")
    .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]);

fn function_kill(call: &mut Call<'_>, _: &mut Client) -> Done {
    kill_all(call, Kind::Function)
}

static FUNCTION_LIST: Command = Command::client("LIST", function_list)
    .syntax("[LIBRARYNAME library-name-pattern] [WITHCODE]")
    .arity(AtLeast(2))
    .flags(Flags::NO_SCRIPT)
    .since("7.0.0")
    .complexity("O(N) where N is the number of functions")
    .summary("Returns information about all libraries.")
    .tips(&["nondeterministic_output_order"]);

fn function_list(call: &mut Call<'_>, _: &mut Client) -> Done {
    let (mut has_code, mut pattern) = (false, None);
    while let Some(word) = call.args.next() {
        if !has_code && is_word(word, "WITHCODE") {
            has_code = true;
        } else if pattern.is_none() && is_word(word, "LIBRARYNAME") {
            pattern = Some(call.args.next().ok_or(Error::LIBRARY_NAME_MISSING)?);
        } else {
            return Err(Error::unknown_argument(word));
        }
    }
    let collection = call.state.functions.collection();
    let is_listed =
        |name: &str| pattern.is_none_or(|pattern| glob::matches_ignore_case(pattern, name.as_bytes()));
    let listed: Vec<_> = collection.libraries().filter(|library| is_listed(&library.name)).collect();
    let reply = &mut *call.reply;
    reply.array(listed.len());
    for library in listed {
        reply.map(if has_code { 4 } else { 3 });
        reply.bulk(b"library_name");
        reply.bulk(library.name.as_bytes());
        reply.bulk(b"engine");
        reply.bulk(ENGINE);
        reply.bulk(b"functions");
        reply.array(library.functions.len());
        library.functions.iter().for_each(|function| write_function(function, reply));
        if has_code {
            reply.bulk(b"library_code");
            reply.bulk(&library.code);
        }
    }
    Ok(Flow::Done)
}

/// The one engine.
const ENGINE: &[u8] = b"LUA";

fn write_function(function: &Function, reply: &mut Reply) {
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(function.name.as_bytes());
    reply.bulk(b"description");
    match &function.description {
        Some(description) => reply.bulk(description),
        None => reply.null(),
    }
    reply.bulk(b"flags");
    let names = ScriptFlags::NAMES.iter().filter(|(_, flag)| function.flags.contains(*flag));
    reply.set(names.clone().count());
    names.for_each(|(name, _)| reply.simple(name));
}

static FUNCTION_LOAD: Command = Command::program("LOAD", function_load)
    .with_functions()
    .syntax("[REPLACE] function-code")
    .arity(AtLeast(3))
    .flags(Flags::WRITE.union(Flags::DENY_OOM).union(Flags::NO_SCRIPT))
    .since("7.0.0")
    .complexity("O(1) (considering compilation time is redundant)")
    .summary("Creates a library.")
    .tips(TO_ALL_SHARDS);

fn function_load(call: &mut Call<'_>, _: &mut Client, inside: &mut dyn Inside) -> Done {
    let mut replaces = false;
    while call.args.len() > 1 {
        let option = call.args.take()?;
        if !is_word(option, "REPLACE") {
            return Err(Error::unknown_load_option(option));
        }
        replaces = true;
    }
    let code = call.args.take()?;
    let name = shebang::library(code).map_err(|error| Error::library_shebang(&error))?.name;
    let functions = &call.state.functions;
    if !replaces && functions.collection().contains(&name) {
        return Err(Error::library_exists(&name));
    }
    let Some(engine) = inside.engine() else { return Ok(Flow::Offload) };
    let loaded = engine.with_function_engine(inside, |engine, _| {
        let loaded = engine.load(functions, code).and_then(|library| functions.load(library, replaces));
        engine.forget(functions);
        loaded
    });
    loaded.ok_or(Error::NO_ENGINE)??;
    call.bulk(name.as_bytes())
}

static FUNCTION_RESTORE: Command = Command::program("RESTORE", function_restore)
    .with_functions()
    .syntax("serialized-value policy=[FLUSH | APPEND | REPLACE]")
    .arity(AtLeast(3))
    .flags(Flags::WRITE.union(Flags::DENY_OOM).union(Flags::NO_SCRIPT))
    .since("7.0.0")
    .complexity("O(N) where N is the number of functions on the payload")
    .summary("Restores all libraries from a payload.")
    .tips(TO_ALL_SHARDS);

fn function_restore(call: &mut Call<'_>, _: &mut Client, inside: &mut dyn Inside) -> Done {
    let payload = call.args.take()?;
    let policy = match call.args.next() {
        _ if !call.args.is_empty() => {
            return Err(Error::unknown_subcommand_or_arity("FUNCTION", call.subcommand()));
        }
        None => Policy::Append,
        Some(word) if is_word(word, "APPEND") => Policy::Append,
        Some(word) if is_word(word, "REPLACE") => Policy::Replace,
        Some(word) if is_word(word, "FLUSH") => Policy::Flush,
        Some(_) => return Err(Error::RESTORE_POLICY),
    };
    let Some(engine) = inside.engine() else { return Ok(Flow::Offload) };
    let functions = &call.state.functions;
    let texts = payload::decode(payload, call.dialect())?;
    let restored = engine.with_function_engine(inside, |engine, _| {
        let libraries: Result<Vec<_>, Error> = texts.map(|text| engine.load(functions, &text?)).collect();
        let restored = libraries.and_then(|libraries| functions.restore(libraries, policy));
        engine.forget(functions);
        restored
    });
    restored.ok_or(Error::NO_ENGINE)??;
    call.ok()
}

static FUNCTION_STATS: Command = Command::client("STATS", function_stats)
    .arity(Exactly(2))
    .flags(Flags::NO_SCRIPT.union(Flags::ALLOW_BUSY))
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Returns information about a function during execution.")
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]);

fn function_stats(call: &mut Call<'_>, _: &mut Client) -> Done {
    let running = call.state.watchdog.busy_function();
    if running.is_none() && call.state.watchdog.busy_kind() == Some(Kind::Script) {
        return Err(Error::busy(call.dialect(), Kind::Script));
    }
    let collection = call.state.functions.collection();
    let reply = &mut *call.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    match running {
        None => reply.null(),
        Some(running) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(running.name.as_bytes());
            reply.bulk(b"command");
            let words = running.request.as_request();
            reply.array(words.len());
            words.iter().for_each(|word| reply.bulk(word));
            reply.bulk(b"duration_ms");
            reply.integer(running.took.as_millis() as i64);
        }
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(ENGINE);
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.integer(collection.libraries().len() as i64);
    reply.bulk(b"functions_count");
    reply.integer(collection.functions_count() as i64);
    Ok(Flow::Done)
}

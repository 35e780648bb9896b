//! SLOWLOG, and COMMANDLOG, which is Valkey's and has two more logs. What is logged is decided in `dispatch::cost`.

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Args, Call, Command, Done, Error, Flags, Flow};
use crate::observe::command_log::Subject;

pub static SLOWLOG: Command = Command::container("SLOWLOG", &[&GET, &HELP, &LEN, &RESET])
    .since("2.2.12")
    .complexity("Depends on subcommand.")
    .summary("A container for slow log commands.");

pub static COMMANDLOG: Command =
    Command::container("COMMANDLOG", &[&GET_OF_TYPE, &HELP_OF_TYPES, &LEN_OF_TYPE, &RESET_OF_TYPE])
        .since("8.1.0")
        .complexity("Depends on subcommand.")
        .summary("A container for command log commands.");

const HARMLESS: Flags = Flags::LOADING.union(Flags::STALE);
const FLAGS: Flags = Flags::ADMIN.union(HARMLESS);
const GET_TIPS: &[&str] = &["request_policy:all_nodes", "nondeterministic_output"];
const LEN_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"];
const RESET_TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

static GET: Command = Command::client("GET", get)
    .syntax("[count]")
    .arity(AtLeast(2))
    .flags(FLAGS)
    .since("2.2.12")
    .complexity("O(N) where N is the number of entries returned")
    .summary("Returns the slow log's entries.")
    .history(&[("4.0.0", "Added client IP address, port and name to the reply.")])
    .tips(GET_TIPS);

fn get(call: &mut Call<'_>, _: &mut Client) -> Done {
    let count = match call.args.len() {
        0 => DEFAULT_COUNT,
        1 => count(&mut call.args)?,
        _ => {
            let subcommand = call.request().arg(1).unwrap_or_default();
            return Err(Error::unknown_subcommand_or_arity("SLOWLOG", subcommand));
        }
    };
    write_newest(call, Subject::Slow, count)
}

static LEN: Command = Command::client("LEN", len)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("2.2.12")
    .complexity("O(1)")
    .summary("Returns the number of entries in the slow log.")
    .tips(LEN_TIPS);

fn len(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.integer(call.state.command_log.len(Subject::Slow))
}

static RESET: Command = Command::client("RESET", reset)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("2.2.12")
    .complexity("O(N) where N is the number of entries in the slowlog")
    .summary("Clears all entries from the slow log.")
    .tips(RESET_TIPS);

fn reset(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.state.command_log.reset(Subject::Slow);
    call.ok()
}

static HELP: Command =
    Command::help(help).since("6.2.0").summary("Show helpful text about the different subcommands.");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("SLOWLOG", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
];

static GET_OF_TYPE: Command = Command::client("GET", get_of_type)
    .syntax("count type=<SLOW | LARGE-REQUEST | LARGE-REPLY>")
    .arity(Exactly(4))
    .flags(FLAGS)
    .since("8.1.0")
    .complexity("O(N) where N is the number of entries returned")
    .summary("Returns the specified command log's entries.")
    .tips(GET_TIPS);

fn get_of_type(call: &mut Call<'_>, _: &mut Client) -> Done {
    let count = count(&mut call.args)?;
    let subject = subject(&mut call.args)?;
    write_newest(call, subject, count)
}

static LEN_OF_TYPE: Command = Command::client("LEN", len_of_type)
    .syntax("type=<SLOW | LARGE-REQUEST | LARGE-REPLY>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("8.1.0")
    .complexity("O(1)")
    .summary("Returns the number of entries in the specified type of command log.")
    .tips(LEN_TIPS);

fn len_of_type(call: &mut Call<'_>, _: &mut Client) -> Done {
    let subject = subject(&mut call.args)?;
    call.integer(call.state.command_log.len(subject))
}

static RESET_OF_TYPE: Command = Command::client("RESET", reset_of_type)
    .syntax("type=<SLOW | LARGE-REQUEST | LARGE-REPLY>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("8.1.0")
    .complexity("O(N) where N is the number of entries in the commandlog")
    .summary("Clears all entries from the specified type of command log.")
    .tips(RESET_TIPS);

fn reset_of_type(call: &mut Call<'_>, _: &mut Client) -> Done {
    let subject = subject(&mut call.args)?;
    call.state.command_log.reset(subject);
    call.ok()
}

static HELP_OF_TYPES: Command = Command::client("HELP", help_of_types)
    .arity(Exactly(2))
    .flags(HARMLESS)
    .since("8.1.0")
    .complexity("O(1)")
    .summary("Show helpful text about the different subcommands.");

fn help_of_types(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("COMMANDLOG", HELP_LINES_OF_TYPES)
}

const HELP_LINES_OF_TYPES: &[&str] = &[
    "GET <count> <type>",
    "    Return top <count> entries of the specified <type> from the commandlog (-1 mean all).",
    "    Entries are made of:",
    "    id, timestamp,",
    "        time in microseconds for type of slow,",
    "        or size in bytes for type of large-request,",
    "        or size in bytes for type of large-reply",
    "    arguments array, client IP and port,",
    "    client name",
    "LEN <type>",
    "    Return the length of the specified type of commandlog.",
    "RESET <type>",
    "    Reset the specified type of commandlog.",
];

/// How many entries are wanted; -1 stands for all.
fn count(args: &mut Args<'_>) -> Result<usize, Error> {
    let count = args.integer_in(-1..=i64::MAX, Error::LOG_COUNT).map_err(|_| Error::LOG_COUNT)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn subject(args: &mut Args<'_>) -> Result<Subject, Error> {
    let word = args.take()?;
    let known = Subject::NAMES.iter().find(|(name, _)| is_word(word, name));
    known.map(|(_, subject)| *subject).ok_or(Error::LOG_TYPE)
}

fn write_newest(call: &mut Call<'_>, subject: Subject, count: usize) -> Done {
    let entries = call.state.command_log.newest(subject, count);
    call.reply.array(entries.len());
    for entry in entries {
        call.reply.array(6);
        call.reply.integer(entry.id as i64);
        call.reply.integer(entry.at_seconds);
        call.reply.integer(entry.value);
        call.reply.array(entry.words.len());
        entry.words.iter().for_each(|word| call.reply.bulk(word));
        call.reply.bulk(entry.addr.as_bytes());
        call.reply.bulk(&entry.client_name);
    }
    Ok(Flow::Done)
}

/// Entries that SLOWLOG GET shows unless told otherwise.
const DEFAULT_COUNT: usize = 10;

//! OBJECT: how a value is stored and when it was used last.

use shardis_storage::{EntryRef, StringRef, View};

use crate::client::Client;
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, Flags, KeySpec, key};

const KEYS: &[KeySpec] = &[key(2).read_only()];
const TIPS: &[&str] = &["nondeterministic_output"];

pub static OBJECT: Command = Command::container("OBJECT", &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT])
    .since("2.2.3")
    .complexity("Depends on subcommand.")
    .summary("A container for object introspection commands.");

static ENCODING: Command = Command::read("ENCODING", encoding)
    .syntax("key")
    .arity(Exactly(3))
    .keys(KEYS)
    .since("2.2.3")
    .complexity("O(1)")
    .summary("Returns the internal encoding of a Redis object.")
    .tips(TIPS);

fn encoding(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    match view.peek(&key) {
        Some(entry) => call.bulk(entry.encoding().as_bytes()),
        None => call.null(),
    }
}

static FREQ: Command = Command::read("FREQ", freq)
    .syntax("key")
    .arity(Exactly(3))
    .keys(KEYS)
    .since("4.0.0")
    .complexity("O(1)")
    .summary("Returns the logarithmic access frequency counter of a Redis object.")
    .tips(TIPS);

fn freq(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    match view.peek(&key) {
        Some(_) => Err(Error::NO_FREQUENCY),
        None => call.null(),
    }
}

static HELP: Command = Command::client("HELP", help)
    .arity(Exactly(2))
    .flags(Flags::LOADING.union(Flags::STALE))
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Returns helpful text about the different subcommands.");

fn help(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.help("OBJECT", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
];

static IDLETIME: Command = Command::read("IDLETIME", idletime)
    .syntax("key")
    .arity(Exactly(3))
    .keys(KEYS)
    .since("2.2.3")
    .complexity("O(1)")
    .summary("Returns the time since the last access to a Redis object.")
    .tips(TIPS);

fn idletime(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    match view.peek(&key) {
        Some(entry) => call.integer(entry.idle_ms() / 1000),
        None => call.null(),
    }
}

static REFCOUNT: Command = Command::read("REFCOUNT", refcount)
    .syntax("key")
    .arity(Exactly(3))
    .keys(KEYS)
    .since("2.2.3")
    .complexity("O(1)")
    .summary("Returns the reference count of a value of a key.")
    .tips(TIPS);

fn refcount(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    match view.peek(&key) {
        Some(entry) if is_shared_integer(entry) => call.integer(SHARED_REFERENCES),
        Some(_) => call.integer(1),
        None => call.null(),
    }
}

/// Redis keeps one object for each small integer and says so here; our integers live in their entries.
fn is_shared_integer(entry: EntryRef<'_>) -> bool {
    matches!(entry.string(), Some(StringRef::Int(value)) if (0..SHARED_INTEGERS).contains(&value))
}

const SHARED_INTEGERS: i64 = 10_000;
const SHARED_REFERENCES: i64 = i32::MAX as i64;

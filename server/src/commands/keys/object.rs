//! OBJECT: how a value is stored and when it was used last.

use shardis_storage::types::hash::HashEncoding;
use shardis_storage::{Access, EntryRef, Key, Kind, StringRef, View};

use crate::client::Client;
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, KeySpec, key};
use crate::eviction;

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
        Some(entry) => call.bulk(encoding_of(call, &key, entry).as_bytes()),
        None => call.null(),
    }
}

/// How the imitated server would store a value.
pub fn encoding_of(call: &Call<'_>, key: &Key<'_>, entry: EntryRef<'_>) -> &'static str {
    match entry.kind() {
        Kind::List if call.dialect().only_quicklists => "quicklist",
        kind => match entry.encoding((call.dialect().raw_bytes_min)(key.bytes().len())) {
            TIMED_HASH => call.dialect().timed_hash_encoding,
            "listpack" if kind == Kind::Set && call.dialect().sets_without_listpacks => "hashtable",
            encoding => encoding,
        },
    }
}

/// How this server stores a small hash with deadlines of fields.
const TIMED_HASH: &str = HashEncoding::PackedTimed.name();

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
    let Some(access_clock) = view.peek(&key).map(|entry| entry.access_clock()) else { return call.null() };
    match eviction::access(&call.state.config) {
        Access::Recency => Err(Error::NO_FREQUENCY),
        Access::Frequency { .. } => call.integer(view.frequency(access_clock)),
    }
}

static HELP: Command = Command::help(help).since("6.2.0");

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
        Some(_) if eviction::access(&call.state.config) != Access::Recency => Err(Error::NO_IDLE_TIME),
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
        Some(entry) => call.integer(references_of(call, entry)),
        None => call.null(),
    }
}

/// How many references to a value the imitated server would have. Ours has one of each: even integers live in their
/// entries.
pub fn references_of(call: &Call<'_>, entry: EntryRef<'_>) -> i64 {
    let is_shared = call.dialect().shares_integers && !entry.is_copied_integer();
    match entry.string() {
        Some(StringRef::Int(0..SHARED_INTEGERS)) if is_shared => SHARED_REFERENCES,
        _ => 1,
    }
}

const SHARED_INTEGERS: i64 = 10_000;
const SHARED_REFERENCES: i64 = i32::MAX as i64;

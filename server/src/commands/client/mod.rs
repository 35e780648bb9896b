//! CLIENT: who is connected, and what they call themselves. What a client is listed with is in `lines`, which ones a call means
//! in `filter`; how it wants to be treated is in `modes`.

mod filter;
mod help;
mod kill;
mod lines;
mod modes;
mod pause;
mod tracking;
mod unblock;

use crate::client::Client;
use crate::command::Arity::Exactly;
use crate::command::args::{is_word, until_zero};
use crate::command::{Call, Command, Done, Error, Flags, Told};
use crate::config::{Dialect, Personality};

const FLAGS: Flags = ANYTIME.union(Flags::NO_SCRIPT);
const ANYTIME: Flags = Flags::LOADING.union(Flags::STALE).union(Flags::KEEPS_CACHING);
/// Allowed in Valkey while a script keeps the server busy.
const WHILE_BUSY_IN_91: &[(Personality, Told)] =
    &[(Personality::Valkey91, Told::Flags(FLAGS.union(Flags::ALLOW_BUSY)))];
const ADMIN: Flags = FLAGS.union(Flags::ADMIN);
const FOR_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

pub static CLIENT: Command = Command::container(
    "CLIENT",
    &[
        &tracking::CACHING,
        &modes::CAPA,
        &GETNAME,
        &tracking::GETREDIR,
        &help::HELP,
        &ID,
        &modes::IMPORT_SOURCE,
        &lines::INFO,
        &kill::KILL,
        &lines::LIST,
        &modes::NO_EVICT,
        &modes::NO_TOUCH,
        &pause::PAUSE,
        &modes::REPLY,
        &SETINFO,
        &SETNAME,
        &tracking::TRACKING,
        &tracking::TRACKINGINFO,
        &unblock::UNBLOCK,
        &pause::UNPAUSE,
    ],
)
.since("2.4.0")
.complexity("Depends on subcommand.")
.summary("A container for client connection commands.");

static GETNAME: Command = Command::client("GETNAME", getname)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("2.6.9")
    .complexity("O(1)")
    .summary("Returns the name of the connection.")
    .elsewhere(WHILE_BUSY_IN_91);

fn getname(call: &mut Call<'_>, client: &mut Client) -> Done {
    let names = client.info.names.lock();
    if names.name.is_empty() { call.null() } else { call.bulk(&names.name) }
}

static ID: Command = Command::client("ID", id)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Returns the unique client ID of the connection.")
    .elsewhere(WHILE_BUSY_IN_91);

fn id(call: &mut Call<'_>, client: &mut Client) -> Done {
    call.integer(client.id)
}

static SETINFO: Command = Command::client("SETINFO", setinfo)
    .syntax("attr=<LIB-NAME libname | LIB-VER libver>")
    .arity(Exactly(4))
    .flags(FLAGS)
    .since("7.2.0")
    .complexity("O(1)")
    .summary("Sets information specific to the client or connection.")
    .tips(FOR_ALL_NODES)
    .elsewhere(WHILE_BUSY_IN_91);

fn setinfo(call: &mut Call<'_>, client: &mut Client) -> Done {
    let (attribute, value) = (call.args.take()?, call.args.take()?);
    let mut names = client.info.names.lock();
    let field = if is_word(attribute, "LIB-NAME") {
        &mut names.lib_name
    } else if is_word(attribute, "LIB-VER") {
        &mut names.lib_ver
    } else {
        return Err(Error::unrecognized_option(attribute));
    };
    if !is_plain(call.dialect(), value) {
        return Err(Error::client_attribute(attribute));
    }
    *field = value.to_vec();
    call.ok()
}

static SETNAME: Command = Command::client("SETNAME", setname)
    .syntax("connection-name")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("2.6.9")
    .complexity("O(1)")
    .summary("Sets the connection name.")
    .tips(FOR_ALL_NODES)
    .elsewhere(&[
        (Personality::Redis70, Told::Tips(&[])),
        (Personality::Valkey91, Told::Flags(FLAGS.union(Flags::ALLOW_BUSY))),
    ]);

fn setname(call: &mut Call<'_>, client: &mut Client) -> Done {
    let name = call.args.take()?;
    if !is_plain(call.dialect(), name) {
        return Err(Error::CLIENT_NAME);
    }
    set_name(client, name);
    call.ok()
}

/// Gives a client a name that `is_plain`; an empty one takes it away.
pub fn set_name(client: &Client, name: &[u8]) {
    client.info.names.lock().name = name.to_vec();
}

/// Whether a name fits into a line of CLIENT LIST: it consists of visible ASCII characters. Servers after 7.0 end it at
/// a zero byte, in the check and in the list.
pub fn is_plain(dialect: &Dialect, name: &[u8]) -> bool {
    let checked = if dialect.client_name_ends_at_zero { until_zero(name) } else { name };
    checked.iter().all(u8::is_ascii_graphic)
}

/// Whether a word turns something on or off.
fn on_or_off(word: &[u8]) -> Result<bool, Error> {
    match (is_word(word, "ON"), is_word(word, "OFF")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

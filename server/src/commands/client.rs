//! CLIENT: who is connected, and what they call themselves.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use shardis_protocol::number;

use crate::client::registry::NO_COMMAND;
use crate::client::{Client, ClientInfo};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::{is_word, until_zero};
use crate::command::{Args, Call, Command, Done, Error, Flags, Flow, Told};
use crate::config::{Dialect, Personality};
use crate::state::CLIENT_BYTES;

const FLAGS: Flags = Flags::NO_SCRIPT.union(Flags::LOADING).union(Flags::STALE);
/// Allowed in Valkey while a script keeps the server busy.
const WHILE_BUSY_IN_91: &[(Personality, Told)] =
    &[(Personality::Valkey91, Told::Flags(FLAGS.union(Flags::ALLOW_BUSY)))];
const FOR_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

pub static CLIENT: Command =
    Command::container("CLIENT", &[&GETNAME, &HELP, &ID, &INFO, &LIST, &SETINFO, &SETNAME])
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

static HELP: Command = Command::client("HELP", help)
    .arity(Exactly(2))
    .flags(Flags::LOADING.union(Flags::STALE))
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Returns helpful text about the different subcommands.");

fn help(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.help("CLIENT", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * ID <client-id> [<client-id> ...]",
    "      Return clients of the specified IDs.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
];

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

static INFO: Command = Command::client("INFO", info)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Returns information about the connection.")
    .tips(&["nondeterministic_output"]);

fn info(call: &mut Call<'_>, client: &mut Client) -> Done {
    let mut lines = String::new();
    write_line(&mut lines, call, client, &client.info);
    call.reply.verbatim(b"txt", lines.as_bytes());
    Ok(Flow::Done)
}

static LIST: Command = Command::client("LIST", list)
    .syntax(
        "client-type=[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>]@5.0.0 [ID client-id [client-id ...]]@6.2.0",
    )
    .arity(AtLeast(2))
    .flags(FLAGS.union(Flags::ADMIN))
    .since("2.4.0")
    .complexity("O(N) where N is the number of client connections")
    .summary("Lists open connections.")
    .history(&[
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        ("6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."),
        ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
        ("7.0.3", "Added `ssub` field."),
    ])
    .tips(&["nondeterministic_output"]);

fn list(call: &mut Call<'_>, client: &mut Client) -> Done {
    let dialect = call.dialect();
    let filter = Filter::parse(&mut call.args, dialect, call.state.keyspace.databases())?;
    if call.should_offload(filter.ids.as_ref().map_or(call.state.clients.len(), Vec::len)) {
        return Ok(Flow::Offload);
    }
    let clients: Vec<Arc<ClientInfo>> = match &filter.ids {
        _ if filter.excludes_normal => Vec::new(),
        Some(ids) => ids.iter().filter_map(|&id| call.state.clients.client(id)).collect(),
        None => call.state.clients.all(),
    };
    let mut lines = String::new();
    let is_wanted =
        |info: &&Arc<ClientInfo>| filter.db.is_none_or(|db| info.db.load(Ordering::Relaxed) == db);
    for info in clients.iter().filter(is_wanted) {
        write_line(&mut lines, call, client, info);
    }
    call.reply.verbatim(b"txt", lines.as_bytes());
    Ok(Flow::Done)
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

/// A name as the list shows it.
fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(until_zero(name))
}

/// Which clients CLIENT LIST lists.
#[derive(Default)]
struct Filter {
    ids: Option<Vec<u64>>,
    /// There are no replicas, no master and no subscribers: asking for them finds nobody.
    excludes_normal: bool,
    /// Only those that have this database selected.
    db: Option<u16>,
}

impl Filter {
    /// Redis takes one option, Valkey any number of them.
    fn parse(args: &mut Args<'_>, dialect: &Dialect, databases: u16) -> Result<Filter, Error> {
        let mut filter = Filter::default();
        while !args.is_empty() {
            if args.take_word("TYPE") {
                let name = args.take()?;
                if !dialect.client_filters_combine {
                    args.finish()?;
                }
                filter.excludes_normal |= !is_normal(name, dialect.client_types)?;
            } else if args.take_word("ID") && !args.is_empty() {
                filter.ids =
                    Some(if dialect.client_filters_combine { leading_ids(args)? } else { ids(args)? });
            } else if dialect.client_filters_combine && args.take_word("DB") {
                filter.db = Some(database(args.take()?, databases)?);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(filter)
    }
}

/// The number of a database, as Valkey's filter takes it.
fn database(word: &[u8], databases: u16) -> Result<u16, Error> {
    let number = number::parse_i64(word).and_then(|number| i32::try_from(number).ok());
    let number = number.ok_or(Error::FILTER_DB_NOT_INTEGER)?;
    let db = u16::try_from(number).ok().filter(|&db| db < databases);
    db.ok_or_else(|| Error::filter_db_out_of_range(databases))
}

/// Whether this type of clients is the ordinary one.
fn is_normal(name: &[u8], known: &[&str]) -> Result<bool, Error> {
    let index = known.iter().position(|known| is_word(name, known));
    index.map(|index| index == 0).ok_or_else(|| Error::unknown_client_type(name))
}

/// All words that are left, as numbers of clients, in this order.
fn ids(args: &mut Args<'_>) -> Result<Vec<u64>, Error> {
    let mut ids = Vec::with_capacity(args.len());
    while let Some(word) = args.next() {
        let id = number::parse_i64(word).ok_or(Error::INVALID_CLIENT_ID)?;
        ids.extend(u64::try_from(id).ok());
    }
    Ok(ids)
}

/// The numbers up to the first word that is none, in ascending order.
fn leading_ids(args: &mut Args<'_>) -> Result<Vec<u64>, Error> {
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(number::parse_i64) {
        let id = u64::try_from(id).ok().filter(|&id| id > 0);
        ids.push(id.ok_or(Error::CLIENT_ID_NOT_POSITIVE)?);
        args.take()?;
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() { Err(Error::SYNTAX) } else { Ok(ids) }
}

/// Appends the line of a client, in the fields that the imitated server has. What there is none of yet is written as by a
/// server that does not use it.
fn write_line(lines: &mut String, call: &Call<'_>, caller: &Client, info: &ClientInfo) {
    let (dialect, is_caller) = (call.dialect(), info.id == caller.id);
    let active_ms = if is_caller { call.now_ms } else { info.active_ms.load(Ordering::Relaxed) };
    let seconds_since = |then_ms: i64| (call.now_ms - then_ms).max(0) / 1000;
    let query_bytes = info.query_bytes.load(Ordering::Relaxed);
    let query_free_bytes = info.query_free_bytes.load(Ordering::Relaxed);
    let output_bytes = info.output_bytes.load(Ordering::Relaxed);
    let commands = if is_caller { caller.commands } else { info.commands.load(Ordering::Relaxed) };
    let names = info.names.lock().clone();

    let mut line = Line { text: lines, is_empty: true };
    line.field("id", info.id);
    line.field("addr", &info.addr);
    line.field("laddr", &info.laddr);
    line.field("fd", info.fd);
    line.field("name", text(&names.name));
    line.field("age", seconds_since(info.connected_ms));
    line.field("idle", seconds_since(active_ms));
    line.field("flags", flags(info));
    line.fields_if(dialect.client_traffic, &["capa"], "");
    line.field("db", info.db.load(Ordering::Relaxed));
    line.fields_if(true, &["sub", "psub", "ssub"], 0);
    line.field("multi", -1);
    line.fields_if(dialect.client_traffic, &["watch"], 0);
    line.field("qbuf", query_bytes);
    line.field("qbuf-free", query_free_bytes);
    line.fields_if(true, &["argv-mem", "multi-mem", "rbs", "rbp", "obl"], 0);
    line.field("oll", u8::from(output_bytes > 0));
    line.field("omem", output_bytes);
    line.field("tot-mem", CLIENT_BYTES + query_bytes + query_free_bytes + output_bytes);
    line.field("events", if output_bytes > 0 { "rw" } else { "r" });
    line.field("cmd", if is_caller { current_command(call) } else { last_command(call, info) });
    line.field("user", "default");
    line.field("redir", -1);
    line.field("resp", info.protocol.load(Ordering::Relaxed));
    if dialect.client_library {
        line.field("lib-name", text(&names.lib_name));
        line.field("lib-ver", text(&names.lib_ver));
    }
    line.fields_if(dialect.client_traffic, &["tot-net-in"], info.received.value());
    line.fields_if(dialect.client_traffic, &["tot-net-out"], info.sent.value());
    line.fields_if(dialect.client_traffic, &["tot-cmds"], commands);
    lines.push('\n');
}

/// What is special about a client, a letter each.
fn flags(info: &ClientInfo) -> &'static str {
    match (info.is_monitor.load(Ordering::Relaxed), info.is_unix) {
        (false, false) => "N",
        (false, true) => "U",
        (true, false) => "O",
        (true, true) => "OU",
    }
}

/// A line under construction: fields with their values, a space between them.
struct Line<'a> {
    text: &'a mut String,
    is_empty: bool,
}

impl Line<'_> {
    fn field(&mut self, name: &str, value: impl Display) {
        let space = if std::mem::take(&mut self.is_empty) { "" } else { " " };
        self.text.push_str(&format!("{space}{name}={value}"));
    }

    /// Several fields with one value, if the imitated server has them.
    fn fields_if(&mut self, has: bool, names: &[&str], value: impl Display) {
        for name in names.iter().filter(|_| has) {
            self.field(name, &value);
        }
    }
}

fn current_command<'c>(call: &Call<'c>) -> &'c str {
    call.state.commands.invoked(call.request()).map_or("NULL", |entry| entry.full_name.as_str())
}

fn last_command<'c>(call: &Call<'c>, info: &ClientInfo) -> &'c str {
    let index = info.last_command.load(Ordering::Relaxed);
    let entry = call.state.commands.entries().get(usize::from(index)).filter(|_| index != NO_COMMAND);
    entry.map_or("NULL", |entry| entry.full_name.as_str())
}

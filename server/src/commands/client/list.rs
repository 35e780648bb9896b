//! CLIENT INFO and LIST: a line for each client, in the fields that the imitated server has.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::atomic::Ordering;

use super::filter::Filter;
use super::{ADMIN, FLAGS};
use crate::client::registry::{Mode, NO_COMMAND, Waiting};
use crate::client::{Client, ClientInfo};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::until_zero;
use crate::command::{Call, Command, Done, Flow};

pub static INFO: Command = Command::client("INFO", info)
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

pub static LIST: Command = Command::client("LIST", list)
    .syntax(
        "client-type=[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>]@5.0.0 [ID client-id [client-id ...]]@6.2.0",
    )
    .arity(AtLeast(2))
    .flags(ADMIN)
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
    let filter = Filter::of_list(call)?;
    if call.should_offload(filter.candidates(call)) {
        return Ok(Flow::Offload);
    }
    let mut lines = String::new();
    for info in filter.clients(call, client) {
        write_line(&mut lines, call, client, &info);
    }
    call.reply.verbatim(b"txt", lines.as_bytes());
    Ok(Flow::Done)
}

/// Appends the line of a client, in the fields that the imitated server has. What there is none of yet is written as by a
/// server that does not use it.
fn write_line(lines: &mut String, call: &Call<'_>, caller: &Client, info: &ClientInfo) {
    let (dialect, is_caller) = (call.dialect(), info.id == caller.id);
    let active_ms = if is_caller { call.now_ms } else { info.active_ms.load(Ordering::Relaxed) };
    let seconds_since = |then_ms: i64| (call.now_ms - then_ms).max(0) / 1000;
    let query_bytes = info.query_bytes.load(Ordering::Relaxed);
    let query_free_bytes = info.query_free_bytes.load(Ordering::Relaxed);
    let output_bytes = info.unsent_bytes();
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
    line.fields_if(dialect.client_traffic, &["capa"], capabilities(info));
    line.field("db", info.db.load(Ordering::Relaxed));
    let queue = info.queue();
    for (name, count) in ["sub", "psub", "ssub"].into_iter().zip(info.subscriptions.counts()) {
        line.field(name, count);
    }
    line.field("multi", queue.map_or(-1, |(calls, _)| calls as i64));
    line.fields_if(dialect.client_traffic, &["watch"], info.watched.load(Ordering::Relaxed));
    line.field("qbuf", query_bytes);
    line.field("qbuf-free", query_free_bytes);
    line.field("argv-mem", 0);
    line.field("multi-mem", queue.map_or(0, |(_, bytes)| bytes));
    line.fields_if(true, &["rbs", "rbp", "obl"], 0);
    line.field("oll", u8::from(output_bytes > 0));
    line.field("omem", output_bytes);
    line.field("tot-mem", info.memory_bytes());
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

/// A letter for each state and mode that a client is in.
pub fn flags(info: &ClientInfo) -> String {
    let states = [
        ('O', info.is_monitor.load(Ordering::Relaxed)),
        ('P', info.subscriptions.is_any()),
        ('x', info.queue().is_some()),
        ('b', info.is_waiting(Waiting::Blocked)),
        ('d', info.is_spoiled()),
        ('U', info.is_unix),
        ('e', info.is_in(Mode::NoEvict)),
        ('T', info.is_in(Mode::NoTouch)),
    ];
    let flags: String = states.iter().filter(|(_, is_so)| *is_so).map(|(letter, _)| letter).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// A letter for each capability that a client has claimed.
pub fn capabilities(info: &ClientInfo) -> &'static str {
    if info.is_in(Mode::Redirect) { "r" } else { "" }
}

/// A name as the list shows it.
fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(until_zero(name))
}

//! The line of a client in CLIENT INFO and LIST, and in what is remembered of it: the fields that the imitated server has.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::atomic::Ordering;

use super::ClientInfo;
use super::gates::Gate;
use super::registry::{Mode, NO_COMMAND, Waiting};
use crate::command::args::until_zero;
use crate::state::State;
use crate::tracking::Modes;

/// Appends the line of a client, in the fields that the imitated server has. What there is none of yet is written as by a
/// server that does not use it.
pub fn write(lines: &mut String, state: &State, now_ms: i64, info: &ClientInfo, current: Option<&str>) {
    let dialect = state.config.dialect();
    let active_ms = if current.is_some() { now_ms } else { info.active_ms.load(Ordering::Relaxed) };
    let seconds_since = |then_ms: i64| (now_ms - then_ms).max(0) / 1000;
    let query_bytes = info.query_bytes.load(Ordering::Relaxed);
    let query_free_bytes = info.query_free_bytes.load(Ordering::Relaxed);
    let output_bytes = info.unsent_bytes();
    let commands = info.commands.load(Ordering::Relaxed);
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
    line.field("cmd", current.unwrap_or_else(|| last_command(state, info)));
    line.field("user", text(&info.user_name()));
    line.field("redir", redirect(info));
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

fn last_command<'s>(state: &'s State, info: &ClientInfo) -> &'s str {
    let index = info.last_command.load(Ordering::Relaxed);
    let entry = state.commands.entries().get(usize::from(index)).filter(|_| index != NO_COMMAND);
    entry.map_or("NULL", |entry| entry.full_name.as_str())
}

/// A letter for each state and mode that a client is in.
pub fn flags(info: &ClientInfo) -> String {
    let is_tracking = info.tracking.has(Modes::ON);
    let states = [
        ('O', info.gates.has(Gate::Monitor)),
        ('P', info.subscriptions.is_any()),
        ('x', info.queue().is_some()),
        ('b', info.is_waiting(Waiting::Blocked)),
        ('t', is_tracking),
        ('R', is_tracking && info.tracking.has(Modes::BROKEN)),
        ('B', is_tracking && info.tracking.has(Modes::BROADCAST)),
        ('d', info.is_spoiled()),
        ('U', info.is_unix),
        ('e', info.is_in(Mode::NoEvict)),
        ('T', info.is_in(Mode::NoTouch)),
    ];
    let flags: String = states.iter().filter(|(_, is_so)| *is_so).map(|(letter, _)| letter).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// The client that hears of changes in its place: 0 for none, -1 if it does not track any.
pub fn redirect(info: &ClientInfo) -> i64 {
    let redirect = info.tracking.redirect().map_or(0, u64::cast_signed);
    if info.tracking.has(Modes::ON) { redirect } else { -1 }
}

/// A letter for each capability that a client has claimed.
pub fn capabilities(info: &ClientInfo) -> &'static str {
    if info.is_in(Mode::Redirect) { "r" } else { "" }
}

/// A name as the list shows it.
fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(until_zero(name))
}

//! CLIENT INFO and LIST: a line for each client. What stands in it is told in `client::line`.

use std::sync::atomic::Ordering;

use super::filter::Filter;
use super::{ADMIN, FLAGS};
use crate::client::{Client, ClientInfo, line};
use crate::command::Arity::{AtLeast, Exactly};
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
    write(&mut lines, call, client, &client.info);
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
        write(&mut lines, call, client, &info);
    }
    call.reply.verbatim(b"txt", lines.as_bytes());
    Ok(Flow::Done)
}

/// Appends the line of a client.
fn write(lines: &mut String, call: &Call<'_>, caller: &Client, info: &ClientInfo) {
    let is_caller = info.id == caller.id;
    if is_caller {
        info.commands.store(caller.commands, Ordering::Relaxed);
    }
    let current = call.state.commands.invoked(call.request()).filter(|_| is_caller);
    line::write(lines, call.state, call.now_ms, info, current.map(|entry| entry.full_name.as_str()));
}

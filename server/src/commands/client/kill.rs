//! CLIENT KILL: closes connections. One that closes itself is answered first.

use super::ADMIN;
use super::filter::Filter;
use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flow};

pub static KILL: Command = Command::client("KILL", kill)
    .syntax(
        "filter=<old-format | new-format=<ID client-id | client-type=TYPE <NORMAL | MASTER@3.2.0 | SLAVE | \
         REPLICA@5.0.0 | PUBSUB> | USER username | ADDR addr | LADDR laddr@6.2.0 | skipme=SKIPME <YES | NO> | MAXAGE \
         maxage:integer> [new-format ...]>",
    )
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("2.4.0")
    .complexity("O(N) where N is the number of client connections")
    .summary("Terminates open connections.")
    .history(&[
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        ("5.0.0", "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility."),
        ("6.2.0", "`LADDR` option."),
    ]);

fn kill(call: &mut Call<'_>, client: &mut Client) -> Done {
    let is_old_form = call.args.len() == 1;
    let mut filter = match call.args.peek() {
        Some(addr) if is_old_form => Filter::at_address(addr),
        _ => Filter::of_kill(call)?,
    };
    filter.skips_caller = filter.skips_caller.or(Some(true));
    if call.should_offload(filter.candidates(call)) {
        return Ok(Flow::Offload);
    }
    let mut killed = 0;
    for info in filter.clients(call, client) {
        if info.id == client.id {
            client.close_after_reply = true;
            killed += 1;
        } else {
            killed += usize::from(call.state.clients.close(&info));
        }
    }
    match (is_old_form, killed) {
        (true, 0) => Err(Error::NO_SUCH_CLIENT),
        (true, _) => call.ok(),
        (false, _) => call.integer(killed),
    }
}

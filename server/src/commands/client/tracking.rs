//! Client-side caching, which is not there yet: nobody can turn it on, and everything else answers as for a client that has not.

use super::{FLAGS, WHILE_BUSY_IN_91};
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flow};

pub static CACHING: Command = Command::client("CACHING", caching)
    .syntax("<YES | NO>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Instructs the server whether to track the keys in the next request.")
    .elsewhere(WHILE_BUSY_IN_91);

fn caching(_call: &mut Call<'_>, _client: &mut Client) -> Done {
    Err(Error::CACHING_WITHOUT_TRACKING)
}

pub static GETREDIR: Command = Command::client("GETREDIR", getredir)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Returns the client ID to which the connection's tracking notifications are redirected.")
    .elsewhere(WHILE_BUSY_IN_91);

fn getredir(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.integer(-1)
}

pub static TRACKING: Command = Command::client("TRACKING", tracking)
    .syntax(
        "status=<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    )
    .arity(AtLeast(3))
    .flags(FLAGS)
    .since("6.0.0")
    .complexity("O(1). Some options may introduce additional complexity.")
    .summary("Controls server-assisted client-side caching for the connection.");

/// The options are read before the word in front of them.
fn tracking(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let status = call.args.take()?;
    let mut has_redirect = false;
    while !call.args.is_empty() {
        if call.args.take_word("REDIRECT") && !call.args.is_empty() {
            if std::mem::replace(&mut has_redirect, true) {
                return Err(Error::REDIRECT_TWICE);
            }
            let id = u64::try_from(call.args.integer()?).ok();
            if id.and_then(|id| call.state.clients.client(id)).is_none() {
                return Err(Error::REDIRECT_TO_NOBODY);
            }
        } else if call.args.take_word("PREFIX") && !call.args.is_empty() {
            call.args.take()?;
        } else if !["BCAST", "OPTIN", "OPTOUT", "NOLOOP"].iter().any(|word| call.args.take_word(word)) {
            return Err(Error::SYNTAX);
        }
    }
    if super::on_or_off(status)? { Err(Error::NO_TRACKING) } else { call.ok() }
}

pub static TRACKINGINFO: Command = Command::client("TRACKINGINFO", trackinginfo)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Returns information about server-assisted client-side caching for the connection.");

fn trackinginfo(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let reply = &mut *call.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(-1);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(Flow::Done)
}

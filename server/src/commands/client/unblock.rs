//! CLIENT UNBLOCK: ends the wait of a client that a command has blocked. One that a pause holds back is not blocked by itself.

use super::ADMIN;
use crate::blocking::End;
use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error};

pub static UNBLOCK: Command = Command::client("UNBLOCK", unblock)
    .syntax("client-id [TIMEOUT | ERROR]")
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("5.0.0")
    .complexity("O(log N) where N is the number of client connections")
    .summary("Unblocks a client blocked by a blocking command from a different connection.");

fn unblock(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let options = call.args.behind(1)?;
    let how = match options.peek() {
        Some(reason) if options.len() == 1 => how(reason)?,
        Some(_) if !call.dialect().client_extra_words_ignored => {
            return Err(Error::unknown_subcommand_or_arity("CLIENT", call.subcommand()));
        }
        _ => End::TimedOut,
    };
    let id = u64::try_from(call.args.integer()?).ok();
    let client = id.and_then(|id| call.state.clients.client(id));
    call.integer(client.is_some_and(|client| client.unblock(how)) as i64)
}

fn how(reason: &[u8]) -> Result<End, Error> {
    match (is_word(reason, "TIMEOUT"), is_word(reason, "ERROR")) {
        (true, _) => Ok(End::TimedOut),
        (_, true) => Ok(End::Unblocked),
        _ => Err(Error::UNBLOCK_REASON),
    }
}

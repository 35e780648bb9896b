//! CLIENT PAUSE and UNPAUSE: holds back what clients ask for. How that works is told in `client::pause`.

use std::time::Duration;

use super::ADMIN;
use crate::client::Client;
use crate::client::pause::Severity;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error};

pub static PAUSE: Command = Command::client("PAUSE", pause)
    .syntax("timeout:integer [WRITE | ALL]@6.2.0")
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Suspends commands processing.")
    .history(&[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")]);

fn pause(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let options = call.args.behind(1)?;
    let severity = match options.peek() {
        Some(mode) if options.len() == 1 => severity(mode)?,
        Some(_) if !call.dialect().client_extra_words_ignored => {
            return Err(Error::unknown_subcommand_or_arity("CLIENT", call.subcommand()));
        }
        _ => Severity::All,
    };
    let length = call.timeout_ms()?;
    call.state.pause.begin(severity, Duration::from_millis(length), &call.state.clock);
    call.ok()
}

fn severity(mode: &[u8]) -> Result<Severity, Error> {
    match (is_word(mode, "WRITE"), is_word(mode, "ALL")) {
        (true, _) => Ok(Severity::Writes),
        (_, true) => Ok(Severity::All),
        _ => Err(Error::PAUSE_MODE),
    }
}

pub static UNPAUSE: Command = Command::client("UNPAUSE", unpause)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("6.2.0")
    .complexity("O(N) Where N is the number of paused clients")
    .summary("Resumes processing commands from paused clients.");

fn unpause(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.state.pause.end();
    call.ok()
}

//! How a client wants to be treated: whether it is answered, spared, unnoticed, and what it claims to be able to do.

use super::{ADMIN, FLAGS, WHILE_BUSY_IN_91, on_or_off};
use crate::client::{Answers, Client, Mode};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow, Told};
use crate::config::Personality;

pub static REPLY: Command = Command::client("REPLY", reply)
    .syntax("action=<ON | OFF | SKIP>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("3.2.0")
    .complexity("O(1)")
    .summary("Instructs the server whether to reply to commands.")
    .elsewhere(&[(
        Personality::Valkey91,
        Told::Flags(FLAGS.union(Flags::NO_MULTI).union(Flags::ALLOW_BUSY)),
    )]);

fn reply(call: &mut Call<'_>, client: &mut Client) -> Done {
    let mode = call.args.take()?;
    if is_word(mode, "ON") {
        client.answer(Answers::All);
        return call.ok();
    }
    if is_word(mode, "OFF") {
        client.answer(Answers::None);
    } else if !is_word(mode, "SKIP") {
        return Err(Error::SYNTAX);
    } else if client.answers != Answers::None {
        client.answer(Answers::AllButNext);
    }
    Ok(Flow::Done)
}

pub static NO_EVICT: Command = Command::client("NO-EVICT", no_evict)
    .syntax("<ON | OFF>")
    .arity(Exactly(3))
    .flags(ADMIN)
    .since("7.0.0")
    .complexity("O(1)")
    .summary("Sets the client eviction mode of the connection.")
    .elsewhere(&[(Personality::Valkey91, Told::Flags(ADMIN.union(Flags::ALLOW_BUSY)))]);

fn no_evict(call: &mut Call<'_>, client: &mut Client) -> Done {
    client.info.set_mode(Mode::NoEvict, on_or_off(call.args.take()?)?);
    call.ok()
}

pub static NO_TOUCH: Command = Command::client("NO-TOUCH", no_touch)
    .syntax("<ON | OFF>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("7.2.0")
    .complexity("O(1)")
    .summary("Controls whether commands sent by the client affect the LRU/LFU of accessed keys.")
    .elsewhere(WHILE_BUSY_IN_91);

fn no_touch(call: &mut Call<'_>, client: &mut Client) -> Done {
    client.note_accesses(!on_or_off(call.args.take()?)?);
    call.ok()
}

pub static CAPA: Command = Command::client("CAPA", capa)
    .syntax("capability [capability ...]")
    .arity(AtLeast(3))
    .flags(FLAGS.union(Flags::ALLOW_BUSY))
    .since("8.0.0")
    .complexity("O(1)")
    .summary("A client claims its capability.");

fn capa(call: &mut Call<'_>, client: &mut Client) -> Done {
    only_valkey(call)?;
    if call.args.rest().any(|word| is_word(word, "REDIRECT")) {
        client.info.set_mode(Mode::Redirect, true);
    }
    call.ok()
}

pub static IMPORT_SOURCE: Command = Command::client("IMPORT-SOURCE", import_source)
    .syntax("<ON | OFF>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("8.1.0")
    .complexity("O(1)")
    .summary("Marks this client as an import source when the server is in import mode.");

/// There is no import mode, so there is nothing to be a source of.
fn import_source(call: &mut Call<'_>, _client: &mut Client) -> Done {
    only_valkey(call)?;
    if is_word(call.args.take()?, "OFF") { call.ok() } else { Err(Error::NO_IMPORT_MODE) }
}

/// Redis does not have the subcommand.
fn only_valkey(call: &Call<'_>) -> Result<(), Error> {
    if call.dialect().client_traffic {
        return Ok(());
    }
    Err(Error::unknown_subcommand("CLIENT", call.subcommand()))
}

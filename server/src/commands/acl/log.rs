//! ACL LOG: what was refused.

use super::ADMIN;
use crate::acl::log::Entry;
use crate::client::Client;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flow};

pub static LOG: Command = Command::client("LOG", log)
    .syntax("operation=[count | RESET]")
    .arity(AtLeast(2))
    .flags(ADMIN)
    .since("6.0.0")
    .complexity("O(N) with N being the number of entries shown.")
    .summary("Lists recent security events generated due to ACL rules.")
    .history(&[("7.2.0", "Added entry ID, timestamp created, and timestamp last updated.")]);

fn log(call: &mut Call<'_>, _: &mut Client) -> Done {
    let log = &call.state.acl.log;
    let count = match call.args.len() {
        0 => DEFAULT_COUNT,
        1 if call.args.take_word("RESET") => {
            log.reset();
            return call.ok();
        }
        1 => usize::try_from(call.args.integer()?).unwrap_or(0),
        _ => return Err(Error::unknown_subcommand_or_arity("ACL", call.subcommand())),
    };
    let entries = log.newest(count);
    call.reply.array(entries.len());
    for entry in entries {
        write(call, &entry)?;
    }
    Ok(Flow::Done)
}

fn write(call: &mut Call<'_>, entry: &Entry) -> Result<(), Error> {
    let has_ids = call.dialect().refusals_have_ids;
    call.reply.map(if has_ids { 10 } else { 7 });
    call.reply.bulk(b"count");
    call.reply.integer(entry.count as i64);
    for (name, value) in [
        ("reason", entry.event.reason.name().as_bytes()),
        ("context", entry.event.context.name().as_bytes()),
        ("object", &entry.event.object),
        ("username", &entry.event.user),
    ] {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(value);
    }
    call.reply.bulk(b"age-seconds");
    call.double((call.now_ms - entry.updated_ms) as f64 / 1000.0)?;
    call.reply.bulk(b"client-info");
    call.reply.bulk(entry.client.as_bytes());
    if has_ids {
        for (name, value) in [
            ("entry-id", entry.id as i64),
            ("timestamp-created", entry.created_ms),
            ("timestamp-last-updated", entry.updated_ms),
        ] {
            call.reply.bulk(name.as_bytes());
            call.reply.integer(value);
        }
    }
    Ok(())
}

/// Entries that are shown unless told otherwise.
const DEFAULT_COUNT: usize = 10;

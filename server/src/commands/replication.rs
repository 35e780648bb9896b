//! Replication, of which there is none yet: the server is a master without replicas, and says so.

use shardis_protocol::number;

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Call, Category, Command, Done, Error, Flags, Flow};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::STALE).union(Flags::NO_ASYNC_LOADING);
const SYNC_FLAGS: Flags =
    Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::NO_ASYNC_LOADING).union(Flags::NO_MULTI);

/// What a replica would ask for.
fn refuse(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::NO_REPLICAS)
}

pub static FAILOVER: Command = Command::client("FAILOVER", failover)
    .syntax("target=[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]")
    .arity(AtLeast(1))
    .flags(Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::STALE))
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Starts a coordinated failover from a server to one of its replicas.");

fn failover(call: &mut Call<'_>, _: &mut Client) -> Done {
    if call.args.len() == 1 && call.args.take_word("ABORT") {
        return Err(Error::NO_FAILOVER);
    }
    let (mut has_timeout, mut has_target, mut is_forced) = (false, false, false);
    while let Some(word) = call.args.next() {
        if !has_timeout && is_word(word, "TIMEOUT") && !call.args.is_empty() {
            has_timeout = true;
            if call.args.integer()? <= 0 {
                return Err(Error::FAILOVER_TIMEOUT);
            }
        } else if !has_target && is_word(word, "TO") && call.args.len() > 1 {
            has_target = true;
            call.args.take()?;
            call.args.integer()?;
        } else if !is_forced && is_word(word, "FORCE") {
            is_forced = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Err(Error::FAILOVER_WITHOUT_REPLICAS)
}

pub static PSYNC: Command = Command::client("PSYNC", refuse)
    .syntax("replicationid offset")
    .arity(AtLeast(3))
    .flags(SYNC_FLAGS)
    .since("2.8.0")
    .summary("An internal command used in replication.");

pub static REPLCONF: Command = Command::client("REPLCONF", refuse)
    .arity(AtLeast(1))
    .flags(
        Flags::ADMIN
            .union(Flags::NO_SCRIPT)
            .union(Flags::LOADING)
            .union(Flags::STALE)
            .union(Flags::ALLOW_BUSY)
            .union(Flags::SYSTEM),
    )
    .since("3.0.0")
    .complexity("O(1)")
    .summary("An internal command for configuring the replication stream.");

pub static REPLICAOF: Command = Command::client("REPLICAOF", replicaof)
    .syntax("args=<host-port=<host port> | no-one=<NO ONE>>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Configures a server as replica of another, or promotes it to a master.");

/// Nobody is followed, and nobody can be.
fn replicaof(call: &mut Call<'_>, _: &mut Client) -> Done {
    let (host, port) = (call.args.take()?, call.args.take()?);
    if is_word(host, "NO") && is_word(port, "ONE") {
        return call.ok();
    }
    match number::parse_i64(port).and_then(|port| u16::try_from(port).ok()) {
        Some(_) => Err(Error::NO_REPLICATION),
        None => Err(Error::MASTER_PORT),
    }
}

pub static ROLE: Command = Command::client("ROLE", role)
    .arity(Exactly(1))
    .flags(Flags::NO_SCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST))
    .categories(Category::ADMIN.union(Category::DANGEROUS))
    .since("2.8.12")
    .complexity("O(1)")
    .summary("Returns the replication role.");

fn role(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.integer(0);
    call.reply.array(0);
    Ok(Flow::Done)
}

pub static SLAVEOF: Command = Command::client("SLAVEOF", replicaof)
    .syntax("args=<host-port=<host port> | no-one=<NO ONE>>")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("1.0.0")
    .complexity("O(1)")
    .deprecated("5.0.0", "`REPLICAOF`")
    .summary("Sets a server as a replica of another, or promotes it to being a master.");

pub static SYNC: Command = Command::client("SYNC", refuse)
    .arity(Exactly(1))
    .flags(SYNC_FLAGS)
    .since("1.0.0")
    .summary("An internal command used in replication.");

//! The server as a whole: its family, its clock and its end. The larger members of the family have files of their own.

use super::acl::ACL;
use super::command::COMMAND;
use super::command_log::{COMMANDLOG, SLOWLOG};
use super::config::CONFIG;
use super::debug::DEBUG;
use super::info::INFO;
use super::keys::{DBSIZE, FLUSHALL, FLUSHDB, SWAPDB};
use super::latency::LATENCY;
use super::lolwut::LOLWUT;
use super::memory::MEMORY;
use super::module::MODULE;
use super::persistence::{BGREWRITEAOF, BGSAVE, LASTSAVE, SAVE};
use super::replication::{FAILOVER, PSYNC, REPLCONF, REPLICAOF, ROLE, SLAVEOF, SYNC};
use crate::client::{Client, Gate};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Done, Error, Family, Flags, Flow};

pub static FAMILY: Family = Family::new(
    "server",
    Category::NONE,
    &[
        &ACL,
        &BGREWRITEAOF,
        &BGSAVE,
        &COMMAND,
        &COMMANDLOG,
        &CONFIG,
        &DBSIZE,
        &DEBUG,
        &FAILOVER,
        &FLUSHALL,
        &FLUSHDB,
        &INFO,
        &LASTSAVE,
        &LATENCY,
        &LOLWUT,
        &MEMORY,
        &MODULE,
        &MONITOR,
        &PSYNC,
        &REPLCONF,
        &REPLICAOF,
        &ROLE,
        &SAVE,
        &SHUTDOWN,
        &SLAVEOF,
        &SLOWLOG,
        &SWAPDB,
        &SYNC,
        &TIME,
    ],
);

static MONITOR: Command = Command::client("MONITOR", monitor)
    .arity(Exactly(1))
    .flags(Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::LOADING).union(Flags::STALE))
    .since("1.0.0")
    .summary("Listens for all requests received by the server in real-time.");

/// Whoever does so already gets no further answer, as in the real servers.
fn monitor(call: &mut Call<'_>, client: &mut Client) -> Done {
    if client.info.gates.has(Gate::Monitor) {
        return Ok(Flow::Done);
    }
    if client.monitor() { call.ok() } else { Err(Error::MONITOR_NOT_ALLOWED) }
}

static SHUTDOWN: Command = Command::client("SHUTDOWN", shutdown)
    .syntax("[NOSAVE | SAVE] [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0")
    .arity(AtLeast(1))
    .flags(
        Flags::ADMIN
            .union(Flags::NO_SCRIPT)
            .union(Flags::LOADING)
            .union(Flags::STALE)
            .union(Flags::NO_MULTI)
            .union(Flags::ALLOW_BUSY),
    )
    .since("1.0.0")
    .complexity(
        "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    )
    .summary("Synchronously saves the database(s) to disk and shuts down the Redis server.")
    .history(&[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")]);

/// Ends the server without a word: the closed connection is the reply.
fn shutdown(call: &mut Call<'_>, client: &mut Client) -> Done {
    const WORDS: [&str; 5] = ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"];
    let mut is_given = [false; WORDS.len()];
    while !call.args.is_empty() {
        let index = WORDS.iter().position(|word| call.args.take_word(word)).ok_or(Error::SYNTAX)?;
        is_given[index] = true;
    }
    let [nosave, save, now, force, abort] = is_given;
    if (save && nosave) || (abort && (save || nosave || now || force)) {
        return Err(Error::SYNTAX);
    }
    if abort {
        return Err(Error::NO_SHUTDOWN);
    }
    if let Some(kind) = call.state.watchdog.busy_kind().filter(|_| !nosave) {
        return Err(Error::busy(call.dialect(), kind));
    }
    if save && !force {
        return Err(Error::NOTHING_IS_SAVED);
    }
    call.state.log.warning("User requested shutdown...");
    call.state.request_shutdown();
    client.close_after_reply = true;
    Ok(Flow::Done)
}

static TIME: Command = Command::client("TIME", time)
    .arity(Exactly(1))
    .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
    .since("2.6.0")
    .complexity("O(1)")
    .summary("Returns the server time.")
    .tips(&["nondeterministic_output"]);

fn time(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let now_us = call.instant_us();
    call.reply.array(2);
    call.reply.bulk_integer(now_us.div_euclid(MICROSECONDS));
    call.reply.bulk_integer(now_us.rem_euclid(MICROSECONDS));
    Ok(Flow::Done)
}

const MICROSECONDS: i64 = 1_000_000;

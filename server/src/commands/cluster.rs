//! CLUSTER and what goes with it, on a server that is no part of a cluster: all that is there is the refusal, in the order of
//! checks and with the texts of a server whose cluster support is disabled.

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Category, Command, Done, Error, Family, Flags, Told};
use crate::config::Personality;

pub static FAMILY: Family =
    Family::new("cluster", Category::NONE, &[&ASKING, &CLUSTER, &READONLY, &READWRITE]);

static CLUSTER: Command = Command::container(
    "CLUSTER",
    &[
        &ADDSLOTS,
        &ADDSLOTSRANGE,
        &BUMPEPOCH,
        &COUNT_FAILURE_REPORTS,
        &COUNTKEYSINSLOT,
        &DELSLOTS,
        &DELSLOTSRANGE,
        &FAILOVER,
        &FLUSHSLOTS,
        &FORGET,
        &GETKEYSINSLOT,
        &HELP,
        &INFO,
        &KEYSLOT,
        &LINKS,
        &MEET,
        &MYID,
        &MYSHARDID,
        &NODES,
        &REPLICAS,
        &REPLICATE,
        &RESET,
        &SAVECONFIG,
        &SET_CONFIG_EPOCH,
        &SETSLOT,
        &SHARDS,
        &SLAVES,
        &SLOTS,
    ],
)
.since("3.0.0")
.complexity("Depends on subcommand.")
.summary("A container for Redis Cluster commands.");

const ADMIN: Flags = Flags::ADMIN.union(Flags::STALE).union(Flags::NO_ASYNC_LOADING);
const ANYTIME: Flags = Flags::LOADING.union(Flags::STALE);
const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];
/// In 7.0 not allowed yet while data is being loaded.
const STALE_IN_70: &[(Personality, Told)] = &[(Personality::Redis70, Told::Flags(Flags::STALE))];

/// What every one of them answers without a cluster.
fn disabled(_: &mut Call<'_>, _: &mut Client) -> Done {
    Err(Error::CLUSTER_DISABLED)
}

/// What some servers answer without a cluster all the same.
fn useful_alone(call: &Call<'_>) -> Result<(), Error> {
    if call.dialect().answers_without_cluster { Ok(()) } else { Err(Error::CLUSTER_DISABLED) }
}

static ADDSLOTS: Command = Command::client("ADDSLOTS", disabled)
    .syntax("slot [slot ...]")
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(N) where N is the total number of hash slot arguments")
    .summary("Assigns new hash slots to a node.");

static ADDSLOTSRANGE: Command = Command::client("ADDSLOTSRANGE", disabled)
    .syntax("start-slot:integer end-slot:integer [start-slot:integer end-slot:integer ...]")
    .arity(AtLeast(4))
    .flags(ADMIN)
    .since("7.0.0")
    .complexity(
        "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
    )
    .summary("Assigns new hash slot ranges to a node.");

static BUMPEPOCH: Command = Command::client("BUMPEPOCH", disabled)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Advances the cluster config epoch.")
    .tips(NONDETERMINISTIC);

static COUNT_FAILURE_REPORTS: Command = Command::client("COUNT-FAILURE-REPORTS", disabled)
    .syntax("node-id")
    .arity(Exactly(3))
    .flags(Flags::ADMIN.union(Flags::STALE))
    .since("3.0.0")
    .complexity("O(N) where N is the number of failure reports")
    .summary("Returns the number of active failure reports for a node.")
    .tips(NONDETERMINISTIC);

static COUNTKEYSINSLOT: Command = Command::client("COUNTKEYSINSLOT", disabled)
    .syntax("slot")
    .arity(Exactly(3))
    .flags(Flags::STALE)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Returns the number of keys in a hash slot.");

static DELSLOTS: Command = Command::client("DELSLOTS", disabled)
    .syntax("slot [slot ...]")
    .arity(AtLeast(3))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(N) where N is the total number of hash slot arguments")
    .summary("Sets hash slots as unbound for a node.");

static DELSLOTSRANGE: Command = Command::client("DELSLOTSRANGE", disabled)
    .syntax("start-slot:integer end-slot:integer [start-slot:integer end-slot:integer ...]")
    .arity(AtLeast(4))
    .flags(ADMIN)
    .since("7.0.0")
    .complexity(
        "O(N) where N is the total number of the slots between the start slot and end slot arguments.",
    )
    .summary("Sets hash slot ranges as unbound for a node.");

static FAILOVER: Command = Command::client("FAILOVER", disabled)
    .syntax("options=[FORCE | TAKEOVER]")
    .arity(AtLeast(2))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Forces a replica to perform a manual failover of its primary.");

static FLUSHSLOTS: Command = Command::client("FLUSHSLOTS", disabled)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Deletes all slots information from a node.");

static FORGET: Command = Command::client("FORGET", disabled)
    .syntax("node-id")
    .arity(Exactly(3))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Removes a node from the nodes table.");

static GETKEYSINSLOT: Command = Command::client("GETKEYSINSLOT", disabled)
    .syntax("slot count")
    .arity(Exactly(4))
    .flags(Flags::STALE)
    .since("3.0.0")
    .complexity("O(log(N)) where N is the number of requested keys")
    .summary("Returns the key names in a hash slot.")
    .tips(NONDETERMINISTIC);

static HELP: Command = Command::help(disabled).since("5.0.0");

static INFO: Command = Command::client("INFO", disabled)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Returns information about the state of a node.")
    .tips(NONDETERMINISTIC)
    .elsewhere(STALE_IN_70);

static KEYSLOT: Command = Command::client("KEYSLOT", key_slot)
    .syntax("key:string")
    .arity(Exactly(3))
    .flags(Flags::STALE)
    .since("3.0.0")
    .complexity("O(N) where N is the number of bytes in the key")
    .summary("Returns the hash slot for a key.");

fn key_slot(call: &mut Call<'_>, _: &mut Client) -> Done {
    useful_alone(call)?;
    let key = call.args.take()?;
    call.integer(slot_of(key))
}

/// The slot of a key, or of the part of it between the first brace and the next closing one, if anything is between them.
fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let behind = &key[open + 1..];
        let close = behind.iter().position(|&byte| byte == b'}')?;
        (close > 0).then(|| &behind[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS_LEN
}

/// The checksum of XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..u8::BITS).fold(crc ^ u16::from(byte) << 8, |crc: u16, _| {
            let polynomial = if crc & 0x8000 != 0 { 0x1021 } else { 0 };
            crc << 1 ^ polynomial
        })
    })
}

/// Slots of a cluster.
const SLOTS_LEN: u16 = 16_384;

static LINKS: Command = Command::client("LINKS", disabled)
    .arity(Exactly(2))
    .flags(Flags::STALE)
    .since("7.0.0")
    .complexity("O(N) where N is the total number of Cluster nodes")
    .summary("Returns a list of all TCP links to and from peer nodes.")
    .tips(NONDETERMINISTIC);

static MEET: Command = Command::client("MEET", disabled)
    .syntax("ip port [cluster-bus-port:integer]@4.0.0")
    .arity(AtLeast(4))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Forces a node to handshake with another node.")
    .history(&[("4.0.0", "Added the optional `cluster_bus_port` argument.")]);

static MYID: Command = Command::client("MYID", disabled)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Returns the ID of a node.")
    .elsewhere(STALE_IN_70);

static MYSHARDID: Command = Command::client("MYSHARDID", disabled)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("7.2.0")
    .complexity("O(1)")
    .summary("Returns the shard ID of a node.")
    .tips(NONDETERMINISTIC);

static NODES: Command = Command::client("NODES", disabled)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("3.0.0")
    .complexity("O(N) where N is the total number of Cluster nodes")
    .summary("Returns the cluster configuration for a node.")
    .tips(NONDETERMINISTIC)
    .elsewhere(STALE_IN_70);

static REPLICAS: Command = Command::client("REPLICAS", disabled)
    .syntax("node-id")
    .arity(Exactly(3))
    .flags(Flags::ADMIN.union(Flags::STALE))
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Lists the replica nodes of a primary node.")
    .tips(NONDETERMINISTIC);

static REPLICATE: Command = Command::client("REPLICATE", disabled)
    .syntax("node-id")
    .arity(Exactly(3))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Configures a node as replica of a primary node.");

static RESET: Command = Command::client("RESET", disabled)
    .syntax("reset-type=[HARD | SOFT]")
    .arity(AtLeast(2))
    .flags(Flags::ADMIN.union(Flags::NO_SCRIPT).union(Flags::STALE))
    .since("3.0.0")
    .complexity(
        "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.",
    )
    .summary("Resets a node.");

static SAVECONFIG: Command = Command::client("SAVECONFIG", disabled)
    .arity(Exactly(2))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Forces a node to save the cluster configuration to disk.");

static SET_CONFIG_EPOCH: Command = Command::client("SET-CONFIG-EPOCH", disabled)
    .syntax("config-epoch:integer")
    .arity(Exactly(3))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Sets the configuration epoch for a new node.");

static SETSLOT: Command = Command::client("SETSLOT", disabled)
    .syntax("slot subcommand=<IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>")
    .arity(AtLeast(4))
    .flags(ADMIN)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Binds a hash slot to a node.");

static SHARDS: Command = Command::client("SHARDS", disabled)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("7.0.0")
    .complexity("O(N) where N is the total number of cluster nodes")
    .summary("Returns the mapping of cluster slots to shards.")
    .tips(NONDETERMINISTIC)
    .elsewhere(STALE_IN_70);

static SLAVES: Command = Command::client("SLAVES", disabled)
    .syntax("node-id")
    .arity(Exactly(3))
    .flags(Flags::ADMIN.union(Flags::STALE))
    .since("3.0.0")
    .complexity("O(1)")
    .deprecated("5.0.0", "`CLUSTER REPLICAS`")
    .summary("Lists the replica nodes of a primary node.")
    .tips(NONDETERMINISTIC);

static SLOTS: Command = Command::client("SLOTS", disabled)
    .arity(Exactly(2))
    .flags(ANYTIME)
    .since("3.0.0")
    .complexity("O(N) where N is the total number of Cluster nodes")
    .deprecated("7.0.0", "`CLUSTER SHARDS`")
    .summary("Returns the mapping of cluster slots to nodes.")
    .history(&[("4.0.0", "Added node IDs."), ("7.0.0", "Added additional networking metadata field.")])
    .tips(NONDETERMINISTIC)
    .elsewhere(STALE_IN_70);

static READONLY: Command = Command::client("READONLY", switch)
    .arity(Exactly(1))
    .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
    .categories(Category::CONNECTION)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Enables read-only queries for a connection to a Redis Cluster replica node.");

static READWRITE: Command = Command::client("READWRITE", switch)
    .arity(Exactly(1))
    .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
    .categories(Category::CONNECTION)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Enables read-write queries for a connection to a Redis Cluster replica node.");

fn switch(call: &mut Call<'_>, _: &mut Client) -> Done {
    useful_alone(call)?;
    call.ok()
}

static ASKING: Command = Command::client("ASKING", disabled)
    .arity(Exactly(1))
    .flags(Flags::FAST)
    .categories(Category::CONNECTION)
    .since("3.0.0")
    .complexity("O(1)")
    .summary("Signals that a cluster client is following an -ASK redirect.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_checksum_or_of_what_stands_in_braces() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, same) in [("{user}:1", "user"), ("a{user}b}", "user"), ("{}x{y}", "{}x{y}"), ("a{b", "a{b")]
        {
            assert_eq!(slot_of(key.as_bytes()), crc16(same.as_bytes()) % SLOTS_LEN, "{key}");
        }
    }
}

//! Random commands to ours and to every installed reference, in both protocols: no reply may differ.
//!
//! `DIFFERENTIAL_COMMANDS` or `DIFFERENTIAL_SECONDS` say how much, `DIFFERENTIAL_SEED` repeats a run.

use std::collections::BTreeSet;

use shardis_tests::client::Client;
use shardis_tests::differential::{Pair, Settings, commands, run};
use shardis_tests::reference::Reference;
use shardis_tests::server::{Server, stand_in};

/// What both servers have and no shape of `commands.txt` calls, sorted, and why.
const NOT_COMPARED: [(&str, &str); 107] = [
    ("acl|cat", TABLE),
    ("acl|deluser", USERS),
    ("acl|dryrun", USERS),
    ("acl|genpass", "it is random"),
    ("acl|getuser", USERS),
    ("acl|help", HELP),
    ("acl|list", USERS),
    ("acl|load", USERS),
    ("acl|log", USERS),
    ("acl|save", USERS),
    ("acl|setuser", USERS),
    ("asking", REFUSED),
    ("bgrewriteaof", REFUSED),
    ("bgsave", REFUSED),
    ("client|caching", "it is refused to who does not track: transcripts do"),
    ("client|help", HELP),
    ("client|pause", WAITS),
    ("client|reply", "the comparison waits for a reply to each command: transcripts do"),
    ("cluster", REFUSED),
    ("cluster|addslots", REFUSED),
    ("cluster|addslotsrange", REFUSED),
    ("cluster|bumpepoch", REFUSED),
    ("cluster|count-failure-reports", REFUSED),
    ("cluster|countkeysinslot", REFUSED),
    ("cluster|delslots", REFUSED),
    ("cluster|delslotsrange", REFUSED),
    ("cluster|failover", REFUSED),
    ("cluster|flushslots", REFUSED),
    ("cluster|forget", REFUSED),
    ("cluster|getkeysinslot", REFUSED),
    ("cluster|help", REFUSED),
    ("cluster|info", REFUSED),
    ("cluster|keyslot", REFUSED),
    ("cluster|links", REFUSED),
    ("cluster|meet", REFUSED),
    ("cluster|myid", REFUSED),
    ("cluster|myshardid", REFUSED),
    ("cluster|nodes", REFUSED),
    ("cluster|replicas", REFUSED),
    ("cluster|replicate", REFUSED),
    ("cluster|reset", REFUSED),
    ("cluster|saveconfig", REFUSED),
    ("cluster|set-config-epoch", REFUSED),
    ("cluster|setslot", REFUSED),
    ("cluster|shards", REFUSED),
    ("cluster|slaves", REFUSED),
    ("cluster|slots", REFUSED),
    ("command|count", TABLE),
    ("command|docs", TABLE),
    ("command|help", HELP),
    ("command|info", TABLE),
    ("command|list", TABLE),
    ("config|help", HELP),
    ("config|rewrite", "without a file there is one answer, which a transcript has"),
    ("eval", SCRIPTS),
    ("eval_ro", SCRIPTS),
    ("evalsha", SCRIPTS),
    ("evalsha_ro", SCRIPTS),
    ("failover", REFUSED),
    ("fcall", LIBRARIES),
    ("fcall_ro", LIBRARIES),
    ("function|delete", LIBRARIES),
    ("function|dump", LIBRARIES),
    ("function|help", HELP),
    ("function|kill", LIBRARIES),
    ("function|load", LIBRARIES),
    ("function|restore", LIBRARIES),
    ("lastsave", "it is the time of the start"),
    ("latency|graph", "without an event there is one answer, which a transcript has"),
    ("lolwut", "each server draws its own"),
    ("memory|doctor", WEIGHTS),
    ("memory|help", HELP),
    ("memory|malloc-stats", WEIGHTS),
    ("memory|stats", WEIGHTS),
    ("memory|usage", WEIGHTS),
    ("module|help", HELP),
    ("module|load", REFUSED),
    ("module|loadex", REFUSED),
    ("module|unload", REFUSED),
    ("monitor", "lines come between the replies from then on: a transcript reads them"),
    ("pfselftest", "it takes the real servers a second: a transcript does"),
    ("psubscribe", LISTENING),
    ("psync", REFUSED),
    ("pubsub|help", HELP),
    ("punsubscribe", LISTENING),
    ("quit", "it ends the connection: transcripts do"),
    ("readonly", REFUSED),
    ("readwrite", REFUSED),
    ("replconf", REFUSED),
    ("replicaof", "a damaged one would make the reference a replica: transcripts do"),
    ("save", REFUSED),
    ("script|debug", REFUSED),
    ("script|help", HELP),
    ("script|kill", SCRIPTS),
    ("script|load", SCRIPTS),
    ("script|show", SCRIPTS),
    ("shutdown", "it ends the server: transcripts do"),
    ("slaveof", "a damaged one would make the reference a replica: transcripts do"),
    ("ssubscribe", LISTENING),
    ("subscribe", LISTENING),
    ("sunsubscribe", LISTENING),
    ("sync", REFUSED),
    ("unsubscribe", LISTENING),
    ("wait", WAITS),
    ("waitaof", WAITS),
    ("xgroup|help", HELP),
    ("xinfo|help", HELP),
];

const WAITS: &str = "a random time could be longer than the comparison: transcripts do";

const SCRIPTS: &str =
    "what scripts do is told by transcripts, and by what their modules were recorded to answer";
const LIBRARIES: &str = "what runs is a text of its own: transcripts do";
const LISTENING: &str = "each name has a reply of its own, and messages come between them: transcripts do";
const HELP: &str = "transcripts compare the texts";
const USERS: &str = "the next commands would depend on what the user may do: transcripts do";
const REFUSED: &str = "what it is for is not there, so it is always refused: transcripts do";
const WEIGHTS: &str = "each server weighs differently; the test `introspection` compares the names";
const TABLE: &str = "ours has fewer commands; the test `table` compares those that it has";

#[test]
fn ours_and_redis_agree_in_resp2() {
    compare(Reference::Redis, 2);
}

#[test]
fn ours_and_redis_agree_in_resp3() {
    compare(Reference::Redis, 3);
}

#[test]
fn ours_and_valkey_agree_in_resp2() {
    compare(Reference::Valkey, 2);
}

#[test]
fn ours_and_valkey_agree_in_resp3() {
    compare(Reference::Valkey, 3);
}

#[test]
fn every_command_is_compared_or_explained() {
    if stand_in().is_some() {
        return eprintln!("SKIPPED: what stands in for ours has commands that ours has not");
    }
    let names = |server: &Server| {
        let mut client = Client::connect(server.address()).expect("it listens");
        let list = client.call(&["COMMAND", "LIST"]).expect("it answers");
        let names = list.items().iter().filter_map(|name| name.text());
        names.map(|name| String::from_utf8_lossy(name).into_owned()).collect::<BTreeSet<_>>()
    };
    for reference in Reference::ALL {
        let Some(theirs) = reference.start(&[]) else { continue };
        let (ours, theirs) = (names(&Server::ours(reference.personality(), &[])), names(&theirs));
        let compared = commands(reference);
        let is_compared = |name: &str| {
            compared.iter().any(|other| {
                other == name || other.strip_prefix(name).is_some_and(|rest| rest.starts_with('|'))
            })
        };
        let left_out: Vec<_> = ours.intersection(&theirs).filter(|name| !is_compared(name)).collect();
        let known = NOT_COMPARED.iter().map(|(name, _)| *name).filter(|name| theirs.contains(*name));
        assert!(left_out.iter().copied().eq(known), "{reference:?}: {left_out:?}");
    }
}

fn compare(reference: Reference, protocol: u8) {
    if let Some(other) = stand_in().filter(|personality| personality != reference.personality()) {
        return eprintln!("SKIPPED: a {other} cannot stand in for ours beside {}", reference.personality());
    }
    let Some(theirs) = reference.start(&[]) else { return };
    let pair = Pair::new(Server::ours(reference.personality(), &[]), theirs, reference, protocol);
    let report = run(&pair, &Settings::from_environment());
    assert!(
        report.failures.is_empty(),
        "{} differences:\n\n{}",
        report.failures.len(),
        report.failures.join("\n")
    );
    let refused = report.too_often_refused();
    assert!(refused.is_empty(), "refused too often to have been compared: {refused:?}");
}

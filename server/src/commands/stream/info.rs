//! What there is to know of a stream, its groups and their consumers.

use shardis_protocol::Reply;
use shardis_storage::View;
use shardis_storage::types::stream::{Consumer, Group, Log, Stream, StreamId};

use super::pending::deliveries;
use super::{reply_entries, reply_entry, reply_id};
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flow, KeySpec, key};
use crate::config::Dialect;

const KEYS: &[KeySpec] = &[key(2).read_only().accesses()];

pub static XINFO: Command = Command::container("XINFO", &[&CONSUMERS, &GROUPS, &HELP, &STREAM])
    .since("5.0.0")
    .complexity("Depends on subcommand.")
    .summary("A container for stream introspection commands.");

static CONSUMERS: Command = Command::read("CONSUMERS", consumers)
    .syntax("key group")
    .arity(Exactly(4))
    .keys(KEYS)
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Returns a list of the consumers in a consumer group.")
    .history(&[("7.2.0", "Added the `inactive` field, and changed the meaning of `idle`.")])
    .tips(&["nondeterministic_output"]);

fn consumers(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let (key, name) = (call.next_key()?, call.args.take()?);
    let stream = view.read::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
    let group = stream.group(name).ok_or_else(|| Error::no_group(key.bytes(), name))?;
    let tells_activity = call.dialect().consumers_tell_activity;
    call.reply.array(group.consumers().len());
    for (_, consumer) in group.consumers() {
        let reply = &mut *call.reply;
        reply.map(if tells_activity { 4 } else { 3 });
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        field(reply, "pending", consumer.pending_len() as i64);
        field(reply, "idle", (call.now_ms - consumer.seen_ms()).max(0));
        if tells_activity {
            field(reply, "inactive", consumer.active_ms().map_or(-1, |active_ms| call.now_ms - active_ms));
        }
    }
    Ok(Flow::Done)
}

static GROUPS: Command = Command::read("GROUPS", groups)
    .syntax("key")
    .arity(Exactly(3))
    .keys(KEYS)
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Returns a list of the consumer groups of a stream.")
    .history(&[("7.0.0", "Added the `entries-read` and `lag` fields")]);

fn groups(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let stream = view.read::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
    let counting = call.dialect().counting;
    let reply = &mut *call.reply;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        field(reply, "consumers", group.consumers().len() as i64);
        field(reply, "pending", group.pending_len() as i64);
        field_id(reply, "last-delivered-id", group.last_id());
        field_count(reply, "entries-read", group.entries_read());
        field_count(reply, "lag", group.lag(stream.log(), counting));
    }
    Ok(Flow::Done)
}

static STREAM: Command = Command::read("STREAM", stream)
    .syntax("key full-block=[FULL [COUNT count:integer]]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Returns information about a stream.")
    .history(&[
        ("6.0.0", "Added the `FULL` modifier."),
        (
            "7.0.0",
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` \
             fields",
        ),
        ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
    ]);

fn stream(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let stream = view.read::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
    let Some(count) = full_count(call)? else {
        reply_log(call.reply, stream.log(), 10);
        reply_summary(call.reply, stream);
        return Ok(Flow::Done);
    };
    let pending: usize = stream.groups().map(|(_, group)| 2 * count.min(group.pending_len())).sum();
    let entries = count.min(usize::try_from(stream.log().len()).unwrap_or(usize::MAX));
    if call.should_offload(entries.saturating_add(pending)) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let dialect = call.dialect();
    let reply = &mut *call.reply;
    reply_log(reply, stream.log(), 9);
    reply.bulk(b"entries");
    reply_entries(reply, stream.log().range(StreamId::MIN, StreamId::MAX).take(count));
    reply.bulk(b"groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply_group(reply, stream.log(), (name, group), count, dialect);
    }
    Ok(Flow::Done)
}

/// How many of everything are to be told in full, if that is wanted.
fn full_count(call: &mut Call<'_>) -> Result<Option<usize>, Error> {
    const COUNT_BY_DEFAULT: i64 = 10;
    if call.args.is_empty() {
        return Ok(None);
    }
    let subcommand = call.subcommand();
    let unknown = || Error::unknown_subcommand_or_arity("XINFO", subcommand);
    let words = call.args.len();
    if words != 1 && words != 3 || !call.args.take_word("FULL") {
        return Err(unknown());
    }
    let mut count = COUNT_BY_DEFAULT;
    if words == 3 {
        if !call.args.take_word("COUNT") {
            return Err(unknown());
        }
        count = call.args.integer()?;
    }
    Ok(Some(match count {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(COUNT_BY_DEFAULT as usize),
    }))
}

/// Begins the reply with what is told of the entries, seven of so many fields.
fn reply_log(reply: &mut Reply, log: &Log, fields: usize) {
    reply.map(fields);
    field(reply, "length", log.len() as i64);
    field(reply, "radix-tree-keys", log.blocks_len() as i64);
    field(reply, "radix-tree-nodes", radix_tree_nodes(log.block_ids()) as i64);
    field_id(reply, "last-generated-id", log.last_id());
    field_id(reply, "max-deleted-entry-id", log.max_deleted_id());
    field(reply, "entries-added", log.entries_added() as i64);
    field_id(reply, "recorded-first-entry-id", log.first_id());
}

fn reply_summary(reply: &mut Reply, stream: &Stream) {
    field(reply, "groups", stream.groups().len() as i64);
    let log = stream.log();
    reply.bulk(b"first-entry");
    match log.range(StreamId::MIN, StreamId::MAX).next() {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
    reply.bulk(b"last-entry");
    match log.range_reversed(StreamId::MIN, StreamId::MAX).next() {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

fn reply_group(
    reply: &mut Reply,
    log: &Log,
    (name, group): (&[u8], &Group),
    count: usize,
    dialect: &Dialect,
) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(name);
    field_id(reply, "last-delivered-id", group.last_id());
    field_count(reply, "entries-read", group.entries_read());
    field_count(reply, "lag", group.lag(log, dialect.counting));
    field(reply, "pel-count", group.pending_len() as i64);
    reply.bulk(b"pending");
    let all = StreamId::MIN..=StreamId::MAX;
    reply.array(count.min(group.pending_len()));
    for (id, pending) in group.pending(all.clone()).take(count) {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(group.consumer(pending.consumer).map_or(&b""[..], Consumer::name));
        reply.integer(pending.delivered_ms);
        reply.integer(deliveries(&pending));
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers().len());
    for (number, consumer) in group.consumers() {
        reply.map(if dialect.consumers_tell_activity { 5 } else { 4 });
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        field(reply, "seen-time", consumer.seen_ms());
        if dialect.consumers_tell_activity {
            field(reply, "active-time", consumer.active_ms().unwrap_or(-1));
        }
        field(reply, "pel-count", consumer.pending_len() as i64);
        reply.bulk(b"pending");
        reply.array(count.min(consumer.pending_len()));
        for (id, pending) in group.pending_of(number, all.clone()).take(count) {
            reply.array(3);
            reply_id(reply, id);
            reply.integer(pending.delivered_ms);
            reply.integer(deliveries(&pending));
        }
    }
}

fn field(reply: &mut Reply, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

fn field_id(reply: &mut Reply, name: &str, id: StreamId) {
    reply.bulk(name.as_bytes());
    reply_id(reply, id);
}

/// A count that may not be known.
fn field_count(reply: &mut Reply, name: &str, count: Option<u64>) {
    reply.bulk(name.as_bytes());
    match count {
        Some(count) => reply.integer(count as i64),
        None => reply.null(),
    }
}

/// How many nodes the radix tree of the real servers would have for these ids, which are in order. It has one for its root, one where
/// words part, and one behind each parting, which is the same as the next parting or end where nothing stands between.
fn radix_tree_nodes(ids: impl Iterator<Item = StreamId>) -> usize {
    const ID_BYTES: usize = 16;
    // Depths at which words have parted on the way to the last one.
    let mut partings: Vec<usize> = Vec::new();
    let mut nodes = 1;
    // Counts what lies behind a parting: what is at `depth` there.
    let behind = |parting: usize, depth: usize| 1 + usize::from(depth > parting + 1);
    let mut last: Option<[u8; ID_BYTES]> = None;
    for id in ids.map(StreamId::to_bytes) {
        if let Some(last) = last {
            let common = last.iter().zip(&id).take_while(|(one, other)| one == other).count();
            let mut depth = ID_BYTES;
            while let Some(parting) = partings.pop_if(|parting| *parting > common) {
                nodes += behind(parting, depth);
                depth = parting;
            }
            if partings.last() != Some(&common) {
                partings.push(common);
            }
            nodes += behind(common, depth);
        }
        last = Some(id);
    }
    let mut depth = if last.is_some() { ID_BYTES } else { 0 };
    while let Some(parting) = partings.pop() {
        nodes += behind(parting, depth);
        depth = parting;
    }
    // The root is the first parting, or stands before it.
    nodes + usize::from(depth > 0)
}

static HELP: Command = Command::help(help).since("5.0.0");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("XINFO", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_counted_as_in_a_radix_tree() {
        let nodes = |ids: &[(u64, u64)]| radix_tree_nodes(ids.iter().map(|&(ms, seq)| StreamId { ms, seq }));
        assert_eq!(nodes(&[]), 1);
        assert_eq!(nodes(&[(1, 0)]), 2);
        // As XINFO STREAM of Redis 7.0.15 tells for blocks of one entry.
        assert_eq!(nodes(&[(1, 0), (2, 0)]), 6);
    }
}

//! Making, setting back and removing groups and their consumers.

use shardis_storage::Transaction;
use shardis_storage::types::stream::{Group, Stream, StreamId};

use super::id::{self, Missing};
use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static XGROUP: Command =
    Command::container("XGROUP", &[&CREATE, &CREATECONSUMER, &DELCONSUMER, &DESTROY, &HELP, &SETID])
        .since("5.0.0")
        .complexity("Depends on subcommand.")
        .summary("A container for consumer groups commands.");

static CREATE: Command = Command::write("CREATE", create)
    .syntax("key group id-selector=<id | $> [MKSTREAM] [ENTRIESREAD entries-read:integer]")
    .arity(AtLeast(5))
    .keys(&[key(2).read_write().inserts()])
    .flags(Flags::DENY_OOM)
    .event("xgroup-create")
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Creates a consumer group.")
    .history(&[("7.0.0", "Added the `entries_read` named argument.")]);

fn create(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name) = (call.next_key()?, call.args.take()?);
    let word = call.args.take()?;
    let (mut makes_stream, mut entries_read) = (false, None);
    while !call.args.is_empty() {
        if call.args.take_word("MKSTREAM") {
            makes_stream = true;
        } else {
            entries_read = take_entries_read(call)?;
        }
    }
    let stream = match txn.find(&key) {
        Some(entry) => Some(entry.object::<Stream>().ok_or(Error::WRONG_TYPE)?),
        None if makes_stream => None,
        None => return Err(Error::GROUP_NEEDS_KEY),
    };
    if call.request().len() > CREATE_WORDS_MAX {
        return Err(unknown(call));
    }
    let id = last_id(word, stream, id::parse_strict)?;
    if stream.is_some_and(|stream| stream.group(name).is_some()) {
        return Err(Error::GROUP_EXISTS);
    }
    let is_new = stream.is_none();
    txn.upsert::<Stream>(&key)?
        .change(|stream| (is_new, stream.create_group(name, Group::new(id, entries_read))));
    if !is_new {
        txn.count_change();
        txn.tell(&key, &event::GROUP_CREATED);
    }
    call.ok()
}

/// With all options.
const CREATE_WORDS_MAX: usize = 8;

static SETID: Command = Command::write("SETID", setid)
    .syntax("key group id-selector=<id | $> [ENTRIESREAD entries-read:integer]")
    .arity(AtLeast(5))
    .keys(&[key(2).read_write().updates()])
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Sets the last-delivered ID of a consumer group.")
    .history(&[("7.0.0", "Added the optional `entries_read` argument.")]);

fn setid(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name) = (call.next_key()?, call.args.take()?);
    let word = call.args.take()?;
    let mut entries_read = None;
    while !call.args.is_empty() {
        entries_read = take_entries_read(call)?;
    }
    change_group(txn, &key, name, |stream| {
        if call.request().len() > SETID_WORDS_MAX {
            return Err(unknown(call));
        }
        let id = last_id(word, Some(stream), id::parse)?;
        Ok(stream.change_group(name, |group, _| group.set_last_id(id, entries_read)))
    })?;
    txn.count_change();
    txn.tell(&key, &event::GROUP_SET);
    call.ok()
}

/// With all options.
const SETID_WORDS_MAX: usize = 7;

static DESTROY: Command = Command::write("DESTROY", destroy)
    .syntax("key group")
    .arity(Exactly(4))
    .keys(&[key(2).read_write().deletes()])
    .since("5.0.0")
    .complexity("O(N) where N is the number of entries in the group's pending entries list (PEL).")
    .summary("Destroys a consumer group.");

fn destroy(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name) = (call.next_key()?, call.args.take()?);
    let mut stream = txn.edit::<Stream>(&key)?.ok_or(Error::GROUP_NEEDS_KEY)?;
    if call.should_offload(stream.group(name).map_or(0, Group::pending_len)) {
        return Ok(Flow::Offload);
    }
    let was_there = stream.change(|stream| (false, stream.destroy_group(name)));
    drop(stream);
    if was_there {
        txn.count_change();
        txn.tell(&key, &event::GROUP_DESTROYED);
        txn.tell_waiters::<Stream>(&key);
    }
    call.integer(i64::from(was_there))
}

static CREATECONSUMER: Command = Command::write("CREATECONSUMER", create_consumer)
    .syntax("key group consumer")
    .arity(Exactly(5))
    .keys(&[key(2).read_write().inserts()])
    .flags(Flags::DENY_OOM)
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Creates a consumer in a consumer group.");

fn create_consumer(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name, consumer) = (call.next_key()?, call.args.take()?, call.args.take()?);
    let now_ms = call.now_ms;
    let made = change_group(txn, &key, name, |stream| {
        Ok(stream.change_group(name, |group, _| group.enter(consumer, now_ms)))
    })?;
    let is_new = made.is_some_and(|(_, is_new)| is_new);
    if is_new {
        txn.count_change();
        txn.tell(&key, &event::CONSUMER_CREATED);
    }
    call.integer(i64::from(is_new))
}

static DELCONSUMER: Command = Command::write("DELCONSUMER", delete_consumer)
    .syntax("key group consumer")
    .arity(Exactly(5))
    .keys(&[key(2).read_write().deletes()])
    .since("5.0.0")
    .complexity("O(1)")
    .summary("Deletes a consumer from a consumer group.");

fn delete_consumer(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name, consumer) = (call.next_key()?, call.args.take()?, call.args.take()?);
    let removed = change_group(txn, &key, name, |stream| {
        Ok(stream.change_group(name, |group, _| group.remove_consumer(consumer)))
    })?;
    let removed = removed.flatten();
    if removed.is_some() {
        txn.count_change();
        txn.tell(&key, &event::CONSUMER_DELETED);
    }
    call.integer(removed.unwrap_or(0))
}

static HELP: Command = Command::help(help).since("5.0.0");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("XGROUP", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
];

/// Takes how many entries were read, which may be said to be unknown.
fn take_entries_read(call: &mut Call<'_>) -> Result<Option<u64>, Error> {
    if call.args.len() < 2 || !call.args.take_word("ENTRIESREAD") {
        return Err(unknown(call));
    }
    match call.args.integer()? {
        -1 => Ok(None),
        count => u64::try_from(count).map(Some).map_err(|_| Error::ENTRIES_READ_NEGATIVE),
    }
}

fn unknown(call: &Call<'_>) -> Error {
    Error::unknown_subcommand_or_arity("XGROUP", call.subcommand())
}

/// The id up to which a group is to have got everything.
fn last_id(
    word: &[u8],
    stream: Option<&Stream>,
    parse: fn(&[u8], Missing) -> Result<StreamId, Error>,
) -> Result<StreamId, Error> {
    match word {
        b"$" => Ok(stream.map_or(StreamId::MIN, |stream| stream.log().last_id())),
        _ => parse(word, Missing::Least),
    }
}

/// Lets `change` have a stream that has a group of this name.
fn change_group<R>(
    txn: &mut Transaction<'_>,
    key: &shardis_storage::Key<'_>,
    name: &[u8],
    change: impl FnOnce(&mut Stream) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut stream = txn.edit::<Stream>(key)?.ok_or(Error::GROUP_NEEDS_KEY)?;
    if stream.group(name).is_none() {
        return Err(Error::no_group(key.bytes(), name));
    }
    stream.change(|stream| (false, change(stream)))
}

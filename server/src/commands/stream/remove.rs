//! Deleting entries by their ids, and setting what a stream knows of its past.

use shardis_storage::Transaction;
use shardis_storage::types::stream::{Deletion, Stream, StreamId};

use super::id::{self, Missing};
use super::options::{parse_all, parse_ids};
use crate::command::Arity::AtLeast;
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

const COMPLEXITY: &str = "O(1) for each single item to delete in the stream, regardless of the stream size.";

pub static XDEL: Command = Command::write("XDEL", xdel)
    .syntax("key id [id ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().deletes()])
    .flags(Flags::FAST)
    .since("5.0.0")
    .complexity(COMPLEXITY)
    .summary("Returns the number of messages after removing them from a stream.");

fn xdel(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let Some(mut stream) = txn.edit::<Stream>(&key)? else { return call.integer(0) };
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let ids = parse_all(call.args.rest())?;
    let deleted = stream.change(|stream| {
        let is_gone = |id: &&StreamId| stream.delete(**id, Default::default()) == Deletion::Done;
        let deleted = ids.iter().filter(is_gone).count();
        (deleted > 0, deleted)
    });
    drop(stream);
    call.integer(deleted)
}

pub static XDELEX: Command = Command::write("XDELEX", xdelex)
    .syntax("key condition=[KEEPREF | DELREF | ACKED] ids=<IDS numids:integer id [id ...]>")
    .arity(AtLeast(5))
    .keys(&[key(1).read_write().deletes()])
    .flags(Flags::FAST)
    .event("xdel")
    .since("8.2.0")
    .complexity(COMPLEXITY)
    .summary("Deletes one or multiple entries from the stream.");

fn xdelex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let mut stream = txn.edit::<Stream>(&key)?;
    let (references, words) = parse_ids(call.args)?;
    if call.should_offload(words.len()) {
        return Ok(Flow::Offload);
    }
    let Some(stream) = &mut stream else { return reply_absent(call, words.len()) };
    let ids = parse_all(words.into_iter())?;
    call.reply.array(ids.len());
    stream.change(|stream| {
        let mut has_changed = false;
        for id in ids {
            let deletion = stream.delete(id, references);
            has_changed |= deletion == Deletion::Done;
            call.reply.integer(code(deletion));
        }
        (has_changed, ())
    });
    Ok(Flow::Done)
}

pub static XACKDEL: Command = Command::write("XACKDEL", xackdel)
    .syntax("key group condition=[KEEPREF | DELREF | ACKED] ids=<IDS numids:integer id [id ...]>")
    .arity(AtLeast(6))
    .keys(&[key(1).read_write().updates().deletes()])
    .flags(Flags::FAST)
    .event("xdel")
    .since("8.2.0")
    .complexity("O(1) for each message ID processed.")
    .summary("Acknowledges and deletes one or multiple messages for a stream consumer group.");

fn xackdel(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (key, name) = (call.next_key()?, call.args.take()?);
    let stream = txn.edit::<Stream>(&key)?;
    let (references, words) = parse_ids(call.args)?;
    if call.should_offload(words.len()) {
        return Ok(Flow::Offload);
    }
    let Some(mut stream) = stream.filter(|stream| stream.group(name).is_some()) else {
        return reply_absent(call, words.len());
    };
    let ids = parse_all(words.into_iter())?;
    call.reply.array(ids.len());
    let has_acknowledged = stream.change(|stream| {
        let (mut has_changed, mut has_acknowledged) = (false, false);
        for id in ids {
            if stream.change_group(name, |group, _| group.acknowledge(id)) != Some(true) {
                call.reply.integer(code(Deletion::Absent));
                continue;
            }
            has_acknowledged = true;
            let deletion = stream.delete(id, references);
            has_changed |= deletion == Deletion::Done;
            // What was pending and is gone already counts as deleted.
            let is_kept = deletion == Deletion::Refused;
            call.reply.integer(code(if is_kept { Deletion::Refused } else { Deletion::Done }));
        }
        (has_changed, has_acknowledged)
    });
    drop(stream);
    if has_acknowledged {
        txn.count_change();
    }
    Ok(Flow::Done)
}

fn reply_absent(call: &mut Call<'_>, count: usize) -> Done {
    call.reply.array(count);
    (0..count).for_each(|_| call.reply.integer(code(Deletion::Absent)));
    Ok(Flow::Done)
}

fn code(deletion: Deletion) -> i64 {
    match deletion {
        Deletion::Done => 1,
        Deletion::Refused => 2,
        Deletion::Absent => -1,
    }
}

pub static XSETID: Command = Command::write("XSETID", xsetid)
    .syntax("key last-id [ENTRIESADDED entries-added:integer]@7.0.0 [MAXDELETEDID max-deleted-id]@7.0.0")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("5.0.0")
    .complexity("O(1)")
    .summary("An internal command for replicating stream values.")
    .history(&[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")]);

fn xsetid(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let last_id = id::parse_strict(call.args.take()?, Missing::Least)?;
    let (mut entries_added, mut max_deleted_id) = (None, None);
    while !call.args.is_empty() {
        let has_more = call.args.len() > 1;
        if has_more && call.args.take_word("ENTRIESADDED") {
            let count = call.args.integer()?;
            entries_added = Some(u64::try_from(count).map_err(|_| Error::ENTRIES_ADDED_NEGATIVE)?);
        } else if has_more && call.args.take_word("MAXDELETEDID") {
            let id = id::parse_strict(call.args.take()?, Missing::Least)?;
            if last_id < id {
                return Err(Error::SETID_BELOW_GIVEN_DELETED);
            }
            max_deleted_id = Some(id).filter(|id| *id != StreamId::MIN);
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let mut stream = txn.edit::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
    let log = stream.log();
    if last_id < log.max_deleted_id() && !call.dialect().last_id_may_be_deleted {
        return Err(Error::SETID_BELOW_DELETED);
    }
    if log.last_entry_id().is_some_and(|top| last_id < top) {
        return Err(Error::SETID_BELOW_TOP);
    }
    if !log.is_empty() && entries_added.is_some_and(|count| count < log.len()) {
        return Err(Error::SETID_FEWER_ADDED);
    }
    stream.change(|stream| (false, stream.set_last_id(last_id, entries_added, max_deleted_id)));
    drop(stream);
    txn.count_change();
    txn.tell(&key, &event::STREAM_SET);
    call.ok()
}

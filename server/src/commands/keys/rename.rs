//! Moving and copying values between keys, within a database or to another one. The time to live goes along.

use shardis_protocol::Request;
use shardis_storage::{Key, Notice, Transaction};

use super::{database, refuse_meeting_point, within};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::event;
use crate::command::{Call, Command, Databases, Done, Error, Flags, Flow, key};

pub static RENAME: Command = Command::write("RENAME", rename)
    .syntax("key newkey")
    .arity(Exactly(3))
    .keys(&[key(1).read_write().accesses().deletes(), key(2).overwrites().updates()])
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Renames a key and overwrites the destination.");

fn rename(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (source, destination) = (call.next_key()?, call.next_key()?);
    refuse_meeting_point(txn.find(&source).ok_or(Error::NO_SUCH_KEY)?)?;
    if source.bytes() != destination.bytes() {
        give_name(txn, &source, &destination)?;
    }
    call.ok()
}

/// Gives a value another name. What had that name is told to be a new one.
fn give_name(txn: &mut Transaction<'_>, source: &Key<'_>, destination: &Key<'_>) -> Result<(), Error> {
    txn.announce(Notice::Silent);
    let replaces = txn.find(destination).is_some();
    let moved = txn.take(source).ok_or(Error::NO_SUCH_KEY)?;
    txn.put(destination, moved);
    if replaces {
        txn.tell(destination, &event::NEW);
    }
    txn.tell(source, &event::RENAME_FROM);
    txn.tell(destination, &event::RENAME_TO);
    Ok(())
}

pub static RENAMENX: Command = Command::write("RENAMENX", renamenx)
    .syntax("key newkey")
    .arity(Exactly(3))
    .keys(&[key(1).read_write().accesses().deletes(), key(2).overwrites().inserts()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Renames a key only when the target key name doesn't exist.")
    .history(&[(
        "3.2.0",
        "The command no longer returns an error when source and destination names are the same.",
    )]);

fn renamenx(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (source, destination) = (call.next_key()?, call.next_key()?);
    refuse_meeting_point(txn.find(&source).ok_or(Error::NO_SUCH_KEY)?)?;
    // A key is its own occupied destination.
    if txn.find(&destination).is_some() {
        return call.integer(0);
    }
    give_name(txn, &source, &destination)?;
    call.integer(1)
}

pub static MOVE: Command = Command::write("MOVE", move_key)
    .syntax("key db")
    .arity(Exactly(3))
    .keys(&[key(1).read_write().accesses().updates()])
    .databases(Databases::At(&[2]))
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Moves a key to another database.");

fn move_key(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let db = call.args.integer_32()?;
    let db = database(call, db)?;
    if db == call.db {
        return Err(Error::SAME_OBJECT);
    }
    if let Some(found) = txn.find(&key) {
        refuse_meeting_point(found)?;
    }
    if txn.find(&key).is_none() || within(txn, db, |txn| txn.find(&key).is_some()) {
        return call.integer(0);
    }
    txn.announce(Notice::Silent);
    let Some(moved) = txn.take(&key) else { return call.integer(0) };
    within(txn, db, |txn| txn.put(&key, moved));
    txn.tell(&key, &event::MOVE_FROM);
    within(txn, db, |txn| txn.tell(&key, &event::MOVE_TO));
    call.integer(1)
}

pub static COPY: Command = Command::write("COPY", copy)
    .syntax("source destination [DB destination-db] [REPLACE]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses(), key(2).overwrites().updates()])
    .databases(Databases::Found(destination_dbs))
    .flags(Flags::DENY_OOM)
    .since("6.2.0")
    .complexity(
        "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
    )
    .summary("Copies the value of a key to a new key.");

fn copy(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (source, destination) = (call.next_key()?, call.next_key()?);
    let (mut db, mut replace) = (call.db, false);
    while !call.args.is_empty() {
        if call.args.take_word("REPLACE") {
            replace = true;
        } else if call.args.take_word("DB") {
            let number = call.args.integer_32()?;
            db = database(call, number)?;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if db == call.db && source.bytes() == destination.bytes() {
        return Err(Error::SAME_OBJECT);
    }
    let Some(entry) = txn.lookup(&source) else { return call.integer(0) };
    refuse_meeting_point(entry)?;
    // Copies of a long string share its buffer.
    let copied_bytes = if entry.any_object().is_some() { entry.memory_bytes() } else { 0 };
    if call.should_offload(copied_bytes / COPIED_BYTES_PER_WORK_UNIT) {
        txn.uncount(&source);
        return Ok(Flow::Offload);
    }
    let replaces = within(txn, db, |txn| txn.find(&destination).is_some());
    if replaces && !replace {
        return call.integer(0);
    }
    let Some(copied) = txn.duplicate(&source) else { return call.integer(0) };
    txn.announce(Notice::Silent);
    within(txn, db, |txn| {
        txn.put(&destination, copied);
        if replaces {
            txn.tell(&destination, &event::NEW);
        }
        txn.tell(&destination, &event::COPY_TO);
    });
    call.integer(1)
}

/// The words that number the database of the copy; the last one counts. None if the options make no sense.
fn destination_dbs(request: Request<'_>) -> Vec<usize> {
    let (mut at, mut found) = (3, Vec::new());
    while let Some(word) = request.arg(at) {
        match () {
            () if is_word(word, "REPLACE") => at += 1,
            () if is_word(word, "DB") && at + 1 < request.len() => {
                found.push(at + 1);
                at += 2;
            }
            () => return Vec::new(),
        }
    }
    found
}

/// Copying this much costs as much as one unit of [`Call::should_offload`].
const COPIED_BYTES_PER_WORK_UNIT: usize = 256;

//! Strings as numbers: adding to integers of 64 bits, and to decimal fractions with the precision of an x87
//! register.

use shardis_protocol::LongDouble;
use shardis_storage::{Deadline, IntBuffer, Key, StringRef, Transaction};

use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, Flags, KeySpec, key};

const FLAGS: Flags = Flags::DENY_OOM.union(Flags::FAST);
const KEYS: &[KeySpec] = &[key(1).read_write().accesses().updates()];

pub static INCR: Command = Command::write("INCR", incr)
    .syntax("key")
    .arity(Exactly(2))
    .keys(KEYS)
    .flags(FLAGS)
    .event("incrby")
    .since("1.0.0")
    .complexity("O(1)")
    .summary(
        "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    );

fn incr(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    add(call, txn, &key, 1)
}

pub static DECR: Command = Command::write("DECR", decr)
    .syntax("key")
    .arity(Exactly(2))
    .keys(KEYS)
    .flags(FLAGS)
    .event("incrby")
    .since("1.0.0")
    .complexity("O(1)")
    .summary(
        "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    );

fn decr(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    add(call, txn, &key, -1)
}

pub static INCRBY: Command = Command::write("INCRBY", incrby)
    .syntax("key increment")
    .arity(Exactly(3))
    .keys(KEYS)
    .flags(FLAGS)
    .event("incrby")
    .since("1.0.0")
    .complexity("O(1)")
    .summary(
        "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't \
         exist.",
    );

fn incrby(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let increment = call.args.integer()?;
    add(call, txn, &key, increment)
}

pub static DECRBY: Command = Command::write("DECRBY", decrby)
    .syntax("key decrement")
    .arity(Exactly(3))
    .keys(KEYS)
    .flags(FLAGS)
    .event("incrby")
    .since("1.0.0")
    .complexity("O(1)")
    .summary(
        "Decrements the integer value of a key by a number. Uses 0 as initial value if the key doesn't \
         exist.",
    );

fn decrby(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let increment = call.args.integer()?.checked_neg().ok_or(Error::DECREMENT_OVERFLOW)?;
    add(call, txn, &key, increment)
}

fn add(call: &mut Call<'_>, txn: &mut Transaction<'_>, key: &Key<'_>, increment: i64) -> Done {
    let current = match current(txn, key)? {
        Some(value) => value.as_i64().ok_or(Error::NOT_INTEGER)?,
        None => 0,
    };
    let sum = current.checked_add(increment).ok_or(Error::OVERFLOW)?;
    txn.set_integer(key, sum);
    call.integer(sum)
}

pub static INCRBYFLOAT: Command = Command::write("INCRBYFLOAT", incrbyfloat)
    .syntax("key increment:double")
    .arity(Exactly(3))
    .keys(KEYS)
    .flags(FLAGS)
    .since("2.6.0")
    .complexity("O(1)")
    .summary(
        "Increments the floating point value of a key by a number. \
         Uses 0 as initial value if the key doesn't exist.",
    );

fn incrbyfloat(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let increment = call.args.take()?;
    let current = match current(txn, &key)? {
        Some(value) => LongDouble::parse(value.bytes(&mut IntBuffer::new())).ok_or(Error::NOT_FLOAT)?,
        None => LongDouble::from(0),
    };
    let increment = LongDouble::parse(increment).ok_or(Error::NOT_FLOAT)?;
    let sum = current + increment;
    if sum.is_nan() || sum.is_infinite() {
        return Err(Error::FLOAT_OVERFLOW);
    }
    let mut text = Vec::new();
    sum.format(&mut text);
    txn.set_text(&key, &text, Deadline::Keep);
    call.bulk(&text)
}

/// The string at `key`, not counted as a read: a counter is written.
fn current<'t>(txn: &'t mut Transaction<'_>, key: &Key<'_>) -> Result<Option<StringRef<'t>>, Error> {
    match txn.find(key) {
        Some(entry) => Ok(Some(entry.string().ok_or(Error::WRONG_TYPE)?)),
        None => Ok(None),
    }
}

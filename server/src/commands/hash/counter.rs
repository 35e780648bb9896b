//! Fields as numbers.

use shardis_protocol::LongDouble;
use shardis_storage::Transaction;
use shardis_storage::types::hash::Hash;

use super::context;
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, Flags, key};

pub static HINCRBY: Command = Command::write("HINCRBY", hincrby)
    .syntax("key field increment")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("2.0.0")
    .complexity("O(1)")
    .summary(
        "Increments the integer value of a field in a hash by a number. \
         Uses 0 as initial value if the field doesn't exist.",
    );

fn hincrby(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let field = call.args.take()?;
    let increment = call.args.integer()?;
    let context = context(call, &key);
    let mut hash = txn.upsert::<Hash>(&key)?;
    let current = match hash.field(field, context.now_ms) {
        Some(value) => value.as_i64().ok_or(Error::HASH_NOT_INTEGER)?,
        None => 0,
    };
    let sum = current.checked_add(increment).ok_or(Error::OVERFLOW)?;
    hash.change(|hash| (true, hash.update(field, itoa::Buffer::new().format(sum).as_bytes(), &context)));
    call.integer(sum)
}

pub static HINCRBYFLOAT: Command = Command::write("HINCRBYFLOAT", hincrbyfloat)
    .syntax("key field increment:double")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("2.6.0")
    .complexity("O(1)")
    .summary(
        "Increments the floating point value of a field by a number. \
         Uses 0 as initial value if the field doesn't exist.",
    );

fn hincrbyfloat(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let field = call.args.take()?;
    let increment = LongDouble::parse(call.args.take()?).ok_or(Error::NOT_FLOAT)?;
    if increment.is_infinite() {
        return Err(Error::NAN_OR_INFINITY);
    }
    let context = context(call, &key);
    let mut hash = txn.upsert::<Hash>(&key)?;
    let current = match hash.field(field, context.now_ms) {
        Some(value) => LongDouble::parse(&value.to_vec()).ok_or(Error::HASH_NOT_FLOAT)?,
        None => LongDouble::from(0),
    };
    let sum = current + increment;
    if sum.is_nan() || sum.is_infinite() {
        return Err(Error::FLOAT_OVERFLOW);
    }
    let mut text = Vec::new();
    sum.format(&mut text);
    hash.change(|hash| (true, hash.update(field, &text, &context)));
    call.bulk(&text)
}

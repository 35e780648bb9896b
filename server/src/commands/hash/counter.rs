//! Fields as numbers.

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
    let current = match hash.field(field) {
        Some(value) => value.as_i64().ok_or(Error::HASH_NOT_INTEGER)?,
        None => 0,
    };
    let sum = current.checked_add(increment).ok_or(Error::OVERFLOW)?;
    hash.change(|hash| (true, hash.set(field, itoa::Buffer::new().format(sum).as_bytes(), &context)));
    call.integer(sum)
}

//! Single fields: setting, reading and removing them.

use shardis_storage::types::hash::Hash;
use shardis_storage::{Transaction, View};

use super::context;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

pub static HSET: Command = Command::write("HSET", hset)
    .syntax("key field value [field value ...]")
    .arity(AtLeast(4))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("2.0.0")
    .complexity(
        "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called \
         with multiple field/value pairs.",
    )
    .summary("Creates or modifies the value of a field in a hash.")
    .history(&[("4.0.0", "Accepts multiple `field` and `value` arguments.")]);

fn hset(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let added = set_fields(call, txn)?;
    call.integer(added)
}

pub static HMSET: Command = Command::write("HMSET", hmset)
    .syntax("key field value [field value ...]")
    .arity(AtLeast(4))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("hset")
    .since("2.0.0")
    .complexity("O(N) where N is the number of fields being set.")
    .summary("Sets the values of multiple fields.")
    .deprecated("4.0.0", "`HSET` with multiple field-value pairs");

fn hmset(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_fields(call, txn)?;
    call.ok()
}

/// Sets all fields of the call and tells how many are new.
fn set_fields(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Result<usize, Error> {
    let key = call.next_key()?;
    if !call.args.len().is_multiple_of(2) {
        return Err(Error::arity(&call.command.name.to_ascii_lowercase()));
    }
    let context = context(call, &key);
    let added = txn.upsert::<Hash>(&key)?.change(|hash| {
        if call.dialect().hset_counts_first {
            hash.expect_fields(call.args.len() / 2, &context);
        }
        let mut added = 0;
        while let (Some(field), Some(value)) = (call.args.next(), call.args.next()) {
            added += usize::from(hash.set(field, value, &context));
        }
        (true, added)
    });
    Ok(added)
}

pub static HSETNX: Command = Command::write("HSETNX", hsetnx)
    .syntax("key field value")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().inserts()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("hset")
    .since("2.0.0")
    .complexity("O(1)")
    .summary("Sets the value of a field in a hash only when the field doesn't exist.");

fn hsetnx(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let (field, value) = (call.args.take()?, call.args.take()?);
    let context = context(call, &key);
    let mut hash = txn.upsert::<Hash>(&key)?;
    if hash.contains(field, context.now_ms) {
        return call.integer(0);
    }
    hash.change(|hash| {
        if call.dialect().hset_counts_first {
            hash.expect_fields(1, &context);
        }
        (true, hash.set(field, value, &context))
    });
    call.integer(1)
}

pub static HGET: Command = Command::read("HGET", hget)
    .syntax("key field")
    .arity(Exactly(3))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(1)")
    .summary("Returns the value of a field in a hash.");

fn hget(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let field = call.args.take()?;
    match view.read::<Hash>(&key)?.and_then(|hash| hash.field(field, call.now_ms)) {
        Some(value) => call.element(value),
        None => call.null(),
    }
}

pub static HMGET: Command = Command::read("HMGET", hmget)
    .syntax("key field [field ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(N) where N is the number of fields being requested.")
    .summary("Returns the values of all fields in a hash.");

fn hmget(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let hash = view.read::<Hash>(&key)?;
    call.reply.array(call.args.len());
    while let Some(field) = call.args.next() {
        match hash.and_then(|hash| hash.field(field, call.now_ms)) {
            Some(value) => call.element(value)?,
            None => call.null()?,
        };
    }
    Ok(Flow::Done)
}

pub static HEXISTS: Command = Command::read("HEXISTS", hexists)
    .syntax("key field")
    .arity(Exactly(3))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(1)")
    .summary("Determines whether a field exists in a hash.");

fn hexists(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let field = call.args.take()?;
    let exists = view.read::<Hash>(&key)?.is_some_and(|hash| hash.contains(field, call.now_ms));
    call.integer(i64::from(exists))
}

pub static HSTRLEN: Command = Command::read("HSTRLEN", hstrlen)
    .syntax("key field")
    .arity(Exactly(3))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("3.2.0")
    .complexity("O(1)")
    .summary("Returns the length of the value of a field.");

fn hstrlen(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let field = call.args.take()?;
    let value = view.read::<Hash>(&key)?.and_then(|hash| hash.field(field, call.now_ms));
    call.integer(value.map_or(0, |value| value.len()))
}

pub static HDEL: Command = Command::write("HDEL", hdel)
    .syntax("key field [field ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().deletes()])
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(N) where N is the number of fields to be removed.")
    .summary("Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.")
    .history(&[("2.4.0", "Accepts multiple `field` arguments.")]);

fn hdel(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let Some(mut hash) = txn.edit::<Hash>(&key)? else { return call.integer(0) };
    let removed = hash.change(|hash| {
        let len = hash.len();
        let removed = call.args.rest().filter(|field| hash.remove(field, call.now_ms)).count();
        // What has expired goes too, and does not count.
        (hash.len() < len, removed)
    });
    call.integer(removed)
}

pub static HLEN: Command = Command::read("HLEN", hlen)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("2.0.0")
    .complexity("O(1)")
    .summary("Returns the number of fields in a hash.");

fn hlen(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let len = view.read::<Hash>(&key)?.map_or(0, Hash::len);
    call.integer(len)
}

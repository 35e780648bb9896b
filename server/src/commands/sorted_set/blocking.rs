//! Taking members off sorted sets, and waiting for one where there is none. When a sorted set has come, these run once more.

use shardis_protocol::Reply;
use shardis_storage::types::packed::Side;
use shardis_storage::{Kind, Transaction};

use super::pop::{MANY_COMPLEXITY, many, pop_many, pop_one};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Flags, KeySpec, Told, keys, numbered};
use crate::config::Personality;

const KEYS: &[KeySpec] = &[keys(1, -2, 1).read_write().accesses().deletes()];
const COMPLEXITY: &str = "O(log(N)) with N being the number of elements in the sorted set.";
const HISTORY: &[(&str, &str)] = &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];
const NO_SCRIPT_IN_70: &[(Personality, Told)] = &[(
    Personality::Redis70,
    Told::Flags(Flags::WRITE.union(Flags::BLOCKING).union(Flags::NO_SCRIPT).union(Flags::FAST)),
)];

pub static BZPOPMIN: Command = Command::blocking("BZPOPMIN", Kind::SortedSet, bzpopmin)
    .syntax("key [key ...] timeout:double")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::FAST)
    .event("zpopmin")
    .since("5.0.0")
    .complexity(COMPLEXITY)
    .summary(
        "Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is \
         available otherwise. Deletes the sorted set if the last element was popped.",
    )
    .history(HISTORY)
    .elsewhere(NO_SCRIPT_IN_70);

fn bzpopmin(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Front)
}

pub static BZPOPMAX: Command = Command::blocking("BZPOPMAX", Kind::SortedSet, bzpopmax)
    .syntax("key [key ...] timeout:double")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::FAST)
    .event("zpopmax")
    .since("5.0.0")
    .complexity(COMPLEXITY)
    .summary(
        "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member is \
         available otherwise. Deletes the sorted set if the last element was popped.",
    )
    .history(HISTORY)
    .elsewhere(NO_SCRIPT_IN_70);

fn bzpopmax(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Back)
}

fn pop(call: &mut Call<'_>, txn: &mut Transaction<'_>, side: Side) -> Done {
    let timeout_ms = call.timeout_seconds(call.request().len() - 1)?;
    for key in call.awaited_keys() {
        if let Some(flow) = pop_one(call, txn, &key, side)? {
            return Ok(flow);
        }
    }
    call.block(timeout_ms, Reply::null_array)
}

pub static BZMPOP: Command = Command::blocking("BZMPOP", Kind::SortedSet, bzmpop)
    .syntax("timeout:double numkeys:integer key [key ...] where=<MIN | MAX> [COUNT count]")
    .arity(AtLeast(5))
    .keys(&[numbered(2, 1).read_write().accesses().deletes()])
    .since("7.0.0")
    .complexity(MANY_COMPLEXITY)
    .summary(
        "Removes and returns a member by score from one or more sorted sets. Blocks until a member is available \
         otherwise. Deletes the sorted set if the last element was popped.",
    );

fn bzmpop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    call.args = call.args.behind(1)?;
    let (side, count) = many(call)?;
    let timeout_ms = call.timeout_seconds(1)?;
    for key in call.awaited_keys() {
        if let Some(flow) = pop_many(call, txn, &key, side, count)? {
            return Ok(flow);
        }
    }
    call.block(timeout_ms, Reply::null_array)
}

//! Taking elements off lists, and waiting for one where there is none. When a list has come, these run once more.

use shardis_protocol::Reply;
use shardis_storage::types::list::{List, Side};
use shardis_storage::{Kind, Transaction};

use super::pop::{MANY_COMPLEXITY, many, pop_many};
use super::transfer::{self, transfer};
use super::{limit, side};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Flags, Flow, KeySpec, Told, keys, numbered};
use crate::config::Personality;

const KEYS: &[KeySpec] = &[keys(1, -2, 1).read_write().accesses().deletes()];
const HISTORY: &[(&str, &str)] = &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")];
const NO_SCRIPT_IN_70: &[(Personality, Told)] =
    &[(Personality::Redis70, Told::Flags(Flags::WRITE.union(Flags::BLOCKING).union(Flags::NO_SCRIPT)))];
const NO_SCRIPT_BUT_OOM_IN_70: &[(Personality, Told)] = &[(
    Personality::Redis70,
    Told::Flags(Flags::WRITE.union(Flags::BLOCKING).union(Flags::NO_SCRIPT).union(Flags::DENY_OOM)),
)];

pub static BLPOP: Command = Command::blocking("BLPOP", Kind::List, blpop)
    .syntax("key [key ...] timeout:double")
    .arity(AtLeast(3))
    .keys(KEYS)
    .event("lpop")
    .since("2.0.0")
    .complexity("O(N) where N is the number of provided keys.")
    .summary(
        "Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the \
         list if the last element was popped.",
    )
    .history(HISTORY)
    .elsewhere(NO_SCRIPT_IN_70);

fn blpop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Front)
}

pub static BRPOP: Command = Command::blocking("BRPOP", Kind::List, brpop)
    .syntax("key [key ...] timeout:double")
    .arity(AtLeast(3))
    .keys(KEYS)
    .event("rpop")
    .since("2.0.0")
    .complexity("O(N) where N is the number of provided keys.")
    .summary(
        "Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the \
         list if the last element was popped.",
    )
    .history(HISTORY)
    .elsewhere(NO_SCRIPT_IN_70);

fn brpop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    pop(call, txn, Side::Back)
}

fn pop(call: &mut Call<'_>, txn: &mut Transaction<'_>, side: Side) -> Done {
    let timeout_ms = call.timeout_seconds(call.request().len() - 1)?;
    let limit = limit(call);
    for key in call.awaited_keys() {
        let Some(mut list) = txn.edit::<List>(&key)? else { continue };
        call.reply.array(2);
        call.reply.bulk(key.bytes());
        list.change(|list| (true, list.pop_with(side, limit, |element| call.element(element))))
            .transpose()?;
        return Ok(Flow::Done);
    }
    call.block(timeout_ms, Reply::null_array)
}

pub static BLMOVE: Command = Command::blocking("BLMOVE", Kind::List, blmove)
    .syntax("source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT> timeout:double")
    .arity(Exactly(6))
    .keys(transfer::KEYS)
    .flags(Flags::DENY_OOM)
    .since("6.2.0")
    .complexity("O(1)")
    .summary(
        "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available \
         otherwise. Deletes the list if the last element was moved.",
    )
    .elsewhere(NO_SCRIPT_BUT_OOM_IN_70);

fn blmove(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    call.args = call.args.behind(2)?;
    let (from, to) = (side(call)?, side(call)?);
    transfer_or_block(call, txn, [from, to], 5)
}

pub static BRPOPLPUSH: Command = Command::blocking("BRPOPLPUSH", Kind::List, brpoplpush)
    .syntax("source destination timeout:double")
    .arity(Exactly(4))
    .keys(transfer::KEYS)
    .flags(Flags::DENY_OOM)
    .since("2.2.0")
    .complexity("O(1)")
    .summary(
        "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available \
         otherwise. Deletes the list if the last element was popped.",
    )
    .history(HISTORY)
    .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
    .elsewhere(NO_SCRIPT_BUT_OOM_IN_70);

fn brpoplpush(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    transfer_or_block(call, txn, [Side::Back, Side::Front], 3)
}

fn transfer_or_block(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    sides: [Side; 2],
    timeout_at: usize,
) -> Done {
    let timeout_ms = call.timeout_seconds(timeout_at)?;
    let (source, destination) = (call.key(1)?, call.key(2)?);
    match transfer(call, txn, [&source, &destination], sides)? {
        Some(flow) => Ok(flow),
        None => call.block_unless(Reply::null, timeout_ms, Reply::null_array),
    }
}

pub static BLMPOP: Command = Command::blocking("BLMPOP", Kind::List, blmpop)
    .syntax("timeout:double numkeys:integer key [key ...] where=<LEFT | RIGHT> [COUNT count]")
    .arity(AtLeast(5))
    .keys(&[numbered(2, 1).read_write().accesses().deletes()])
    .since("7.0.0")
    .complexity(MANY_COMPLEXITY)
    .summary(
        "Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the \
         list if the last element was popped.",
    );

fn blmpop(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
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

//! Adding elements at either end, of any list or only of one that is there.

use shardis_protocol::limits::COMMAND_BYTES_MAX;
use shardis_storage::types::list::{List, Side};
use shardis_storage::types::packed::{ELEMENT_BYTES_MAX, Element};
use shardis_storage::{Edit, Transaction};

use super::limit;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Flags, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_write().inserts()];
const COMPLEXITY: &str = "O(1) for each element added, so O(N) to add N elements when the command is called \
    with multiple arguments.";
const HISTORY: &[(&str, &str)] = &[("2.4.0", "Accepts multiple `element` arguments.")];
const HISTORY_IF_THERE: &[(&str, &str)] = &[("4.0.0", "Accepts multiple `element` arguments.")];

pub static LPUSH: Command = Command::write("LPUSH", lpush)
    .syntax("key element [element ...]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("1.0.0")
    .complexity(COMPLEXITY)
    .summary("Prepends one or more elements to a list. Creates the key if it doesn't exist.")
    .history(HISTORY);

fn lpush(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    push(call, txn, Side::Front)
}

pub static RPUSH: Command = Command::write("RPUSH", rpush)
    .syntax("key element [element ...]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("1.0.0")
    .complexity(COMPLEXITY)
    .summary("Appends one or more elements to a list. Creates the key if it doesn't exist.")
    .history(HISTORY);

fn rpush(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    push(call, txn, Side::Back)
}

fn push(call: &mut Call<'_>, txn: &mut Transaction<'_>, side: Side) -> Done {
    let key = call.next_key()?;
    let mut list = txn.upsert::<List>(&key)?;
    add(call, &mut list, side)
}

pub static LPUSHX: Command = Command::write("LPUSHX", lpushx)
    .syntax("key element [element ...]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("lpush")
    .since("2.2.0")
    .complexity(COMPLEXITY)
    .summary("Prepends one or more elements to a list only when the list exists.")
    .history(HISTORY_IF_THERE);

fn lpushx(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    push_if_there(call, txn, Side::Front)
}

pub static RPUSHX: Command = Command::write("RPUSHX", rpushx)
    .syntax("key element [element ...]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("rpush")
    .since("2.2.0")
    .complexity(COMPLEXITY)
    .summary("Appends one or more elements to a list only when the list exists.")
    .history(HISTORY_IF_THERE);

fn rpushx(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    push_if_there(call, txn, Side::Back)
}

fn push_if_there(call: &mut Call<'_>, txn: &mut Transaction<'_>, side: Side) -> Done {
    let key = call.next_key()?;
    let Some(mut list) = txn.edit::<List>(&key)? else { return call.integer(0) };
    add(call, &mut list, side)
}

/// Adds what is left of the call and replies how long the list is then.
fn add(call: &mut Call<'_>, list: &mut Edit<'_, '_, List>, side: Side) -> Done {
    list.change(|list| (true, list.push(side, call.args.rest().map(Element::from), limit(call))));
    call.integer(list.len())
}

/// What comes from a client can be an element.
const _: () = assert!(COMMAND_BYTES_MAX <= ELEMENT_BYTES_MAX);

//! Whether keys exist, of which type they are, and their removal.

use shardis_storage::{Key, Transaction, View};

use crate::command::Arity::{AtLeast, Exactly};
use crate::command::{Call, Command, Done, Flags, keys};
use crate::command::{KeySpec, key};

const TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const READ: &[KeySpec] = &[keys(1, -1, 1).read_only()];
const REMOVE: &[KeySpec] = &[keys(1, -1, 1).removes().deletes()];

pub static EXISTS: Command = Command::read("EXISTS", exists)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(READ)
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(N) where N is the number of keys to check.")
    .summary("Determines whether one or more keys exist.")
    .history(&[("3.0.3", "Accepts multiple `key` arguments.")])
    .tips(TIPS);

fn exists(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    count(call, |key| view.peek(key).is_some())
}

pub static TYPE: Command = Command::read("TYPE", type_of)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Determines the type of value stored at a key.");

fn type_of(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    call.simple(view.peek(&key).map_or("none", |entry| entry.kind().name()))
}

pub static TOUCH: Command = Command::read("TOUCH", touch)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(READ)
    .flags(Flags::FAST)
    .since("3.2.1")
    .complexity("O(N) where N is the number of keys that will be touched.")
    .summary(
        "Returns the number of existing keys out of those specified after updating the time they were last \
         accessed.",
    )
    .tips(TIPS);

fn touch(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    // It is what the caller asks for, whatever else of its is not to be noted.
    view.note_accesses(true);
    count(call, |key| view.lookup(key).is_some())
}

pub static DEL: Command = Command::write("DEL", remove)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(REMOVE)
    .since("1.0.0")
    .complexity(
        "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other \
         than a string, the individual complexity for this key is O(M) where M is the number of elements in \
         the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
    )
    .summary("Deletes one or more keys.")
    .tips(TIPS);

pub static UNLINK: Command = Command::write("UNLINK", remove)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(REMOVE)
    .flags(Flags::FAST)
    .since("4.0.0")
    .complexity(
        "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different \
         thread in order to reclaim memory, where N is the number of allocations the deleted objects where \
         composed of.",
    )
    .summary("Asynchronously deletes one or more keys.")
    .tips(TIPS);

fn remove(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    count(call, |key| txn.remove(key))
}

/// Replies for how many of the keys `holds`; a key named twice is asked twice.
fn count(call: &mut Call<'_>, mut holds: impl FnMut(&Key<'_>) -> bool) -> Done {
    let count = call.keys().filter(|key| holds(key)).count();
    call.integer(count)
}

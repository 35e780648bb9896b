//! Single members: adding, removing, moving and asking for them; all of them at once.

use shardis_protocol::limits::COMMAND_BYTES_MAX;
use shardis_storage::types::packed::{ELEMENT_BYTES_MAX, Element};
use shardis_storage::types::set::{Set, SetContext};
use shardis_storage::{Edit, Kind, Notice, Transaction, View};

use super::context;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};

const _: () = assert!(COMMAND_BYTES_MAX <= ELEMENT_BYTES_MAX);

pub static SADD: Command = Command::write("SADD", sadd)
    .syntax("key member [member ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().inserts()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("1.0.0")
    .complexity(
        "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
         arguments.",
    )
    .summary("Adds one or more members to a set. Creates the key if it doesn't exist.")
    .history(&[("2.4.0", "Accepts multiple `member` arguments.")]);

fn sadd(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let context = context(call, &key);
    let added = add(call, txn.upsert::<Set>(&key)?, &context);
    call.integer(added)
}

/// Adds all arguments that are left and tells how many are new.
fn add(call: &mut Call<'_>, mut set: Edit<'_, '_, Set>, context: &SetContext) -> usize {
    set.change(|set| {
        let first = call.args.peek().filter(|_| !call.dialect().sets_without_listpacks);
        if let Some(first) = first {
            set.expect_members(call.args.len(), first.into(), context);
        }
        let added = call.args.rest().filter(|&member| set.add(member.into(), context)).count();
        (added > 0, added)
    })
}

pub static SREM: Command = Command::write("SREM", srem)
    .syntax("key member [member ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_write().deletes()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(N) where N is the number of members to be removed.")
    .summary("Removes one or more members from a set. Deletes the set if the last member was removed.")
    .history(&[("2.4.0", "Accepts multiple `member` arguments.")]);

fn srem(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let Some(mut set) = txn.edit::<Set>(&key)? else { return call.integer(0) };
    let removed = set.change(|set| {
        let removed = call.args.rest().filter(|&member| set.remove(member.into())).count();
        (removed > 0, removed)
    });
    call.integer(removed)
}

pub static SISMEMBER: Command = Command::read("SISMEMBER", sismember)
    .syntax("key member")
    .arity(Exactly(3))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Determines whether a member belongs to a set.");

fn sismember(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let member = call.args.take()?;
    let is_member = view.read::<Set>(&key)?.is_some_and(|set| set.contains(member.into()));
    call.integer(i64::from(is_member))
}

pub static SMISMEMBER: Command = Command::read("SMISMEMBER", smismember)
    .syntax("key member [member ...]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("6.2.0")
    .complexity("O(N) where N is the number of elements being checked for membership")
    .summary("Determines whether multiple members belong to a set.");

fn smismember(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    if call.should_offload(call.args.len()) {
        return Ok(Flow::Offload);
    }
    let set = view.read::<Set>(&key)?;
    call.reply.array(call.args.len());
    while let Some(member) = call.args.next() {
        call.integer(i64::from(set.is_some_and(|set| set.contains(member.into()))))?;
    }
    Ok(Flow::Done)
}

pub static SCARD: Command = Command::read("SCARD", scard)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the number of members in a set.");

fn scard(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let len = view.read::<Set>(&key)?.map_or(0, Set::len);
    call.integer(len)
}

pub static SMEMBERS: Command = Command::read("SMEMBERS", smembers)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only().accesses()])
    .since("1.0.0")
    .complexity("O(N) where N is the set cardinality.")
    .summary("Returns all members of a set.")
    .tips(&["nondeterministic_output_order"]);

fn smembers(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let set = view.read::<Set>(&key)?;
    let len = set.map_or(0, Set::len);
    if call.should_offload(len) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    call.reply.set(len);
    for member in set.iter().flat_map(|set| set.iter()) {
        call.element(member)?;
    }
    Ok(Flow::Done)
}

pub static SMOVE: Command = Command::write("SMOVE", smove)
    .syntax("source destination member")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().accesses().deletes(), key(2).read_write().inserts()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Moves a member from one set to another.");

fn smove(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (source, destination) = (call.next_key()?, call.next_key()?);
    let member = call.args.peek().map_or(Element::Bytes(b""), Element::Bytes);
    if txn.find(&source).is_none() {
        return call.integer(0);
    }
    for key in [&source, &destination] {
        if txn.find(key).is_some_and(|entry| entry.kind() != Kind::Set) {
            return Err(Error::WRONG_TYPE);
        }
    }
    txn.announce(Notice::Event(&event::MEMBER_REMOVED));
    let Some(mut set) = txn.edit::<Set>(&source)? else { return call.integer(0) };
    if source.bytes() == destination.bytes() {
        let is_member = set.contains(member);
        return call.integer(i64::from(is_member));
    }
    let is_removed = set.change(|set| {
        let is_removed = set.remove(member);
        (is_removed, is_removed)
    });
    drop(set);
    if is_removed {
        txn.announce(Notice::Event(&event::MEMBER_ADDED));
        let context = context(call, &destination);
        add(call, txn.upsert::<Set>(&destination)?, &context);
    }
    call.integer(i64::from(is_removed))
}

//! Many keys in one call: either all of them or none.

use shardis_protocol::number;
use shardis_storage::{Deadline, Transaction, View};

use super::options::{self, Condition, Options, Word};
use super::set_string;
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, Told, keys, numbered};
use crate::config::Personality;

pub static MGET: Command = Command::read("MGET", mget)
    .syntax("key [key ...]")
    .arity(AtLeast(2))
    .keys(&[keys(1, -1, 1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(N) where N is the number of keys to retrieve.")
    .summary("Atomically returns the string values of one or more keys.")
    .tips(&["request_policy:multi_shard"]);

fn mget(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    call.reply.array(call.args.len());
    while !call.args.is_empty() {
        let key = call.next_key()?;
        // Another type is no error here: such a key has no string value.
        match view.string(&key) {
            Ok(Some(value)) => call.string(value)?,
            _ => call.null()?,
        };
    }
    Ok(Flow::Done)
}

pub static MSET: Command = Command::write("MSET", mset)
    .syntax("key value [key value ...]")
    .arity(AtLeast(3))
    .keys(&[keys(1, -1, 2).overwrites().updates()])
    .flags(Flags::DENY_OOM)
    .event("set")
    .since("1.0.1")
    .complexity("O(N) where N is the number of keys to set.")
    .summary("Atomically creates or modifies the string values of one or more keys.")
    .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]);

fn mset(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    require_pairs(call)?;
    let pairs = call.args.len() / 2;
    set_pairs(call, txn, pairs, Deadline::Never)?;
    call.ok()
}

pub static MSETNX: Command = Command::write("MSETNX", msetnx)
    .syntax("key value [key value ...]")
    .arity(AtLeast(3))
    .keys(&[keys(1, -1, 2).overwrites().inserts()])
    .flags(Flags::DENY_OOM)
    .event("set")
    .since("1.0.1")
    .complexity("O(N) where N is the number of keys to set.")
    .summary("Atomically modifies the string values of one or more keys only when all keys don't exist.")
    .elsewhere(&[(
        Personality::Redis70,
        Told::Tips(&["request_policy:multi_shard", "response_policy:agg_min"]),
    )]);

fn msetnx(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    require_pairs(call)?;
    let pairs = call.args.len() / 2;
    let absent = call.keys().all(|key| txn.find(&key).is_none());
    if absent {
        set_pairs(call, txn, pairs, Deadline::Never)?;
    }
    call.integer(i64::from(absent))
}

pub static MSETEX: Command = Command::write("MSETEX", msetex)
    .syntax(
        "numkeys key value [key value ...] [NX | XX] \
         [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    )
    .arity(AtLeast(4))
    .keys(&[numbered(1, 2).overwrites().updates()])
    .flags(Flags::DENY_OOM)
    .event("set")
    .since("8.4.0")
    .complexity("O(N) where N is the number of keys to set.")
    .summary("Atomically sets multiple string keys with a shared expiration in a single operation.")
    .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]);

const MSETEX_WORDS: &[Word] =
    &[options::NX, options::XX, options::EX, options::PX, options::EXAT, options::PXAT, options::KEEPTTL];

fn msetex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let pairs = number::parse_i64(call.args.take()?)
        .and_then(|count| i32::try_from(count).ok())
        .and_then(|count| usize::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or(Error::INVALID_NUMKEYS)?;
    let rest = call.args.behind(pairs * 2)?;
    let options = Options::parse(rest, MSETEX_WORDS)?;
    let deadline = options.expiry.deadline(call)?;
    let holds = match options.condition {
        Condition::Absent => call.keys().all(|key| txn.find(&key).is_none()),
        Condition::Present => call.keys().all(|key| txn.find(&key).is_some()),
        _ => true,
    };
    if holds {
        set_pairs(call, txn, pairs, deadline)?;
    }
    call.integer(i64::from(holds))
}

/// A key without its value is an error of arity.
fn require_pairs(call: &Call<'_>) -> Result<(), Error> {
    if call.args.len().is_multiple_of(2) {
        Ok(())
    } else {
        Err(Error::arity(&call.command.name.to_ascii_lowercase()))
    }
}

fn set_pairs(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    pairs: usize,
    deadline: Deadline,
) -> Result<(), Error> {
    for _ in 0..pairs {
        let key = call.next_key()?;
        let value = call.args.take()?;
        set_string(call, txn, &key, value, deadline);
    }
    Ok(())
}

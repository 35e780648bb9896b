//! Deadlines of fields: setting, reading and removing them.

use shardis_protocol::number;
use shardis_storage::types::hash::{Hash, HashContext};
use shardis_storage::{Event, Key, Kind, Notice, Transaction, View};

use super::clause::{self, Named};
use super::context;
use crate::command::Arity::AtLeast;
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key};
use crate::commands::keys::expire::{DeadlineCondition, TimeUnit};

const UPDATED: &[KeySpec] = &[key(1).read_write().updates()];
const READ: &[KeySpec] = &[key(1).read_only().accesses()];
const COMPLEXITY: &str = "O(N) where N is the number of specified fields.";

pub static HEXPIRE: Command = Command::write("HEXPIRE", hexpire)
    .syntax("key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]")
    .arity(AtLeast(6))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Sets the expiration time of fields of a hash in seconds.");

fn hexpire(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadlines(call, txn, TimeUnit::SECONDS)
}

pub static HPEXPIRE: Command = Command::write("HPEXPIRE", hpexpire)
    .syntax("key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]")
    .arity(AtLeast(6))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .event("hexpire")
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Sets the expiration time of fields of a hash in milliseconds.");

fn hpexpire(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadlines(call, txn, TimeUnit::MILLISECONDS)
}

pub static HEXPIREAT: Command = Command::write("HEXPIREAT", hexpireat)
    .syntax("key unix-time-seconds:integer [NX | XX | GT | LT] FIELDS numfields field [field ...]")
    .arity(AtLeast(6))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .event("hexpire")
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Sets the expiration time of fields of a hash to a Unix timestamp.");

fn hexpireat(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadlines(call, txn, TimeUnit::UNIX_SECONDS)
}

pub static HPEXPIREAT: Command = Command::write("HPEXPIREAT", hpexpireat)
    .syntax("key unix-time-milliseconds:integer [NX | XX | GT | LT] FIELDS numfields field [field ...]")
    .arity(AtLeast(6))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .event("hexpire")
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Sets the expiration time of fields of a hash to a Unix milliseconds timestamp.");

fn hpexpireat(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_deadlines(call, txn, TimeUnit::UNIX_MILLISECONDS)
}

fn set_deadlines(call: &mut Call<'_>, txn: &mut Transaction<'_>, unit: TimeUnit) -> Done {
    let key = call.next_key()?;
    let amount = call.args.take()?;
    let is_strict = call.dialect().fields_checked_first;
    let early = if is_strict {
        None
    } else {
        require_hash(txn, &key)?;
        Some(deadline_ms(call, unit, amount)?)
    };
    let (condition, named) = clause::with_options(call, 1, &clause::OF_DEADLINES, |words| {
        let condition = DeadlineCondition::parse(words.iter().copied());
        // Redis takes one condition only, and then wants to see the fields.
        if !is_strict && (words.len() > 1 || condition.is_err()) {
            return Err(Error::FIELDS_MISSING);
        }
        condition
    })?;
    let deadline_ms = match early {
        Some(deadline_ms) => deadline_ms,
        None => deadline_ms(call, unit, amount)?,
    };
    let is_past = deadline_ms <= call.now_ms;
    txn.announce(Notice::Event(if is_past { removed(call) } else { &event::FIELDS_TO_EXPIRE }));
    change_each(call, txn, &key, named, |hash, field, context| {
        if !condition.allows(hash.deadline_ms(field), deadline_ms) {
            return (false, CONDITION_FAILED);
        }
        if is_past {
            hash.remove(field, context.now_ms);
            return (true, REMOVED);
        }
        hash.set_deadline(field, Some(deadline_ms), context);
        (true, CHANGED)
    })
}

/// What it is told as that fields are removed because they have got a deadline which is past.
pub fn removed(call: &Call<'_>) -> &'static Event {
    if call.dialect().past_deadlines_expire { &event::FIELDS_EXPIRED } else { &event::FIELDS_REMOVED }
}

/// Reads an amount of time; `amount` must not be negative and not too large.
pub fn deadline_ms(call: &Call<'_>, unit: TimeUnit, amount: &[u8]) -> Result<i64, Error> {
    let amount = number::parse_i64(amount).ok_or(Error::NOT_INTEGER)?;
    let dialect = call.dialect();
    if amount < 0 && !dialect.fields_checked_first {
        return Err(Error::NEGATIVE_EXPIRE);
    }
    let deadline_ms = if amount < 0 { None } else { unit.deadline_ms(amount, call.now_ms) };
    let deadline_ms = deadline_ms.filter(|&deadline_ms| deadline_ms <= dialect.field_deadline_ms_max);
    deadline_ms.ok_or_else(|| Error::invalid_expire(call.command.name))
}

/// Refuses a key of another type.
pub fn require_hash(txn: &mut Transaction<'_>, key: &Key<'_>) -> Result<(), Error> {
    match txn.find(key) {
        Some(entry) if entry.kind() != Kind::Hash => Err(Error::WRONG_TYPE),
        _ => Ok(()),
    }
}

/// Replies for each field what `change` says, which begins with whether it has changed the hash, or that there is no such
/// field.
fn change_each(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
    named: Named<'_>,
    change: impl Fn(&mut Hash, &[u8], &HashContext) -> (bool, i64),
) -> Done {
    if call.should_offload(named.len()) {
        return Ok(Flow::Offload);
    }
    let context = context(call, key);
    let hash = txn.edit::<Hash>(key)?;
    call.reply.array(named.len());
    let Some(mut hash) = hash else {
        named.fields().for_each(|_| call.reply.integer(NO_FIELD));
        return Ok(Flow::Done);
    };
    hash.change(|hash| {
        let mut has_changed = false;
        for field in named.fields() {
            let (is_change, outcome) = match hash.contains(field, context.now_ms) {
                true => change(hash, field, &context),
                false => (false, NO_FIELD),
            };
            has_changed |= is_change;
            call.reply.integer(outcome);
        }
        (has_changed, ())
    });
    Ok(Flow::Done)
}

pub static HTTL: Command = Command::read("HTTL", httl)
    .syntax("key FIELDS numfields field [field ...]")
    .arity(AtLeast(5))
    .keys(READ)
    .flags(Flags::FAST)
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Returns the expiration time in seconds of fields of a hash.");

fn httl(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadlines(call, view, TimeUnit::SECONDS)
}

pub static HPTTL: Command = Command::read("HPTTL", hpttl)
    .syntax("key FIELDS numfields field [field ...]")
    .arity(AtLeast(5))
    .keys(READ)
    .flags(Flags::FAST)
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Returns the expiration time in milliseconds of fields of a hash.");

fn hpttl(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadlines(call, view, TimeUnit::MILLISECONDS)
}

pub static HEXPIRETIME: Command = Command::read("HEXPIRETIME", hexpiretime)
    .syntax("key FIELDS numfields field [field ...]")
    .arity(AtLeast(5))
    .keys(READ)
    .flags(Flags::FAST)
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Returns the expiration time of fields of a hash as a Unix timestamp.");

fn hexpiretime(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadlines(call, view, TimeUnit::UNIX_SECONDS)
}

pub static HPEXPIRETIME: Command = Command::read("HPEXPIRETIME", hpexpiretime)
    .syntax("key FIELDS numfields field [field ...]")
    .arity(AtLeast(5))
    .keys(READ)
    .flags(Flags::FAST)
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Returns the expiration time of fields of a hash as a Unix milliseconds timestamp.");

fn hpexpiretime(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_deadlines(call, view, TimeUnit::UNIX_MILLISECONDS)
}

fn reply_deadlines(call: &mut Call<'_>, view: &mut View<'_>, unit: TimeUnit) -> Done {
    let key = call.next_key()?;
    let (named, hash) = if call.dialect().fields_checked_first {
        let named = clause::alone(call, &clause::OF_READS)?;
        (named, view.read::<Hash>(&key)?)
    } else {
        let hash = view.read::<Hash>(&key)?;
        (clause::alone(call, &clause::OF_READS)?, hash)
    };
    let amount = match call.dialect().field_seconds_rounded_up {
        true => TimeUnit::amount_rounded_up,
        false => TimeUnit::amount,
    };
    call.reply.array(named.len());
    for field in named.fields() {
        let deadline_ms = match hash.filter(|hash| hash.contains(field, call.now_ms)) {
            Some(hash) => hash.deadline_ms(field).ok_or(NO_DEADLINE),
            None => Err(NO_FIELD),
        };
        let left = deadline_ms.map(|deadline_ms| amount(unit, deadline_ms, call.now_ms));
        call.reply.integer(left.unwrap_or_else(|without| without));
    }
    Ok(Flow::Done)
}

pub static HPERSIST: Command = Command::write("HPERSIST", hpersist)
    .syntax("key FIELDS numfields field [field ...]")
    .arity(AtLeast(5))
    .keys(UPDATED)
    .flags(Flags::FAST)
    .since("7.4.0")
    .complexity(COMPLEXITY)
    .summary("Removes the expiration time of fields of a hash.");

fn hpersist(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if !call.dialect().fields_checked_first {
        require_hash(txn, &key)?;
    }
    let named = clause::alone(call, &clause::OF_WRITES)?;
    change_each(call, txn, &key, named, |hash, field, context| {
        if hash.deadline_ms(field).is_none() {
            return (false, NO_DEADLINE);
        }
        hash.set_deadline(field, None, context);
        (true, CHANGED)
    })
}

/// The reply for a field that is not there.
const NO_FIELD: i64 = -2;
/// The reply for a field that does not expire.
const NO_DEADLINE: i64 = -1;
/// The reply for a field whose deadline may not be replaced.
const CONDITION_FAILED: i64 = 0;
/// The reply for a field whose deadline is another one now.
const CHANGED: i64 = 1;
/// The reply for a field whose deadline was in the past.
const REMOVED: i64 = 2;

//! Reading and writing fields together with their deadlines.

use shardis_storage::types::hash::Hash;
use shardis_storage::{Key, Notice, Transaction};

use super::clause::{self, Named, Words};
use super::context;
use super::deadlines::{deadline_ms, removed, require_hash};
use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::event;
use crate::command::{Call, Command, Done, Error, Flags, Flow, key};
use crate::commands::string::options::{
    Condition, EX, EXAT, Expiry, KEEPTTL, Meaning, NX, Options, PERSIST, PX, PXAT, Word, XX,
};

const COMPLEXITY: &str = "O(N) where N is the number of specified fields.";

pub static HGETEX: Command = Command::write("HGETEX", hgetex)
    .syntax(
        "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] \
         FIELDS numfields field [field ...]",
    )
    .arity(AtLeast(5))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::FAST)
    .event("hexpire")
    .since("8.0.0")
    .complexity(COMPLEXITY)
    .summary("Returns the values of fields of a hash after setting their expiration times.");

const HGETEX_WORDS: &[Word] = &[EX, PX, EXAT, PXAT, PERSIST];

fn hgetex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if !call.dialect().fields_checked_first {
        require_hash(txn, &key)?;
    }
    let (options, named) = clause::with_options(call, 1, &clause::OF_VALUES, |words| {
        Options::parse(words.iter().copied(), HGETEX_WORDS)
    })?;
    require_hash(txn, &key)?;
    let deadline_ms = deadline_of(call, options.expiry)?;
    let context = context(call, &key);
    let event = match deadline_ms {
        Some(deadline_ms) if deadline_ms <= context.now_ms => removed(call),
        Some(_) => &event::FIELDS_TO_EXPIRE,
        None => &event::FIELDS_NOT_TO_EXPIRE,
    };
    txn.announce(Notice::Event(event));
    change_each(call, txn, &key, named, |hash, field| match (options.expiry, deadline_ms) {
        (_, Some(deadline_ms)) if deadline_ms <= context.now_ms => hash.remove(field, context.now_ms),
        (_, Some(_)) => {
            hash.set_deadline(field, deadline_ms, &context);
            true
        }
        (Expiry::Persist, None) => {
            let has_deadline = hash.deadline_ms(field).is_some();
            hash.set_deadline(field, None, &context);
            has_deadline
        }
        (_, None) => false,
    })
}

pub static HGETDEL: Command = Command::write("HGETDEL", hgetdel)
    .syntax("key FIELDS numfields field [field ...]")
    .arity(AtLeast(5))
    .keys(&[key(1).read_write().accesses().deletes()])
    .flags(Flags::FAST)
    .event("hdel")
    .since("8.0.0")
    .complexity("O(N) where N is the number of fields to be retrieved and deleted.")
    .summary(
        "Returns the values of fields of a hash after deleting them. Deletes the hash if no fields remain.",
    );

fn hgetdel(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if !call.dialect().fields_checked_first {
        require_hash(txn, &key)?;
    }
    let named = clause::alone(call, &clause::OF_WRITES)?;
    let now_ms = call.now_ms;
    change_each(call, txn, &key, named, |hash, field| hash.remove(field, now_ms))
}

/// Replies the value of each field, and then lets `change` have the field, which says whether it has changed it.
fn change_each(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
    named: Named<'_>,
    change: impl Fn(&mut Hash, &[u8]) -> bool,
) -> Done {
    if call.should_offload(named.len()) {
        return Ok(Flow::Offload);
    }
    let hash = txn.edit::<Hash>(key)?;
    call.reply.array(named.len());
    let Some(mut hash) = hash else {
        named.fields().for_each(|_| call.reply.null());
        return Ok(Flow::Done);
    };
    hash.change(|hash| {
        let mut has_changed = false;
        for field in named.fields() {
            let replied = match hash.field(field, call.now_ms) {
                Some(value) => call.element(value).map(|_| has_changed |= change(hash, field)),
                None => call.null().map(drop),
            };
            if let Err(error) = replied {
                return (has_changed, Err(error));
            }
        }
        (has_changed, Ok(Flow::Done))
    })
}

pub static HSETEX: Command = Command::write("HSETEX", hsetex)
    .syntax(
        "key key-condition=[NX | XX] fields-condition=[FNX | FXX] \
         [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] \
         FIELDS numfields field value [field value ...]",
    )
    .arity(AtLeast(6))
    .keys(&[key(1).read_write().inserts()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("hset")
    .since("8.0.0")
    .complexity(COMPLEXITY)
    .summary("Sets the values and expiration times of fields of a hash, all of them or none.");

const HSETEX_WORDS: &[Word] = &[NX, XX, EX, PX, EXAT, PXAT, KEEPTTL];
/// Conditions on the fields, which stand for those on keys.
const FIELD_CONDITIONS: [(&str, Condition<'static>); 2] =
    [("FNX", Condition::Absent), ("FXX", Condition::Present)];

/// What HSETEX is told: options of which the condition is that of the key, and the condition of the fields.
fn hsetex_options<'a>(words: &Words<'a>) -> Result<(Options<'a>, Condition<'static>), Error> {
    let mut condition = Condition::Always;
    let (mut others, mut is_operand) = (Words::new(), false);
    for word in words {
        let named = |(name, _): &&(&str, Condition<'_>)| !is_operand && is_word(word, name);
        match FIELD_CONDITIONS.iter().find(named) {
            Some(&(_, named)) if condition == Condition::Always || condition == named => condition = named,
            Some(_) => return Err(Error::SYNTAX),
            None => {
                let leads =
                    |(name, meaning): &Word| matches!(meaning, Meaning::Until(_)) && is_word(word, name);
                is_operand = !is_operand && HSETEX_WORDS.iter().any(leads);
                others.push(word);
            }
        }
    }
    Ok((Options::parse(others, HSETEX_WORDS)?, condition))
}

fn hsetex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    if !call.dialect().fields_checked_first {
        require_hash(txn, &key)?;
    }
    let ((options, condition), named) = clause::with_options(call, 2, &clause::OF_VALUES, hsetex_options)?;
    require_hash(txn, &key)?;
    if !options.condition.holds(txn.find(&key))? {
        return call.integer(0);
    }
    let deadline_ms = deadline_of(call, options.expiry)?;
    if call.should_offload(named.len()) {
        return Ok(Flow::Offload);
    }
    let context = context(call, &key);
    txn.announce(Notice::Silent);
    let mut hash = txn.upsert::<Hash>(&key)?;
    let wanted = match condition {
        Condition::Absent => Some(false),
        Condition::Present => Some(true),
        Condition::Always | Condition::Compares(_) => None,
    };
    let is_there = |field| hash.contains(field, context.now_ms);
    if wanted.is_some_and(|wanted| named.fields().any(|field| is_there(field) != wanted)) {
        return call.integer(0);
    }
    hash.change(|hash| {
        for (field, value) in named.pairs() {
            match deadline_ms {
                Some(deadline_ms) if deadline_ms <= context.now_ms => {
                    hash.remove(field, context.now_ms);
                    continue;
                }
                _ if options.expiry == Expiry::Keep => hash.update(field, value, &context),
                _ => hash.set(field, value, &context),
            };
            if deadline_ms.is_some() {
                hash.set_deadline(field, deadline_ms, &context);
            }
        }
        (true, ())
    });
    drop(hash);
    txn.tell(&key, &event::FIELDS_SET);
    if let Some(deadline_ms) = deadline_ms {
        txn.tell(&key, &event::FIELDS_TO_EXPIRE);
        if deadline_ms <= call.now_ms {
            txn.tell(&key, removed(call));
        }
    }
    if txn.find(&key).is_none() {
        txn.tell(&key, &event::DELETED);
    }
    call.integer(1)
}

/// The deadline that the options give to fields.
fn deadline_of(call: &Call<'_>, expiry: Expiry<'_>) -> Result<Option<i64>, Error> {
    match expiry {
        Expiry::Until(unit, amount) => deadline_ms(call, unit, amount).map(Some),
        Expiry::Unsaid | Expiry::Keep | Expiry::Persist => Ok(None),
    }
}

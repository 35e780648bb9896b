//! GET and SET, and the older commands that SET has absorbed.

use shardis_protocol::Request;
use shardis_storage::{Deadline, Transaction, View};

use super::options::{self, Expiry, Options, Word};
use super::set_string;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::is_word;
use crate::command::{Access, Call, Command, Done, Flags, Flow, key};
use crate::commands::keys::expire::TimeUnit;
use crate::commands::keys::remove_overdue;
use crate::config::Dialect;

pub static GET: Command = Command::read("GET", get)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only().accesses()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the string value of a key.");

fn get(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    match view.string(&key)? {
        Some(value) => call.string(value),
        None => call.null(),
    }
}

pub static SET: Command = Command::write("SET", set)
    .syntax(
        "key value [NX@2.6.12 | XX@2.6.12 | IFEQ ifeq-value@8.4.0 | IFNE ifne-value@8.4.0 | \
         IFDEQ ifdeq-digest@8.4.0 | IFDNE ifdne-digest@8.4.0] [GET]@6.2.0 [EX seconds@2.6.12 | \
         PX milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0]",
    )
    .arity(AtLeast(3))
    .keys(&[key(1)
        .read_write()
        .accesses()
        .updates()
        .varying(set_access)
        .notes("RW and ACCESS due to the optional `GET` argument")])
    .flags(Flags::DENY_OOM)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.")
    .history(&[
        ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
        ("6.0.0", "Added the `KEEPTTL` option."),
        ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
        ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ("8.4.0", "Added the `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE` options."),
    ]);

const SET_WORDS: &[Word] = &[
    options::NX,
    options::XX,
    options::GET,
    options::EX,
    options::PX,
    options::EXAT,
    options::PXAT,
    options::KEEPTTL,
    options::IFEQ,
    options::IFNE,
    options::IFDEQ,
    options::IFDNE,
];

/// With `GET` or a comparison the old value is read.
fn set_access(request: Request<'_>, dialect: &Dialect) -> Access {
    let reads =
        if dialect.comparing_accesses { &["GET", "IFEQ", "IFNE", "IFDEQ", "IFDNE"][..] } else { &["GET"] };
    let reads_old = request.tail(3).iter().any(|arg| reads.iter().any(|word| is_word(arg, word)));
    let old = if reads_old { Access::READ_WRITE | Access::ACCESS } else { Access::OVERWRITE };
    Access(old | Access::UPDATE)
}

fn set(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let value = call.args.take()?;
    if call.args.is_empty() {
        set_string(call, txn, &key, value, Deadline::Never);
        return call.ok();
    }
    let options = Options::parse(call.args, SET_WORDS)?;
    let deadline = options.expiry.deadline(call)?;
    if options.old_value {
        // The reply is the old value even when the condition then forbids to write.
        match txn.string(&key)? {
            Some(old) => call.string(old)?,
            None => call.null()?,
        };
    }
    let holds = options.condition.holds(txn.find(&key))?;
    if holds {
        set_string(call, txn, &key, value, deadline);
    }
    match (options.old_value, holds) {
        (true, _) => Ok(Flow::Done),
        (false, true) => call.ok(),
        (false, false) => call.null(),
    }
}

pub static GETSET: Command = Command::write("GETSET", getset)
    .syntax("key value")
    .arity(Exactly(3))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("set")
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the previous string value of a key after setting it to a new value.")
    .deprecated("6.2.0", "`SET` with the `!GET` argument");

fn getset(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let value = call.args.take()?;
    match txn.string(&key)? {
        Some(old) => call.string(old)?,
        None => call.null()?,
    };
    set_string(call, txn, &key, value, Deadline::Never);
    Ok(Flow::Done)
}

pub static GETDEL: Command = Command::write("GETDEL", getdel)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_write().accesses().deletes()])
    .flags(Flags::FAST)
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Returns the string value of a key after deleting the key.");

fn getdel(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let Some(value) = txn.string(&key)? else { return call.null() };
    call.string(value)?;
    txn.remove(&key);
    Ok(Flow::Done)
}

pub static GETEX: Command = Command::write("GETEX", getex)
    .syntax(
        "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    )
    .arity(AtLeast(2))
    .keys(&[key(1).read_write().accesses().updates().notes("RW and UPDATE because it changes the TTL")])
    .flags(Flags::FAST)
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Returns the string value of a key after setting its expiration time.");

const GETEX_WORDS: &[Word] = &[options::EX, options::PX, options::EXAT, options::PXAT, options::PERSIST];

fn getex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let expiry = Options::parse(call.args, GETEX_WORDS)?.expiry;
    let mut deadline = expiry.deadline(call);
    if call.dialect().getex_time_first {
        deadline = Ok(deadline?);
    }
    let Some(value) = txn.string(&key)? else { return call.null() };
    let deadline = deadline?;
    call.string(value)?;
    match (expiry, deadline) {
        (Expiry::Unsaid, _) => {}
        (_, Deadline::At(at)) if at <= call.now_ms => {
            remove_overdue(call, txn, &key);
        }
        (_, Deadline::At(at)) => {
            txn.set_deadline(&key, Some(at));
        }
        _ => {
            txn.set_deadline(&key, None);
        }
    }
    Ok(Flow::Done)
}

pub static SETNX: Command = Command::write("SETNX", setnx)
    .syntax("key value")
    .arity(Exactly(3))
    .keys(&[key(1).overwrites().inserts()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("set")
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Set the string value of a key only when the key doesn't exist.")
    .deprecated("2.6.12", "`SET` with the `NX` argument");

fn setnx(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let value = call.args.take()?;
    let absent = txn.find(&key).is_none();
    if absent {
        set_string(call, txn, &key, value, Deadline::Never);
    }
    call.integer(i64::from(absent))
}

pub static SETEX: Command = Command::write("SETEX", setex)
    .syntax("key seconds value")
    .arity(Exactly(4))
    .keys(&[key(1).overwrites().updates()])
    .flags(Flags::DENY_OOM)
    .event("set")
    .since("2.0.0")
    .complexity("O(1)")
    .summary("Sets the string value and expiration time of a key. Creates the key if it doesn't exist.")
    .deprecated("2.6.12", "`SET` with the `EX` argument");

fn setex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_until(call, txn, TimeUnit::SECONDS)
}

pub static PSETEX: Command = Command::write("PSETEX", psetex)
    .syntax("key milliseconds value")
    .arity(Exactly(4))
    .keys(&[key(1).overwrites().updates()])
    .flags(Flags::DENY_OOM)
    .event("set")
    .since("2.6.0")
    .complexity("O(1)")
    .summary(
        "Sets both string value and expiration time in milliseconds of a key. \
         The key is created if it doesn't exist.",
    )
    .deprecated("2.6.12", "`SET` with the `PX` argument");

fn psetex(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    set_until(call, txn, TimeUnit::MILLISECONDS)
}

fn set_until(call: &mut Call<'_>, txn: &mut Transaction<'_>, unit: TimeUnit) -> Done {
    let key = call.next_key()?;
    let deadline = Expiry::Until(unit, call.args.take()?).deadline(call)?;
    let value = call.args.take()?;
    set_string(call, txn, &key, value, deadline);
    call.ok()
}

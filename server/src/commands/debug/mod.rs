//! DEBUG: what tests of clients need and nobody else should. It is one command that takes its subcommand apart itself,
//! as in the real servers; those that crash a server, save its data or load it anew are refused.

mod digest;
mod object;
mod populate;
mod protocol;

use std::sync::atomic::Ordering;
use std::time::Duration;

use shardis_protocol::number;
use shardis_storage::Transaction;

use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow};
use crate::config::parse_memory;

pub static DEBUG: Command = Command::write("DEBUG", debug)
    .arity(AtLeast(2))
    .every()
    .flags(
        Flags::ADMIN
            .union(Flags::NO_SCRIPT)
            .union(Flags::LOADING)
            .union(Flags::STALE)
            .union(Flags::PROTECTED)
            .union(Flags::SYSTEM),
    )
    .since("1.0.0")
    .complexity("Depends on subcommand.")
    .summary("A container for debugging commands.");

fn debug(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let name = call.args.take()?;
    let given = call.args.len();
    let known = SUBCOMMANDS.iter().find(|known| {
        let most = known.most + usize::from(known.takes_option && call.dialect().debug_takes_option);
        is_word(name, known.name) && (known.least..=most).contains(&given)
    });
    match known {
        Some(known) => (known.run)(call, txn),
        None => Err(unknown(call)),
    }
}

/// No such subcommand, or not with so many arguments.
fn unknown(call: &Call<'_>) -> Error {
    Error::unknown_subcommand_or_arity("DEBUG", call.request().arg(1).unwrap_or_default())
}

/// A subcommand and how many arguments it takes.
struct Subcommand {
    name: &'static str,
    least: usize,
    most: usize,
    /// Whether some servers take one more.
    takes_option: bool,
    run: fn(&mut Call<'_>, &mut Transaction<'_>) -> Done,
}

const fn subcommand(
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&mut Call<'_>, &mut Transaction<'_>) -> Done,
) -> Subcommand {
    Subcommand { name, least, most, takes_option: false, run }
}

impl Subcommand {
    const fn with_option(mut self) -> Subcommand {
        self.takes_option = true;
        self
    }
}

const ANY: usize = usize::MAX - 1;

const SUBCOMMANDS: [Subcommand; 33] = [
    subcommand("ASSERT", 0, ANY, refuse),
    subcommand("CHANGE-REPL-ID", 0, 0, change_replication_id),
    subcommand("CRASH-AND-RECOVER", 0, ANY, refuse),
    subcommand("DICT-RESIZING", 1, 1, accept),
    subcommand("DIGEST", 0, 0, digest::of_everything),
    subcommand("DIGEST-VALUE", 0, ANY, digest::of_values),
    subcommand("ERROR", 1, 1, error),
    subcommand("HELP", 0, 0, help),
    subcommand("HTSTATS", 1, 1, object::table_of_database).with_option(),
    subcommand("HTSTATS-KEY", 1, 1, object::table_of_key).with_option(),
    subcommand("LEAK", 0, ANY, refuse),
    subcommand("LISTPACK", 1, 1, object::listpack),
    subcommand("LOADAOF", 0, ANY, refuse),
    subcommand("LOG", 1, 1, log),
    subcommand("OBJECT", 1, 1, object::object).with_option(),
    subcommand("OOM", 0, ANY, refuse),
    subcommand("PANIC", 0, ANY, refuse),
    subcommand("PAUSE-CRON", 1, 1, pause_cron),
    subcommand("POPULATE", 1, 3, populate::populate),
    subcommand("PROTOCOL", 1, 1, protocol::protocol),
    subcommand("QUICKLIST", 1, 2, object::quicklist),
    subcommand("QUICKLIST-PACKED-THRESHOLD", 1, 1, packed_threshold),
    subcommand("RELOAD", 0, ANY, refuse),
    subcommand("REPLYBUFFER", 2, 2, reply_buffer),
    subcommand("RESTART", 0, ANY, refuse),
    subcommand("SDSLEN", 1, 1, object::string_length),
    subcommand("SEGFAULT", 0, ANY, refuse),
    subcommand("SET-ACTIVE-EXPIRE", 1, 1, set_active_expire),
    subcommand("SET-DISABLE-DENY-SCRIPTS", 1, 1, set_disable_deny_scripts),
    subcommand("SET-SKIP-CHECKSUM-VALIDATION", 1, 1, accept),
    subcommand("SLEEP", 1, 1, sleep),
    subcommand("STRUCTSIZE", 0, 0, object::sizes),
    subcommand("STRINGMATCH-TEST", 0, 0, refuse),
];

fn help(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    call.help("DEBUG", HELP_LINES)
}

/// Of the subcommands that do something.
const HELP_LINES: &[&str] = &[
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "    Dangerous: should be used only for testing the replication subsystem.",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "HTSTATS <dbid>",
    "    Return hash table statistics of the specified Redis database.",
    "HTSTATS-KEY <key>",
    "    Like HTSTATS but for the hash table stored at <key>'s value.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "SDSLEN <key>",
    "    Show low level SDS string info representing `key` and value.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRUCTSIZE",
    "    Return the size of different Redis core structures.",
    "PAUSE-CRON <0|1>",
    "    Stop periodic cron job processing.",
];

fn refuse(_: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    Err(Error::DEBUG_REFUSED)
}

/// What the insides of this server have no switch for.
fn accept(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    call.ok()
}

fn change_replication_id(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let mut id = call.state.replication_id.lock();
    *id = call.state.random().fill_hex(id.len());
    drop(id);
    call.ok()
}

/// The text is the whole reply, and counts as no error.
fn error(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let text = call.args.take()?;
    call.reply.error(text);
    Ok(Flow::Done)
}

fn log(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let text = call.args.take()?;
    call.state.log.warning(format_args!("DEBUG LOG: {}", String::from_utf8_lossy(text)));
    call.ok()
}

/// Large elements do not get nodes of their own here; whoever wants them sooner is told whether it is a size.
fn packed_threshold(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let bytes = parse_memory(call.args.take()?, call.dialect());
    match bytes.filter(|bytes| (0..=PACKED_THRESHOLD_MAX).contains(bytes)) {
        Some(_) => call.ok(),
        None => Err(Error::PACKED_THRESHOLD),
    }
}

/// A little less than 4 GB.
const PACKED_THRESHOLD_MAX: i128 = (1 << 32) - (1 << 20);

/// Reply buffers here have no size that is kept.
fn reply_buffer(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    if call.args.take_word("PEAK-RESET-TIME") {
        if !call.args.take_word("NEVER") && !call.args.take_word("RESET") {
            call.args.integer()?;
        }
    } else if !call.args.take_word("RESIZING") {
        return Err(unknown(call));
    }
    call.ok()
}

/// Takes a switch. What is no number is zero, as for C's `atoi`.
fn take_switch(call: &mut Call<'_>) -> Result<bool, Error> {
    Ok(number::parse_i64(call.args.take()?).is_some_and(|value| value != 0))
}

fn pause_cron(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let is_paused = take_switch(call)?;
    call.state.is_background_paused.store(is_paused, Ordering::Relaxed);
    call.ok()
}

fn set_disable_deny_scripts(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let word = call.args.take()?;
    // As C reads a number.
    let is_set = word.first().is_some_and(|digit| matches!(digit, b'1'..=b'9'));
    call.state.scripts_may_call_all.store(is_set, Ordering::Relaxed);
    call.ok()
}

fn set_active_expire(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    let is_active = take_switch(call)?;
    call.state.is_expiry_paused.store(!is_active, Ordering::Relaxed);
    call.ok()
}

/// Holds all shards for so long: whoever wants data waits, everybody else does not notice. What is no number is zero.
fn sleep(call: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
    if call.may_offload {
        return Ok(Flow::Offload);
    }
    let seconds = number::parse_f64(call.args.take()?).unwrap_or(0.0);
    let mut left = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    // In slices, so that a server that is told to stop does not wait for it.
    while !left.is_zero() && !*call.state.stopping.borrow() {
        let slice = left.min(SLICE);
        std::thread::sleep(slice);
        left -= slice;
    }
    call.ok()
}

const SLICE: Duration = Duration::from_millis(10);

//! DEBUG: what tests of clients need and nobody else should. It is one command that takes its subcommand apart itself,
//! as in the real servers; those that crash the server or show the insides of another one do not exist here.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::Ordering;
use std::time::Duration;

use shardis_protocol::number;
use shardis_storage::{EntryRef, StringRef, View};

use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Error, Flags, Flow};
use crate::commands::keys::object::{encoding_of, references_of};

pub static DEBUG: Command = Command::read("DEBUG", debug)
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

fn debug(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let name = call.args.take()?;
    let known =
        SUBCOMMANDS.iter().find(|(known, words, _)| is_word(name, known) && call.args.len() == *words);
    match known {
        Some((_, _, run)) => run(call, view),
        None => Err(Error::unknown_subcommand_or_arity("DEBUG", name)),
    }
}

/// Name, number of arguments and handler.
type Subcommand = (&'static str, usize, fn(&mut Call<'_>, &mut View<'_>) -> Done);

const SUBCOMMANDS: [Subcommand; 5] = [
    ("HELP", 0, help),
    ("OBJECT", 1, object),
    ("OBJECT", 2, object_with_option),
    ("SET-ACTIVE-EXPIRE", 1, set_active_expire),
    ("SLEEP", 1, sleep),
];

fn help(call: &mut Call<'_>, _view: &mut View<'_>) -> Done {
    call.help("DEBUG", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
];

fn object(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let entry = view.inspect(&key).ok_or(Error::NO_SUCH_KEY)?;
    // Values have no address that stays. What stands for it tells one value from another, and nothing of the secret hash
    // of the key: whoever knew that could choose keys and fields that collide.
    let mut address = DefaultHasher::new();
    address.write(key.bytes());
    let text = format!(
        "Value at:0x{:x} refcount:{} encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        address.finish(),
        references_of(call, entry),
        encoding_of(call, &key, entry),
        serialized_bytes(entry),
        entry.access_clock(),
        entry.idle_ms() / 1000,
    );
    call.simple(&text)
}

/// The option says what to leave out for speed; nothing here is slow.
fn object_with_option(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    if call.dialect().debug_object_takes_option {
        object(call, view)
    } else {
        Err(Error::unknown_subcommand_or_arity("DEBUG", call.request().arg(1).unwrap_or_default()))
    }
}

/// How long the value would be in a dump: of a string without compression, of a collection as it is in memory.
fn serialized_bytes(entry: EntryRef<'_>) -> usize {
    match entry.string() {
        Some(StringRef::Int(value)) if i8::try_from(value).is_ok() => 2,
        Some(StringRef::Int(value)) if i16::try_from(value).is_ok() => 3,
        Some(StringRef::Int(value)) if i32::try_from(value).is_ok() => 5,
        Some(string) => match string.len() {
            bytes @ 0..64 => 1 + bytes,
            bytes @ 64..16_384 => 2 + bytes,
            bytes => 5 + bytes,
        },
        None => entry.memory_bytes(),
    }
}

/// What is no number is zero, as for C's `atoi`.
fn set_active_expire(call: &mut Call<'_>, _view: &mut View<'_>) -> Done {
    let is_active = number::parse_i64(call.args.take()?).is_some_and(|value| value != 0);
    call.state.is_expiry_paused.store(!is_active, Ordering::Relaxed);
    call.ok()
}

/// Holds all shards for so long: whoever wants data waits, everybody else does not notice. What is no number is zero.
fn sleep(call: &mut Call<'_>, _view: &mut View<'_>) -> Done {
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

//! Finding keys: all at once under every lock (KEYS, RANDOMKEY, DBSIZE), or in steps that hold one lock at a
//! time and promise less (SCAN).

use shardis_protocol::number;
use shardis_storage::glob::Pattern;
use shardis_storage::{EntryRef, ManyExpired, View};

use crate::command::Arity::{AtLeast, Exactly};
use crate::command::args::{is_word, until_zero};
use crate::command::{Call, Category, Command, Done, Error, Flags, Flow, Told};
use crate::config::Personality;

pub static KEYS: Command = Command::read("KEYS", matching_keys)
    .syntax("pattern")
    .arity(Exactly(2))
    .every()
    .categories(Category::DANGEROUS)
    .since("1.0.0")
    .complexity(
        "O(N) with N being the number of keys in the database, under the assumption that the key names in \
         the database and the given pattern have limited length.",
    )
    .summary("Returns all key names that match a pattern.")
    .tips(&["request_policy:all_shards", "nondeterministic_output_order"]);

fn matching_keys(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    if call.should_offload(view.len()) {
        return Ok(Flow::Offload);
    }
    let pattern = Pattern::new(call.args.take()?);
    let mut found = Names::default();
    view.for_each_key(&mut |key, _| {
        if pattern.matches(key) {
            found.push(key);
        }
    });
    found.write(call)
}

pub static SCAN: Command = Command::read("SCAN", scan)
    .syntax("cursor [MATCH pattern] [COUNT count] [TYPE type]@6.0.0")
    .arity(AtLeast(2))
    .walk()
    .since("2.8.0")
    .complexity(
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection.",
    )
    .summary("Iterates over the key names in the database.")
    .history(&[("6.0.0", "Added the `TYPE` subcommand.")])
    .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
    .elsewhere(&[(Personality::Redis70, Told::Tips(&["nondeterministic_output", "request_policy:special"]))]);

fn scan(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let mut cursor =
        parse_cursor(call.args.take()?, call.dialect().strict_cursors).ok_or(Error::INVALID_CURSOR)?;
    let options = ScanOptions::parse(call)?;
    let shards = call.state.keyspace.shards();
    if call.should_offload(options.count.max(shards / EMPTY_SHARDS_PER_WORK_UNIT)) {
        return Ok(Flow::Offload);
    }
    let mut found = Names::default();
    let mut sampled = 0;
    let mut steps_left = options.count.saturating_mul(STEPS_PER_KEY);
    while sampled < options.count && steps_left > 0 {
        let mut wants = |key: &[u8], entry: EntryRef<'_>| {
            sampled += 1;
            options.admits(key, entry.kind().name())
        };
        let step = view.scan(cursor, &mut wants, &mut |key| found.push(key));
        // Somebody keeps the next shard for long: wait where waiting is allowed.
        let Ok(next) = step else { return Ok(Flow::Offload) };
        cursor = next;
        if cursor == 0 {
            break;
        }
        steps_left -= 1;
    }
    call.reply.array(2);
    call.reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
    found.write(call)
}

/// What SCAN looks for, and how long.
#[derive(Clone, Copy, Debug)]
struct ScanOptions<'a> {
    count: usize,
    pattern: Option<Pattern<'a>>,
    kind: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    fn parse(call: &mut Call<'a>) -> Result<ScanOptions<'a>, Error> {
        let (args, is_strict) = (&mut call.args, call.state.config.dialect().strict_scan_options);
        let mut options = ScanOptions { count: COUNT_DEFAULT, pattern: None, kind: None };
        while !args.is_empty() {
            if args.take_word("COUNT") {
                let count = args.integer()?;
                options.count =
                    usize::try_from(count).ok().filter(|&count| count > 0).ok_or(Error::SYNTAX)?;
            } else if args.take_word("MATCH") {
                options.pattern = Some(Pattern::new(args.take()?));
            } else if args.take_word("TYPE") {
                let kind = args.take()?;
                if is_strict && !TYPES.iter().any(|known| is_word(kind, known)) {
                    return Err(Error::unknown_type(kind));
                }
                options.kind = Some(kind);
            } else if is_strict && args.take_word("NOVALUES") {
                return Err(Error::NOVALUES_WITHOUT_FIELDS);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// A type that does not exist is the type of no key.
    fn admits(&self, key: &[u8], kind: &str) -> bool {
        self.kind.is_none_or(|wanted| is_word(wanted, kind))
            && self.pattern.is_none_or(|pattern| pattern.matches(key))
    }
}

/// A cursor as C's `strtoul` reads one: it ends at a zero byte, nothing is 0, and a sign is taken. A strict one is
/// something and not negative, and may have leading space instead.
fn parse_cursor(bytes: &[u8], is_strict: bool) -> Option<u64> {
    let text = until_zero(bytes);
    let trimmed = text.trim_ascii_start();
    let is_refused = match is_strict {
        true => text.is_empty() || number::parse_i64(text).is_some_and(|value| value < 0),
        false => trimmed.len() < text.len(),
    };
    if is_refused {
        return None;
    }
    let (negative, digits) = match trimmed {
        [b'-', digits @ ..] if !digits.is_empty() => (true, digits),
        [b'+', digits @ ..] if !digits.is_empty() => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() && !text.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// The types of the imitated servers, whether we have them or not.
const TYPES: [&str; 6] = ["string", "list", "set", "zset", "hash", "stream"];
/// How many keys a call of SCAN looks at unless told otherwise.
const COUNT_DEFAULT: usize = 10;
/// Steps a call of SCAN takes at most for every key it was to look at, in a table with many empty buckets.
const STEPS_PER_KEY: usize = 10;
/// Walking on through so many empty shards, which a call may have to do with all of them, costs as much as one unit of
/// [`Call::should_offload`].
const EMPTY_SHARDS_PER_WORK_UNIT: usize = 4;

pub static RANDOMKEY: Command = Command::read("RANDOMKEY", randomkey)
    .arity(Exactly(1))
    .every()
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns a random key name from the database.")
    .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"])
    .elsewhere(&[(
        Personality::Redis70,
        Told::Tips(&["request_policy:all_shards", "nondeterministic_output"]),
    )]);

fn randomkey(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let expired_max = if call.may_offload { RANDOM_EXPIRED_MAX } else { usize::MAX };
    let found = view.random_key(&mut call.state.random(), expired_max);
    match found {
        Ok(Some(key)) => call.bulk(&key),
        Ok(None) => call.null(),
        Err(ManyExpired) => Ok(Flow::Offload),
    }
}

/// Expired keys that a network thread removes before it leaves the search to others: about 100 microseconds.
const RANDOM_EXPIRED_MAX: usize = 100;

pub static DBSIZE: Command = Command::read("DBSIZE", dbsize)
    .arity(Exactly(1))
    .every()
    .flags(Flags::FAST)
    .categories(Category::KEYSPACE)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the number of keys in the database.")
    .tips(&["request_policy:all_shards", "response_policy:agg_sum"]);

fn dbsize(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    call.integer(view.len())
}

/// Names on their way to an array, whose length stands in front of them.
#[derive(Debug, Default)]
struct Names {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
    }

    fn write(&self, call: &mut Call<'_>) -> Done {
        call.reply.array(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            call.reply.bulk(&self.bytes[start..end]);
            start = end;
        }
        Ok(Flow::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_c_reads_it() {
        for (text, cursor, strict) in [
            ("0", Some(0), Some(0)),
            ("", Some(0), None),
            ("\0x", Some(0), None),
            ("1\0x", Some(1), Some(1)),
            ("01", Some(1), Some(1)),
            ("+1", Some(1), Some(1)),
            ("-1", Some(u64::MAX), None),
            ("-01", Some(u64::MAX), Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX), Some(u64::MAX)),
            ("18446744073709551616", None, None),
            (" 1", None, Some(1)),
            (" ", None, None),
            ("1x", None, None),
            ("-", None, None),
            ("--1", None, None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes(), false), cursor, "{text:?}");
            assert_eq!(parse_cursor(text.as_bytes(), true), strict, "{text:?}");
        }
    }
}

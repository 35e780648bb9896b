//! What the values of parameters look like: how they are read, checked and shown. The texts of refusals are those of
//! Redis. Which parameter is of which kind is declared in `options`.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use shardis_protocol::number;

use super::choice::Level;
use super::events::EventClasses;
use super::output_limit::{self, OutputLimits};
use super::setting::{Choice, Scalar};
use super::shape::Shape;
use super::{Config, Dialect};
use crate::command::args::until_zero;

/// What the values of a parameter look like.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// `yes` or `no`; unset it is what the personality has.
    YesNoByPersonality,
    /// An integer of `min` to `max`.
    Number {
        /// How it is written.
        unit: Unit,
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of the levels of the log that the personality has.
    LogLevel,
    /// Any of these words, and in their order, or else the first one.
    ShutdownFlags(&'static [&'static str]),
    /// In bytes, or in percent of something, which is stored as a negative number.
    MemoryOrPercent,
    /// Classes of clients with three figures each.
    OutputLimits,
    /// Any bytes, in one word.
    Text,
    /// Any bytes but zero, which ends it, in one word.
    TextUntilZero,
    /// A text of some form, in one word.
    Shaped(Shape),
    /// Classes of keyspace events, a letter each.
    EventClasses,
    /// The same in any number of words.
    ShapedWords(Shape),
    /// Any number of words, joined by spaces.
    Words,
    /// Host and port of a server; `no one` is the empty text.
    Peer,
    /// Percentages, one space between them.
    Percentiles,
    /// Network addresses.
    Addresses,
    /// An existing directory.
    Directory,
}

/// How an integer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// In decimal.
    Plain,
    /// In decimal, and a power of two.
    PowerOfTwo,
    /// In decimal, and quietly moved to between `HERTZ_MIN` and `HERTZ_MAX`.
    Hertz,
    /// In octal.
    Octal,
    /// In bytes, with a unit if wanted: `2mb`, `1g`.
    Memory,
}

/// A value that has the right shape for its parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Scalar(i64),
    Text(Arc<[u8]>),
    OutputLimits(OutputLimits),
}

/// Why a value was refused; clients see it.
pub type Reason = Cow<'static, str>;

impl Kind {
    /// Whether several words make one value.
    pub fn takes_words(self) -> bool {
        matches!(
            self,
            Kind::Words
                | Kind::Percentiles
                | Kind::OutputLimits
                | Kind::ShapedWords(_)
                | Kind::ShutdownFlags(_)
                | Kind::Peer
                | Kind::Addresses
        )
    }

    /// What to write for a value, for `--help`.
    pub fn hint(self) -> Cow<'static, str> {
        match self {
            Kind::YesNo | Kind::YesNoByPersonality => "yes|no".into(),
            Kind::Number { unit: Unit::Memory, .. } => "bytes".into(),
            Kind::Number { .. } => "number".into(),
            Kind::Choice(words) | Kind::ShutdownFlags(words) => words.join("|").into(),
            Kind::LogLevel => Level::WORDS.join("|").into(),
            Kind::MemoryOrPercent => "bytes|percent%".into(),
            Kind::OutputLimits => "class hard soft seconds ...".into(),
            Kind::Text | Kind::TextUntilZero | Kind::Shaped(_) => "text".into(),
            Kind::EventClasses => "letters".into(),
            Kind::Words | Kind::ShapedWords(_) => "words".into(),
            Kind::Peer => "host port|no one".into(),
            Kind::Percentiles => "number ...".into(),
            Kind::Addresses => "address ...".into(),
            Kind::Directory => "directory".into(),
        }
    }

    /// The value that `text` stands for.
    pub(super) fn parse(self, text: &[u8], config: &Config) -> Result<Value, Reason> {
        match self {
            Kind::YesNo | Kind::YesNoByPersonality => {
                Ok(Value::Scalar(position(&["no", "yes"], text).ok_or("argument must be 'yes' or 'no'")?))
            }
            Kind::Choice(words) => Ok(Value::Scalar(position(words, text).ok_or_else(|| not_one_of(words))?)),
            Kind::ShutdownFlags(words) => shutdown_flags(words, text),
            Kind::LogLevel => Kind::Choice(config.dialect().log_levels).parse(text, config),
            Kind::Peer if text.eq_ignore_ascii_case(b"no one") => Ok(Value::Text([].into())),
            Kind::Number { unit, min, max } => {
                unit.parse(text, min, max, config.dialect()).map(Value::Scalar)
            }
            Kind::MemoryOrPercent => memory_or_percent(text, config.dialect()).map(Value::Scalar),
            Kind::OutputLimits => {
                let limits = *config.client_output_buffer_limit.read();
                output_limit::changed(limits, text, config.dialect()).map(Value::OutputLimits)
            }
            Kind::Text | Kind::Words | Kind::Peer => Ok(Value::Text(text.into())),
            Kind::TextUntilZero => Ok(Value::Text(until_zero(text).into())),
            Kind::Shaped(shape) | Kind::ShapedWords(shape) => Ok(Value::Text(shape(text)?.into())),
            Kind::EventClasses => {
                EventClasses::parse(text).map(|classes| Value::Scalar(i64::from(classes.0)))
            }
            Kind::Percentiles => percentiles(text).map(Value::Text),
            Kind::Addresses => {
                let words = text.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
                if words.count() > BIND_ADDRESSES_MAX {
                    return Err("Too many bind addresses specified.".into());
                }
                Ok(Value::Text(text.into()))
            }
            Kind::Directory => directory(text, config).map_err(|error| os_text(&error).into()),
        }
    }

    /// How the content of a setting is shown.
    pub(super) fn format(self, raw: i64, config: &Config) -> String {
        match self {
            Kind::YesNo => if raw != 0 { "yes" } else { "no" }.to_owned(),
            Kind::YesNoByPersonality => {
                Kind::YesNo.format(config.by_personality(Scalar::from_raw(raw)).into_raw(), config)
            }
            Kind::LogLevel => Kind::Choice(Level::WORDS).format(raw, config),
            Kind::Choice(words) => usize::try_from(raw)
                .ok()
                .and_then(|index| words.get(index))
                .copied()
                .unwrap_or_default()
                .to_owned(),
            Kind::EventClasses => EventClasses(raw as u32).format(),
            Kind::Number { unit: Unit::Octal, .. } => format!("{raw:o}"),
            Kind::MemoryOrPercent if raw < 0 => format!("{}%", raw.unsigned_abs()),
            _ => raw.to_string(),
        }
    }
}

impl Unit {
    fn parse(self, text: &[u8], min: i64, max: i64, dialect: &Dialect) -> Result<i64, Reason> {
        let value = match self {
            Unit::Plain | Unit::PowerOfTwo | Unit::Hertz => number::parse_i64(text)
                .map(i128::from)
                .ok_or("argument couldn't be parsed into an integer")?,
            Unit::Octal => parse_octal(text).ok_or("argument couldn't be parsed as an octal number")?,
            // Where negative numbers are allowed at all, they are plain ones.
            Unit::Memory if min < 0 && text.starts_with(b"-") => {
                number::parse_i64(text).map(i128::from).ok_or(NO_MEMORY_VALUE)?
            }
            Unit::Memory => parse_memory(text, dialect).ok_or(NO_MEMORY_VALUE)?,
        };
        let value = i64::try_from(value).ok().filter(|value| (min..=max).contains(value));
        match (self, value) {
            (Unit::Octal, None) => {
                Err(format!("argument must be between {min:o} and {max:o} inclusive").into())
            }
            (_, None) => Err(format!("argument must be between {min} and {max} inclusive").into()),
            (Unit::PowerOfTwo, Some(value)) if value.count_ones() != 1 => {
                Err("argument must be a power of two".into())
            }
            (Unit::Hertz, Some(value)) => Ok(value.clamp(HERTZ_MIN, HERTZ_MAX)),
            (_, Some(value)) => Ok(value),
        }
    }
}

/// All the words of a text, which must be among `words`. The first of these stands for none.
fn shutdown_flags(words: &[&str], text: &[u8]) -> Result<Value, Reason> {
    let flag = |word| position(words, word).ok_or_else(|| not_one_of(words));
    let chosen = text.split(|&byte| byte == b' ').map(flag).collect::<Result<Vec<_>, _>>()?;
    let flags = words.iter().zip(0..).skip(1).filter(|(_, index)| chosen.contains(index));
    let mut flags: Vec<&str> = flags.map(|(word, _)| *word).collect();
    if flags.starts_with(&["save", "nosave"]) {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    if flags.is_empty() {
        flags.push(words[0]);
    }
    Ok(Value::Text(flags.join(" ").into_bytes().into()))
}

fn not_one_of(words: &[&str]) -> Reason {
    format!("argument(s) must be one of the following: {}", words.join(", ")).into()
}

fn position(words: &[&str], text: &[u8]) -> Option<i64> {
    let text = until_zero(text);
    words.iter().position(|word| word.as_bytes().eq_ignore_ascii_case(text)).map(|index| index as i64)
}

fn parse_octal(text: &[u8]) -> Option<i128> {
    i128::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok()
}

/// Digits and a unit. Redis's oddities: no digits are a zero, and beyond 64 bits a number may stay at their greatest.
pub(crate) fn parse_memory(text: &[u8], dialect: &Dialect) -> Option<i128> {
    let text = until_zero(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let factor: u64 = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let append = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    let number = match text[..digits].iter().try_fold(0, append) {
        None if dialect.huge_memory_is_malformed => return None,
        number => number.unwrap_or(u64::MAX),
    };
    (digits <= MEMORY_DIGITS_MAX).then_some(i128::from(number.saturating_mul(factor)))
}

/// Percentages as they are shown: with six digits behind the point at most.
fn percentiles(text: &[u8]) -> Result<Arc<[u8]>, Reason> {
    let mut shown = Vec::new();
    for word in text.split(|&byte| byte == b' ').filter(|_| !text.is_empty()) {
        let percent =
            number::parse_f64(word).ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&percent) {
            return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
        }
        shown.push(percentile(percent));
    }
    Ok(shown.join(" ").into_bytes().into())
}

/// A percentage with six digits behind the point at most.
pub fn percentile(percent: f64) -> String {
    let text = format!("{percent:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A memory value, or a percentage as a negative number. Redis's oddity: a memory value of 64 bits is one too.
fn memory_or_percent(text: &[u8], dialect: &Dialect) -> Result<i64, Reason> {
    let value = match text.strip_suffix(b"%") {
        Some(percent) => number::parse_i64(percent).filter(|percent| *percent >= 0).map(|percent| -percent),
        None => {
            parse_memory(text, dialect).and_then(|bytes| u64::try_from(bytes).ok()).map(|bytes| bytes as i64)
        }
    };
    let value = value.ok_or("argument must be a memory or percent value")?;
    if value < -100 {
        return Err("percentage argument must be less or equal to 100".into());
    }
    Ok(value)
}

/// The directory as an absolute path.
fn directory(text: &[u8], config: &Config) -> io::Result<Value> {
    let path = fs::canonicalize(config.path(text))?;
    // Finding the dot in it is what only a directory allows that one may enter.
    fs::metadata(path.join("."))?;
    Ok(Value::Text(path.as_os_str().as_bytes().into()))
}

/// The operating system's words for an error, without the number that Rust adds.
pub(crate) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

const NO_MEMORY_VALUE: &str = "argument must be a memory value";
const HERTZ_MIN: i64 = 1;
const HERTZ_MAX: i64 = 500;
const BIND_ADDRESSES_MAX: usize = 16;
/// Longer numbers are no memory values.
const MEMORY_DIGITS_MAX: usize = 127;

#[cfg(test)]
mod tests {
    use super::super::{Personality, options};
    use super::*;

    /// Answers of redis-server 7.0.15 and valkey-server 9.1.2, which agree on these.
    #[test]
    fn malformed_values_are_refused_in_the_words_of_redis() {
        let table = [
            ("port", "abc", "argument couldn't be parsed into an integer"),
            ("port", "-1", "argument must be between 0 and 65535 inclusive"),
            ("timeout", "", "argument couldn't be parsed into an integer"),
            ("timeout", " 1", "argument couldn't be parsed into an integer"),
            ("timeout", "+1", "argument couldn't be parsed into an integer"),
            ("timeout", "01", "argument couldn't be parsed into an integer"),
            ("timeout", "-0", "argument couldn't be parsed into an integer"),
            ("timeout", "9223372036854775808", "argument couldn't be parsed into an integer"),
            ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
            ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
            ("active-expire-effort", "11", "argument must be between 1 and 10 inclusive"),
            (
                "hash-max-listpack-entries",
                "-1",
                "argument must be between 0 and 9223372036854775807 inclusive",
            ),
            ("unixsocketperm", "999", "argument couldn't be parsed as an octal number"),
            ("unixsocketperm", "1777", "argument must be between 0 and 777 inclusive"),
            ("protected-mode", "", "argument must be 'yes' or 'no'"),
            ("lazyfree-lazy-user-del", "1", "argument must be 'yes' or 'no'"),
            ("proto-max-bulk-len", "abc", "argument must be a memory value"),
            ("proto-max-bulk-len", "-1", "argument must be a memory value"),
            ("proto-max-bulk-len", "+2mb", "argument must be a memory value"),
            ("proto-max-bulk-len", " 1mb", "argument must be a memory value"),
            ("proto-max-bulk-len", "2mbx", "argument must be a memory value"),
            ("proto-max-bulk-len", "1.5mb", "argument must be a memory value"),
            ("proto-max-bulk-len", "", "argument must be between 1048576 and 9223372036854775807 inclusive"),
            (
                "proto-max-bulk-len",
                "kb",
                "argument must be between 1048576 and 9223372036854775807 inclusive",
            ),
            (
                "proto-max-bulk-len",
                "2Kb",
                "argument must be between 1048576 and 9223372036854775807 inclusive",
            ),
            (
                "proto-max-bulk-len",
                "18446744073709551615",
                "argument must be between 1048576 and 9223372036854775807 inclusive",
            ),
            (
                "loglevel",
                "",
                "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
            ),
            (
                "maxmemory-policy",
                "abc",
                "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, \
                 volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
            ),
            ("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."),
            ("dir", "/nosuch", "No such file or directory"),
            ("dir", "/dev/null", "Not a directory"),
            ("shards", "12", "argument must be a power of two"),
        ];
        for (name, text, expected) in table {
            assert_refused(name, text, expected);
        }
    }

    #[test]
    fn memory_of_clients_is_in_bytes_or_in_percent() {
        let malformed = "argument must be a memory or percent value";
        for text in ["-5%", "5.5%", "5mb%", "%", "-1", "abc"] {
            assert_refused("maxmemory-clients", text, malformed);
        }
        for text in ["101%", "9223372036854775808"] {
            assert_refused("maxmemory-clients", text, "percentage argument must be less or equal to 100");
        }
        let config = Config::default();
        for (text, shown, bytes) in [("5%", "5%", None), ("0%", "0", None), ("2kb", "2048", Some(2048))] {
            assert_eq!(config.set("maxmemory-clients", text), Ok(()), "{text}");
            assert_eq!(config.get("maxmemory-clients").as_deref(), Some(shown.as_bytes()));
            assert_eq!(config.client_memory_max(), bytes, "without maxmemory a share of it is no limit");
        }
    }

    fn assert_refused(name: &str, text: &str, expected: &str) {
        let (parameter, _) = options::find(name.as_bytes(), Personality::Redis72).expect("a parameter");
        let refusal = parameter.kind.parse(text.as_bytes(), &Config::default()).expect_err(text);
        assert_eq!(refusal, expected, "{name} '{text}'");
    }

    #[test]
    fn memory_values_have_units_of_1000_and_1024() {
        let redis = Personality::Redis72.dialect();
        let table = [
            ("0", 0),
            ("", 0),
            ("7b", 7),
            ("7K", 7000),
            ("7kB", 7 << 10),
            ("7m", 7_000_000),
            ("7MB", 7 << 20),
            ("7g", 7_000_000_000),
            ("7gb", 7 << 30),
            ("7k\0b", 7000),
            ("18446744073709551616", i128::from(u64::MAX)),
            ("18446744073709551615gb", i128::from(u64::MAX)),
        ];
        for (text, expected) in table {
            assert_eq!(parse_memory(text.as_bytes(), redis), Some(expected), "{text}");
        }
        assert_eq!(parse_memory(&[b'1'; 128], redis), None);
        let valkey = Personality::Valkey91.dialect();
        assert_eq!(parse_memory(b"18446744073709551615", valkey), Some(i128::from(u64::MAX)));
        assert_eq!(parse_memory(b"18446744073709551616", valkey), None);
    }
}

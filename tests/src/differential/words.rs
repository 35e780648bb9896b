//! Random words of each kind: mostly sensible ones, so that most commands succeed, and a steady share of odd
//! ones.
//!
//! Deadlines keep away from now, and from each other by far more than a run lasts: the same command reaches
//! the two servers at slightly different times, and both must still see the same keys.

use fastrand::Rng;

/// Keys are named by what commands expect in them: a string, a number, a float, a hash, a list, a set of elements or of
/// integers, a sorted set, a HyperLogLog, places, a stream.
const KEY_PREFIXES: [char; 11] = ['s', 'n', 'f', 'h', 'l', 'e', 'i', 'z', 'p', 'g', 't'];
/// Keys of a kind: few, so that commands meet each other's data.
const KEYS_PER_KIND: usize = 3;
/// The greatest time in ids of entries, which most of them have.
const STREAM_MILLISECONDS: u32 = 30;
/// Fields of a hash that commands choose from.
const FIELDS_MAX: usize = 12;
/// Commands use these databases; mutations reach the others.
const DATABASES: usize = 3;
/// One key in so many is of another kind than the command expects.
const WRONG_KEY_SHARE: u32 = 12;
/// One number in so many is odd.
const ODD_SHARE: u32 = 8;
/// Far in the future, and far from every relative deadline.
pub const UNIX_SECONDS_BASE: u64 = 33_000_000_000;
/// Between two deadlines.
const DEADLINE_STEP_SECONDS: u64 = 1000;

/// What integers should not look like, and where they end. None of them is a deadline that would pass during
/// a run.
const ODD_INTEGERS: [&[u8]; 22] = [
    b"",
    b"+1",
    b" 1",
    b"1 ",
    b"01",
    b"-0",
    b"0",
    b"-1",
    b"1.0",
    b"1e3",
    b"0x10",
    b"abc",
    b"\x00",
    b"1\x00",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"-9223372036854775809",
    b"2147483648",
    b"4294967296",
    b"18446744073709551615",
    b"18446744073709551616",
];
const ODD_FLOATS: [&[u8]; 18] = [
    b"",
    b" 1",
    b"1 ",
    b"abc",
    b"nan",
    b"inf",
    b"-inf",
    b"infinity",
    b"1e400",
    b"1e-400",
    b"1e5000",
    b"0x10",
    b"-0",
    b"1e",
    b".5",
    b"5.",
    b"+3",
    b"--1",
];
const PATTERNS: [&[u8]; 16] = [
    b"*", b"s*", b"?1", b"[sn]*", b"[^s]*", b"*[0-2]", b"n?", b"", b"s1", b"\\s1", b"**1", b"[s", b"s[0-",
    b"*\\", b"[l-h]*", b"f[!1]",
];
const SETTINGS: [&[u8]; 13] = [
    b"timeout",
    b"databases",
    b"maxclients",
    b"hash-max-listpack-*",
    b"nosuch",
    b"shutdown-timeout",
    b"*-lazy-*",
    b"sla[uv]e-priorit?",
    b"repl-backlog-*",
    b"MAXMEMORY",
    b"maxmemory-policy",
    b"list-max-ziplist-size",
    b"proto-max-bulk-len",
];
const TYPES: [&[u8]; 8] = [b"stream", b"string", b"list", b"set", b"hash", b"zset", b"STRING", b"nonsense"];
const NAMES: [&[u8]; 6] = [b"worker", b"w-1", b"", b"a b", b"a\nb", b"\xff"];
const CURSORS: [&[u8]; 12] =
    [b"0", b"0", b"0", b"0", b"abc", b"", b"18446744073709551616", b"1.5", b"-1", b" 0", b"+0", b"-00"];

/// A kind of word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Key,
    StringKey,
    NumberKey,
    FloatKey,
    HashKey,
    ListKey,
    SortedSetKey,
    LexKey,
    PlacesKey,
    Longitude,
    Latitude,
    Distance,
    Member,
    Score,
    ScoreBound,
    LexBound,
    Signed,
    SetKey,
    IntegersKey,
    HyperLogLogKey,
    HyperLogLog,
    Value,
    Bulk,
    Integer,
    Small,
    Offset,
    Index,
    Float,
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
    Field,
    NumberField,
    Pattern,
    Type,
    Db,
    Cursor,
    Name,
    Text,
    Element,
    Setting,
    PackedLimit,
    BitOffset,
    BitType,
    BitStep,
    StreamKey,
    NextId,
    StreamId,
    IdBound,
    StreamField,
    GroupName,
    ConsumerName,
}

/// The names of the kinds in `commands.txt`.
const NAMED: [(&str, Kind); 53] = [
    ("key", Kind::Key),
    ("string-key", Kind::StringKey),
    ("number-key", Kind::NumberKey),
    ("float-key", Kind::FloatKey),
    ("hash-key", Kind::HashKey),
    ("list-key", Kind::ListKey),
    ("sorted-set-key", Kind::SortedSetKey),
    ("lex-key", Kind::LexKey),
    ("places-key", Kind::PlacesKey),
    ("longitude", Kind::Longitude),
    ("latitude", Kind::Latitude),
    ("distance", Kind::Distance),
    ("member", Kind::Member),
    ("score", Kind::Score),
    ("score-bound", Kind::ScoreBound),
    ("lex-bound", Kind::LexBound),
    ("signed", Kind::Signed),
    ("set-key", Kind::SetKey),
    ("integers-key", Kind::IntegersKey),
    ("hyperloglog-key", Kind::HyperLogLogKey),
    ("hyperloglog", Kind::HyperLogLog),
    ("value", Kind::Value),
    ("bulk", Kind::Bulk),
    ("integer", Kind::Integer),
    ("small", Kind::Small),
    ("offset", Kind::Offset),
    ("index", Kind::Index),
    ("float", Kind::Float),
    ("seconds", Kind::Seconds),
    ("milliseconds", Kind::Milliseconds),
    ("unix-seconds", Kind::UnixSeconds),
    ("unix-milliseconds", Kind::UnixMilliseconds),
    ("field", Kind::Field),
    ("number-field", Kind::NumberField),
    ("pattern", Kind::Pattern),
    ("type", Kind::Type),
    ("db", Kind::Db),
    ("cursor", Kind::Cursor),
    ("name", Kind::Name),
    ("text", Kind::Text),
    ("element", Kind::Element),
    ("setting", Kind::Setting),
    ("packed-limit", Kind::PackedLimit),
    ("bit-offset", Kind::BitOffset),
    ("bit-type", Kind::BitType),
    ("bit-step", Kind::BitStep),
    ("stream-key", Kind::StreamKey),
    ("next-id", Kind::NextId),
    ("stream-id", Kind::StreamId),
    ("id-bound", Kind::IdBound),
    ("stream-field", Kind::StreamField),
    ("group-name", Kind::GroupName),
    ("consumer-name", Kind::ConsumerName),
];

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// A word of this kind.
    pub fn word(self, random: &mut Rng) -> Vec<u8> {
        match self {
            Self::Key => key(any_prefix(random), random),
            Self::StringKey => key_of('s', random),
            Self::NumberKey => key_of('n', random),
            Self::FloatKey => key_of('f', random),
            Self::HashKey => key_of('h', random),
            Self::ListKey => key_of('l', random),
            Self::SortedSetKey => key_of('z', random),
            Self::LexKey => lex_key(random),
            Self::PlacesKey => key_of('g', random),
            Self::Longitude => degrees(random, 180.0, &[b"180", b"-180", b"180.1"]),
            Self::Latitude => degrees(random, 85.0, &[b"85.05112878", b"-85.05112878", b"85.06"]),
            Self::Distance => distance(random),
            Self::Member => member(random),
            Self::Score => score(random),
            Self::ScoreBound => [one_of(&[b"", b"", b"("], random), score(random)].concat(),
            Self::LexBound => lex_bound(random),
            Self::Signed => number(random, |random| random.i64(-4..5)),
            Self::SetKey => key_of('e', random),
            Self::IntegersKey => key_of('i', random),
            Self::HyperLogLogKey => key_of('p', random),
            Self::HyperLogLog => hyperloglog(random),
            Self::Value => value(random),
            Self::Bulk => vec![random.u8(b'a'..b'e'); random.usize(2000..9000)],
            Self::Integer => number(random, |random| random.i64(-100..1000)),
            Self::Small => number(random, |random| random.i64(0..6)),
            Self::Offset => number(random, |random| random.i64(0..80)),
            Self::Index => number(random, |random| random.i64(-8..12)),
            Self::Float => float(random),
            Self::Seconds => deadline(random, 0, 1),
            Self::Milliseconds => deadline(random, 0, 1000),
            Self::UnixSeconds => deadline(random, UNIX_SECONDS_BASE, 1),
            Self::UnixMilliseconds => deadline(random, UNIX_SECONDS_BASE, 1000),
            Self::Field => format!("f{}", random.usize(..FIELDS_MAX)).into(),
            Self::NumberField => format!("n{}", random.usize(..4)).into(),
            Self::Pattern => one_of(&PATTERNS, random),
            Self::Type => one_of(&TYPES, random),
            Self::Db => number(random, |random| random.usize(..DATABASES) as i64),
            Self::Cursor => one_of(&CURSORS, random),
            Self::Name => one_of(&NAMES, random),
            Self::Text => value(random),
            Self::Element => element(random),
            Self::Setting => one_of(&SETTINGS, random),
            Self::PackedLimit => random.u32(0..30).to_string().into(),
            Self::BitOffset => bit_offset(random),
            Self::BitType => bit_type(random),
            Self::BitStep => random.i64(..).to_string().into(),
            Self::StreamKey => key_of('t', random),
            Self::NextId => next_id(random),
            Self::StreamId => stream_id(random),
            Self::IdBound => [b"(".to_vec(), stream_id(random)].concat(),
            Self::StreamField => one_of(&[b"temperature", b"humidity", b"5", b""], random),
            // Most calls are to meet a group that is there.
            Self::GroupName => one_of(&[b"g", b"g", b"g", b"g", b"g", b"h"], random),
            Self::ConsumerName => format!("c{}", random.usize(..3)).into(),
        }
    }
}

/// A word that fits nowhere in particular.
pub fn odd(random: &mut Rng) -> Vec<u8> {
    match random.u32(..4) {
        0 => one_of(&ODD_FLOATS, random),
        1 => value(random),
        2 => key(any_prefix(random), random),
        _ => one_of(&ODD_INTEGERS, random),
    }
}

/// Seconds or milliseconds (`unit` 1 or 1000) from `base`, one of very many.
pub fn deadline(random: &mut Rng, base: u64, unit: u64) -> Vec<u8> {
    if random.u32(..ODD_SHARE) == 0 {
        return one_of(&ODD_INTEGERS, random);
    }
    far_deadline(random, base, unit)
}

/// The same, never odd.
pub fn far_deadline(random: &mut Rng, base: u64, unit: u64) -> Vec<u8> {
    ((base + DEADLINE_STEP_SECONDS * random.u64(1..1_000_000)) * unit).to_string().into()
}

fn key_of(prefix: char, random: &mut Rng) -> Vec<u8> {
    let prefix = if random.u32(..WRONG_KEY_SHARE) == 0 { any_prefix(random) } else { prefix };
    key(prefix, random)
}

/// A sorted set whose members have the same score, which others leave alone: what a range of members is where scores differ,
/// is not defined.
fn lex_key(random: &mut Rng) -> Vec<u8> {
    if random.u32(..WRONG_KEY_SHARE) == 0 { key('s', random) } else { key('x', random) }
}

fn any_prefix(random: &mut Rng) -> char {
    KEY_PREFIXES[random.usize(..KEY_PREFIXES.len())]
}

fn key(prefix: char, random: &mut Rng) -> Vec<u8> {
    format!("{prefix}{}", random.usize(..KEYS_PER_KIND)).into()
}

fn value(random: &mut Rng) -> Vec<u8> {
    match random.u32(..100) {
        0..5 => Vec::new(),
        5..15 => (0..random.usize(1..8)).map(|_| random.u8(..)).collect(),
        15..25 => one_of(&ODD_INTEGERS, random),
        25..40 => random.i64(-1000..20_000).to_string().into(),
        40..45 => letters(random.usize(43..47), random),
        45..50 => letters(random.usize(63..67), random),
        50..55 => letters(random.usize(80..200), random),
        _ => letters(random.usize(1..10), random),
    }
}

/// The string of a HyperLogLog: dense, sparse with any runs, or corrupted. Its last code has one byte: what the real servers do where
/// a second one is missing depends on what is behind the string.
fn hyperloglog(random: &mut Rng) -> Vec<u8> {
    const REGISTERS: usize = 1 << 14;
    let header = |encoding| [&b"HYLL"[..], &[encoding, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]].concat();
    if random.u32(..8) == 0 {
        let registers: Vec<u8> = (0..REGISTERS * 6 / 8).map(|_| random.u8(..)).collect();
        return [header(0), registers].concat();
    }
    let mut bytes = header(1);
    let mut left = REGISTERS;
    while left > 0 {
        let code = random.u32(..3);
        let run = random.usize(1..[2000, 65, 5][code as usize]).min(left);
        match code {
            0 if run < left => bytes.extend_from_slice(&((1 << 14) | (run as u16 - 1)).to_be_bytes()),
            0 => continue,
            1 => bytes.push(run as u8 - 1),
            _ => bytes.push(0x80 | random.u8(..32) << 2 | (run as u8 - 1)),
        }
        left -= run;
    }
    if random.u32(..4) == 0 {
        let at = random.usize(16..bytes.len());
        bytes[at] = random.u8(..);
        bytes.extend_from_slice(&[0, 0]);
    }
    bytes
}

/// One of so few values that a list has some of them several times.
fn element(random: &mut Rng) -> Vec<u8> {
    match random.u32(..8) {
        0 => value(random),
        1..4 => random.i64(0..5).to_string().into(),
        _ => vec![random.u8(b'a'..b'g')],
    }
}

/// Few, so that sets have some in common.
fn member(random: &mut Rng) -> Vec<u8> {
    match random.u32(..10) {
        0 => value(random),
        1..4 => random.u32(..20).to_string().into(),
        _ => format!("m{}", random.u32(..40)).into(),
    }
}

/// Few again, so that members have the same.
fn score(random: &mut Rng) -> Vec<u8> {
    match random.u32(..10) {
        0..3 => float(random),
        3 => one_of(&[b"inf", b"-inf", b"0", b"-0"], random),
        _ => random.i32(-5..10).to_string().into(),
    }
}

/// In the first bytes, now and then counted in integers.
fn bit_offset(random: &mut Rng) -> Vec<u8> {
    match random.u32(..6) {
        0 => [b"#".to_vec(), number(random, |random| random.i64(0..9))].concat(),
        _ => number(random, |random| random.i64(0..400)),
    }
}

fn bit_type(random: &mut Rng) -> Vec<u8> {
    match random.u32(..20) {
        0 => one_of(&[b"u64", b"i65", b"u0", b"i0", b"u", b"8", b"U8", b"i08", b""], random),
        _ => format!("{}{}", if random.bool() { 'i' } else { 'u' }, random.u32(1..=64)).into(),
    }
}

/// A coordinate: a few, so that places coincide, near each other, or anywhere; now and then at an edge of the map.
fn degrees(random: &mut Rng, max: f64, edges: &[&[u8]]) -> Vec<u8> {
    match random.u32(..100) {
        0..3 => one_of(edges, random),
        3..5 => one_of(&ODD_FLOATS, random),
        5..25 => random.i32(-2..3).to_string().into(),
        25..70 => format!("{:.4}", 10.0 + 2.0 * random.f64()).into(),
        _ => format!("{:.6}", max * (2.0 * random.f64() - 1.0)).into(),
    }
}

/// From some centimetres to half an earth, in metres; in larger units to far beyond.
fn distance(random: &mut Rng) -> Vec<u8> {
    if random.u32(..4 * ODD_SHARE) == 0 {
        return one_of(&ODD_FLOATS, random);
    }
    format!("{:.3}", 10_f64.powf(9.0 * random.f64() - 1.5)).into()
}

/// An id behind all others, of which the servers choose a part; mostly of the last millisecond, so that it can be.
fn next_id(random: &mut Rng) -> Vec<u8> {
    match random.u32(..12) {
        0 => stream_id(random),
        1..4 => format!("{}-*", random.u32(..STREAM_MILLISECONDS)).into(),
        _ => format!("{STREAM_MILLISECONDS}-*").into(),
    }
}

/// One that an entry may well have; now and then odd.
fn stream_id(random: &mut Rng) -> Vec<u8> {
    match random.u32(..12) {
        0 => one_of(&[b"-", b"+", b"5-", b"1-1-1", b"007-01", b"1--1", b"18446744073709551615-5"], random),
        1 => number(random, |random| random.i64(0..40)),
        2..5 => format!("{}-{}", random.u32(..STREAM_MILLISECONDS), random.u32(..4)).into(),
        _ => format!("{STREAM_MILLISECONDS}-{}", random.u32(..40)).into(),
    }
}

fn lex_bound(random: &mut Rng) -> Vec<u8> {
    match random.u32(..8) {
        0 => b"-".into(),
        1 => b"+".into(),
        2 if random.bool() => value(random),
        _ => [one_of(&[b"[", b"("], random), member(random)].concat(),
    }
}

fn letters(length: usize, random: &mut Rng) -> Vec<u8> {
    (0..length).map(|_| random.u8(b'a'..b'e')).collect()
}

fn number(random: &mut Rng, usual: impl Fn(&mut Rng) -> i64) -> Vec<u8> {
    if random.u32(..ODD_SHARE) == 0 {
        return one_of(&ODD_INTEGERS, random);
    }
    usual(random).to_string().into()
}

fn float(random: &mut Rng) -> Vec<u8> {
    match random.u32(..8) {
        0 => one_of(&ODD_FLOATS, random),
        1 => format!("{}e{}", random.i32(-999..999), random.i32(-12..20)).into(),
        2 => random.i64(-1000..1000).to_string().into(),
        _ => format!("{}.{}", random.i32(-99..99), random.u32(..100_000)).into(),
    }
}

fn one_of(words: &[&[u8]], random: &mut Rng) -> Vec<u8> {
    words[random.usize(..words.len())].to_vec()
}

//! `client-output-buffer-limit`: for each class of clients, how much may wait to be sent. As a text it is a list of classes
//! with three figures each; what it does not name stays as it is.

use std::fmt::Write as _;

use super::kind::{Reason, parse_memory};
use super::{Choice, Dialect};

/// What kind of client it is, for its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    /// One that asks and is answered, or watches others do so.
    Normal,
    /// A server that follows this one.
    Replica,
    /// A subscriber.
    PubSub,
}

impl Choice for ClientClass {
    const WORDS: &'static [&'static str] = &["normal", "slave", "pubsub"];
    const VALUES: &'static [ClientClass] = &[ClientClass::Normal, ClientClass::Replica, ClientClass::PubSub];
}

/// How much may wait to be sent to a client; zero bytes are no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// From here on it is closed at once.
    pub hard_bytes: u64,
    /// From here on it is closed after a while.
    pub soft_bytes: u64,
    /// After how long.
    pub soft_seconds: i64,
}

/// The limits of all classes, in the order of [`ClientClass`].
pub type OutputLimits = [OutputLimit; 3];

/// Those of a server that has been told nothing else.
pub(super) const DEFAULTS: OutputLimits = [
    OutputLimit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 },
    OutputLimit { hard_bytes: 256 << 20, soft_bytes: 64 << 20, soft_seconds: 60 },
    OutputLimit { hard_bytes: 32 << 20, soft_bytes: 8 << 20, soft_seconds: 60 },
];

/// Whether and how `text` changes limits that were `limits`.
pub(super) fn changed(
    mut limits: OutputLimits,
    text: &[u8],
    dialect: &Dialect,
) -> Result<OutputLimits, Reason> {
    let words: Vec<&[u8]> = text.split(|&byte| byte == b' ').collect();
    if text.is_empty() {
        return Ok(limits);
    }
    if !words.len().is_multiple_of(WORDS_PER_CLASS) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for words in words.chunks(WORDS_PER_CLASS) {
        let class = ClientClass::from_name(words[0])
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        let limit = limit(words, dialect)
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        limits[class as usize] = limit;
    }
    Ok(limits)
}

/// As `CONFIG GET` shows them.
pub(super) fn format(limits: &OutputLimits) -> String {
    let mut text = String::new();
    for (name, limit) in ClientClass::WORDS.iter().zip(limits) {
        let OutputLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{name} {hard_bytes} {soft_bytes} {soft_seconds}");
    }
    text
}

impl ClientClass {
    /// The class of this name, in any case.
    pub fn from_name(word: &[u8]) -> Option<ClientClass> {
        let word = if word.eq_ignore_ascii_case(b"replica") { b"slave" } else { word };
        let index =
            ClientClass::WORDS.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(word))?;
        ClientClass::VALUES.get(index).copied()
    }
}

fn limit(words: &[&[u8]], dialect: &Dialect) -> Option<OutputLimit> {
    let bytes = |word| parse_memory(word, dialect).and_then(|bytes| u64::try_from(bytes).ok());
    Some(OutputLimit {
        hard_bytes: bytes(words[1])?,
        soft_bytes: bytes(words[2])?,
        soft_seconds: seconds(words[3])?,
    })
}

/// Seconds as C reads them into 32 bits: what does not fit loses its upper half, and no digits are a zero.
fn seconds(word: &[u8]) -> Option<i64> {
    let append = |number: i64, byte: &u8| {
        byte.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(i64::from(byte - b'0')))
    };
    let number = word.iter().try_fold(0, append)?;
    Some(i64::from(number as i32)).filter(|&seconds| seconds >= 0)
}

const WORDS_PER_CLASS: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigError};
    use super::*;

    const NAME: &str = "client-output-buffer-limit";

    /// Answers of redis-server 7.0.15 and valkey-server 9.1.2, which agree on these.
    #[test]
    fn limits_are_read_and_refused_as_in_redis() {
        let config = Config::default();
        let shown = || String::from_utf8(config.get(NAME).expect("it is known")).expect("a text");
        assert_eq!(shown(), "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
        for (text, expected) in [
            ("", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
            (
                "NORMAL 1mb 2kb 3 replica 1g 1 99999999999",
                "normal 1048576 2048 3 slave 1000000000 1 1215752191 pubsub 33554432 8388608 60",
            ),
            (
                "normal 1mb 2kb 3 normal 5mb 5 5",
                "normal 5242880 5 5 slave 1000000000 1 1215752191 pubsub 33554432 8388608 60",
            ),
        ] {
            assert_eq!(config.set(NAME, text), Ok(()), "{text}");
            assert_eq!(shown(), expected, "{text}");
        }
        let before = shown();
        let count = "Wrong number of arguments in buffer limit configuration.";
        let class = "Invalid client class specified in buffer limit configuration.";
        let figure = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        for (text, expected) in [
            ("normal", count),
            ("normal 1 2", count),
            ("  pubsub   1mb  2kb 3 ", count),
            ("foo 1 2 3", class),
            ("master 1 2 3", class),
            ("normal 5 5 5 foo 1 1 1", class),
            ("normal a 2 3", figure),
            ("normal -1 2 3", figure),
            ("normal 1 2 -3", figure),
            ("normal 1 2 3x", figure),
            ("pubsub 1 1 99999999999999999999", figure),
        ] {
            let refused = ConfigError::Refused { name: NAME.into(), reason: expected.into() };
            assert_eq!(config.set(NAME, text), Err(refused), "{text}");
        }
        assert_eq!(shown(), before, "nothing is changed by halves");
    }

    #[test]
    fn each_class_has_its_own() {
        let config = Config::default();
        config.set(NAME, "normal 3 2 1").expect("a limit");
        let limit = OutputLimit { hard_bytes: 3, soft_bytes: 2, soft_seconds: 1 };
        assert_eq!(config.output_limit(ClientClass::Normal), limit);
        assert_eq!(config.output_limit(ClientClass::PubSub).soft_seconds, 60);
    }
}

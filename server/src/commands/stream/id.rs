//! Ids of entries as words.

use shardis_storage::types::stream::StreamId;

use crate::command::Error;
use crate::command::args::until_zero;

/// What stands for a part that a word leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The least number.
    Least,
    /// The greatest.
    Greatest,
}

/// The longest word that is read as an id.
const WORD_BYTES_MAX: usize = 127;

/// Reads an id; `-` and `+` are the least and the greatest.
pub fn parse(word: &[u8], missing: Missing) -> Result<StreamId, Error> {
    match until_zero(word) {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => parse_strict(word, missing),
    }
}

/// Reads an id that is one.
pub fn parse_strict(word: &[u8], missing: Missing) -> Result<StreamId, Error> {
    let (ms, seq) = split(word)?;
    let seq = match seq {
        Some(seq) => parse_u64(seq).ok_or(Error::INVALID_STREAM_ID)?,
        None if missing == Missing::Least => 0,
        None => u64::MAX,
    };
    Ok(StreamId { ms, seq })
}

/// Reads an id of which the number may be left to the server: `5-*`.
pub fn parse_for_entry(word: &[u8]) -> Result<(u64, Option<u64>), Error> {
    match split(word)? {
        (ms, Some(b"*")) => Ok((ms, None)),
        _ => parse_strict(word, Missing::Least).map(|id| (id.ms, Some(id.seq))),
    }
}

fn split(word: &[u8]) -> Result<(u64, Option<&[u8]>), Error> {
    if word.len() > WORD_BYTES_MAX {
        return Err(Error::INVALID_STREAM_ID);
    }
    let mut parts = until_zero(word).splitn(2, |&byte| byte == b'-');
    let ms = parts.next().and_then(parse_u64).ok_or(Error::INVALID_STREAM_ID)?;
    Ok((ms, parts.next()))
}

/// Both ends of a range, which `(` excludes.
pub fn parse_range(start: &[u8], end: &[u8]) -> Result<[StreamId; 2], Error> {
    let start = match start {
        [b'(', rest @ ..] if !rest.is_empty() => {
            parse_strict(rest, Missing::Least)?.next().ok_or(Error::INVALID_START_ID)?
        }
        _ => parse(start, Missing::Least)?,
    };
    let end = match end {
        [b'(', rest @ ..] if !rest.is_empty() => {
            parse_strict(rest, Missing::Greatest)?.previous().ok_or(Error::INVALID_END_ID)?
        }
        _ => parse(end, Missing::Greatest)?,
    };
    Ok([start, end])
}

/// An unsigned number as the real servers read one here: as an integer of their own or, where it is none, as C's `strtoull` does,
/// which skips space, takes signs and wraps what is negative.
fn parse_u64(word: &[u8]) -> Option<u64> {
    if let Some(value) = shardis_protocol::number::parse_i64(word) {
        return u64::try_from(value).ok();
    }
    let digits = word.trim_ascii_start();
    let (is_negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    Some(if is_negative { value.wrapping_neg() } else { value })
}

/// An id as a word.
pub struct Text {
    bytes: [u8; 2 * DIGITS_MAX + 1],
    len: usize,
}

const DIGITS_MAX: usize = 20;

impl Text {
    /// The word for an id.
    pub fn new(id: StreamId) -> Text {
        let mut text = Text { bytes: [0; _], len: 0 };
        text.push(itoa::Buffer::new().format(id.ms).as_bytes());
        text.push(b"-");
        text.push(itoa::Buffer::new().format(id.seq).as_bytes());
        text
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..][..part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    /// It.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    #[test]
    fn ids_are_read_as_by_redis() {
        let strict = |word: &str| parse_strict(word.as_bytes(), Missing::Least).ok();
        for (word, expected) in [
            ("5", Some(id(5, 0))),
            ("5-6", Some(id(5, 6))),
            ("18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            ("18446744073709551616-0", None),
            ("007-08", Some(id(7, 8))),
            ("+5- 6", Some(id(5, 6))),
            ("1--5", None),
            ("1--05", Some(id(1, u64::MAX - 4))),
            ("", None),
            ("-", None),
            ("5-", None),
            ("-5", None),
            ("5-*", None),
            ("1-2-3", None),
        ] {
            assert_eq!(strict(word), expected, "{word}");
        }
        assert_eq!(parse(b"+", Missing::Least).ok(), Some(StreamId::MAX));
        assert_eq!(parse(b"5", Missing::Greatest).ok(), Some(id(5, u64::MAX)));
        assert_eq!(parse_for_entry(b"5-*").ok(), Some((5, None)));
        assert_eq!(parse_for_entry(b"5").ok(), Some((5, Some(0))));
        assert_eq!(parse_range(b"(5-6", b"(7").ok(), Some([id(5, 7), id(7, u64::MAX - 1)]));
        assert_eq!(parse_range(b"-", b"+").ok(), Some([StreamId::MIN, StreamId::MAX]));
        assert!(parse_range(b"(-", b"+").is_err() && parse_range(b"(", b"+").is_err());
        assert_eq!(Text::new(StreamId::MAX).as_bytes(), b"18446744073709551615-18446744073709551615");
    }
}

//! What can go wrong with a plan, a row or an encoded partial, and the words in which a client hears of it.
//! Not here: deadlines, cancelled runs and limits, which only the server that runs a plan can meet.

use std::borrow::Cow;
use std::fmt;

use crate::reducer::Limit;

/// Why the words of a command are no plan. The `Display` text is the whole error line, code word first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// A clause that is unknown, or that stands there twice.
    Syntax,
    /// Something else inside a clause than the grammar wants there; the text says where, and what it wants.
    Grammar(String),
    /// A number that does not parse or is outside what its option allows.
    NotInteger,
    /// A combination of clauses that contradicts itself or is refused; the text says which.
    Refused(Cow<'static, str>),
    /// An expression that does not parse or cannot have the type its place demands.
    Expression {
        /// Character of the expression at which it went wrong, counted from 1.
        position: usize,
        /// What was found or expected there.
        text: String,
    },
}

impl PlanError {
    pub(crate) fn expression(position: usize, text: impl Into<String>) -> PlanError {
        PlanError::Expression { position, text: text.into() }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Syntax => f.write_str("ERR syntax error"),
            PlanError::Grammar(text) => write!(f, "ERR COMPUTE: {text}"),
            PlanError::NotInteger => f.write_str("ERR value is not an integer or out of range"),
            PlanError::Refused(text) => write!(f, "ERR {text}"),
            PlanError::Expression { position, text } => write!(f, "BADEXPR {position}: {text}"),
        }
    }
}

impl std::error::Error for PlanError {}

/// What a client sent as an error repeats it: its beginning, up to the first zero byte. Line breaks are left to
/// the reply writer, which must flatten them as it does for every error.
pub(crate) fn repeated(word: &[u8]) -> Cow<'_, str> {
    let start = &word[..word.len().min(REPEATED_BYTES_MAX)];
    String::from_utf8_lossy(start.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// How much of a word is repeated in an error.
const REPEATED_BYTES_MAX: usize = 128;

/// The limit that ended a run: with the rows that came in, there can be no result any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// More groups than MAXGROUPS.
    Groups {
        /// How many there may be.
        max: u64,
    },
    /// Something in a reducer.
    Reducer(Limit),
    /// More heap bytes than MAXMEM.
    Memory {
        /// How many there may be.
        bytes_max: u64,
    },
    /// A longer reply than MAXOUT.
    Output {
        /// How many bytes it may have.
        bytes_max: u64,
    },
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exceeded::Groups { max } => {
                write!(
                    f,
                    "TOOMANYGROUPS there are more than {max} groups, raise MAXGROUPS or select fewer rows"
                )
            }
            Exceeded::Reducer(limit) => limit.fmt(f),
            Exceeded::Memory { bytes_max } => write!(
                f,
                "MEMLIMIT the computation needs more than {bytes_max} bytes, raise MAXMEM or select fewer rows"
            ),
            Exceeded::Output { bytes_max } => write!(
                f,
                "MEMLIMIT the result has more than {bytes_max} bytes, raise MAXOUT or LIMIT the rows"
            ),
        }
    }
}

/// The row that ended a run under `ONERROR FAIL`. Ordered, so that the same partials agree on which one is
/// told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowError {
    /// Key of the row, as raw bytes.
    pub key: Vec<u8>,
    /// What was wrong with it.
    pub text: String,
}

impl RowError {
    /// The whole error line, `ROWERROR key: text`. A key may hold line breaks; the reply writer must flatten
    /// them as it does for every error.
    pub fn message(&self) -> Vec<u8> {
        [b"ROWERROR ", self.key.as_slice(), b": ", self.text.as_bytes()].concat()
    }
}

/// Why bytes are not a partial result of a given plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They were written by a version of this crate whose format is unknown here.
    Version(u8),
    /// They are damaged, or belong to another plan.
    Malformed,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Version(version) => write!(f, "PARTIALVERSION partial of unknown version {version}"),
            DecodeError::Malformed => f.write_str("ERR partial is malformed or belongs to another plan"),
        }
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_cut_and_is_text() {
        assert_eq!(repeated(b"MEDIAN"), "MEDIAN");
        assert_eq!(repeated(b""), "");
        assert_eq!(repeated(b"a\0b"), "a");
        assert_eq!(repeated(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(repeated(&[b'x'; 1000]), "x".repeat(REPEATED_BYTES_MAX));
    }
}

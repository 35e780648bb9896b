//! What computations are refused for, beyond what `shardis-compute` says itself.

use super::Error;
use crate::jobs::cursors::CURSORS_MAX;

impl Error {
    /// A pattern matches a key that its caller may not read.
    pub const NO_PERMISSION_TO_MATCHED_KEY: Error = Error::fixed(
        &"NOPERM this user has no permissions to access one of the keys that the pattern matches; AUTHORIZED leaves \
          them out",
    );

    /// A cursor that is not there, or somebody else's.
    pub const NO_CURSOR: Error = Error::fixed(
        &"NOCURSOR there is no such cursor: all was fetched, it was closed, or not asked for too long",
    );

    /// More cursors than the server keeps.
    pub fn too_many_cursors() -> Error {
        Error::new(format!(
            "ERR too many cursors are open: at most {CURSORS_MAX} can be at a time, close one"
        ))
    }

    /// Cursors that take more than they may.
    pub fn cursors_are_too_large(bytes_max: u64) -> Error {
        Error::new(format!(
            "MEMLIMIT what cursors have left would take more than {bytes_max} bytes, close one"
        ))
    }

    /// Two groups of a result would be one field or member.
    pub fn same_text_of_groups(text: &[u8]) -> Error {
        Error::new(join(b"ERR INTO: two groups have the same text ", text))
    }

    /// What a group comes to is no score.
    pub fn value_is_no_score(text: &[u8]) -> Error {
        Error::new(join(b"ERR INTO ZSET: there is no number for the group ", text))
    }

    /// Time was up while keys were changed.
    pub fn application_overdue(timeout_ms: u64, scanned: u64, changed: u64) -> Error {
        Error::new(format!(
            "DEADLINE the computation has reached its TIMEOUT of {timeout_ms} ms, scanned={scanned} changed={changed}"
        ))
    }

    /// The same error where something was changed before, which stays.
    pub fn after_changes(self, changed: u64) -> Error {
        match changed {
            0 => self,
            _ => Error::new([self.text(), format!(", changed={changed}").as_bytes()].concat()),
        }
    }
}

/// A text and the beginning of a word.
fn join(text: &[u8], word: &[u8]) -> Vec<u8> {
    [text, &word[..word.len().min(WORD_BYTES_MAX)]].concat()
}

/// How much of a word is repeated in an error.
const WORD_BYTES_MAX: usize = 128;

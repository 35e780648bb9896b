//! What computations are refused for, beyond what `shardis-compute` says itself.

use super::Error;

impl Error {
    /// A pattern matches a key that its caller may not read.
    pub const NO_PERMISSION_TO_MATCHED_KEY: Error = Error::fixed(
        &"NOPERM this user has no permissions to access one of the keys that the pattern matches; AUTHORIZED leaves \
          them out",
    );

    /// A clause that is read and not carried out.
    pub fn clause_not_available(clause: &str) -> Error {
        Error::new(format!("ERR COMPUTE: {clause} is not available yet"))
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

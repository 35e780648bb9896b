//! What computations are refused for, beyond what `shardis-compute` says itself.

use super::Error;

impl Error {
    /// A pattern matches a key that its caller may not read.
    pub const NO_PERMISSION_TO_MATCHED_KEY: Error = Error::fixed(
        &"NOPERM this user has no permissions to access one of the keys that the pattern matches; AUTHORIZED leaves \
          them out",
    );
}

//! The texts about locks, semaphores and latches: what is the matter, where, and what to do.

use super::Error;
use crate::config::locks::LEASE_MS_MAX;
use crate::locks::{OWNER_BYTES_MAX, TEXT_BYTES_MAX};

impl Error {
    /// A lock, semaphore or latch as what is moved, copied or given a time to live.
    pub const MEETING_POINT: Error = Error::fixed(
        &"ERR operation not supported for locks, semaphores and latches: they are neither moved nor copied, and have no time \
          to live of their own",
    );
    /// A list with a key that the caller may not read.
    pub const FORBIDDEN_KEY_LISTED: Error = Error::fixed(
        &"NOPERM this user has no permissions to access one of the keys that would be listed; MATCH may leave them out",
    );
    /// SEM commands on a key that is not there.
    pub const NO_SEMAPHORE: Error = Error::fixed(&"ERR no such semaphore: SEM.CREATE makes one");
    /// LATCH.DOWN on a key that is not there.
    pub const NO_LATCH: Error = Error::fixed(&"ERR no such latch: LATCH.SET makes one");
    /// A key that LOCK.MACQUIRE names twice.
    pub const LOCK_KEY_TWICE: Error = Error::fixed(&"ERR a key is named twice");
    /// LEASE with SESSION.
    pub const LEASE_AND_SESSION: Error =
        Error::fixed(&"ERR LEASE and SESSION options at the same time are not compatible");
    /// RENEW of what lasts by a connection.
    pub const RENEW_SESSION: Error = Error::fixed(
        &"ERR the lock is held with SESSION and lasts as long as its connection: there is no lease to renew",
    );
    /// ATTACH of what does not.
    pub const ATTACH_LEASE: Error = Error::fixed(
        &"ERR the lock is held with LEASE and lasts without a connection: there is no session to attach to",
    );
    /// More owners than share one lock.
    pub const LOCK_CROWDED: Error =
        Error::fixed(&"ERR too many owners share this lock: at most 10000 can at a time");
    /// More holds than one owner may have.
    pub const LOCK_HOLDS: Error =
        Error::fixed(&"ERR the owner holds this lock too often: at most 65536 times, release it first");
    /// A fence that is no number.
    pub const FENCE_NOT_INTEGER: Error = Error::fixed(
        &"ERR fence is not an integer or out of range: it is the number that LOCK.ACQUIRE replied",
    );
    /// A token that is no number.
    pub const TOKEN_NOT_INTEGER: Error = Error::fixed(
        &"ERR token is not an integer or out of range: it is the fence that LOCK.ACQUIRE replied",
    );
    /// LOCK.FENCE of a key that holds something else than a number.
    pub const FENCED_RESOURCE: Error =
        Error::fixed(&"ERR the resource does not hold a token: its value is not an integer or out of range");
    /// A command that LOCK.GUARD does not run.
    pub const NOT_GUARDED: Error = Error::fixed(
        &"ERR this command cannot be run by LOCK.GUARD: it runs what a script may call, but no computations and no \
          programs; those go behind LOCK.CHECK in MULTI",
    );

    /// An owner that is too long, or none.
    pub fn owner_length() -> Error {
        Error::new(format!("ERR owner must have 1 to {OWNER_BYTES_MAX} bytes"))
    }

    /// A remark or reason that is too long.
    pub fn text_length(name: &str) -> Error {
        Error::new(format!("ERR {name} must have at most {TEXT_BYTES_MAX} bytes"))
    }

    /// A time that is no length of a lease.
    pub fn lease_range(name: &str, min: i64) -> Error {
        Error::new(format!("ERR {name} must be between {min} and {LEASE_MS_MAX} milliseconds"))
    }

    /// A count that is out of range.
    pub fn count_range(name: &str, min: i64, max: i64) -> Error {
        Error::new(format!("ERR {name} must be between {min} and {max}"))
    }

    /// Who does not hold what it gives back or renews.
    pub fn not_owner(key: &[u8], what: &str) -> Error {
        let text = format!(
            " does not hold {what}: it never did, has released it, or its time is over; acquire it again if you need it"
        );
        Error::new([b"NOTOWNER the caller at '", shortened(key), b"'", text.as_bytes()].concat())
    }

    /// Who has lost what it renews.
    pub fn lock_lost(key: &[u8]) -> Error {
        let text = b"' is gone, because it was released, has expired or was broken: stop what you do under it, and acquire it again";
        Error::new([b"LOCKLOST the grant of '".as_slice(), shortened(key), text].concat())
    }

    /// Who has a fence that does not count any more.
    pub fn fenced(key: &[u8]) -> Error {
        let text = b"': the lock was lost; stop, and acquire it again";
        Error::new(
            [b"FENCED the fence is not that of a current grant of '".as_slice(), shortened(key), text]
                .concat(),
        )
    }

    /// Who would wait for itself.
    pub fn deadlock(key: &[u8]) -> Error {
        let text = b"' would wait for itself over other owners: release what you hold, and try again";
        Error::new([b"DEADLOCK who waits for '".as_slice(), shortened(key), text].concat())
    }

    /// Who would wait for itself, because it already holds the lock as often as it may.
    pub fn deadlock_by_limit(key: &[u8]) -> Error {
        let text = b"' holds it as often as LIMIT says, and would wait for itself: release it first";
        Error::new([b"DEADLOCK who waits for '".as_slice(), shortened(key), text].concat())
    }

    /// More permits than there are.
    pub fn permits_beyond_size(count: u64, size: u64) -> Error {
        Error::new(format!("ERR N is {count}, and the semaphore has {size} permits"))
    }
}

/// So much of a key that an error stays readable.
fn shortened(key: &[u8]) -> &[u8] {
    &key[..key.len().min(SHOWN_BYTES_MAX)]
}

const SHOWN_BYTES_MAX: usize = 128;

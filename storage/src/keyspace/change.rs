//! The change log: what a transaction did to keys, written only while somebody listens.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Db;
use crate::types::Kind;

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The database.
    pub db: Db,
    /// The key; empty when a whole database was flushed or swapped.
    pub key: Box<[u8]>,
    /// The type of the value, after the change where there is one.
    pub kind: Kind,
    /// What happened.
    pub what: What,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It did not exist.
    Created,
    /// Its value changed in place.
    Modified,
    /// Its value was replaced.
    Overwritten,
    /// Only its deadline changed.
    Deadline,
    /// It is gone.
    Removed,
    /// It is gone because its time had come.
    Expired,
    /// It is gone because memory was full.
    Evicted,
    /// The whole database was emptied.
    Flushed,
    /// The whole database changed places with another.
    Swapped,
}

/// Who listens to changes: a bit for each kind of listener, whose meaning is the server's business. Read once per
/// transaction, after its locks are taken, so that a listener which registered under those locks is always seen.
#[derive(Debug, Default)]
pub struct Interest(AtomicU32);

impl Interest {
    /// Somebody of this kind listens now.
    pub fn raise(&self, bits: u32) {
        self.0.fetch_or(bits, Ordering::SeqCst);
    }

    /// Nobody of this kind listens any more.
    pub fn lower(&self, bits: u32) {
        self.0.fetch_and(!bits, Ordering::SeqCst);
    }

    #[inline]
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}

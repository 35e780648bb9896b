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
    /// Who did it, as [`Transaction::attribute`](super::Transaction::attribute) was told.
    pub cause: u16,
    /// What those are told who hear of events.
    pub notice: Notice,
}

/// What those are told of a change who hear of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notice {
    /// What follows from what happened and who did it.
    #[default]
    Usual,
    /// Nothing.
    Silent,
    /// This.
    Event(&'static Event),
}

/// An event: a name for a change.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: &'static str,
    /// Its class, a bit whose meaning is the server's business.
    pub class: u32,
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
    /// It has got a deadline, or another one.
    Deadline,
    /// It has lost its deadline.
    DeadlineLost,
    /// It is gone.
    Removed,
    /// Fields of it are gone because their time had come.
    FieldsExpired,
    /// It is gone because its time had come.
    Expired,
    /// It is gone because memory was full.
    Evicted,
    /// Nothing, but those are told who hear of events.
    Told,
    /// It was looked up and is not there; logged only if somebody listens to that.
    Missed,
    /// The whole database was emptied.
    Flushed,
    /// The whole database changed places with another.
    Swapped,
}

impl What {
    /// Whether it is nothing but an event, and all is as it was.
    pub fn is_event_only(self) -> bool {
        matches!(self, What::Told | What::Missed)
    }
}

/// Who listens to changes: a bit for each kind of listener, whose meaning is the server's business, or for each type of
/// value that somebody listens to. Read once per transaction, after its locks are taken, so that a listener which
/// registered under those locks is always seen.
#[derive(Debug, Default)]
pub struct Interest(AtomicU32);

/// Bits from here on are about values of one type; those below are about all.
const KIND_SHIFT: u32 = 16;
const ALL_KINDS: u32 = Interest::MISSES - 1;

impl Interest {
    /// The bit of those who listen to lookups of keys that are not there.
    pub const MISSES: u32 = 1 << (KIND_SHIFT - 1);

    /// The bit of those who only listen to values of this type.
    pub const fn in_kind(kind: Kind) -> u32 {
        1 << (KIND_SHIFT + kind as u32)
    }

    /// Somebody of this kind listens now.
    pub fn raise(&self, bits: u32) {
        self.0.fetch_or(bits, Ordering::SeqCst);
    }

    /// Nobody of this kind listens any more.
    pub fn lower(&self, bits: u32) {
        self.0.fetch_and(!bits, Ordering::SeqCst);
    }

    /// Whether anybody of these kinds listens now.
    #[inline]
    pub fn is_raised(&self, bits: u32) -> bool {
        self.observers().include(bits)
    }

    #[inline]
    pub(super) fn observers(&self) -> Observers {
        Observers(self.0.load(Ordering::Relaxed))
    }
}

/// Who listens to the changes of one transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observers(u32);

impl Observers {
    /// Whether any of these listen.
    #[inline]
    pub fn include(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Whether anybody listens to values of this type.
    #[inline]
    pub fn listen_to(self, kind: Kind) -> bool {
        self.0 & (ALL_KINDS | Interest::in_kind(kind)) != 0
    }

    /// Whether anybody listens to lookups of keys that are not there.
    #[inline]
    pub fn listen_to_misses(self) -> bool {
        self.0 & Interest::MISSES != 0
    }

    /// These and those.
    pub fn and(self, others: Observers) -> Observers {
        Observers(self.0 | others.0)
    }
}

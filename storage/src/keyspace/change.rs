//! The change log: what a transaction did to keys, written only while somebody listens.

use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Nothing in it, but those are told who hear of events or wait for such a value there.
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
///
/// The same word says whether consistent cuts are open, and how many there have been: the epoch. The two change together,
/// in one store, and a transaction reads them with its listeners. What they mean is told in `cut`.
///
/// ```text
/// bit 63 ........ 32    31    30 ........ 16 15 ........ 0
///      epoch         cuts open   by type       of any type
/// ```
#[derive(Debug, Default)]
pub struct Interest(AtomicU64);

/// Bits from here on are about values of one type; those below are about all.
const KIND_SHIFT: u32 = 16;
const ALL_KINDS: u32 = Interest::MISSES - 1;
/// Cuts are open.
const CUTS_OPEN: u64 = 1 << 31;
/// The bits of listeners are below that.
const LISTENERS: u64 = CUTS_OPEN - 1;
const EPOCH_SHIFT: u32 = 32;

impl Interest {
    /// The bit of those who listen to lookups of keys that are not there.
    pub const MISSES: u32 = 1 << (KIND_SHIFT - 1);

    /// The bit of those who only listen to values of this type.
    pub const fn in_kind(kind: Kind) -> u32 {
        1 << (KIND_SHIFT + kind as u32)
    }

    /// Somebody of this kind listens now.
    pub fn raise(&self, bits: u32) {
        assert_eq!(u64::from(bits) & !LISTENERS, 0, "a bit of listeners");
        self.0.fetch_or(bits.into(), Ordering::SeqCst);
    }

    /// Nobody of this kind listens any more.
    pub fn lower(&self, bits: u32) {
        assert_eq!(u64::from(bits) & !LISTENERS, 0, "a bit of listeners");
        self.0.fetch_and(!u64::from(bits), Ordering::SeqCst);
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

    /// The next epoch begins, with a cut open.
    pub(super) fn begin_epoch(&self) {
        let begin = |word: u64| Some(word.wrapping_add(1 << EPOCH_SHIFT) | CUTS_OPEN);
        let begun = self.0.fetch_update(Ordering::SeqCst, Ordering::Relaxed, begin);
        debug_assert!(begun.is_ok(), "it always begins");
    }

    /// No cut is open any more.
    pub(super) fn close_cuts(&self) {
        self.0.fetch_and(!CUTS_OPEN, Ordering::SeqCst);
    }
}

/// The number of a cut: how many there had been when it was the last one. It wraps, so two are compared by their distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Epoch(u32);

impl Epoch {
    pub fn next(self) -> Epoch {
        Epoch(self.0.wrapping_add(1))
    }

    /// Whether it is that one or a later one. No cut stays open for two billion others.
    pub fn has_reached(self, other: Epoch) -> bool {
        self.0.wrapping_sub(other.0) < 1 << 31
    }
}

/// Who listens to the changes of one transaction, and after which cuts it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observers(u64);

impl Observers {
    /// Whether any of these listen.
    #[inline]
    pub fn include(self, bits: u32) -> bool {
        self.0 & u64::from(bits) != 0
    }

    /// Whether anybody listens to values of this type.
    #[inline]
    pub fn listen_to(self, kind: Kind) -> bool {
        self.include(ALL_KINDS | Interest::in_kind(kind))
    }

    /// Whether anybody listens to lookups of keys that are not there.
    #[inline]
    pub fn listen_to_misses(self) -> bool {
        self.include(Interest::MISSES)
    }

    /// Whether there may be cuts to which changes have to be shown.
    #[inline]
    pub fn cuts_are_open(self) -> bool {
        self.0 & CUTS_OPEN != 0
    }

    /// How many cuts there had been.
    pub fn epoch(self) -> Epoch {
        Epoch((self.0 >> EPOCH_SHIFT) as u32)
    }

    /// These and those who listen there; before and after the same cuts.
    pub fn and_listeners_of(self, others: Observers) -> Observers {
        Observers(self.0 | others.0 & LISTENERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_and_listeners_share_a_word_and_do_not_meet() {
        let interest = Interest::default();
        interest.raise(Interest::in_kind(Kind::Hash) | 1);
        let before = interest.observers();
        assert!(!before.cuts_are_open() && before.listen_to(Kind::List));
        interest.begin_epoch();
        interest.lower(1);
        let after = interest.observers();
        assert!(after.cuts_are_open() && after.listen_to(Kind::Hash) && !after.listen_to(Kind::List));
        assert_eq!(after.epoch(), before.epoch().next());
        assert!(after.epoch().has_reached(before.epoch()) && !before.epoch().has_reached(after.epoch()));

        interest.raise(2);
        let now = interest.observers();
        let kept = before.and_listeners_of(now);
        assert!(
            kept.include(1) && kept.include(2) && !kept.cuts_are_open() && kept.epoch() == before.epoch()
        );
        let moved_on = now.and_listeners_of(before);
        assert!(moved_on.include(1) && moved_on.include(2) && moved_on.epoch() == now.epoch());

        interest.lower(2 | Interest::in_kind(Kind::Hash));
        assert!(interest.observers().cuts_are_open() && !interest.observers().listen_to(Kind::String));
        interest.close_cuts();
        assert!(!interest.observers().cuts_are_open());
        assert_eq!(interest.observers().epoch(), now.epoch());
    }

    #[test]
    fn epochs_are_in_order_where_their_number_wraps() {
        let interest = Interest(AtomicU64::new(u64::from(u32::MAX) << EPOCH_SHIFT | 3));
        let last = interest.observers().epoch();
        interest.begin_epoch();
        assert!(interest.observers().epoch().has_reached(last));
        assert!(!last.has_reached(interest.observers().epoch()));
        assert!(interest.is_raised(3));
    }
}

//! The terms on which a client tracks: its own connection changes them, anybody who changes keys looks at them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

/// What a client wants to hear, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes(u8);

impl Modes {
    /// It tracks.
    pub const ON: Modes = Modes(1 << 0);
    /// It hears of all keys with its prefixes, and not of those that it has read.
    pub const BROADCAST: Modes = Modes(1 << 1);
    /// What it reads counts only where it has said so just before.
    pub const OPT_IN: Modes = Modes(1 << 2);
    /// What it reads counts unless it has said otherwise just before.
    pub const OPT_OUT: Modes = Modes(1 << 3);
    /// It does not hear of what it changes itself.
    pub const NO_LOOP: Modes = Modes(1 << 4);
    /// It has said just now that what it reads counts, or does not.
    pub const CACHING: Modes = Modes(1 << 5);
    /// The client that hears in its place was not there any more.
    pub const BROKEN: Modes = Modes(1 << 6);

    /// Whether all of these are in here.
    pub fn contains(self, other: Modes) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those.
    pub fn and(self, other: Modes) -> Modes {
        Modes(self.0 | other.0)
    }
}

/// What a client asks for.
#[derive(Debug, Default)]
pub struct Options<'o> {
    /// The client that is to hear in its place.
    pub redirect: Option<u64>,
    /// In which ways.
    pub modes: Modes,
    /// The prefixes of the keys that it wants to hear of; all keys if there is none.
    pub prefixes: Vec<&'o [u8]>,
}

/// What a client has asked for.
#[derive(Debug, Default)]
pub struct Terms {
    modes: AtomicU8,
    /// The client that hears in its place; 0 for none.
    redirect: AtomicU64,
    prefixes: Mutex<BTreeSet<Box<[u8]>>>,
}

impl Terms {
    /// Its modes.
    #[inline]
    pub fn modes(&self) -> Modes {
        Modes(self.modes.load(Ordering::Relaxed))
    }

    /// Whether it is in this one.
    #[inline]
    pub fn has(&self, mode: Modes) -> bool {
        self.modes().contains(mode)
    }

    /// Whether it hears of what it has read.
    pub fn is_by_reads(&self) -> bool {
        self.has(Modes::ON) && !self.has(Modes::BROADCAST)
    }

    /// Whether it wants to hear of what it reads now.
    pub fn remembers_reads(&self) -> bool {
        let modes = self.modes();
        let is_caching = modes.contains(Modes::CACHING);
        self.is_by_reads()
            && (is_caching || !modes.contains(Modes::OPT_IN))
            && !(is_caching && modes.contains(Modes::OPT_OUT))
    }

    /// Says that what it reads next is the exception, or no exception any more.
    pub fn set_caching(&self, is_caching: bool) {
        if is_caching {
            self.modes.fetch_or(Modes::CACHING.0, Ordering::Relaxed);
        } else {
            self.modes.fetch_and(!Modes::CACHING.0, Ordering::Relaxed);
        }
    }

    /// Notes that the client that hears in its place is gone.
    pub fn note_broken(&self) {
        self.modes.fetch_or(Modes::BROKEN.0, Ordering::Relaxed);
    }

    /// The client that hears in its place.
    pub fn redirect(&self) -> Option<u64> {
        Some(self.redirect.load(Ordering::Relaxed)).filter(|&id| id != 0)
    }

    /// Its prefixes.
    pub fn prefixes(&self) -> Vec<Box<[u8]>> {
        self.prefixes.lock().iter().cloned().collect()
    }

    /// Holds its prefixes, and with them everything for whoever changes it.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeSet<Box<[u8]>>> {
        self.prefixes.lock()
    }

    /// Takes over what it asks for. The exception under way stays.
    pub(super) fn agree(&self, options: &Options<'_>) {
        let caching = self.modes.load(Ordering::Relaxed) & Modes::CACHING.0;
        self.redirect.store(options.redirect.unwrap_or(0), Ordering::Relaxed);
        self.modes.store(options.modes.and(Modes::ON).0 | caching, Ordering::Relaxed);
    }

    /// Ends it; whether there was anything to end.
    pub(super) fn cancel(&self) -> bool {
        self.redirect.store(0, Ordering::Relaxed);
        self.modes.swap(0, Ordering::Relaxed) & Modes::ON.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_count_as_agreed() {
        let terms = Terms::default();
        assert!(!terms.remembers_reads());
        for (modes, usually, as_exception) in [
            (Modes::default(), true, true),
            (Modes::OPT_IN, false, true),
            (Modes::OPT_OUT, true, false),
            (Modes::BROADCAST, false, false),
        ] {
            terms.agree(&Options { modes, ..Options::default() });
            assert_eq!(terms.remembers_reads(), usually, "{modes:?}");
            terms.set_caching(true);
            assert_eq!(terms.remembers_reads(), as_exception, "{modes:?}");
            terms.set_caching(false);
        }
        assert!(terms.cancel() && !terms.cancel() && !terms.remembers_reads());
    }
}

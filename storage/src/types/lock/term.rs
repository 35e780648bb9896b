//! How long a grant lasts: the one term of a lock's grant or a semaphore's permit. It knows no clock: instants are monotonic
//! milliseconds that the caller gives, which no change of the wall clock moves.

/// The instant of what never ends by itself.
pub const NEVER_MS: u64 = u64::MAX;

/// What a grant lasts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Until an instant.
    Lease {
        /// That instant.
        end_ms: u64,
    },
    /// While the connection lives that it is bound to.
    Session {
        /// How long it can be bound to another one when that is gone.
        grace_ms: u64,
        /// When it ends in any case, or [`NEVER_MS`].
        end_ms: u64,
    },
    /// Its connection is gone; it can be bound to another one until an instant.
    Grace {
        /// How long the next one may be gone.
        grace_ms: u64,
        /// That instant.
        end_ms: u64,
    },
}

impl Term {
    /// When it ends by itself, or [`NEVER_MS`].
    pub fn end_ms(self) -> u64 {
        match self {
            Term::Lease { end_ms } | Term::Session { end_ms, .. } | Term::Grace { end_ms, .. } => end_ms,
        }
    }

    /// Whether it has ended by itself.
    pub fn is_over(self, now_ms: u64) -> bool {
        self.end_ms() <= now_ms
    }

    /// Whether it lasts by a connection, be it one to come.
    pub fn is_of_session(self) -> bool {
        !matches!(self, Term::Lease { .. })
    }

    /// What is left of it, or nothing if it does not end by itself.
    pub fn left_ms(self, now_ms: u64) -> Option<u64> {
        let end_ms = self.end_ms();
        (end_ms != NEVER_MS).then(|| end_ms.saturating_sub(now_ms))
    }

    /// What it becomes when its owner asks once more, on these terms. It never gets shorter, and a session stays one while its
    /// connection lives; without it, in its grace, it becomes the lease that is asked for. Whether the connection that has
    /// asked is the one that counts from here on.
    pub fn joined_by(self, asked: Term) -> (Term, bool) {
        match (self, asked) {
            (Term::Lease { end_ms: old }, Term::Lease { end_ms }) => {
                (Term::Lease { end_ms: old.max(end_ms) }, true)
            }
            (Term::Session { .. }, Term::Lease { .. }) => (self, false),
            (Term::Grace { end_ms: old, .. }, Term::Lease { end_ms }) => {
                (Term::Lease { end_ms: old.max(end_ms) }, true)
            }
            (_, asked) => (asked, true),
        }
    }

    /// What it becomes when its connection is gone; nothing if it ends with that.
    pub fn without_connection(self, now_ms: u64) -> Option<Term> {
        match self {
            Term::Session { grace_ms, end_ms } if grace_ms > 0 && end_ms > now_ms => {
                Some(Term::Grace { grace_ms, end_ms: end_ms.min(now_ms.saturating_add(grace_ms)) })
            }
            Term::Session { .. } => None,
            Term::Lease { .. } | Term::Grace { .. } => Some(self),
        }
    }
}

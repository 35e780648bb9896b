//! The parameters of locks.

use super::declare::number;
use super::options::Parameter;

/// The longest lease: ten years.
pub const LEASE_MS_MAX: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

pub const LOCK_DEFAULT_LEASE: Parameter =
    number("lock-default-lease", 1, LEASE_MS_MAX, |config| config.lock_default_lease.raw())
        .summary("Milliseconds that a lock is held if its request does not say how long.");

pub const LOCK_SESSION_MAXHOLD: Parameter =
    number("lock-session-maxhold", 0, LEASE_MS_MAX, |config| config.lock_session_maxhold.raw())
        .summary("Milliseconds after which a lock ends that is held by a connection; 0 for never.");

//! The parameters of locks.

use shardis_storage::types::lock::NEVER_MS;

use super::declare::number;
use super::options::Parameter;
use super::setting::Setting;

/// How long locks are held.
pub struct LockSettings {
    /// If a request does not say.
    pub default_lease_ms: Setting<i64>,
    /// By a connection at the most; 0 for ever.
    pub session_hold_ms_max: Setting<i64>,
}

impl Default for LockSettings {
    fn default() -> LockSettings {
        LockSettings { default_lease_ms: Setting::new(30_000), session_hold_ms_max: Setting::new(0) }
    }
}

impl LockSettings {
    /// When a hold by a connection ends in any case that begins now.
    pub fn session_end_ms(&self, now_ms: u64) -> u64 {
        match u64::try_from(self.session_hold_ms_max.value()) {
            Ok(0) | Err(_) => NEVER_MS,
            Ok(hold_ms) => now_ms.saturating_add(hold_ms),
        }
    }
}

/// The longest lease: ten years.
pub const LEASE_MS_MAX: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

pub const LOCK_DEFAULT_LEASE: Parameter =
    number("lock-default-lease", 1, LEASE_MS_MAX, |config| config.locks.default_lease_ms.raw())
        .summary("Milliseconds that a lock is held if its request does not say how long.");

pub const LOCK_SESSION_MAXHOLD: Parameter =
    number("lock-session-maxhold", 0, LEASE_MS_MAX, |config| config.locks.session_hold_ms_max.raw())
        .summary("Milliseconds after which a lock ends that is held by a connection; 0 for never.");

//! A panic while shards are locked leaves half-edited memory, which must not answer the next client. The program
//! aborts on any panic; an embedded server is marked here: its connections close, and the host process lives.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a panic has struck this server.
#[derive(Debug, Default)]
pub struct Poison(AtomicBool);

impl Poison {
    /// Whether the server must not answer any more.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A guard that marks the server if its scope is left by a panic.
    pub fn guard(&self) -> PoisonGuard<'_> {
        PoisonGuard(self)
    }
}

/// See [`Poison::guard`].
#[derive(Debug)]
pub struct PoisonGuard<'a>(&'a Poison);

impl Drop for PoisonGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.store(true, Ordering::SeqCst);
        }
    }
}

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
    #[inline]
    pub fn guard(&self) -> PoisonGuard<'_> {
        PoisonGuard { poison: self, was_panicking: std::thread::panicking() }
    }
}

/// See [`Poison::guard`].
#[derive(Debug)]
pub struct PoisonGuard<'a> {
    poison: &'a Poison,
    /// A destructor that runs during a panic may use a server: that panic has not struck in the guard's scope.
    was_panicking: bool,
}

impl Drop for PoisonGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.was_panicking && std::thread::panicking() {
            self.poison.0.store(true, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn only_a_panic_inside_the_guards_scope_poisons() {
        struct UsesServer<'a>(&'a Poison);

        impl Drop for UsesServer<'_> {
            fn drop(&mut self) {
                drop(self.0.guard());
            }
        }

        let poison = Poison::default();
        let outside = catch_unwind(AssertUnwindSafe(|| {
            let _unwound = UsesServer(&poison);
            panic!("outside");
        }));
        assert!(outside.is_err() && !poison.is_set());
        let inside = catch_unwind(AssertUnwindSafe(|| {
            let _guard = poison.guard();
            panic!("inside");
        }));
        assert!(inside.is_err() && poison.is_set());
    }
}

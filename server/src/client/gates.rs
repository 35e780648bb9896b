//! What holds the calls of a client to more than everybody's: a bit each. Most clients have none, so that all of these checks
//! cost them one branch together.
//!
//! Other threads put up and take down [`Gate::Rules`], when they change the client's user, and put up [`Gate::Inbox`], when it is to
//! hear in the place of another client.

use std::sync::atomic::{AtomicU8, Ordering};

/// The extra checks of one client.
#[derive(Debug, Default)]
pub struct Gates(AtomicU8);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It sees the commands of all clients, and is kept from the data.
    Monitor = 1 << 0,
    /// Its user may not do everything.
    Rules = 1 << 1,
    /// It listens to channels in a protocol in which replies and messages cannot be told apart.
    Subscribed = 1 << 2,
    /// It gathers the commands of a transaction.
    Transaction = 1 << 3,
    /// It has an inbox: it may be sent what it has not asked for.
    Inbox = 1 << 4,
    /// It hears of changes of what it has read, or of all changes.
    Tracking = 1 << 5,
}

impl Gates {
    /// Whether there is any.
    #[inline]
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Whether this one is there.
    #[inline]
    pub fn has(&self, gate: Gate) -> bool {
        self.0.load(Ordering::Relaxed) & gate as u8 != 0
    }

    /// Puts one up, or takes it down.
    pub fn set(&self, gate: Gate, is_there: bool) {
        if is_there {
            self.0.fetch_or(gate as u8, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!(gate as u8), Ordering::Relaxed);
        }
    }
}

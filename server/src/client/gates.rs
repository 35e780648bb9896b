//! What holds the calls of a client to more than everybody's: a bit each. Most clients have none, so that all of these checks
//! cost them one branch together.

/// The extra checks of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates(u8);

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
}

impl Gates {
    /// Whether there is any.
    #[inline]
    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// Whether this one is there.
    #[inline]
    pub fn has(self, gate: Gate) -> bool {
        self.0 & gate as u8 != 0
    }

    /// Puts one up, or takes it down.
    pub fn set(&mut self, gate: Gate, is_there: bool) {
        self.0 = self.0 & !(gate as u8) | if is_there { gate as u8 } else { 0 };
    }
}

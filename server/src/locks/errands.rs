//! What has to be done about locks and jobs outside of any command: written down by whoever finds it, done by the keeper. There are never
//! more errands than grants, waits and connections have ended since the keeper looked, and jobs have got on.

use std::collections::VecDeque;

use parking_lot::Mutex;
use shardis_storage::Db;
use tokio::sync::Notify;

use super::register::GrantRef;

/// One of them.
#[derive(Debug)]
pub enum Errand {
    /// A client has lost a grant, and is told if it can be.
    TellLost {
        /// The client.
        client: u64,
        /// Of what.
        key: Box<[u8]>,
        /// Which one.
        fence: u64,
    },
    /// A client has left by whose connection grants lasted.
    Leave {
        /// The client.
        client: u64,
    },
    /// The reply that told of a grant has not left.
    Undo(GrantRef),
    /// A message to those who listen to a channel.
    Publish {
        /// The channel.
        channel: Box<[u8]>,
        /// What they are told.
        message: Box<[u8]>,
    },
    /// Somebody has left a queue.
    Offer {
        /// The database.
        db: Db,
        /// Of this key.
        key: Box<[u8]>,
    },
}

/// All of them, in order.
#[derive(Debug, Default)]
pub struct Errands {
    waiting: Mutex<VecDeque<Errand>>,
    any: Notify,
}

impl Errands {
    /// Writes one down.
    pub fn push(&self, errand: Errand) {
        self.waiting.lock().push_back(errand);
        self.any.notify_one();
    }

    /// Takes the first.
    pub fn take(&self) -> Option<Errand> {
        self.waiting.lock().pop_front()
    }

    /// Lets the keeper look, as something is to be done or to be waited for.
    pub fn wake(&self) {
        self.any.notify_one();
    }

    /// Waits for one, or for who wakes the keeper.
    pub async fn wait(&self) {
        self.any.notified().await;
    }
}

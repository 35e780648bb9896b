//! One message on its way into the inboxes of those who listen. Nobody is woken and nobody closed before the locks are gone,
//! that is before `finish`.

use std::sync::Arc;

use bytes::Bytes;
use shardis_protocol::limits::BULK_SHARED_BYTES_MIN;
use shardis_protocol::{Reply, Version};

use super::registry::Listeners;
use crate::client::inbox::{Refused, Wakes};
use crate::client::{ClientInfo, limits};
use crate::config::ClientClass;
use crate::state::State;

/// What stands before channel and message.
#[derive(Clone, Copy, Debug)]
pub enum Heading<'p> {
    /// For those who listen to the channel by its name.
    Message,
    /// For those who listen by this pattern.
    PatternMessage(&'p [u8]),
    /// For those who listen to a shard channel.
    ShardMessage,
}

/// A message under way.
pub struct Delivery<'m> {
    state: &'m State,
    channel: &'m [u8],
    message: &'m [u8],
    /// The message where it is shared, once it has been written.
    shared: Option<Bytes>,
    receivers: usize,
    wakes: &'m mut Wakes,
    /// Those who had no room for it.
    full: Vec<Arc<ClientInfo>>,
}

impl<'m> Delivery<'m> {
    /// A message that nobody has yet.
    pub fn new(
        state: &'m State,
        channel: &'m [u8],
        message: &'m [u8],
        wakes: &'m mut Wakes,
    ) -> Delivery<'m> {
        Delivery { state, channel, message, shared: None, receivers: 0, wakes, full: Vec::new() }
    }

    /// Writes it into the inboxes of these.
    pub fn deliver(&mut self, heading: Heading<'_>, listeners: &Listeners) {
        // Both are of the same length, and most listeners speak one of them.
        let resp2 = self.write(heading, Version::Resp2);
        let mut resp3 = None;
        let limit = self.state.config.output_limit(ClientClass::PubSub);
        for listener in listeners.values() {
            let bytes_max = limits::inbox_bytes_max(limit, ClientClass::PubSub, listener);
            let pushed = listener.inbox.push(resp2.len(), bytes_max, |messages| match messages.version() {
                Version::Resp2 => messages.copy_from(&resp2),
                Version::Resp3 => {
                    messages.copy_from(resp3.get_or_insert_with(|| self.write(heading, Version::Resp3)));
                }
            });
            match pushed {
                Ok(waker) => self.wakes.extend(waker),
                Err(Refused::Full) => self.full.push(listener.clone()),
                // It has been closed, and will be gone soon.
                Err(Refused::Closed) => continue,
            }
            self.receivers += 1;
        }
    }

    fn write(&mut self, heading: Heading<'_>, version: Version) -> Reply {
        let mut reply = Reply::new(version);
        reply.push(if matches!(heading, Heading::PatternMessage(_)) { 4 } else { 3 });
        match heading {
            Heading::Message => reply.bulk(b"message"),
            Heading::ShardMessage => reply.bulk(b"smessage"),
            Heading::PatternMessage(pattern) => {
                reply.bulk(b"pmessage");
                reply.bulk(pattern);
            }
        }
        reply.bulk(self.channel);
        if self.message.len() < BULK_SHARED_BYTES_MIN {
            reply.bulk(self.message);
        } else {
            let shared = self.shared.get_or_insert_with(|| Bytes::copy_from_slice(self.message));
            reply.bulk_shared(shared.clone());
        }
        reply
    }

    /// Closes those who had no room; how many have got it.
    pub fn finish(self) -> usize {
        for listener in &self.full {
            limits::warn_of_output(self.state, listener);
            self.state.clients.close(listener);
        }
        self.receivers
    }
}

//! One message on its way into the inboxes of those who listen. Nobody is woken and nobody closed before the locks are gone,
//! that is before `finish`.

use std::sync::Arc;

use bytes::Bytes;
use shardis_protocol::limits::BULK_SHARED_BYTES_MIN;
use shardis_protocol::{Reply, Version};

use super::registry::Listeners;
use crate::client::inbox::{Refused, Wakes};
use crate::client::{ClientInfo, limits};
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
    message: Message<'m>,
    receivers: usize,
    wakes: &'m mut Wakes,
    /// Those who had no room for it.
    full: Vec<Arc<ClientInfo>>,
}

impl<'m> Delivery<'m> {
    /// A message that nobody has yet.
    pub fn new(state: &'m State, channel: &'m [u8], text: &'m [u8], wakes: &'m mut Wakes) -> Delivery<'m> {
        let message = Message { channel, text, shared: None };
        Delivery { state, message, receivers: 0, wakes, full: Vec::new() }
    }

    /// Writes it into the inboxes of these. For one alone it is written where it belongs.
    pub fn deliver(&mut self, heading: Heading<'_>, listeners: &Listeners) {
        let bytes_max = self.bytes_max(heading);
        if listeners.len() == 1 {
            for listener in listeners.values() {
                self.put(listener, bytes_max, |message, inbox| message.write(heading, inbox));
            }
            return;
        }
        let (mut resp2, mut resp3) = (None, None);
        for listener in listeners.values() {
            self.put(listener, bytes_max, |message, inbox| {
                let version = inbox.version();
                let written = if version == Version::Resp3 { &mut resp3 } else { &mut resp2 };
                inbox.copy_from(written.get_or_insert_with(|| {
                    let mut reply = Reply::new(version);
                    reply.reserve(bytes_max.min(BULK_SHARED_BYTES_MIN));
                    message.write(heading, &mut reply);
                    reply
                }));
            });
        }
    }

    /// Writes it into one inbox, as `write` does.
    #[inline]
    fn put(
        &mut self,
        listener: &Arc<ClientInfo>,
        bytes_max: usize,
        write: impl FnOnce(&mut Message<'m>, &mut Reply),
    ) {
        let (state, message) = (self.state, &mut self.message);
        let inbox_bytes_max = || limits::inbox_bytes_max(state, listener);
        match listener.inbox.push(bytes_max, inbox_bytes_max, |inbox| write(message, inbox)) {
            Ok(waker) => self.wakes.note(waker),
            Err(Refused::Full) => self.full.push(listener.clone()),
            // It has been closed, and will be gone soon.
            Err(Refused::Closed) => return,
        }
        self.receivers += 1;
    }

    /// More than it takes: names, texts, and what RESP has around them.
    fn bytes_max(&self, heading: Heading<'_>) -> usize {
        let pattern_bytes = if let Heading::PatternMessage(pattern) = heading { pattern.len() } else { 0 };
        FRAME_BYTES_MAX + pattern_bytes + self.message.channel.len() + self.message.text.len()
    }

    /// Closes those who had no room; how many have got it.
    pub fn finish(self) -> usize {
        for listener in &self.full {
            limits::close_for_output(self.state, listener);
        }
        self.receivers
    }
}

/// What is sent.
struct Message<'m> {
    channel: &'m [u8],
    text: &'m [u8],
    /// The text where it is shared, once it has been written.
    shared: Option<Bytes>,
}

impl Message<'_> {
    #[inline]
    fn write(&mut self, heading: Heading<'_>, reply: &mut Reply) {
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
        if self.text.len() < BULK_SHARED_BYTES_MIN {
            reply.bulk(self.text);
        } else {
            let shared = self.shared.get_or_insert_with(|| Bytes::copy_from_slice(self.text));
            reply.bulk_shared(shared.clone());
        }
    }
}

/// What stands around names and texts at most.
const FRAME_BYTES_MAX: usize = 128;

//! Pub/Sub: who listens to which channel, pattern or shard channel, and how a message comes to all of them. Who listens is
//! kept in `registry`, what a client listens to in `subscriptions`, delivering is `deliver`; how a message then leaves is the
//! business of `client::inbox`. Which words clients use for all this is told by the commands.
//!
//! 1. A message is in the inbox of every listener before its publisher is answered. So whoever has heard of the answer, and
//!    asks for something over a listening connection, reads the message first.
//! 2. Publishing holds the lock of its channel while it writes into the inboxes, and that of all patterns if there are any,
//!    before it. So all who listen to a channel, by its name or by a pattern, see its messages in one order, and those who
//!    listen by patterns see the messages of all channels in one order.
//! 3. Subscribing is done before it is answered, and so is unsubscribing; what has been published in between is handed out
//!    before the answer to the latter. So nobody is told of what was published before it listened or after it did.
//! 4. A message is written once for each version of the protocol that its listeners speak, and then copied; a long one is
//!    shared.
//! 5. Tasks that sleep are woken once the locks are gone, each once, however many messages it gets. What one turn of a
//!    connection publishes wakes them when the turn is over, so that they find all of it.
//! 6. A listener whose inbox has no room for a message is closed, and it alone.
//!
//! Locks, in this order: the names of one client; then, taken while publishing too, the patterns, a channel, an inbox. The
//! map of channels is locked inside of these only for a look or a change, never while anybody is written to. None of them
//! waits for anything else, so that whoever holds shards may publish.

mod deliver;
mod registry;
mod subscriptions;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shardis_storage::glob::Pattern;

use self::deliver::{Delivery, Heading};
use self::registry::{Channels, Patterns};
pub use self::subscriptions::Subscriptions;
use crate::client::ClientInfo;
use crate::client::inbox::Wakes;
use crate::state::State;

/// What a client can listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A channel, by its name.
    Channel,
    /// All channels whose names match a pattern.
    Pattern,
    /// A channel of those that a cluster keeps apart by its slots.
    ShardChannel,
}

/// Everybody who listens on a server.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: Channels,
    shard_channels: Channels,
    patterns: Patterns,
    /// Clients that listen to anything.
    clients: AtomicUsize,
}

impl PubSub {
    /// Lets a client listen; how much it listens to then, as it is told.
    pub fn subscribe(&self, client: &Arc<ClientInfo>, topic: Topic, name: &[u8]) -> usize {
        let mut held = client.subscriptions.lock();
        if let Some(name) = held.insert(topic, name) {
            self.clients.fetch_add(usize::from(held.total() == 1), Ordering::Relaxed);
            match topic {
                Topic::Channel => self.channels.join(&name, client),
                Topic::Pattern => self.patterns.join(&name, client),
                Topic::ShardChannel => self.shard_channels.join(&name, client),
            }
        }
        held.told(topic)
    }

    /// Ends that; how much it listens to then.
    pub fn unsubscribe(&self, client: &ClientInfo, topic: Topic, name: &[u8]) -> usize {
        let mut held = client.subscriptions.lock();
        if held.remove(topic, name) {
            self.clients.fetch_sub(usize::from(held.total() == 0), Ordering::Relaxed);
            self.part(client, topic, name);
        }
        held.told(topic)
    }

    /// Ends all that a client listens to.
    pub fn leave(&self, client: &ClientInfo) {
        if !client.subscriptions.is_any() {
            return;
        }
        let mut held = client.subscriptions.lock();
        self.clients.fetch_sub(usize::from(held.total() > 0), Ordering::Relaxed);
        for (topic, names) in held.take_all() {
            names.iter().for_each(|name| self.part(client, topic, name));
        }
    }

    fn part(&self, client: &ClientInfo, topic: Topic, name: &[u8]) {
        match topic {
            Topic::Channel => self.channels.part(name, client),
            Topic::Pattern => self.patterns.part(name, client),
            Topic::ShardChannel => self.shard_channels.part(name, client),
        }
    }

    /// Sends a message to all who listen to a channel, and says how many do; from any thread, whatever it has locked. Those who
    /// sleep are noted, to be woken when the locks are gone.
    #[inline]
    pub fn publish(&self, state: &State, channel: &[u8], message: &[u8], wakes: &mut Wakes) -> usize {
        let has_patterns = self.patterns.is_any();
        if !has_patterns && !self.channels.is_any() {
            return 0;
        }
        let mut delivery = Delivery::new(state, channel, message, wakes);
        {
            let patterns = has_patterns.then(|| self.patterns.lock());
            self.channels.visit(channel, |listeners| delivery.deliver(Heading::Message, listeners));
            for (pattern, listeners) in patterns.iter().flat_map(|patterns| patterns.iter()) {
                if Pattern::new(pattern).matches(channel) {
                    delivery.deliver(Heading::PatternMessage(pattern), listeners);
                }
            }
        }
        delivery.finish()
    }

    /// Sends a message to all who listen to a shard channel, and says how many do.
    pub fn publish_to_shard(
        &self,
        state: &State,
        channel: &[u8],
        message: &[u8],
        wakes: &mut Wakes,
    ) -> usize {
        let mut delivery = Delivery::new(state, channel, message, wakes);
        self.shard_channels.visit(channel, |listeners| delivery.deliver(Heading::ShardMessage, listeners));
        delivery.finish()
    }

    /// The channels, shard channels or patterns that anybody listens to, and that match a pattern.
    pub fn names(&self, topic: Topic, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let pattern = pattern.map(Pattern::new);
        let is_wanted = |name: &[u8]| pattern.is_none_or(|pattern| pattern.matches(name));
        match topic {
            Topic::Channel => self.channels.names(is_wanted),
            Topic::Pattern => self.patterns.names(is_wanted),
            Topic::ShardChannel => self.shard_channels.names(is_wanted),
        }
    }

    /// How many there are.
    pub fn count(&self, topic: Topic) -> usize {
        match topic {
            Topic::Channel => self.channels.count(),
            Topic::Pattern => self.patterns.count(),
            Topic::ShardChannel => self.shard_channels.count(),
        }
    }

    /// How many clients listen to a channel or a shard channel by its name, or by this very pattern.
    pub fn listeners(&self, topic: Topic, name: &[u8]) -> usize {
        match topic {
            Topic::Channel => self.channels.listeners(name),
            Topic::Pattern => self.patterns.listeners(name),
            Topic::ShardChannel => self.shard_channels.listeners(name),
        }
    }

    /// How many clients listen to anything.
    pub fn client_count(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }
}

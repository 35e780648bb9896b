//! Messages of changes on their way into the inboxes of those who track; nobody is woken and nobody closed before the locks are gone,
//! that is before `finish`. Events are passed on to be published; who has no room for one is closed at once.

use std::sync::Arc;

use shardis_protocol::{Reply, Version};
use shardis_storage::Change;

use crate::client::inbox::{Refused, Wakes};
use crate::client::{ClientInfo, limits};
use crate::notify;
use crate::state::State;

/// The channel on which clients hear in whose protocol only listeners are sent anything.
const CHANNEL: &[u8] = b"__redis__:invalidate";
/// What stands around the keys of a message at most.
const FRAME_BYTES_MAX: usize = 128;
/// What stands around one key at most.
const KEY_FRAME_BYTES_MAX: usize = 32;

/// What is not to be relied on any more.
#[derive(Clone, Copy, Debug)]
pub enum Content<'c> {
    /// These keys.
    Keys(&'c [&'c [u8]]),
    /// All that there is.
    Everything,
}

/// Tells of the changes of one transaction.
#[derive(Debug, Default)]
pub struct Teller {
    /// Whose changes they are.
    by: Option<u64>,
    /// How many changes of the log it has told.
    told: usize,
    /// A client that is sent its messages later, behind its reply, and those messages.
    aside: Option<(u64, Reply)>,
    wakes: Wakes,
    /// Those who had no room for a message.
    full: Vec<Arc<ClientInfo>>,
}

impl Teller {
    /// One who tells what a client changes.
    pub fn of(client: &ClientInfo) -> Teller {
        Teller { by: Some(client.id), ..Teller::default() }
    }

    /// The same of one of whom only the id is left.
    pub fn of_id(client: u64) -> Teller {
        Teller { by: Some(client), ..Teller::default() }
    }

    /// Tells what is new in a log.
    pub fn tell(&mut self, state: &State, changes: &[Change]) {
        let new = &changes[self.told..];
        self.told = changes.len();
        if !new.is_empty() {
            new.iter().for_each(|change| notify::tell(state, change, &mut self.wakes));
            state.clients.tracking.tell(state, new, self.by, self);
        }
    }

    /// Tells what is new in a log because a client was served that had been blocked: what that client is to be sent itself, behind
    /// its reply.
    pub fn tell_served(
        &mut self,
        state: &State,
        changes: &[Change],
        client: &ClientInfo,
        version: Version,
    ) -> Reply {
        self.by = Some(client.id);
        self.aside = Some((client.id, Reply::new(version)));
        self.tell(state, changes);
        self.by = None;
        self.aside.take().map(|(_, messages)| messages).unwrap_or_default()
    }

    /// Begins with a new log, which is nobody's yet.
    pub fn turn_page(&mut self) {
        (self.told, self.by) = (0, None);
    }

    /// Sends a client that tracks a message, or the one who hears in its place.
    pub fn send(&mut self, state: &State, tracker: &Arc<ClientInfo>, content: Content<'_>) {
        let Some(id) = tracker.tracking.redirect() else {
            return self.put(state, tracker, content.bytes_max(), |inbox| {
                if inbox.version() == Version::Resp3 {
                    content.write(inbox);
                }
            });
        };
        match state.clients.client(id) {
            Some(target) => self.put(state, &target, content.bytes_max(), |inbox| match inbox.version() {
                Version::Resp3 => content.write(inbox),
                Version::Resp2 if target.subscriptions.is_any() => content.publish(inbox),
                Version::Resp2 => {}
            }),
            None => self.send_broken(state, tracker, id),
        }
    }

    /// Tells a client that nobody hears in its place.
    fn send_broken(&mut self, state: &State, tracker: &Arc<ClientInfo>, id: u64) {
        tracker.tracking.note_broken();
        self.put(state, tracker, FRAME_BYTES_MAX, |inbox| {
            if inbox.version() == Version::Resp3 {
                inbox.push(2);
                inbox.bulk(b"tracking-redir-broken");
                inbox.integer(id.cast_signed());
            }
        });
    }

    fn put(
        &mut self,
        state: &State,
        target: &Arc<ClientInfo>,
        bytes_max: usize,
        write: impl FnOnce(&mut Reply),
    ) {
        if let Some((_, messages)) = self.aside.as_mut().filter(|(id, _)| *id == target.id) {
            return write(messages);
        }
        match target.inbox.push(bytes_max, || limits::inbox_bytes_max(state, target), write) {
            Ok(waker) => self.wakes.note(waker),
            Err(Refused::Full) => self.full.push(target.clone()),
            // It has been closed, and will be gone soon; or nothing can be sent to it.
            Err(Refused::Closed) => {}
        }
    }

    /// Closes those who had no room, and wakes those who have got something.
    pub fn finish(mut self, state: &State) {
        self.close_full(state);
    }

    /// The same, for a turn that wakes them when it is over.
    pub fn finish_in_turn(mut self, state: &State, wakes: &mut Wakes) {
        self.close_full(state);
        wakes.append(&mut self.wakes);
    }

    fn close_full(&mut self, state: &State) {
        for target in self.full.drain(..) {
            limits::close_for_output(state, &target);
        }
    }
}

impl Content<'_> {
    /// As it is sent to those who can tell it from a reply.
    fn write(self, inbox: &mut Reply) {
        inbox.push(2);
        inbox.bulk(b"invalidate");
        self.write_keys(inbox);
    }

    /// As it is sent to those who listen to channels.
    fn publish(self, inbox: &mut Reply) {
        inbox.push(3);
        inbox.bulk(b"message");
        inbox.bulk(CHANNEL);
        self.write_keys(inbox);
    }

    fn write_keys(self, inbox: &mut Reply) {
        match self {
            Content::Keys(keys) => {
                inbox.array(keys.len());
                keys.iter().for_each(|key| inbox.bulk(key));
            }
            Content::Everything => inbox.null(),
        }
    }

    /// More than it takes.
    fn bytes_max(self) -> usize {
        let keys = match self {
            Content::Keys(keys) => keys,
            Content::Everything => &[],
        };
        FRAME_BYTES_MAX + keys.iter().map(|key| key.len() + KEY_FRAME_BYTES_MAX).sum::<usize>()
    }
}

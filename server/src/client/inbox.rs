//! What other threads have for a client: monitored commands, published messages, and whatever else is sent to a client that
//! did not ask for it just now.
//!
//! 1. Whoever has something writes it, as RESP in the version that the client speaks, behind what is already there, and wakes
//!    the connection's task, if it sleeps. So a task is woken once, however much comes before it runs.
//! 2. The connection takes everything at once: when its peer has taken what was sent before, before it runs commands that have
//!    come, and before it sends a reply that somebody else has made. So each whole message stands between whole replies, and
//!    what was there when a command came is sent before its reply. What a command sends to its own client is taken behind it,
//!    and what comes while its reply is on its way from another thread, too.
//! 3. A client that does not read leaves its inbox to fill up. Nothing is dropped from the middle: what has no room closes the
//!    inbox, and whoever is told so closes the connection.
//! 4. What waits counts as unsent output of its client, wherever that is counted or limited.
//! 5. The inbox opens when a client first asks to be sent anything, or another client asks for it, and closes with the
//!    connection: who writes into it is decided by those who have something, each by a list of their own.
//!
//! An inbox that nobody has opened costs its connection one look at a flag.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;
use shardis_protocol::{Reply, Version};
use smallvec::SmallVec;

use super::limits;

/// Bytes that wait at most for a client whose output is not limited: as Redis's hard limit for subscribers.
pub const INBOX_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Memory that an inbox keeps for what comes next.
const INBOX_BYTES_RETAINED_MAX: usize = 4 * 1024;
/// So much is never too much.
const INBOX_BYTES_FREE: usize = limits::OUTPUT_BYTES_FREE;
/// Memory that is taken at once because as much was needed before.
const INBOX_BYTES_FORESEEN_MAX: usize = 128 * 1024;
/// From here on messages are handed out in the buffer that they are in.
const INBOX_BYTES_COPIED_MAX: usize = 16 * 1024;

/// The inbox of one client.
#[derive(Debug, Default)]
pub struct Inbox {
    is_open: AtomicBool,
    /// How many bytes wait, for those who only count.
    bytes: AtomicUsize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: Reply,
    /// How many bytes there were when they were last taken, as there will be again.
    usual_bytes: usize,
    /// The task to wake, while it waits.
    waker: Option<Waker>,
}

/// Tasks to be woken together: when a turn is over that has written to many inboxes, or when this is dropped.
#[derive(Debug, Default)]
pub struct Wakes(SmallVec<[Waker; WAKES_INLINE]>);

/// How many are noted without memory of their own.
const WAKES_INLINE: usize = 2;

impl Wakes {
    /// Takes over those of another.
    pub fn append(&mut self, others: &mut Wakes) {
        self.0.append(&mut others.0);
    }

    /// Notes one more.
    #[inline]
    pub fn note(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.0.push(waker);
        }
    }

    /// Wakes all.
    #[inline]
    pub fn wake(&mut self) {
        if !self.0.is_empty() {
            self.0.drain(..).for_each(Waker::wake);
        }
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Why an inbox did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It takes none.
    Closed,
    /// There is no room for it; from here on the inbox takes no more.
    Full,
}

impl Inbox {
    /// Whether messages are taken.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Takes messages from now on, in this version of the protocol. Only the client's own connection opens, so that it looks
    /// from its next turn on.
    pub fn open(&self, version: Version) {
        let mut waiting = self.waiting.lock();
        waiting.messages.set_version(version);
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Notes the task that is to look, should anybody else open the inbox.
    pub fn attend(&self, waker: &Waker) {
        self.waiting.lock().waker = Some(waker.clone());
    }

    /// Takes messages from now on because somebody else will have some, in the version that the client speaks. The task looks
    /// at it from its next turn on, so it is given one.
    pub fn open_for_others(&self) {
        let mut waiting = self.waiting.lock();
        self.is_open.store(true, Ordering::Relaxed);
        let waker = waiting.waker.take();
        drop(waiting);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Takes no more, and forgets what is there.
    pub fn close(&self) {
        let mut waiting = self.waiting.lock();
        self.is_open.store(false, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        drop(std::mem::take(&mut *waiting));
    }

    /// Bytes that wait.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds a whole message of at most so many bytes, which `write` writes, if no more than `bytes_max` wait then: what has to be
    /// woken for it, which is best done when locks are gone. The limit is asked for where much waits.
    #[inline]
    pub fn push(
        &self,
        bytes: usize,
        bytes_max: impl FnOnce() -> usize,
        write: impl FnOnce(&mut Reply),
    ) -> Result<Option<Waker>, Refused> {
        let mut waiting = self.waiting.lock();
        // Under the lock, so that nothing comes behind a `close`.
        if !self.is_open() {
            return Err(Refused::Closed);
        }
        let waiting_bytes = waiting.messages.len();
        if waiting_bytes + bytes > INBOX_BYTES_FREE && waiting_bytes + bytes > bytes_max() {
            drop(waiting);
            self.close();
            return Err(Refused::Full);
        }
        if waiting_bytes == 0 {
            let usual_bytes = waiting.usual_bytes;
            waiting.messages.reserve(usual_bytes);
        }
        write(&mut waiting.messages);
        self.bytes.store(waiting.messages.len(), Ordering::Relaxed);
        Ok(waiting.waker.take())
    }

    /// Moves all messages to the end of `out`; false if there is none.
    #[inline]
    pub fn take(&self, out: &mut Reply) -> bool {
        self.bytes() > 0 && self.waiting.lock().hand_out(&self.bytes, out)
    }

    /// The same, and if there is none, `waker` is woken when one comes.
    pub fn take_or_wake(&self, out: &mut Reply, waker: &Waker) -> bool {
        let mut waiting = self.waiting.lock();
        let is_any = waiting.hand_out(&self.bytes, out);
        if !is_any && !waiting.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiting.waker = Some(waker.clone());
        }
        is_any
    }

    /// Moves all messages to the end of `out`; from here on they are written in another version.
    pub fn switch(&self, version: Version, out: &mut Reply) {
        let mut waiting = self.waiting.lock();
        waiting.hand_out(&self.bytes, out);
        waiting.messages.set_version(version);
    }
}

impl Waiting {
    fn hand_out(&mut self, bytes: &AtomicUsize, out: &mut Reply) -> bool {
        if self.messages.is_empty() {
            return false;
        }
        let version = self.messages.version();
        let copied_bytes = self.messages.as_contiguous().map_or(0, <[u8]>::len);
        self.usual_bytes = copied_bytes.min(INBOX_BYTES_FORESEEN_MAX);
        if self.messages.len() > INBOX_BYTES_COPIED_MAX && out.is_empty() {
            let (out_version, messages) = (out.version(), std::mem::take(&mut self.messages));
            *out = messages;
            out.set_version(out_version);
            self.messages.set_version(version);
        } else {
            out.append(&mut self.messages);
            if self.messages.memory_bytes() > INBOX_BYTES_RETAINED_MAX {
                self.messages = Reply::new(version);
            }
        }
        bytes.store(0, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(inbox: &Inbox, message: &[u8]) -> Result<(), Refused> {
        let pushed = inbox.push(message.len(), || INBOX_BYTES_MAX, |messages| messages.raw(message));
        pushed.map(|waker| assert!(waker.is_none(), "nobody sleeps"))
    }

    fn taken(inbox: &Inbox) -> Vec<u8> {
        let mut out = Reply::default();
        assert_eq!(inbox.take(&mut out), !out.is_empty());
        out.to_vec()
    }

    #[test]
    fn what_has_no_room_is_refused_and_closes_it() {
        let inbox = Inbox::default();
        assert_eq!(push(&inbox, b"nobody listens"), Err(Refused::Closed));
        inbox.open(Version::Resp2);
        assert_eq!(push(&inbox, &vec![b'a'; INBOX_BYTES_MAX - 1]), Ok(()));
        assert_eq!(push(&inbox, b"b"), Ok(()));
        assert_eq!(inbox.bytes(), INBOX_BYTES_MAX);
        assert_eq!(taken(&inbox).len(), INBOX_BYTES_MAX);
        assert_eq!((inbox.bytes(), taken(&inbox)), (0, Vec::new()));
        assert_eq!(push(&inbox, &vec![b'a'; INBOX_BYTES_MAX]), Ok(()));
        assert_eq!(push(&inbox, b"b"), Err(Refused::Full));
        assert_eq!(push(&inbox, b"b"), Err(Refused::Closed), "it is told once");
        assert_eq!((inbox.bytes(), inbox.is_open()), (0, false));
    }

    #[test]
    fn a_closed_inbox_is_empty() {
        let inbox = Inbox::default();
        inbox.open(Version::Resp2);
        assert_eq!(push(&inbox, b"one"), Ok(()));
        inbox.close();
        assert_eq!(push(&inbox, b"two"), Err(Refused::Closed));
        assert_eq!(taken(&inbox), b"");
    }

    #[test]
    fn messages_come_out_whole_and_in_order_whatever_their_size() {
        let inbox = Inbox::default();
        inbox.open(Version::Resp2);
        for size in [10, INBOX_BYTES_RETAINED_MAX, INBOX_BYTES_COPIED_MAX, 4 * INBOX_BYTES_COPIED_MAX, 10] {
            let mut out = Reply::new(Version::Resp3);
            let messages = [vec![b'a'; size], vec![b'b'; size]];
            messages.iter().for_each(|message| assert_eq!(push(&inbox, message), Ok(())));
            assert!(inbox.take(&mut out) && out.to_vec() == messages.concat());
            assert_eq!(out.version(), Version::Resp3, "{size}");
        }
    }

    #[test]
    fn messages_before_a_switch_are_in_the_old_version() {
        let inbox = Inbox::default();
        inbox.open(Version::Resp3);
        let tell = || inbox.push(10, || INBOX_BYTES_MAX, |messages| messages.push(1));
        assert!(tell().is_ok());
        let mut out = Reply::new(Version::Resp3);
        inbox.switch(Version::Resp2, &mut out);
        assert!(tell().is_ok() && inbox.take(&mut out));
        assert_eq!(out.to_vec(), b">1\r\n*1\r\n");
    }

    #[test]
    fn a_sleeper_is_woken_once() {
        let inbox = Inbox::default();
        inbox.open(Version::Resp2);
        let mut out = Reply::default();
        assert!(!inbox.take_or_wake(&mut out, Waker::noop()));
        let tell = || inbox.push(1, || INBOX_BYTES_MAX, |messages| messages.raw(b"x"));
        assert!(tell().is_ok_and(|waker| waker.is_some()));
        assert!(tell().is_ok_and(|waker| waker.is_none()));
        assert!(inbox.take_or_wake(&mut out, Waker::noop()) && out.len() == 2);
    }
}

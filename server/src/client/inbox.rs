//! What other threads have for a client: monitored commands, and whatever else is sent to a client that did not ask for it
//! just now.
//!
//! 1. Whoever has something writes it, as RESP, behind what is already there, and wakes the connection's task.
//! 2. That task takes everything at once as soon as its peer has taken what was sent before, so that what is under way
//!    is bounded by the inbox too, and each whole message stands between whole replies.
//! 3. A client that does not read leaves its inbox to fill up. Nothing is dropped from the middle: what has no room
//!    closes the inbox, and whoever is told so closes the connection.
//! 4. What waits counts as unsent output of its client, wherever that is counted or limited.
//!
//! An inbox that nobody has opened costs its connection one look at a flag.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;

/// Bytes that wait for a client at most: as Redis's hard limit for subscribers.
pub const INBOX_BYTES_MAX: usize = 32 * 1024 * 1024;

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
    bytes: Vec<u8>,
    /// The task to wake, while it waits.
    waker: Option<Waker>,
}

/// There is no room for a message; the inbox takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Inbox {
    /// Whether messages are taken.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Takes messages from now on. Only the client's own connection opens, so that it looks from its next turn on.
    pub fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Takes no more, and hands out what is there.
    pub fn close(&self) -> Vec<u8> {
        let mut waiting = self.waiting.lock();
        self.is_open.store(false, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        std::mem::take(&mut *waiting).bytes
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds a whole message; a closed inbox ignores it.
    pub fn push(&self, message: &[u8]) -> Result<(), Full> {
        let mut waiting = self.waiting.lock();
        // Under the lock, so that nothing comes behind a `close`.
        if !self.is_open() {
            return Ok(());
        }
        if waiting.bytes.len() + message.len() > INBOX_BYTES_MAX {
            drop(waiting);
            self.close();
            return Err(Full);
        }
        waiting.bytes.extend_from_slice(message);
        self.bytes.store(waiting.bytes.len(), Ordering::Relaxed);
        if let Some(waker) = waiting.waker.take() {
            drop(waiting);
            waker.wake();
        }
        Ok(())
    }

    /// Takes all messages; if there is none, `waker` is woken when one comes.
    pub fn take(&self, waker: &Waker) -> Option<Bytes> {
        let mut waiting = self.waiting.lock();
        if waiting.bytes.is_empty() {
            waiting.waker = Some(waker.clone());
            return None;
        }
        self.bytes.store(0, Ordering::Relaxed);
        Some(std::mem::take(&mut waiting.bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_refused_and_closes_it() {
        let inbox = Inbox::default();
        assert_eq!(inbox.push(b"nobody listens"), Ok(()));
        inbox.open();
        assert_eq!(inbox.push(&vec![b'a'; INBOX_BYTES_MAX - 1]), Ok(()));
        assert_eq!(inbox.push(b"b"), Ok(()));
        assert_eq!(inbox.bytes(), INBOX_BYTES_MAX);
        assert_eq!(inbox.take(Waker::noop()).map(|bytes| bytes.len()), Some(INBOX_BYTES_MAX));
        assert_eq!((inbox.bytes(), inbox.take(Waker::noop())), (0, None));
        assert_eq!(inbox.push(&vec![b'a'; INBOX_BYTES_MAX]), Ok(()));
        assert_eq!(inbox.push(b"b"), Err(Full));
        assert_eq!(inbox.push(b"b"), Ok(()), "it is told once");
        assert_eq!((inbox.bytes(), inbox.is_open()), (0, false));
    }

    #[test]
    fn a_closed_inbox_is_empty() {
        let inbox = Inbox::default();
        inbox.open();
        assert_eq!(inbox.push(b"one"), Ok(()));
        inbox.close();
        assert_eq!(inbox.push(b"two"), Ok(()));
        assert_eq!(inbox.take(Waker::noop()), None);
    }
}

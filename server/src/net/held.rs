//! Replies that are held back until every connection of the thread that has input has run. A client that waits for several
//! connections is then woken once, by the first reply, and finds the others: waking it takes longer than a batch of commands
//! runs. Redis answers in the same order.

use std::cell::RefCell;

use shardis_protocol::Reply;

/// Replies that one thread holds back; whoever comes after them sends at once.
const HELD_REPLIES_MAX: usize = 64;
/// The largest reply that is held back. Sending a larger one takes longer than waking who waits for it.
const HELD_BYTES_MAX: usize = 16 * 1024;

/// The buffers of a thread for what is held back.
pub struct HeldReplies {
    spare: RefCell<Vec<Reply>>,
}

impl HeldReplies {
    pub fn new() -> HeldReplies {
        HeldReplies {
            spare: RefCell::new(std::iter::repeat_with(Reply::default).take(HELD_REPLIES_MAX).collect()),
        }
    }

    /// A copy of a reply to be sent later, if it may be.
    pub fn hold(&self, reply: &Reply) -> Option<Reply> {
        let bytes = reply.as_contiguous().filter(|bytes| (1..=HELD_BYTES_MAX).contains(&bytes.len()))?;
        let mut held = self.spare.borrow_mut().pop()?;
        held.raw(bytes);
        Some(held)
    }

    /// Takes a buffer back.
    pub fn give_back(&self, mut held: Reply) {
        held.clear();
        self.spare.borrow_mut().push(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: usize) -> Reply {
        let mut reply = Reply::default();
        reply.raw(&vec![b'x'; bytes]);
        reply
    }

    #[test]
    fn so_many_are_held_and_no_more() {
        let replies = HeldReplies::new();
        let mut held: Vec<Reply> = (0..HELD_REPLIES_MAX).filter_map(|_| replies.hold(&reply(5))).collect();
        assert_eq!(held.len(), HELD_REPLIES_MAX);
        assert!(replies.hold(&reply(5)).is_none());
        let first = held.remove(0);
        assert_eq!(first.to_vec(), b"xxxxx");
        replies.give_back(first);
        assert_eq!(replies.hold(&reply(2)).map(|held| held.to_vec()), Some(b"xx".to_vec()));
    }

    #[test]
    fn what_is_empty_or_large_is_not_held() {
        let replies = HeldReplies::new();
        assert!(replies.hold(&reply(0)).is_none());
        assert!(replies.hold(&reply(HELD_BYTES_MAX + 1)).is_none());
        assert!(replies.hold(&reply(HELD_BYTES_MAX)).is_some());
    }
}

//! Replies that are held back until every connection of the thread that has input has run. A client that waits for several
//! connections is then woken once, by the first reply, and finds the others: waking it for each was a tenth of the time with
//! batches of 100. Redis answers in the same order.

use std::cell::RefCell;

use shardis_protocol::Reply;

/// Buffers that a thread keeps for what it holds back. Each connection has one reply at most.
const BUFFERS_RETAINED_MAX: usize = 64;
/// The largest reply that is held back, since that takes a copy.
const HELD_BYTES_MAX: usize = 16 * 1024;

/// The buffers of a thread for what is held back.
#[derive(Default)]
pub struct HeldReplies {
    spare: RefCell<Vec<Reply>>,
}

impl HeldReplies {
    /// A copy of a reply to be sent later, if it may be.
    pub fn hold(&self, reply: &Reply) -> Option<Reply> {
        let bytes = reply.as_contiguous().filter(|bytes| (1..=HELD_BYTES_MAX).contains(&bytes.len()))?;
        let mut held = self.spare.borrow_mut().pop().unwrap_or_default();
        held.raw(bytes);
        Some(held)
    }

    /// Takes a buffer back.
    pub fn give_back(&self, mut held: Reply) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < BUFFERS_RETAINED_MAX {
            held.clear();
            spare.push(held);
        }
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
    fn a_buffer_is_used_again_and_so_many_are_kept() {
        let replies = HeldReplies::default();
        let held: Vec<Reply> =
            (0..2 * BUFFERS_RETAINED_MAX).filter_map(|_| replies.hold(&reply(5))).collect();
        assert_eq!(held.len(), 2 * BUFFERS_RETAINED_MAX);
        held.into_iter().for_each(|held| replies.give_back(held));
        assert_eq!(replies.spare.borrow().len(), BUFFERS_RETAINED_MAX);
        assert_eq!(replies.hold(&reply(2)).map(|held| held.to_vec()), Some(b"xx".to_vec()));
    }

    #[test]
    fn what_is_empty_or_large_is_not_held() {
        let replies = HeldReplies::default();
        assert!(replies.hold(&reply(0)).is_none());
        assert!(replies.hold(&reply(HELD_BYTES_MAX + 1)).is_none());
        assert!(replies.hold(&reply(HELD_BYTES_MAX)).is_some());
    }
}

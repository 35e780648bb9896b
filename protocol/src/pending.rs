//! Output that a connection could not send at once, for a reader slower than its replies.
//!
//! The usual case has no business here: a reply that is written whole is cleared and used again. Nothing here
//! writes, and how much may pile up is the server's decision.

use std::collections::VecDeque;
use std::mem;

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::{BULK_SHARED_BYTES_MIN, PENDING_PIECE_BYTES};
use crate::reply::Reply;

/// Bytes to send, in order. Empty, it has no memory.
#[derive(Debug, Default)]
pub struct Pending {
    pieces: VecDeque<Bytes>,
    /// The end, still growing, so that many small replies do not become as many pieces.
    tail: BytesMut,
    len: usize,
}

impl Pending {
    /// Nothing to send.
    pub fn new() -> Pending {
        Pending::default()
    }

    /// Whether everything has been sent.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes to send.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Takes over what is left of `reply` after its first `written` bytes, and clears it.
    pub fn absorb(&mut self, reply: &mut Reply, written: usize) {
        let len = reply.len();
        assert!(written <= len, "{written} bytes written of {len}");
        self.len += len - written;
        let mut skip = written;
        let mut start = 0;
        let (bytes, shared) = reply.parts();
        let bytes_len = bytes.len();
        // Copying much would take long; copying little leaves the reply its buffer.
        let whole = (bytes_len >= PENDING_PIECE_BYTES).then(|| Bytes::from(mem::take(bytes)));
        for (end, value) in shared.drain(..).chain([(bytes_len, Bytes::new())]) {
            match &whole {
                Some(whole) => self.push(unsent(whole.slice(start..end), &mut skip)),
                None => self.copy(unsent(&bytes[start..end], &mut skip)),
            }
            self.push(unsent(value, &mut skip));
            start = end;
        }
        reply.clear();
    }

    /// Takes over what is RESP already, behind everything else.
    pub fn append(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.push(bytes);
    }

    /// The bytes to send, piece by piece, for a vectored write. No piece is empty.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        self.pieces.iter().map(|piece| &piece[..]).chain(tail)
    }

    /// Forgets the first `written` bytes.
    pub fn advance(&mut self, written: usize) {
        assert!(written <= self.len, "{written} bytes written of {}", self.len);
        self.len -= written;
        let mut left = written;
        while let Some(piece) = self.pieces.front_mut() {
            if left < piece.len() {
                return piece.advance(left);
            }
            left -= piece.len();
            self.pieces.pop_front();
        }
        self.tail.advance(left);
        if self.is_empty() {
            *self = Pending::new();
        }
    }

    fn push(&mut self, piece: Bytes) {
        if piece.len() < BULK_SHARED_BYTES_MIN {
            return self.copy(&piece);
        }
        self.seal();
        self.pieces.push_back(piece);
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() >= PENDING_PIECE_BYTES {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(mem::take(&mut self.tail).freeze());
        }
    }
}

/// What is left of `piece` when the next `skip` bytes have been sent, of which its own are taken off.
fn unsent<B: Buf>(mut piece: B, skip: &mut usize) -> B {
    let sent = piece.remaining().min(*skip);
    *skip -= sent;
    piece.advance(sent);
    piece
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    fn bytes_of(pending: &Pending) -> Vec<u8> {
        pending.segments().flatten().copied().collect()
    }

    /// A reply of small values around shared ones, of about `size` copied bytes.
    fn reply(size: usize) -> Reply {
        let mut reply = Reply::new(Version::Resp2);
        while reply.as_contiguous().is_none_or(|bytes| bytes.len() < size) && reply.len() < size + 200_000 {
            reply.bulk(&vec![b'a'; size / 4]);
            reply.bulk_shared(Bytes::from(vec![b'b'; BULK_SHARED_BYTES_MIN + 1]));
        }
        reply.ok();
        reply
    }

    #[test]
    fn nothing_is_lost_wherever_the_first_write_stopped() {
        for size in [100, 4 * PENDING_PIECE_BYTES] {
            let whole = reply(size).to_vec();
            for written in (0..whole.len()).step_by(9973).chain([whole.len()]) {
                let mut reply = reply(size);
                let mut pending = Pending::new();
                pending.absorb(&mut reply, written);
                assert!(reply.is_empty());
                assert_eq!(pending.len(), whole.len() - written);
                assert!(bytes_of(&pending) == whole[written..], "{written} of {} bytes written", whole.len());
            }
        }
    }

    #[test]
    fn replies_leave_in_order_however_they_are_written() {
        let mut pending = Pending::new();
        let mut expected = Vec::new();
        for round in 0..50 {
            let mut reply = reply(if round % 7 == 0 { PENDING_PIECE_BYTES } else { 10 });
            expected.extend(reply.to_vec());
            pending.absorb(&mut reply, 0);
        }
        let mut sent = Vec::new();
        for step in [0, 1, 10, 100, 4096, 100_000].into_iter().cycle() {
            if pending.is_empty() {
                break;
            }
            let step = step.min(pending.len());
            sent.extend(pending.segments().flatten().take(step).copied());
            pending.advance(step);
        }
        assert!(sent == expected);
        assert_eq!(pending.segments().count(), 0);
    }

    #[test]
    fn small_replies_are_gathered_and_shared_values_are_not_copied() {
        let mut pending = Pending::new();
        let mut reply = Reply::new(Version::Resp2);
        for _ in 0..1000 {
            reply.ok();
            pending.absorb(&mut reply, 0);
        }
        assert_eq!(pending.segments().count(), 1);
        let value = Bytes::from(vec![b'v'; BULK_SHARED_BYTES_MIN]);
        reply.bulk_shared(value.clone());
        pending.absorb(&mut reply, 0);
        assert!(pending.segments().any(|segment| segment.as_ptr() == value.as_ptr()));
    }
}

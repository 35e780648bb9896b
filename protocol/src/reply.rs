//! The reply buffer: one method per RESP type, the only place where RESP2 and RESP3 differ.
//!
//! Replies are appended to one byte vector, which its owner reuses from turn to turn. Large values are not
//! copied into it but remembered beside it, each with the position where it belongs; nearly always there is
//! none, and the vector is the output. A reply that is made whole before it is sent is made in blocks, so that each is given
//! back as soon as it is sent. What is not sent at once goes to a `Pending`. Which reply a command deserves is not decided
//! here.

use bytes::Bytes;

use crate::error::ProtocolError;
use crate::limits::{BULK_SHARED_BYTES_MIN, REPLY_BLOCK_BYTES, REPLY_BYTES_RETAINED_MAX};
use crate::number::{format_f64, format_f64_legacy};

/// The version of the protocol a client has chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// What every connection begins with.
    #[default]
    Resp2,
    /// With maps, sets, doubles and pushes.
    Resp3,
}

/// How doubles are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoubleStyle {
    /// With few digits, as Redis does since 7.2.
    #[default]
    Shortest,
    /// With up to 17 digits, as Redis did before.
    SeventeenDigits,
}

impl DoubleStyle {
    /// Appends a double.
    pub fn format(self, value: f64, out: &mut Vec<u8>) {
        match self {
            DoubleStyle::Shortest => format_f64(value, out),
            DoubleStyle::SeventeenDigits => format_f64_legacy(value, out),
        }
    }
}

/// The types that hold other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Values in order.
    Array,
    /// Pairs of key and value; a flat array in RESP2.
    Map,
    /// Values without order; an array in RESP2.
    Set,
    /// What a client did not ask for; an array in RESP2.
    Push,
}

/// A position in a reply: between two values, to come back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    shared: usize,
}

/// The replies of one turn of one connection.
#[derive(Debug, Default)]
pub struct Reply {
    version: Version,
    double_style: DoubleStyle,
    bytes: Vec<u8>,
    /// Values that belong into `bytes` at the position before them, in order.
    shared: Vec<(usize, Bytes)>,
    /// The length of all of them.
    shared_bytes: usize,
    /// Whether it is made in blocks.
    is_in_blocks: bool,
    /// How many of the first of them are finished blocks, which belong in front of everything in `bytes`.
    finished: usize,
}

impl Reply {
    /// An empty reply. It allocates when it is written to.
    pub fn new(version: Version) -> Reply {
        Reply { version, ..Reply::default() }
    }

    /// Makes room for so many bytes at once.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// The version it is written in.
    pub fn version(&self) -> Version {
        self.version
    }

    /// From now on writes in `version`.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// From now on writes doubles in `style`.
    pub fn set_double_style(&mut self, style: DoubleStyle) {
        self.double_style = style;
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A status line. CR and LF in it become spaces.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// The same of bytes.
    pub fn simple_bytes(&mut self, text: &[u8]) {
        self.line(b'+', text);
    }

    /// An error line; the text begins with its code (`ERR ...`). CR and LF at its end are dropped, others
    /// become spaces.
    pub fn error(&mut self, text: &[u8]) {
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        self.line(b'-', &text[..end]);
    }

    /// The last words to a peer that broke the protocol: nothing for some breaches.
    pub fn protocol_error(&mut self, error: ProtocolError) {
        if error.is_answered() {
            self.error(&[b"ERR ", &error.text()[..]].concat());
        }
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        match value {
            0..=9 => self.length_line(b':', value as usize),
            _ => self.number_line(b':', value),
        }
    }

    /// A byte string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.bytes.reserve(bytes.len() + BULK_OVERHEAD_BYTES);
        self.length_line(b'$', bytes.len());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(CRLF);
    }

    /// An integer as a byte string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A byte string that, if it is long, is sent from where it is.
    pub fn bulk_shared(&mut self, bytes: Bytes) {
        if bytes.len() < BULK_SHARED_BYTES_MIN {
            return self.bulk(&bytes);
        }
        self.length_line(b'$', bytes.len());
        self.shared_bytes += bytes.len();
        self.shared.push((self.bytes.len(), bytes));
        self.raw(CRLF);
    }

    /// Nothing where a value was asked for.
    pub fn null(&mut self) {
        self.raw(self.by_version(b"$-1\r\n", b"_\r\n"));
    }

    /// Nothing where an array was asked for.
    pub fn null_array(&mut self) {
        self.raw(self.by_version(b"*-1\r\n", b"_\r\n"));
    }

    /// The start of an array of `len` values.
    pub fn array(&mut self, len: usize) {
        self.aggregate(Aggregate::Array, len);
    }

    /// The start of a map of `pairs` keys and as many values.
    pub fn map(&mut self, pairs: usize) {
        self.aggregate(Aggregate::Map, pairs);
    }

    /// The start of a set of `len` values.
    pub fn set(&mut self, len: usize) {
        self.aggregate(Aggregate::Set, len);
    }

    /// The start of a push of `len` values.
    pub fn push(&mut self, len: usize) {
        self.aggregate(Aggregate::Push, len);
    }

    /// The start of any of these; a map's `len` counts pairs.
    pub fn aggregate(&mut self, aggregate: Aggregate, len: usize) {
        let (marker, len) = self.aggregate_header(aggregate, len);
        self.length_line(marker, len);
    }

    /// The start of `pairs` notes on the value that follows. RESP2 has none: nothing is written, which the
    /// answer tells, and the notes must be left out.
    pub fn attribute(&mut self, pairs: usize) -> bool {
        let written = self.version == Version::Resp3;
        if written {
            self.length_line(b'|', pairs);
        }
        written
    }

    /// A double; a byte string in RESP2.
    pub fn double(&mut self, value: f64) {
        // Most are small whole numbers, which have the same digits in either style.
        if value.trunc() == value && value.abs() < SMALL_WHOLE_MAX && value.to_bits() != (-0.0_f64).to_bits()
        {
            return match self.version {
                Version::Resp2 => self.bulk_integer(value as i64),
                Version::Resp3 => self.number_line(b',', value as i64),
            };
        }
        let start = self.bytes.len();
        self.double_style.format(value, &mut self.bytes);
        let len = self.bytes.len() - start;
        self.insert(start, |reply| match reply.version {
            Version::Resp2 => reply.length_line(b'$', len),
            Version::Resp3 => reply.bytes.push(b','),
        });
        self.raw(CRLF);
    }

    /// A double with the digits that it is given; a byte string in RESP2.
    pub fn double_digits(&mut self, digits: &[u8]) {
        match self.version {
            Version::Resp2 => self.bulk(digits),
            Version::Resp3 => self.line(b',', digits),
        }
    }

    /// A truth value; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match value {
            true => self.by_version(b":1\r\n", b"#t\r\n"),
            false => self.by_version(b":0\r\n", b"#f\r\n"),
        });
    }

    /// An integer of any size, as its decimal digits; a byte string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        match self.version {
            Version::Resp2 => self.bulk(digits.as_bytes()),
            Version::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// Text for people, in a format such as `txt`; a byte string in RESP2.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        if self.version == Version::Resp2 {
            return self.bulk(text);
        }
        self.length_line(b'=', format.len() + 1 + text.len());
        self.raw(format);
        self.raw(b":");
        self.raw(text);
        self.raw(CRLF);
    }

    /// Bytes that are RESP already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The same, made in blocks, each of which can be given back as soon as it is sent.
    pub fn in_blocks(mut self) -> Reply {
        self.is_in_blocks = true;
        self
    }

    /// Not in blocks any more: marks hold wherever they are set from now on.
    pub fn keep_whole(&mut self) {
        self.is_in_blocks = false;
    }

    /// Between two values: where a reply is made in blocks, makes one of what has been written, if it is as large as one. Marks
    /// that were set behind the beginning of the reply are void then.
    #[inline]
    pub fn finish_block(&mut self) {
        if self.bytes.len() >= REPLY_BLOCK_BYTES && self.is_in_blocks {
            self.make_block();
        }
    }

    fn make_block(&mut self) {
        let next = Vec::with_capacity(REPLY_BLOCK_BYTES + REPLY_BLOCK_BYTES / 8);
        let mut rest = Bytes::from(std::mem::replace(&mut self.bytes, next));
        self.shared_bytes += rest.len();
        let mut start = 0;
        for (end, value) in self.shared.split_off(self.finished) {
            self.shared.extend([(0, rest.split_to(end - start)), (0, value)]);
            start = end;
        }
        self.shared.push((0, rest));
        self.finished = self.shared.len();
    }

    /// Moves the content of another reply, written elsewhere, to the end of this one.
    pub fn append(&mut self, other: &mut Reply) {
        let base = self.bytes.len();
        self.shared_bytes += std::mem::take(&mut other.shared_bytes);
        other.finished = 0;
        self.bytes.append(&mut other.bytes);
        self.shared.extend(other.shared.drain(..).map(|(at, bytes)| (base + at, bytes)));
    }

    /// Copies the content of another reply, which must not be in blocks, to the end of this one; its large values are shared.
    #[inline]
    pub fn copy_from(&mut self, other: &Reply) {
        debug_assert!(other.finished == 0, "blocks are for one reader");
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        if !other.shared.is_empty() {
            self.shared_bytes += other.shared_bytes;
            self.shared.extend(other.shared.iter().map(|(at, bytes)| (base + at, bytes.clone())));
        }
    }

    /// The present end.
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), shared: self.shared.len() }
    }

    /// Forgets what was written since `mark`: for an error after a part of the reply.
    pub fn rollback(&mut self, mark: Mark) {
        self.check(mark);
        self.bytes.truncate(mark.bytes);
        let forgotten = self.shared.drain(mark.shared..);
        self.shared_bytes -= forgotten.map(|(_, bytes)| bytes.len()).sum::<usize>();
        self.finished = self.finished.min(mark.shared);
    }

    fn check(&self, mark: Mark) {
        let is_there = mark.bytes <= self.bytes.len() && mark.shared <= self.shared.len();
        debug_assert!(is_there && (self.finished <= mark.shared || mark.bytes == 0), "a void mark");
    }

    /// Makes what was written since `at` the content of an array whose length is known only now.
    pub fn insert_array_header(&mut self, at: Mark, len: usize) {
        self.insert_header(at, Aggregate::Array, len);
    }

    /// Makes what was written since `at` the content of an aggregate whose length is known only now; a map's
    /// `len` counts pairs.
    pub fn insert_header(&mut self, at: Mark, aggregate: Aggregate, len: usize) {
        let (marker, len) = self.aggregate_header(aggregate, len);
        self.check(at);
        if self.finished > at.shared {
            let mut header = Reply::new(self.version);
            header.length_line(marker, len);
            self.shared_bytes += header.bytes.len();
            self.finished += 1;
            return self.shared.insert(at.shared, (0, header.bytes.into()));
        }
        let header_bytes = self.insert(at.bytes, |reply| reply.length_line(marker, len));
        for (position, _) in &mut self.shared[at.shared..] {
            *position += header_bytes;
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.shared.is_empty()
    }

    /// The bytes to send, shared values included.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// The memory of the buffer itself.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.shared.capacity() * size_of::<(usize, Bytes)>()
    }

    /// Empties the reply for its next use, and gives memory back if the last one was uncommonly large.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(REPLY_BYTES_RETAINED_MAX);
        (self.shared_bytes, self.finished) = (0, 0);
        self.shared.clear();
        self.shared.shrink_to(REPLY_BYTES_RETAINED_MAX / size_of::<(usize, Bytes)>());
    }

    /// All bytes to send, if they lie together.
    pub fn as_contiguous(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(&self.bytes)
    }

    /// The bytes to send, piece by piece, for a vectored write. No piece is empty.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.shared.iter().map(|(at, _)| *at));
        let ends =
            self.shared.iter().map(|(at, bytes)| (*at, &bytes[..])).chain([(self.bytes.len(), &b""[..])]);
        starts
            .zip(ends)
            .flat_map(|(start, (end, shared))| [&self.bytes[start..end], shared])
            .filter(|segment| !segment.is_empty())
    }

    /// A copy of all bytes to send.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        bytes.extend(self.segments().flatten());
        bytes
    }

    /// The bytes, and the values that belong between them, each with its position.
    pub(crate) fn parts(&mut self) -> (&mut Vec<u8>, &mut Vec<(usize, Bytes)>) {
        (&mut self.bytes, &mut self.shared)
    }

    fn by_version(&self, resp2: &'static [u8], resp3: &'static [u8]) -> &'static [u8] {
        match self.version {
            Version::Resp2 => resp2,
            Version::Resp3 => resp3,
        }
    }

    /// The marker of an aggregate in this version, and the length to announce.
    fn aggregate_header(&self, aggregate: Aggregate, len: usize) -> (u8, usize) {
        match (self.version, aggregate) {
            (Version::Resp3, Aggregate::Map) => (b'%', len),
            (Version::Resp3, Aggregate::Set) => (b'~', len),
            (Version::Resp3, Aggregate::Push) => (b'>', len),
            (Version::Resp2, Aggregate::Map) => (b'*', len * 2),
            (_, _) => (b'*', len),
        }
    }

    /// Puts what `write` appends at `at` instead and returns its length.
    fn insert(&mut self, at: usize, write: impl FnOnce(&mut Reply)) -> usize {
        let end = self.bytes.len();
        write(self);
        let inserted = self.bytes.len() - end;
        self.bytes[at..].rotate_right(inserted);
        inserted
    }

    /// A line of text, kept one line.
    fn line(&mut self, marker: u8, text: &[u8]) {
        self.bytes.push(marker);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        for byte in &mut self.bytes[start..] {
            if matches!(*byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.raw(CRLF);
    }

    #[inline]
    fn length_line(&mut self, marker: u8, len: usize) {
        let digit = |unit: usize| b'0' + (len / unit % 10) as u8;
        // Arrays of a known size are written without a call; what is too much of one is taken back.
        match len {
            0..=9 => self.raw(&[marker, digit(1), b'\r', b'\n']),
            10..=99 => {
                self.raw(&[marker, digit(10), digit(1), b'\r', b'\n', 0, 0, 0]);
                self.bytes.truncate(self.bytes.len() - 3);
            }
            _ => self.number_line(marker, len),
        }
    }

    fn number_line(&mut self, marker: u8, value: impl itoa::Integer) {
        let mut buffer = itoa::Buffer::new();
        self.bytes.push(marker);
        self.raw(buffer.format(value).as_bytes());
        self.raw(CRLF);
    }
}

const CRLF: &[u8] = b"\r\n";

/// Up to here every style writes a whole number plainly.
const SMALL_WHOLE_MAX: f64 = 1e15;

/// Marker, length and both line ends of a byte string.
const BULK_OVERHEAD_BYTES: usize = 1 + 20 + 2 * CRLF.len();

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: Version, write: impl Fn(&mut Reply)) -> String {
        let mut reply = Reply::new(version);
        write(&mut reply);
        String::from_utf8(reply.to_vec()).expect("the tests write text")
    }

    #[test]
    fn every_type_in_both_versions() {
        let table: &[(fn(&mut Reply), &str, &str)] = &[
            (|reply| reply.ok(), "+OK\r\n", "+OK\r\n"),
            (|reply| reply.simple("a\r\nb"), "+a  b\r\n", "+a  b\r\n"),
            (|reply| reply.error(b"ERR a\rb\nc\r\n\n"), "-ERR a b c\r\n", "-ERR a b c\r\n"),
            (|reply| reply.integer(0), ":0\r\n", ":0\r\n"),
            (|reply| reply.integer(10), ":10\r\n", ":10\r\n"),
            (|reply| reply.integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
            (|reply| reply.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (|reply| reply.bulk(b"0123456789"), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"),
            (|reply| reply.bulk_integer(-7), "$2\r\n-7\r\n", "$2\r\n-7\r\n"),
            (|reply| reply.null(), "$-1\r\n", "_\r\n"),
            (|reply| reply.null_array(), "*-1\r\n", "_\r\n"),
            (|reply| reply.array(2), "*2\r\n", "*2\r\n"),
            (|reply| reply.map(12), "*24\r\n", "%12\r\n"),
            (|reply| reply.set(3), "*3\r\n", "~3\r\n"),
            (|reply| reply.push(3), "*3\r\n", ">3\r\n"),
            (|reply| assert_eq!(reply.attribute(1), reply.version() == Version::Resp3), "", "|1\r\n"),
            (|reply| reply.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (|reply| reply.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n"),
            (|reply| reply.double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n"),
            (|reply| reply.boolean(true), ":1\r\n", "#t\r\n"),
            (|reply| reply.boolean(false), ":0\r\n", "#f\r\n"),
            (|reply| reply.big_number("-12"), "$3\r\n-12\r\n", "(-12\r\n"),
            (|reply| reply.verbatim(b"txt", b"a\r\nb"), "$4\r\na\r\nb\r\n", "=8\r\ntxt:a\r\nb\r\n"),
            (|reply| reply.protocol_error(ProtocolError::Http), "", ""),
        ];
        for (write, resp2, resp3) in table {
            assert_eq!(written(Version::Resp2, write), *resp2);
            assert_eq!(written(Version::Resp3, write), *resp3);
        }
    }

    #[test]
    fn a_stray_byte_is_quoted_as_it_came_but_never_breaks_the_line() {
        let table = [(0x80, &b"-ERR Protocol error: expected '$', got '\x80'\r\n"[..])];
        for (byte, expected) in table.into_iter().chain([
            (b'\r', &b"-ERR Protocol error: expected '$', got ' '\r\n"[..]),
            (b'\n', b"-ERR Protocol error: expected '$', got ' '\r\n"),
        ]) {
            let mut reply = Reply::default();
            reply.protocol_error(ProtocolError::ExpectedBulk(byte));
            assert_eq!(reply.to_vec(), expected);
        }
    }

    #[test]
    fn doubles_follow_the_style() {
        let mut reply = Reply::new(Version::Resp3);
        reply.set_double_style(DoubleStyle::SeventeenDigits);
        reply.double(0.1);
        reply.set_version(Version::Resp2);
        reply.double(1e-7);
        assert_eq!(reply.to_vec(), b",0.10000000000000001\r\n$22\r\n9.9999999999999995e-08\r\n");
    }

    #[test]
    fn headers_are_inserted_and_replies_rolled_back_around_shared_values() {
        let value = Bytes::from(vec![b'v'; BULK_SHARED_BYTES_MIN]);
        let mut reply = Reply::new(Version::Resp3);
        reply.ok();
        reply.bulk_shared(value.clone());
        let mark = reply.mark();
        reply.bulk(b"key");
        reply.bulk_shared(value.clone());
        reply.insert_header(mark, Aggregate::Map, 1);
        let inner = reply.mark();
        reply.bulk_shared(value.clone());
        reply.rollback(inner);

        let mut expected = Reply::new(Version::Resp3);
        expected.ok();
        expected.bulk(&value);
        expected.map(1);
        expected.bulk(b"key");
        expected.bulk(&value);
        assert!(reply.to_vec() == expected.to_vec());
        assert_eq!(reply.len(), expected.len());
        assert_eq!((reply.as_contiguous(), reply.segments().count()), (None, 5));
        assert_eq!(expected.as_contiguous().map(<[u8]>::len), Some(expected.len()));
        reply.rollback(mark);
        reply.clear();
        assert_eq!((reply.len(), reply.segments().count()), (0, 0));
    }

    #[test]
    fn a_reply_in_blocks_is_the_same_and_may_get_its_header_last_or_be_forgotten() {
        let value = Bytes::from(vec![b'v'; BULK_SHARED_BYTES_MIN]);
        let write = |reply: &mut Reply| {
            let start = reply.mark();
            for number in 0..100_000 {
                match number % 1000 {
                    0 => reply.bulk_shared(value.clone()),
                    _ => reply.bulk_integer(number),
                }
                reply.finish_block();
            }
            reply.insert_header(start, Aggregate::Set, 100_000);
            start
        };
        let (mut whole, mut blocks) = (Reply::new(Version::Resp3), Reply::new(Version::Resp3).in_blocks());
        write(&mut whole);
        let start = write(&mut blocks);
        assert!(blocks.len() == whole.len() && blocks.to_vec() == whole.to_vec());
        assert!(blocks.segments().all(|segment| segment.len() < 2 * REPLY_BLOCK_BYTES));
        assert!(blocks.memory_bytes() < 2 * REPLY_BLOCK_BYTES);
        let mut behind = Reply::new(Version::Resp3);
        behind.ok();
        behind.append(&mut blocks);
        assert!(behind.len() == whole.len() + 5 && behind.to_vec()[5..] == whole.to_vec());
        assert_eq!((blocks.is_empty(), blocks.len()), (true, 0));
        write(&mut blocks);
        blocks.rollback(start);
        assert_eq!((blocks.is_empty(), blocks.len()), (true, 0));
        blocks.ok();
        assert_eq!(blocks.to_vec(), b"+OK\r\n");
    }

    #[test]
    fn an_appended_reply_follows_unchanged() {
        let value = Bytes::from(vec![b'v'; BULK_SHARED_BYTES_MIN]);
        let (mut one, mut other) = (Reply::default(), Reply::default());
        one.bulk_shared(value.clone());
        other.array(2);
        other.bulk_shared(value.clone());
        other.integer(1);
        let expected = [one.to_vec(), other.to_vec()].concat();
        one.append(&mut other);
        assert!(one.to_vec() == expected && other.is_empty());
        assert!(
            one.segments().filter(|segment| segment.as_ptr() == value.as_ptr()).count() == 2,
            "not copied"
        );
    }

    #[test]
    fn a_copy_shares_large_values_and_leaves_the_original() {
        let value = Bytes::from(vec![b'v'; BULK_SHARED_BYTES_MIN]);
        let (mut one, mut other) = (Reply::default(), Reply::default());
        one.ok();
        other.push(2);
        other.bulk_shared(value.clone());
        other.bulk(b"x");
        let expected = [one.to_vec(), other.to_vec(), other.to_vec()].concat();
        one.copy_from(&other);
        one.copy_from(&other);
        assert!(one.to_vec() == expected && one.len() == expected.len() && !other.is_empty());
        assert_eq!(one.segments().filter(|segment| segment.as_ptr() == value.as_ptr()).count(), 2);
    }

    #[test]
    fn short_shared_values_are_copied_and_large_buffers_given_back() {
        let mut reply = Reply::default();
        reply.bulk_shared(Bytes::from(vec![b'v'; BULK_SHARED_BYTES_MIN - 1]));
        assert!(reply.as_contiguous().is_some());
        reply.bulk(&vec![b'v'; 4 * REPLY_BYTES_RETAINED_MAX]);
        assert!(reply.memory_bytes() > 4 * REPLY_BYTES_RETAINED_MAX);
        reply.clear();
        assert!(reply.is_empty() && reply.memory_bytes() < 2 * REPLY_BYTES_RETAINED_MAX);
    }
}

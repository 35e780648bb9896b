//! A command as its arguments: in place, or as a copy that outlives the read buffer. How commands are found
//! in the input is told in `parser.rs`; what they mean is not known here.

use std::fmt;

use crate::limits::COMMAND_BYTES_MAX;

/// Where an argument lies in the bytes it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// The position of its first byte.
    pub start: u32,
    /// How many bytes it has.
    pub len: u32,
}

impl Span {
    /// The bytes there.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.len as usize]
    }
}

/// A command whose arguments lie where they were received. It is passed by value.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Request<'a> {
    /// The command whose arguments lie in `bytes` at `spans`. Every span must lie inside `bytes`, as those of
    /// a parser do.
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Request<'a> {
        debug_assert!(spans.iter().all(|span| span.start as usize + span.len as usize <= bytes.len()));
        Request { bytes, spans }
    }

    /// The number of arguments, the name included.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument at all, not even a name.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The first argument, as it was spelled; empty if there is none.
    pub fn name(&self) -> &'a [u8] {
        self.arg(0).unwrap_or_default()
    }

    /// The argument at `index`; the name is at 0.
    pub fn arg(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| span.of(self.bytes))
    }

    /// All arguments in order, the name first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + 'a {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| span.of(bytes))
    }

    /// The same without its first `from` arguments.
    pub fn tail(&self, from: usize) -> Request<'a> {
        Request { bytes: self.bytes, spans: self.spans.get(from..).unwrap_or_default() }
    }

    /// A copy that needs no buffer.
    pub fn to_owned(&self) -> OwnedRequest {
        OwnedRequest::collect(self.iter())
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter().map(|arg| arg.escape_ascii().to_string())).finish()
    }
}

/// A command that outlives the read buffer: parked, handed to another thread, queued in a transaction.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OwnedRequest {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedRequest {
    /// The command with these arguments, the name first.
    ///
    /// # Panics
    ///
    /// If they are longer together than [`COMMAND_BYTES_MAX`].
    pub fn from_args(args: &[impl AsRef<[u8]>]) -> OwnedRequest {
        OwnedRequest::collect(args.iter().map(AsRef::as_ref))
    }

    /// Becomes the command with these arguments, in the memory that it has.
    ///
    /// # Panics
    ///
    /// If they are longer together than [`COMMAND_BYTES_MAX`].
    pub fn fill(&mut self, args: &[impl AsRef<[u8]>]) {
        self.bytes.clear();
        self.spans.clear();
        self.extend(args.iter().map(AsRef::as_ref));
    }

    /// The command in place.
    pub fn as_request(&self) -> Request<'_> {
        Request { bytes: &self.bytes, spans: &self.spans }
    }

    /// Forgets all words, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Appends a word; whether it fits into a command.
    #[must_use]
    pub fn push(&mut self, word: &[u8]) -> bool {
        let fits = word.len() <= COMMAND_BYTES_MAX - self.bytes.len();
        if fits {
            self.extend(std::iter::once(word));
        }
        fits
    }

    /// The length of all its words together.
    pub fn words_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The memory behind it.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// Appends an argument that `write` appends to the bytes.
    pub(crate) fn push_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        write(&mut self.bytes)?;
        assert!(self.bytes.len() <= COMMAND_BYTES_MAX, "a command of {} bytes", self.bytes.len());
        self.spans.push(Span { start: start as u32, len: (self.bytes.len() - start) as u32 });
        Ok(())
    }

    fn extend<'a>(&mut self, args: impl Iterator<Item = &'a [u8]>) {
        for arg in args {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(arg);
            assert!(self.bytes.len() <= COMMAND_BYTES_MAX, "a command of {} bytes", self.bytes.len());
            self.spans.push(Span { start: start as u32, len: arg.len() as u32 });
        }
    }

    fn collect<'a>(args: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> OwnedRequest {
        let bytes = args.clone().map(<[u8]>::len).sum();
        let mut owned =
            OwnedRequest { bytes: Vec::with_capacity(bytes), spans: Vec::with_capacity(args.len()) };
        owned.extend(args);
        owned
    }
}

impl fmt::Debug for OwnedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_request().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_reached_by_index_and_by_iteration_from_both_ends() {
        let bytes = b"SETkey";
        let spans = [Span { start: 0, len: 3 }, Span { start: 3, len: 3 }, Span { start: 6, len: 0 }];
        let request = Request::new(bytes, &spans);
        assert_eq!(request.name(), b"SET");
        assert_eq!(request.arg(2), Some(&b""[..]));
        assert_eq!(request.arg(3), None);
        assert_eq!(request.iter().rev().collect::<Vec<_>>(), [&b""[..], b"key", b"SET"]);
        assert_eq!(request.tail(1).iter().len(), 2);
        assert!(request.tail(4).is_empty());
        assert_eq!(request.tail(4).name(), b"");
    }

    #[test]
    fn an_owned_request_is_compact_and_equal_to_its_source() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        let spans = [Span { start: 8, len: 3 }, Span { start: 17, len: 1 }];
        let owned = Request::new(bytes, &spans).to_owned();
        assert_eq!(owned, OwnedRequest::from_args(&["GET", "k"]));
        assert_eq!(owned.memory_bytes(), 4 + 2 * size_of::<Span>());
        assert_eq!(format!("{owned:?}"), r#"["GET", "k"]"#);
    }
}

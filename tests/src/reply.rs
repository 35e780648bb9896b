//! One reply as it came over the wire, in RESP2 or RESP3, with nothing lost: order, duplicates and the digits
//! of a double stay as sent. It also finds where one reply ends and the next begins, for comparisons byte for
//! byte.
//!
//! Not a general decoder: streamed types and attributes, which no command sends, count as malformed. Each
//! frame that `client` reads is also given to `redis-protocol`, the second opinion.

/// What kind of aggregate a reply is; a map is kept as its keys and values in turn.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// `*`
    Array,
    /// `%`
    Map,
    /// `~`
    Set,
    /// `>`
    Push,
}

/// One complete reply.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reply {
    /// `+text`
    Simple(Vec<u8>),
    /// `-text`, code included.
    Error(Vec<u8>),
    /// `:n`
    Integer(i64),
    /// `$n`, then the bytes.
    Bulk(Vec<u8>),
    /// `$-1`
    Nil,
    /// `*-1`
    NilArray,
    /// `_`, the one null of RESP3.
    Null,
    /// `,digits`, as sent.
    Double(Vec<u8>),
    /// `#t` or `#f`
    Boolean(bool),
    /// `(digits`, as sent.
    BigNumber(Vec<u8>),
    /// `=n`, then three letters of format and the text.
    Verbatim([u8; 3], Vec<u8>),
    /// An aggregate and its elements.
    Items(Kind, Vec<Reply>),
}

/// The bytes are no reply, and no further bytes could make them one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

/// Deeper nesting is refused: real replies stay below ten.
const DEPTH_MAX: usize = 64;

impl Reply {
    /// The first reply of `bytes` and its length, or `None` when more bytes are needed.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let mut cursor = Cursor { bytes, at: 0 };
        Ok(cursor.reply(DEPTH_MAX)?.map(|reply| (reply, cursor.at)))
    }

    /// A simple string.
    pub fn simple(text: &str) -> Self {
        Self::Simple(text.into())
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// The bytes of a string reply of any kind.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Error(text) | Self::Bulk(text) | Self::Verbatim(_, text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an aggregate; none for anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Items(_, items) => items,
            _ => &[],
        }
    }

    /// What a server sends for this reply to a client that speaks `protocol`, which is 2 or 3.
    pub fn for_protocol(&self, protocol: u8) -> Self {
        match (protocol, self) {
            (2, Self::Null) => Self::Nil,
            (2, Self::Double(text) | Self::BigNumber(text) | Self::Verbatim(_, text)) => {
                Self::Bulk(text.clone())
            }
            (2, Self::Boolean(truth)) => Self::Integer((*truth).into()),
            (2, Self::Items(_, items)) => {
                Self::Items(Kind::Array, items.iter().map(|item| item.for_protocol(2)).collect())
            }
            (3, Self::Nil | Self::NilArray) => Self::Null,
            (3, Self::Items(kind, items)) => {
                Self::Items(*kind, items.iter().map(|item| item.for_protocol(3)).collect())
            }
            _ => self.clone(),
        }
    }
}

/// Reads on from one place; every method answers `None` when the bytes end too early.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn reply(&mut self, depth: usize) -> Result<Option<Reply>, Malformed> {
        let Some(line) = self.line()? else { return Ok(None) };
        let (&mark, rest) = line.split_first().ok_or(Malformed)?;
        let reply = match mark {
            b'+' => Reply::Simple(rest.to_vec()),
            b'-' => Reply::Error(rest.to_vec()),
            b':' => Reply::Integer(integer(rest)?),
            b',' => Reply::Double(rest.to_vec()),
            b'(' => Reply::BigNumber(rest.to_vec()),
            b'_' if rest.is_empty() => Reply::Null,
            b'#' if rest == b"t" => Reply::Boolean(true),
            b'#' if rest == b"f" => Reply::Boolean(false),
            b'$' if rest == b"-1" => Reply::Nil,
            b'*' if rest == b"-1" => Reply::NilArray,
            b'$' | b'=' => return self.string(mark, rest),
            b'*' | b'%' | b'~' | b'>' => return self.aggregate(mark, rest, depth),
            _ => return Err(Malformed),
        };
        Ok(Some(reply))
    }

    fn string(&mut self, mark: u8, length: &[u8]) -> Result<Option<Reply>, Malformed> {
        let length = size(length)?;
        let Some(found) = self.bytes.get(self.at..self.at + length + 2) else { return Ok(None) };
        let Some(text) = found.strip_suffix(b"\r\n") else { return Err(Malformed) };
        self.at += found.len();
        if mark == b'$' {
            return Ok(Some(Reply::Bulk(text.to_vec())));
        }
        match text {
            [a, b, c, b':', text @ ..] => Ok(Some(Reply::Verbatim([*a, *b, *c], text.to_vec()))),
            _ => Err(Malformed),
        }
    }

    fn aggregate(&mut self, mark: u8, length: &[u8], depth: usize) -> Result<Option<Reply>, Malformed> {
        let (kind, width) = match mark {
            b'%' => (Kind::Map, 2),
            b'~' => (Kind::Set, 1),
            b'>' => (Kind::Push, 1),
            _ => (Kind::Array, 1),
        };
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let mut items = Vec::new();
        for _ in 0..size(length)? * width {
            let Some(item) = self.reply(depth)? else { return Ok(None) };
            items.push(item);
        }
        Ok(Some(Reply::Items(kind, items)))
    }

    /// The bytes up to the next CRLF, which is consumed.
    fn line(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        let line = rest[..end].strip_suffix(b"\r").ok_or(Malformed)?;
        self.at += end + 1;
        Ok(Some(line))
    }
}

fn integer(digits: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(Malformed)
}

/// A length or count; half of what 32 bits hold, so that sums of a few of them cannot overflow.
fn size(digits: &[u8]) -> Result<usize, Malformed> {
    let size = integer(digits)?;
    usize::try_from(size).ok().filter(|&size| size <= i32::MAX as usize).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_TYPE: &[u8] =
        b"*12\r\n+OK\r\n-ERR no\r\n:-5\r\n$2\r\na\n\r\n$-1\r\n*-1\r\n_\r\n,1.50\r\n#t\r\n\
        (123456789012345678901\r\n=6\r\ntxt:ab\r\n%1\r\n+k\r\n~1\r\n>0\r\n";

    #[test]
    fn every_type_is_read_and_its_length_found() {
        let (reply, length) = Reply::parse(EVERY_TYPE).expect("well formed").expect("complete");
        assert_eq!(length, EVERY_TYPE.len());
        assert_eq!(reply.items().len(), 12);
        assert_eq!(reply.items()[7], Reply::Double(b"1.50".to_vec()));
        let set = Reply::Items(Kind::Set, vec![Reply::Items(Kind::Push, vec![])]);
        assert_eq!(reply.items()[11], Reply::Items(Kind::Map, vec![Reply::Simple(b"k".to_vec()), set]));
    }

    #[test]
    fn every_proper_prefix_is_incomplete() {
        for end in 0..EVERY_TYPE.len() {
            assert_eq!(Reply::parse(&EVERY_TYPE[..end]), Ok(None), "{end} bytes");
        }
    }

    #[test]
    fn what_no_server_sends_is_malformed() {
        for bytes in ["\r\n", "OK\r\n", "+OK\n", ":x\r\n", "$-2\r\n", "$1\r\nabc", "#x\r\n", "=3\r\ntxt\r\n"]
        {
            assert_eq!(Reply::parse(bytes.as_bytes()), Err(Malformed), "{bytes:?}");
        }
        assert_eq!(Reply::parse("*1\r\n".repeat(1000).as_bytes()), Err(Malformed));
    }

    #[test]
    fn resp3_types_have_one_form_in_resp2() {
        let three = b"%2\r\n+a\r\n,1.5\r\n+b\r\n#t\r\n";
        let two = b"*4\r\n+a\r\n$3\r\n1.5\r\n+b\r\n:1\r\n";
        let parsed = |bytes: &[u8]| Reply::parse(bytes).expect("well formed").expect("complete").0;
        assert_eq!(parsed(three).for_protocol(2), parsed(two));
        assert_eq!(parsed(b"*-1\r\n").for_protocol(3), parsed(b"_\r\n"));
    }
}

//! How people write replies: the notation of transcripts.
//!
//! | written | means |
//! | --- | --- |
//! | `+OK`, `-ERR no such key` | simple string, error; inside an aggregate quoted if it has spaces: `-"ERR no"` |
//! | `:5`, `:*`, `:99..100` | an integer, any integer, one within these bounds |
//! | `"a\r\n\x00"`, `"x"*600` | a bulk string, one that repeats its text |
//! | `nil`, `nil-array`, `_` | the two nulls of RESP2 (both are `_` in RESP3), the null of RESP3 |
//! | `,1.5` `#t` `(12` `=txt:"a"` | double, boolean, big number, verbatim string |
//! | `[ a b ]` `{ k => v }` `~[ a ]` `>[ a ]` | array, map, set, push |
//! | `unordered[ a b ]` | the same elements in any order; before `{` and `~[` too |
//! | `[ a … ]` | begins so; what follows is left open |
//! | `/"ab…cd"` | a string of any kind that matches; `…` stands for any bytes |
//! | `*` | any reply |
//!
//! A pattern is written once, for RESP3 but with the nulls of RESP2; its RESP2 form follows from it.

mod parse;
mod write;

pub use parse::{NotationError, Words};
pub use write::{merge, quote, write};

use crate::reply::{Kind, Reply};

/// What a reply must look like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pattern {
    /// Any reply.
    Any,
    /// Exactly this one.
    Exactly(Reply),
    /// An integer within these bounds.
    Between(i64, i64),
    /// A string whose bytes begin with the first piece, end with the last and hold the others in order
    /// between.
    Like(Vec<Vec<u8>>),
    /// An aggregate.
    Items {
        /// Which one.
        kind: Kind,
        /// Its elements; a map's keys and values in turn.
        items: Vec<Pattern>,
        /// The order does not matter.
        unordered: bool,
        /// More elements may follow.
        open: bool,
    },
}

impl Pattern {
    /// Reads one pattern, which must be all of `text`.
    pub fn parse(text: &str) -> Result<Self, NotationError> {
        parse::pattern(text)
    }

    /// Whether a server that speaks `protocol` may answer `reply`.
    pub fn matches(&self, reply: &Reply, protocol: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(expected) => expected.for_protocol(protocol) == *reply,
            Self::Between(low, high) => {
                matches!(reply, Reply::Integer(number) if (low..=high).contains(&number))
            }
            Self::Like(pieces) => reply.text().is_some_and(|text| is_like(text, pieces)),
            Self::Items { kind, items, unordered, open } => {
                let sent_as = if protocol == 2 { Kind::Array } else { *kind };
                let Reply::Items(found_kind, found) = reply else { return false };
                let long_enough = if *open { found.len() >= items.len() } else { found.len() == items.len() };
                let width = if *kind == Kind::Map { 2 } else { 1 };
                *found_kind == sent_as
                    && long_enough
                    && match unordered {
                        true => all_found(items, found, width, protocol),
                        false => each_matches(items, found, protocol),
                    }
            }
        }
    }
}

fn each_matches(patterns: &[Pattern], replies: &[Reply], protocol: u8) -> bool {
    patterns.iter().zip(replies).all(|(pattern, reply)| pattern.matches(reply, protocol))
}

/// Whether every group of `width` patterns matches a group of replies of its own.
fn all_found(patterns: &[Pattern], replies: &[Reply], width: usize, protocol: u8) -> bool {
    let mut left: Vec<&[Reply]> = replies.chunks(width).collect();
    patterns.chunks(width).all(|group| {
        let found = left.iter().position(|replies| each_matches(group, replies, protocol));
        found.map(|index| left.swap_remove(index)).is_some()
    })
}

fn is_like(text: &[u8], pieces: &[Vec<u8>]) -> bool {
    let [first, middle @ .., last] = pieces else { return pieces.iter().all(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(&first[..]).and_then(|rest| rest.strip_suffix(&last[..])) else {
        return false;
    };
    middle.iter().all(|piece| {
        let found = (0..=rest.len()).find(|&start| rest[start..].starts_with(piece));
        found.map(|start| rest = &rest[start + piece.len()..]).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(pattern: &str, reply: &[u8], protocol: u8) -> bool {
        let (reply, length) = Reply::parse(reply).expect("well formed").expect("complete");
        assert!(length > 0);
        Pattern::parse(pattern).expect(pattern).matches(&reply, protocol)
    }

    #[test]
    fn each_form_matches_its_reply_and_no_other() {
        let forms = [
            ("+OK", "+OK\r\n"),
            ("-ERR no such key", "-ERR no such key\r\n"),
            (":-7", ":-7\r\n"),
            ("\"a b\\x00\\r\\n\"", "$6\r\na b\0\r\n\r\n"),
            ("nil", "_\r\n"),
            (",1.5", ",1.5\r\n"),
            ("#t", "#t\r\n"),
            ("(99", "(99\r\n"),
            ("=txt:\"ab\"", "=6\r\ntxt:ab\r\n"),
            ("[ +OK -\"ERR no\" ]", "*2\r\n+OK\r\n-ERR no\r\n"),
            ("{ \"a\" => :1 }", "%1\r\n$1\r\na\r\n:1\r\n"),
            ("~[ \"a\" ]", "~1\r\n$1\r\na\r\n"),
            (">[ \"a\" [ ] ]", ">2\r\n$1\r\na\r\n*0\r\n"),
        ];
        for (row, (pattern, _)) in forms.iter().enumerate() {
            for (other, (_, reply)) in forms.iter().enumerate() {
                assert_eq!(holds(pattern, reply.as_bytes(), 3), row == other, "{pattern} {reply:?}");
            }
        }
    }

    #[test]
    fn resp2_form_follows_from_resp3_form() {
        assert!(holds("{ \"a\" => ,1.5 }", b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", 2));
        assert!(holds("[ nil-array nil #f ]", b"*3\r\n*-1\r\n$-1\r\n:0\r\n", 2));
        assert!(!holds("nil", b"*-1\r\n", 2));
        assert!(holds("nil-array", b"_\r\n", 3));
    }

    #[test]
    fn matchers_leave_open_what_they_say_and_nothing_else() {
        assert!(holds(":10..12", b":12\r\n", 2) && !holds(":10..12", b":13\r\n", 2));
        assert!(holds(":*", b":13\r\n", 2) && !holds(":*", b"+13\r\n", 2));
        assert!(holds("/\"a…c…e\"", b"+abcde\r\n", 2) && !holds("/\"a…d…c…e\"", b"+abcde\r\n", 2));
        assert!(!holds("/\"ab…bc\"", b"+abc\r\n", 2));
        assert!(holds("[ :1 … ]", b"*2\r\n:1\r\n:2\r\n", 2) && !holds("[ :1 :2 … ]", b"*1\r\n:1\r\n", 2));
        assert!(holds("unordered[ :1 :2 :2 ]", b"*3\r\n:2\r\n:1\r\n:2\r\n", 2));
        assert!(!holds("unordered[ :1 :1 :2 ]", b"*3\r\n:2\r\n:1\r\n:2\r\n", 2));
        assert!(holds("unordered{ :1 => :2 :3 => :4 }", b"*4\r\n:3\r\n:4\r\n:1\r\n:2\r\n", 2));
        assert!(!holds("unordered{ :1 => :2 :3 => :4 }", b"*4\r\n:3\r\n:2\r\n:1\r\n:4\r\n", 2));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = b"*9\r\n+a b\r\n-ERR x\r\n:1\r\n$4\r\n\"\\\xff\n\r\n$-1\r\n*-1\r\n%1\r\n+k\r\n~0\r\n,inf\r\n$50\r\n";
        let bytes = [&bytes[..], &[b'x'; 50], b"\r\n"].concat();
        let (reply, _) = Reply::parse(&bytes).expect("well formed").expect("complete");
        let text = write(&reply);
        assert!(text.contains("\"x\"*50"), "{text}");
        assert!(Pattern::parse(&text).expect("readable").matches(&reply.for_protocol(3), 3), "{text}");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "nul", "[ :1", "{ :1 }", "\"a", ":x", ":5..1", "[ :1 ] :2", "\"\\q\"", "[ * … * ]"]
        {
            assert!(Pattern::parse(text).is_err(), "{text:?}");
        }
    }
}

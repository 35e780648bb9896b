//! Reading the notation: patterns, and the words of commands. Not the lines of a transcript, which
//! `transcript` splits.

use std::fmt;

use super::Pattern;
use crate::reply::{Kind, Reply};

/// What is wrong with a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotationError(String);

impl fmt::Display for NotationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

type Result<T> = std::result::Result<T, NotationError>;

/// A repeated string may not be longer than the longest that a server takes.
const REPEATED_BYTES_MAX: usize = 512 << 20;

/// The words of a command: bare ones end at a space, quoted ones are written like bulk strings.
pub struct Words<'a>(Reader<'a>);

impl<'a> Words<'a> {
    /// The words of one line.
    pub fn new(line: &'a str) -> Self {
        Self(Reader { text: line })
    }
}

impl Iterator for Words<'_> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.skip_space();
        match self.0.text.chars().next()? {
            '"' => Some(self.0.quoted()),
            _ => Some(Ok(self.0.bare().as_bytes().to_vec())),
        }
    }
}

/// One pattern, which must be all of `text`. Outside an aggregate a simple string or an error takes the whole
/// line.
pub fn pattern(text: &str) -> Result<Pattern> {
    let text = text.trim();
    let mut characters = text.chars();
    let reply: fn(Vec<u8>) -> Reply = match characters.next() {
        Some('+') => Reply::Simple,
        Some('-') => Reply::Error,
        _ => return whole(text),
    };
    let line = characters.as_str();
    if line.starts_with('"') { whole(text) } else { Ok(Pattern::Exactly(reply(line.as_bytes().to_vec()))) }
}

fn whole(text: &str) -> Result<Pattern> {
    let mut reader = Reader { text };
    let pattern = reader.pattern()?;
    reader.skip_space();
    if reader.text.is_empty() { Ok(pattern) } else { Err(reader.error("one reply, then nothing")) }
}

struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn pattern(&mut self) -> Result<Pattern> {
        self.skip_space();
        if self.skip("unordered") {
            return self.aggregate(true);
        }
        if ["[", "{", "~[", ">["].iter().any(|open| self.text.starts_with(open)) {
            return self.aggregate(false);
        }
        if self.text.starts_with('"') {
            return Ok(Pattern::Exactly(Reply::Bulk(self.quoted()?)));
        }
        let Some(mark) = self.text.chars().next() else { return Err(self.error("a reply")) };
        match mark {
            '+' | '-' | '/' | '=' => self.marked_string(mark),
            _ => self.word_pattern(),
        }
    }

    /// A form that begins with a mark and may go on in quotes.
    fn marked_string(&mut self, mark: char) -> Result<Pattern> {
        self.text = &self.text[1..];
        let format = if mark == '=' { self.text.as_bytes().first_chunk::<3>().copied() } else { None };
        if mark == '=' {
            self.text = self.text.get(4..).ok_or_else(|| self.error("a format, a colon and a text"))?;
        }
        let text = if self.text.starts_with('"') { self.quoted()? } else { self.bare().as_bytes().to_vec() };
        Ok(match (mark, format) {
            ('+', _) => Pattern::Exactly(Reply::Simple(text)),
            ('-', _) => Pattern::Exactly(Reply::Error(text)),
            (_, Some(format)) => Pattern::Exactly(Reply::Verbatim(format, text)),
            _ => Pattern::Like(pieces(&text)),
        })
    }

    fn word_pattern(&mut self) -> Result<Pattern> {
        let word = self.bare();
        let mut characters = word.chars();
        let mark = characters.next();
        let rest = characters.as_str();
        let exactly = |reply| Ok(Pattern::Exactly(reply));
        match (mark, rest) {
            _ if word == "nil" => exactly(Reply::Nil),
            _ if word == "nil-array" => exactly(Reply::NilArray),
            (Some('*'), "") => Ok(Pattern::Any),
            (Some('_'), "") => exactly(Reply::Null),
            (Some('#'), "t" | "f") => exactly(Reply::Boolean(rest == "t")),
            (Some(','), _) => exactly(Reply::Double(rest.into())),
            (Some('('), _) => exactly(Reply::BigNumber(rest.into())),
            (Some(':'), _) => self.bounds(rest),
            _ => Err(NotationError(format!("{word:?} is no reply"))),
        }
    }

    fn bounds(&self, text: &str) -> Result<Pattern> {
        if text == "*" {
            return Ok(Pattern::Between(i64::MIN, i64::MAX));
        }
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) if low <= high => Ok(Pattern::Between(low, high)),
            _ => Err(NotationError(format!(":{text} is no integer and no pair of bounds"))),
        }
    }

    fn aggregate(&mut self, unordered: bool) -> Result<Pattern> {
        let (kind, close) = match self.text {
            _ if self.skip("[") => (Kind::Array, "]"),
            _ if self.skip("{") => (Kind::Map, "}"),
            _ if self.skip("~[") => (Kind::Set, "]"),
            _ if self.skip(">[") => (Kind::Push, "]"),
            _ => return Err(self.error("an aggregate")),
        };
        let (mut items, mut open) = (Vec::new(), false);
        loop {
            self.skip_space();
            if self.skip(close) {
                return Ok(Pattern::Items { kind, items, unordered, open });
            }
            if open {
                return Err(self.error(close));
            }
            if self.skip("…") {
                open = true;
                continue;
            }
            items.push(self.pattern()?);
            if kind == Kind::Map {
                self.skip_space();
                if !self.skip("=>") {
                    return Err(self.error("=>"));
                }
                items.push(self.pattern()?);
            }
        }
    }

    /// `"text"`, or `"text"*3` for the text three times.
    fn quoted(&mut self) -> Result<Vec<u8>> {
        self.text = &self.text[1..];
        let mut bytes = Vec::new();
        loop {
            let mut characters = self.text.chars();
            let next = characters.next();
            self.text = characters.as_str();
            match next {
                None => return Err(NotationError("a quote without its end".into())),
                Some('"') => return self.repeated(bytes),
                Some('\\') => bytes.push(self.escape()?),
                Some(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn escape(&mut self) -> Result<u8> {
        let mut characters = self.text.chars();
        let byte = match characters.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some(mark @ ('"' | '\\')) => mark as u8,
            Some('x') => {
                let digits = characters.as_str().get(..2).unwrap_or_default();
                characters = characters.as_str().get(2..).unwrap_or_default().chars();
                u8::from_str_radix(digits, 16)
                    .map_err(|_| NotationError(format!("\\x{digits} is no byte")))?
            }
            _ => return Err(self.error("an escape")),
        };
        self.text = characters.as_str();
        Ok(byte)
    }

    fn repeated(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        if !self.skip("*") {
            let ended =
                self.text.chars().next().is_none_or(|next| next.is_whitespace() || "]}".contains(next));
            return if ended { Ok(bytes) } else { Err(self.error("a space after the quote")) };
        }
        let word = self.bare();
        let count: usize = word.parse().map_err(|_| NotationError(format!("*{word} is no count")))?;
        match bytes.len().checked_mul(count) {
            Some(length) if length <= REPEATED_BYTES_MAX => Ok(bytes.repeat(count)),
            _ => Err(NotationError(format!("*{count} is too long"))),
        }
    }

    fn bare(&mut self) -> &'a str {
        let (word, rest) = self.text.split_at(self.text.find(char::is_whitespace).unwrap_or(self.text.len()));
        self.text = rest;
        word
    }

    fn skip_space(&mut self) {
        self.text = self.text.trim_start();
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.text.strip_prefix(prefix);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn error(&self, expected: &str) -> NotationError {
        let found: String = self.text.chars().take(40).collect();
        NotationError(format!("expected {expected}, found {found:?}"))
    }
}

fn pieces(text: &[u8]) -> Vec<Vec<u8>> {
    let gap = "…".as_bytes();
    let (mut pieces, mut piece, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(gap) {
            pieces.push(std::mem::take(&mut piece));
            rest = tail;
        } else {
            piece.push(byte);
            rest = tail;
        }
    }
    pieces.push(piece);
    pieces
}

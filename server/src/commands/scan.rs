//! What SCAN and its kin for collections have in common: the cursor, the options and the page that they answer. What is
//! stepped through, and what holds while it changes, is told where the commands are declared and in the storage.

use shardis_protocol::number;
use shardis_storage::View;
use shardis_storage::glob::Pattern;
use shardis_storage::types::Collection;
use shardis_storage::types::packed::Element;

use crate::command::args::{is_word, until_zero};
use crate::command::{Call, Done, Error, Flow};

/// What a command steps through, on which the options depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// The keys of a database.
    Keys,
    /// The fields of a hash, with their values.
    Fields,
    /// The members of a set.
    Members,
    /// The members of a sorted set, with their scores.
    Scores,
}

/// What is looked for, and how long.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// About how many elements a call looks at.
    pub count: usize,
    /// Whether the values of fields, or the scores of members, are left out.
    pub only_fields: bool,
    /// The instant of the call: Unix milliseconds.
    pub now_ms: i64,
    pattern: Option<Pattern<'a>>,
    kind: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// Takes all arguments that are left.
    pub fn parse(call: &mut Call<'a>, scanned: Scanned) -> Result<ScanOptions<'a>, Error> {
        let (now_ms, is_strict) = (call.now_ms, call.dialect().strict_scan_options);
        let args = &mut call.args;
        let mut options =
            ScanOptions { count: COUNT_DEFAULT, only_fields: false, now_ms, pattern: None, kind: None };
        while !args.is_empty() {
            if args.take_word("COUNT") {
                let count = args.integer()?;
                options.count =
                    usize::try_from(count).ok().filter(|&count| count > 0).ok_or(Error::SYNTAX)?;
            } else if args.take_word("MATCH") {
                options.pattern = Some(Pattern::new(args.take()?));
            } else if scanned == Scanned::Keys && args.take_word("TYPE") {
                let kind = args.take()?;
                if is_strict && !TYPES.iter().any(|known| is_word(kind, known)) {
                    return Err(Error::unknown_type(kind));
                }
                options.kind = Some(kind);
            } else {
                let (_, of, error) = ONLY_NAMES
                    .into_iter()
                    .find(|&(word, of, _)| (scanned == of || is_strict) && args.take_word(word))
                    .ok_or(Error::SYNTAX)?;
                if scanned != of {
                    return Err(error);
                }
                options.only_fields = true;
            }
        }
        Ok(options)
    }

    /// Whether a key is among what is looked for. A type that does not exist is the type of no key.
    pub fn admits_key(&self, key: &[u8], kind: &str) -> bool {
        self.kind.is_none_or(|wanted| is_word(wanted, kind)) && self.admits(Element::Bytes(key))
    }

    /// Whether an element is among what is looked for.
    pub fn admits(&self, element: Element<'_>) -> bool {
        self.pattern.is_none_or(|pattern| pattern.matches(element.text(&mut itoa::Buffer::new())))
    }
}

/// What was found, on its way to an array, whose length stands in front of it.
#[derive(Debug, Default)]
pub struct Page {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Page {
    /// Adds an element.
    pub fn push(&mut self, element: Element<'_>) {
        element.write_to(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Replies the elements.
    pub fn write(&self, call: &mut Call<'_>) -> Done {
        call.reply.array(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            call.reply.bulk(&self.bytes[start..end]);
            start = end;
        }
        Ok(Flow::Done)
    }

    /// Replies the elements behind the cursor of the next call.
    pub fn write_behind(&self, call: &mut Call<'_>, cursor: u64) -> Done {
        call.reply.array(2);
        call.reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
        self.write(call)
    }
}

/// How a collection is stepped through.
pub struct Steps<T> {
    /// What the options are about.
    pub scanned: Scanned,
    /// How many elements a step looks at that was asked for so many.
    pub work: fn(&T, usize) -> usize,
    /// One step from a cursor: adds what it finds, and returns the next cursor.
    pub step: fn(&T, u64, &ScanOptions<'_>, &mut Page) -> u64,
}

/// Carries out a call that steps through a collection. The key is looked at before the options are.
pub fn scan_collection<T: Collection>(call: &mut Call<'_>, view: &mut View<'_>, steps: &Steps<T>) -> Done {
    let key = call.next_key()?;
    let cursor = take_cursor(call)?;
    let mut page = Page::default();
    let Some(collection) = view.read::<T>(&key)? else { return page.write_behind(call, 0) };
    let options = ScanOptions::parse(call, steps.scanned)?;
    if call.should_offload((steps.work)(collection, options.count)) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let next = (steps.step)(collection, cursor, &options, &mut page);
    page.write_behind(call, next)
}

/// Takes the next argument as a cursor.
pub fn take_cursor(call: &mut Call<'_>) -> Result<u64, Error> {
    parse_cursor(call.args.take()?, call.dialect().strict_cursors).ok_or(Error::INVALID_CURSOR)
}

/// A cursor as C's `strtoul` reads one: it ends at a zero byte, nothing is 0, and a sign is taken. A strict one is
/// something and not negative, and may have leading space instead.
fn parse_cursor(bytes: &[u8], is_strict: bool) -> Option<u64> {
    let text = until_zero(bytes);
    let trimmed = text.trim_ascii_start();
    let is_refused = match is_strict {
        true => text.is_empty() || number::parse_i64(text).is_some_and(|value| value < 0),
        false => trimmed.len() < text.len(),
    };
    if is_refused {
        return None;
    }
    let (negative, digits) = match trimmed {
        [b'-', digits @ ..] if !digits.is_empty() => (true, digits),
        [b'+', digits @ ..] if !digits.is_empty() => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() && !text.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// Words that leave the second half of each element out, what has such halves, and what is said of others.
const ONLY_NAMES: [(&str, Scanned, Error); 2] = [
    ("NOVALUES", Scanned::Fields, Error::NOVALUES_WITHOUT_FIELDS),
    ("NOSCORES", Scanned::Scores, Error::NOSCORES_WITHOUT_SCORES),
];
/// The types of the imitated servers, whether we have them or not.
const TYPES: [&str; 6] = ["string", "list", "set", "zset", "hash", "stream"];
/// About how many elements a call looks at unless told otherwise.
const COUNT_DEFAULT: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_c_reads_it() {
        for (text, cursor, strict) in [
            ("0", Some(0), Some(0)),
            ("", Some(0), None),
            ("\0x", Some(0), None),
            ("1\0x", Some(1), Some(1)),
            ("01", Some(1), Some(1)),
            ("+1", Some(1), Some(1)),
            ("-1", Some(u64::MAX), None),
            ("-01", Some(u64::MAX), Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX), Some(u64::MAX)),
            ("18446744073709551616", None, None),
            (" 1", None, Some(1)),
            (" ", None, None),
            ("1x", None, None),
            ("-", None, None),
            ("--1", None, None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes(), false), cursor, "{text:?}");
            assert_eq!(parse_cursor(text.as_bytes(), true), strict, "{text:?}");
        }
    }
}

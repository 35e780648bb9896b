//! An entry of a packed sequence: how an element becomes bytes, and how its length is known from either end.
//! What a sequence of entries is, and how it changes, is its owner's.
//!
//! ```text
//! head, body    0vvvvvvv                    an integer of 0..=127
//!               110vvvvv v                  an integer of 13 bits
//!               F1..F4, 2 3 4 or 8 bytes    an integer, low byte first
//!               10llllll, bytes             up to 63 bytes
//!               1110llll l, bytes           up to 4095 bytes
//!               F0 llll, bytes              more
//! back          low seven bits in the last byte; the high bit is set on all but the first
//! ```

use crate::number::{i64_len, parse_i64, write_i64};
use crate::types::string::IntBuffer;

/// An element of a collection as it is stored: the integer that its bytes spell, or the bytes.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// The canonical decimal form of this integer.
    Int(i64),
    /// These bytes.
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// An element as a packed sequence gives it back, so that it compares without being read again.
    pub fn stored(bytes: &'a [u8]) -> Element<'a> {
        parse_i64(bytes).map_or(Element::Bytes(bytes), Element::Int)
    }

    /// How many bytes the element has as text.
    pub fn len(&self) -> usize {
        match *self {
            Element::Int(value) => i64_len(value),
            Element::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the element as text.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match *self {
            Element::Int(value) => write_i64(value, out),
            Element::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The element as text of its own.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.write_to(&mut out);
        out
    }

    /// The element as text, digits being written to `buffer`.
    pub fn text<'t>(&self, buffer: &'t mut IntBuffer) -> &'t [u8]
    where
        'a: 't,
    {
        match *self {
            Element::Int(value) => buffer.format(value).as_bytes(),
            Element::Bytes(bytes) => bytes,
        }
    }

    /// Whether the element as text is `bytes`.
    pub fn eq_bytes(&self, bytes: &[u8]) -> bool {
        match *self {
            Element::Int(value) => parse_i64(bytes) == Some(value),
            Element::Bytes(own) => own == bytes,
        }
    }

    /// The integer that the text spells canonically, if it does.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Element::Int(value) => Some(value),
            Element::Bytes(bytes) => parse_i64(bytes),
        }
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Element<'_>) -> bool {
        match (*self, *other) {
            (Element::Int(one), Element::Int(two)) => one == two,
            (element, Element::Bytes(bytes)) | (Element::Bytes(bytes), element) => element.eq_bytes(bytes),
        }
    }
}

impl Eq for Element<'_> {}

impl<'a> From<&'a [u8]> for Element<'a> {
    fn from(bytes: &'a [u8]) -> Element<'a> {
        Element::Bytes(bytes)
    }
}

/// An entry about to be written or looked for.
pub(in crate::types) struct Entry<'a> {
    head: [u8; HEAD_LEN_MAX],
    head_len: usize,
    body: &'a [u8],
    back: [u8; BACK_LEN_MAX],
    back_len: usize,
}

impl<'a> Entry<'a> {
    pub fn new(element: Element<'a>) -> Entry<'a> {
        let (head, head_len, body): ([u8; HEAD_LEN_MAX], usize, &[u8]) = match (element, element.as_i64()) {
            (Element::Bytes(bytes), None) => {
                let (head, head_len) = string_head(bytes.len());
                (head, head_len, bytes)
            }
            (Element::Int(value), _) | (_, Some(value)) => {
                let (head, head_len) = integer_head(value);
                (head, head_len, &[])
            }
        };
        let content_len = head_len + body.len();
        let (back, back_len) = back_of(content_len);
        Entry { head, head_len, body, back, back_len }
    }

    pub fn parts(&self) -> [&[u8]; 3] {
        [&self.head[..self.head_len], self.body, &self.back[..self.back_len]]
    }

    /// How long it is.
    pub fn len(&self) -> usize {
        self.content_len() + self.back_len
    }

    /// Writes it to where it just fits.
    pub fn write_to(&self, place: &mut [u8]) {
        let mut at = 0;
        for part in self.parts() {
            place[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
    }

    /// Head and body alone, for those who walk in one direction only.
    pub fn content(&self) -> [&[u8]; 2] {
        [&self.head[..self.head_len], self.body]
    }

    /// How long these two are.
    pub fn content_len(&self) -> usize {
        self.head_len + self.body.len()
    }

    /// Whether `entries` begin with this one. The form is canonical, so comparing bytes is comparing
    /// elements. The elements of one collection often have the same length and the same beginning: their ends are looked at
    /// before all bytes are compared.
    #[inline]
    pub fn begins(&self, entries: &[u8]) -> bool {
        let last = (self.content_len() - 1).min(entries.len() - 1);
        let last_of_own = *self.body.last().unwrap_or(&self.head[self.head_len - 1]);
        entries[0] == self.head[0]
            && entries[last] == last_of_own
            && entries.starts_with(&self.head[..self.head_len])
            && entries[self.head_len..].starts_with(self.body)
    }
}

fn string_head(len: usize) -> ([u8; HEAD_LEN_MAX], usize) {
    assert!(len <= ELEMENT_BYTES_MAX, "the limits of the protocol keep elements below 4 GB");
    let mut head = [0; HEAD_LEN_MAX];
    let head_len = match len {
        0..64 => {
            head[0] = 0x80 | len as u8;
            1
        }
        64..4096 => {
            head[..2].copy_from_slice(&(0xe000 | len as u16).to_be_bytes());
            2
        }
        _ => {
            head[0] = 0xf0;
            head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
            5
        }
    };
    (head, head_len)
}

fn integer_head(value: i64) -> ([u8; HEAD_LEN_MAX], usize) {
    let mut head = [0; HEAD_LEN_MAX];
    let head_len = match value {
        0..128 => {
            head[0] = value as u8;
            1
        }
        -4096..4096 => {
            head[..2].copy_from_slice(&(0xc000 | value as u16 & 0x1fff).to_be_bytes());
            2
        }
        _ => {
            let fits = |width: usize| sign_extend(value, width) == value;
            let class =
                INTEGER_WIDTHS.iter().position(|&width| fits(width)).unwrap_or(INTEGER_WIDTHS.len() - 1);
            head[0] = 0xf1 + class as u8;
            head[1..].copy_from_slice(&value.to_le_bytes());
            1 + INTEGER_WIDTHS[class]
        }
    };
    (head, head_len)
}

/// Reads head and body of an entry.
pub(in crate::types) fn decode(content: &[u8]) -> Element<'_> {
    match content[0] {
        tag @ ..0x80 => Element::Int(i64::from(tag)),
        0x80..0xc0 => Element::Bytes(&content[1..]),
        0xc0..0xe0 => {
            Element::Int(i64::from((u16::from_be_bytes([content[0], content[1]]) << 3) as i16 >> 3))
        }
        0xe0..0xf0 => Element::Bytes(&content[2..]),
        0xf0 => Element::Bytes(&content[5..]),
        0xf1.. => {
            let integer = &content[1..];
            let mut bytes = [0; 8];
            bytes[..integer.len()].copy_from_slice(integer);
            Element::Int(sign_extend(i64::from_le_bytes(bytes), integer.len()))
        }
    }
}

/// The value of the low `width` bytes of `value`.
fn sign_extend(value: i64, width: usize) -> i64 {
    let unused = 64 - 8 * width;
    value << unused >> unused
}

/// The length of the first entry.
pub(super) fn entry_len(entries: &[u8]) -> usize {
    let content_len = content_len(entries);
    content_len + back_len(content_len)
}

/// The length of head and body of the first entry. Nearly all are short strings or small integers.
#[inline]
pub(in crate::types) fn content_len(entries: &[u8]) -> usize {
    match entries[0] {
        ..0x80 => 1,
        tag @ 0x80..0xc0 => 1 + usize::from(tag & 0x3f),
        _ => long_content_len(entries),
    }
}

fn long_content_len(entries: &[u8]) -> usize {
    match entries[0] {
        ..0xe0 => 2,
        tag @ 0xe0..0xf0 => 2 + (usize::from(tag & 0x0f) << 8 | usize::from(entries[1])),
        0xf0 => 5 + u32::from_le_bytes([entries[1], entries[2], entries[3], entries[4]]) as usize,
        tag @ 0xf1.. => 1 + INTEGER_WIDTHS[usize::from(tag - 0xf1)],
    }
}

/// How long the back length of an entry is. The steps are the listpack's, one below those of seven bits each.
pub(super) fn back_len(content_len: usize) -> usize {
    if content_len <= BACK_STEPS[0] {
        return 1;
    }
    1 + BACK_STEPS.iter().filter(|&&step| content_len > step).count()
}

/// What stands behind so many bytes, so that their length is known from their end; and how long that is.
pub(in crate::types) fn back_of(content_len: usize) -> ([u8; BACK_LEN_MAX], usize) {
    let mut back = [0; BACK_LEN_MAX];
    let back_len = back_len(content_len);
    for (index, byte) in back[..back_len].iter_mut().rev().enumerate() {
        let more = if index + 1 < back_len { 0x80 } else { 0 };
        *byte = (content_len >> (7 * index)) as u8 & 0x7f | more;
    }
    (back, back_len)
}

/// The length of head and body of the last entry, and of what these are read from: its end.
pub(in crate::types) fn last_entry(entries: &[u8]) -> (usize, usize) {
    let (mut content_len, mut back_len) = (0, 0);
    for &byte in entries.iter().rev() {
        content_len |= usize::from(byte & 0x7f) << (7 * back_len);
        back_len += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (content_len, back_len)
}

/// The longest element. Only a single huge element of a list could come near.
pub const ELEMENT_BYTES_MAX: usize = u32::MAX as usize;

/// A tag and eight bytes of integer.
const HEAD_LEN_MAX: usize = 9;
const BACK_LEN_MAX: usize = 5;
/// The widths of the integers with the tags F1, F2, F3 and F4.
const INTEGER_WIDTHS: [usize; 4] = [2, 3, 4, 8];
/// The longest contents whose back length takes one, two, three and four bytes.
const BACK_STEPS: [usize; BACK_LEN_MAX - 1] = [127, 16_382, 2_097_150, 268_435_454];
const _: () = assert!((ELEMENT_BYTES_MAX as u64 + HEAD_LEN_MAX as u64) < 1 << (7 * BACK_LEN_MAX));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_laid_out_as_in_a_listpack() {
        // Each text with the entry that a real server has for it in the listpack of a dumped list.
        let entries: [(&str, &[u8]); 16] = [
            ("0", b"\x00\x01"),
            ("127", b"\x7f\x01"),
            ("128", b"\xc0\x80\x02"),
            ("-1", b"\xdf\xff\x02"),
            ("4095", b"\xcf\xff\x02"),
            ("4096", b"\xf1\x00\x10\x03"),
            ("-4096", b"\xd0\x00\x02"),
            ("-4097", b"\xf1\xff\xef\x03"),
            ("32768", b"\xf2\x00\x80\x00\x04"),
            ("-32768", b"\xf1\x00\x80\x03"),
            ("8388607", b"\xf2\xff\xff\x7f\x04"),
            ("8388608", b"\xf3\x00\x00\x80\x00\x05"),
            ("2147483647", b"\xf3\xff\xff\xff\x7f\x05"),
            ("2147483648", b"\xf4\x00\x00\x00\x80\x00\x00\x00\x00\x09"),
            ("", b"\x80\x01"),
            ("007", b"\x83007\x04"),
        ];
        for (text, entry) in entries {
            let bytes = Entry::new(Element::Bytes(text.as_bytes())).parts().concat();
            assert_eq!(bytes, entry, "{text}");
            assert!(decode(&bytes[..content_len(&bytes)]).eq_bytes(text.as_bytes()));
        }
    }
}

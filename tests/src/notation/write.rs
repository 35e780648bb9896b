//! Writing the notation: replies and words as a transcript shows them. Patterns other than exact ones are
//! written by people only.

use std::iter;

use crate::reply::{Kind, Reply};

/// Longer lines are broken, one element a line.
const LINE_WIDTH_MAX: usize = 110;
/// A run of one byte from this length on is written as a repetition.
const REPETITION_BYTES_MIN: usize = 40;

/// A reply, as `Pattern::parse` reads it; lines after the first are indented.
pub fn write(reply: &Reply) -> String {
    match reply {
        Reply::Simple(text) if is_line(text) => format!("+{}", String::from_utf8_lossy(text)),
        Reply::Error(text) if is_line(text) => format!("-{}", String::from_utf8_lossy(text)),
        _ => nested(reply, 1),
    }
}

/// A word of a command: bare where that is readable.
pub fn quote(word: &[u8]) -> String {
    let bare = |&byte: &u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'#';
    match word {
        [] => "\"\"".into(),
        _ if word.len() < REPETITION_BYTES_MIN && word.iter().all(bare) => {
            String::from_utf8_lossy(word).into()
        }
        _ => quoted(word),
    }
}

/// The reply to write for both protocols: RESP3's, with the nulls of RESP2, if RESP2's follows from it.
pub fn merge(two: &Reply, three: &Reply) -> Option<Reply> {
    let merged = with_nulls_of(three, two);
    (merged.for_protocol(2) == *two && merged.for_protocol(3) == *three).then_some(merged)
}

fn with_nulls_of(three: &Reply, two: &Reply) -> Reply {
    match (three, two) {
        (Reply::Null, Reply::Nil | Reply::NilArray) => two.clone(),
        (Reply::Items(kind, items), Reply::Items(_, nulls)) if items.len() == nulls.len() => Reply::Items(
            *kind,
            iter::zip(items, nulls).map(|(item, null)| with_nulls_of(item, null)).collect(),
        ),
        _ => three.clone(),
    }
}

fn nested(reply: &Reply, depth: usize) -> String {
    match reply {
        Reply::Simple(text) => format!("+{}", quote(text)),
        Reply::Error(text) => format!("-{}", quote(text)),
        Reply::Integer(number) => format!(":{number}"),
        Reply::Bulk(text) => quoted(text),
        Reply::Nil => "nil".into(),
        Reply::NilArray => "nil-array".into(),
        Reply::Null => "_".into(),
        Reply::Double(digits) => format!(",{}", String::from_utf8_lossy(digits)),
        Reply::Boolean(truth) => if *truth { "#t" } else { "#f" }.into(),
        Reply::BigNumber(digits) => format!("({}", String::from_utf8_lossy(digits)),
        Reply::Verbatim(format, text) => format!("={}:{}", String::from_utf8_lossy(format), quoted(text)),
        Reply::Items(kind, items) => aggregate(*kind, items, depth),
    }
}

fn aggregate(kind: Kind, items: &[Reply], depth: usize) -> String {
    let (open, close, width) = match kind {
        Kind::Array => ("[", "]", 1),
        Kind::Map => ("{", "}", 2),
        Kind::Set => ("~[", "]", 1),
        Kind::Push => (">[", "]", 1),
    };
    let entries: Vec<String> = items
        .chunks(width)
        .map(|entry| entry.iter().map(|item| nested(item, depth + 1)).collect::<Vec<_>>().join(" => "))
        .collect();
    let line = iter::once(open)
        .chain(entries.iter().map(String::as_str))
        .chain([close])
        .collect::<Vec<_>>()
        .join(" ");
    if line.len() + depth * 2 <= LINE_WIDTH_MAX && !line.contains('\n') {
        return line;
    }
    let indent = "  ".repeat(depth);
    let entries: String = entries.iter().map(|entry| format!("\n{indent}{entry}")).collect();
    format!("{open}{entries}\n{indent}{close}")
}

fn quoted(text: &[u8]) -> String {
    if text.len() >= REPETITION_BYTES_MIN && text.iter().all(|byte| *byte == text[0]) {
        return format!("\"{}\"*{}", escaped(&text[..1]), text.len());
    }
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &[u8]) -> String {
    let mut written = String::new();
    for &byte in text {
        match byte {
            b'\n' => written.push_str("\\n"),
            b'\r' => written.push_str("\\r"),
            b'\t' => written.push_str("\\t"),
            b'"' | b'\\' => written.extend(['\\', byte.into()]),
            b' '..=b'~' => written.push(byte.into()),
            _ => written.push_str(&format!("\\x{byte:02x}")),
        }
    }
    written
}

/// Whether a simple string or an error can stand unquoted on a line of its own.
fn is_line(text: &[u8]) -> bool {
    let printable = text.iter().all(|byte| (b' '..=b'~').contains(byte));
    printable && !text.starts_with(b"\"") && text.trim_ascii() == text
}

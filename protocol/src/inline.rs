//! Inline commands: one line of words, for people with a terminal. The parser finds the line; this file
//! splits it.
//!
//! The rules are Redis's, oddities included: any white space may stand before a word but only space, tab, CR
//! and LF end it; `"..."` knows escapes and `'...'` only `\'`; a quote may open inside a word, and closing it
//! ends the word.

use crate::error::ProtocolError;
use crate::request::{OwnedRequest, Span};

/// Whether the words of `line` differ from its bytes, so that `split_words` must take it apart.
pub(crate) fn is_quoted(line: &[u8]) -> bool {
    line.iter().any(|byte| matches!(byte, b'"' | b'\''))
}

/// Appends the words of a line without quotes.
pub(crate) fn split_plain(line: &[u8], spans: &mut Vec<Span>) {
    let mut at = word_start(line, 0);
    while at < line.len() {
        let len = line[at..].iter().position(|&byte| ends_word(byte)).unwrap_or(line.len() - at);
        spans.push(Span { start: at as u32, len: len as u32 });
        at = word_start(line, at + len);
    }
}

/// The words of a line with quotes, unescaped.
pub fn split_words(line: &[u8]) -> Result<OwnedRequest, ProtocolError> {
    let mut request = OwnedRequest::default();
    let mut at = word_start(line, 0);
    while at < line.len() {
        request.push_with(|bytes| {
            at = unquote(line, at, bytes)?;
            Ok(())
        })?;
        at = word_start(line, at);
    }
    Ok(request)
}

/// Appends the word that starts at `at` to `word` and returns where it ended.
fn unquote(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    let mut quote = None;
    loop {
        let (byte, width) = match (quote, &line[at..]) {
            (None, []) => return Ok(at),
            (None, [byte, ..]) if ends_word(*byte) => return Ok(at),
            (None, [mark @ (b'"' | b'\''), ..]) => {
                quote = Some(*mark);
                at += 1;
                continue;
            }
            (Some(mark), [byte, rest @ ..]) if *byte == mark => {
                let closed = rest.first().is_none_or(|&byte| is_space(byte));
                return if closed { Ok(at + 1) } else { Err(ProtocolError::UnbalancedQuotes) };
            }
            (Some(_), []) => return Err(ProtocolError::UnbalancedQuotes),
            (Some(b'\''), [b'\\', b'\'', ..]) => (b'\'', 2),
            (Some(b'"'), [b'\\', rest @ ..]) if !rest.is_empty() => unescape(rest),
            (_, [byte, ..]) => (*byte, 1),
        };
        word.push(byte);
        at += width;
    }
}

/// The byte meant by what follows a backslash, and the width of both.
fn unescape(rest: &[u8]) -> (u8, usize) {
    match *rest {
        [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hexadecimal(high) << 4 | hexadecimal(low), 4)
        }
        [b'n', ..] => (b'\n', 2),
        [b'r', ..] => (b'\r', 2),
        [b't', ..] => (b'\t', 2),
        [b'b', ..] => (0x08, 2),
        [b'a', ..] => (0x07, 2),
        [other, ..] => (other, 2),
        [] => (b'\\', 1),
    }
}

fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn word_start(line: &[u8], at: usize) -> usize {
    at + line[at..].iter().take_while(|&&byte| is_space(byte)).count()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of `line` on either path, joined by `|`; the expectations are a real server's.
    fn words(line: &[u8]) -> Result<String, ProtocolError> {
        let mut spans = Vec::new();
        let owned = split_words(line)?;
        if !is_quoted(line) {
            split_plain(line, &mut spans);
            assert_eq!(crate::Request::new(line, &spans).to_owned(), owned, "both paths split alike");
        }
        let words: Vec<_> = owned.as_request().iter().map(|word| word.escape_ascii().to_string()).collect();
        Ok(words.join("|"))
    }

    #[test]
    fn words_are_split_and_unquoted_as_redis_does() {
        let table: &[(&[u8], &str)] = &[
            (b"", ""),
            (b" \t \r", ""),
            (b"  PING  ", "PING"),
            (b"PING\rX", "PING|X"),
            (b"\x0b\x0cPING\x0c x", r"PING\x0c|x"),
            (b"a\x0bb", r"a\x0bb"),
            (br#"ECHO """#, "ECHO|"),
            (b"ECHO ''", "ECHO|"),
            (br#"ECHO "a b""#, "ECHO|a b"),
            (br#"E "a\nb\r\t\b\a\x41\X41\q\"\\""#, r#"E|a\nb\r\t\x08\x07AX41q\"\\"#),
            (br#"E "\x4" "\xzz" "\x4g" "\x00\xfF""#, r"E|x4|xzz|x4g|\x00\xff"),
            (br"E 'a\'b\n'", r"E|a\'b\\n"),
            (br#"E a"b c" a'b c'"#, "E|ab c|ab c"),
            (b"E \"a\"\tb \"a\"\x0bb", "E|a|b|a|b"),
            (br"E a\ b \x41", r"E|a\\|b|\\x41"),
            (br#""ECHO" 'a"b'"#, r#"ECHO|a\"b"#),
            (b"E \xa0 \x85a", r"E|\xa0|\x85a"),
        ];
        for (line, expected) in table {
            assert_eq!(words(line).as_deref(), Ok(*expected), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn open_quotes_and_text_behind_closing_ones_are_refused() {
        let table: &[&[u8]] = &[
            br#"ECHO "abc"#,
            b"ECHO 'abc",
            br#"ECHO "a"b"#,
            b"ECHO 'a'b",
            br#"ECHO a"b c"d"#,
            br#"ECHO "abc\"#,
            br#"ECHO "abc\""#,
            br"ECHO 'abc\'",
            br"ECHO 'a\'b\n\\'",
            br#"ECHO a\"b"#,
            br#"ECHO ""a"#,
        ];
        for line in table {
            assert_eq!(words(line), Err(ProtocolError::UnbalancedQuotes), "{}", line.escape_ascii());
        }
    }
}

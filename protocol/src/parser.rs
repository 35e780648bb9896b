//! The request parser: finds commands in what the network delivered, in place and incrementally.
//!
//! A whole command in the buffer, the usual case, is parsed in one pass into the caller's array of spans,
//! without memory of its own. When the input ends in the middle, the parser keeps the spans found so far and
//! where it stopped, and goes on there when it sees the same bytes again with more behind them, so that a
//! command costs the same in one piece and byte by byte. How the input was cut never changes a result.
//!
//! Lines are what Redis takes for lines, with C's string functions: a header ends at the first CR, the byte
//! behind which is skipped unseen, and a NUL before that CR hides it. A bulk ends with any two bytes.
//!
//! Not here: reading, buffering, the limit of the whole query buffer, and what a command means.

use std::mem;

use crate::error::ProtocolError;
use crate::inline;
use crate::limits::{
    ARGUMENT_BYTES_MIN, ARGUMENTS_MAX, COMMAND_BYTES_MAX, HEADER_BYTES_MAX, INLINE_BYTES_MAX, Limits,
    UNAUTHENTICATED_ARGUMENTS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX,
};
use crate::number::parse_i64;
use crate::request::{OwnedRequest, Span};

/// What [`RequestParser::parse`] found at the start of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// One whole command, its arguments in `spans`.
    Command {
        /// The bytes of the input that belong to it.
        consumed: usize,
    },
    /// Nothing to run: `*0`, `*-1`, an empty line.
    Nothing {
        /// The bytes to skip.
        consumed: usize,
    },
    /// A command typed with quotes, whose arguments had to be unescaped.
    Inline {
        /// The bytes of the input that belong to it.
        consumed: usize,
        /// The command.
        request: OwnedRequest,
    },
    /// The input ends inside a command.
    Incomplete {
        /// The bytes, counted from the start of the input, without which the command cannot be whole. It
        /// rests on what the peer announced: good for sizing a buffer up to a limit, not for trusting it.
        hint: usize,
    },
}

/// The parser of one connection.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// The arguments found of a partial command; otherwise empty and without memory.
    spans: Vec<Span>,
    progress: Progress,
}

#[cfg(not(test))]
const _: () = assert!(size_of::<RequestParser>() <= 64);

impl RequestParser {
    /// A parser that has seen nothing.
    pub fn new() -> RequestParser {
        RequestParser::default()
    }

    /// Parses the command at the start of `input` and appends its arguments, as positions in `input`, to
    /// `spans`. Unless the answer is [`Parsed::Command`], `spans` is left as it was.
    ///
    /// After [`Parsed::Incomplete`] the next call must pass the same bytes again, with or without more behind
    /// them. After an error nothing that follows in the connection has a meaning.
    pub fn parse(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let first = spans.len();
        let input = &input[..input.len().min(COMMAND_BYTES_MAX)];
        let parsed = match input.first() {
            None => return Ok(Parsed::Incomplete { hint: 1 }),
            Some(b'*') if self.is_partial() => self.resume(input, limits, spans),
            Some(b'*') => match whole_command(input, limits, spans) {
                Some(consumed) => refuse_http(spans[first].of(input)).map(|()| Parsed::Command { consumed }),
                None => {
                    spans.truncate(first);
                    self.start(input, limits, spans)
                }
            },
            Some(_) => self.inline(input, spans),
        };
        if parsed.is_err() {
            spans.truncate(first);
        }
        parsed
    }

    /// Whether the parser stopped inside a command.
    pub fn is_partial(&self) -> bool {
        self.progress.begun
    }

    /// The memory allocated for a partial command.
    pub fn memory_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
    }

    fn start(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let first = spans.len();
        let mut progress = Progress::default();
        match progress.advance(input, limits, spans)? {
            Advance::Whole => {
                refuse_http(spans[first].of(input))?;
                Ok(Parsed::Command { consumed: progress.position })
            }
            Advance::Nothing => Ok(Parsed::Nothing { consumed: progress.position }),
            Advance::Partial { hint } => {
                self.spans.extend_from_slice(&spans[first..]);
                self.progress = progress;
                spans.truncate(first);
                Ok(Parsed::Incomplete { hint })
            }
        }
    }

    /// Like `start`, but the spans stay here until the command is whole, so that they are moved once and not
    /// at each call.
    fn resume(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        match self.progress.advance(input, limits, &mut self.spans)? {
            Advance::Whole => {
                refuse_http(self.spans[0].of(input))?;
                spans.append(&mut mem::take(&mut self.spans));
                Ok(Parsed::Command { consumed: mem::take(&mut self.progress).position })
            }
            Advance::Nothing => Ok(Parsed::Nothing { consumed: mem::take(&mut self.progress).position }),
            Advance::Partial { hint } => Ok(Parsed::Incomplete { hint }),
        }
    }

    fn inline(&mut self, input: &[u8], spans: &mut Vec<Span>) -> Result<Parsed, ProtocolError> {
        let Some(end) =
            self.progress.line_end(input, b'\n', INLINE_BYTES_MAX, ProtocolError::InlineTooLong)?
        else {
            self.progress.begun = true;
            return Ok(Parsed::Incomplete { hint: input.len() + 1 });
        };
        let consumed = end + 1;
        self.progress = Progress::default();
        let line = &input[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if inline::is_quoted(line) {
            let request = inline::split_words(line)?;
            refuse_http(request.as_request().name())?;
            return Ok(Parsed::Inline { consumed, request });
        }
        let first = spans.len();
        inline::split_plain(line, spans);
        let Some(name) = spans.get(first) else {
            return Ok(Parsed::Nothing { consumed });
        };
        refuse_http(name.of(line))?;
        Ok(Parsed::Command { consumed })
    }
}

/// Where the parser is inside a command. The default is its start.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The start of the line or byte string to read next.
    position: usize,
    /// How far the end of the line at `position` has been looked for.
    scanned: usize,
    /// Arguments still to come.
    remaining: u32,
    /// The length of the byte string at `position`, when its header has been read.
    awaited: Option<u32>,
    /// Whether the input ended inside the command before.
    begun: bool,
    /// What has been done so far, in bytes looked at one by one and arguments found.
    #[cfg(test)]
    steps: usize,
}

enum Advance {
    Whole,
    Nothing,
    Partial { hint: usize },
}

impl Progress {
    /// Reads as many arguments as the input holds.
    #[inline]
    fn advance(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Advance, ProtocolError> {
        if self.position == 0 {
            match self.count(input, limits)? {
                Some(0) => return Ok(Advance::Nothing),
                Some(count) => self.remaining = count,
                None => return self.partial(input, 0, 0),
            }
        }
        while self.remaining > 0 {
            let length = match self.awaited.take() {
                Some(length) => length,
                None => match self.length(input, limits)? {
                    Some(length) => length,
                    None => return self.partial(input, self.position, self.remaining),
                },
            };
            let end = self.position + length as usize + CRLF_BYTES;
            if end > input.len() {
                self.awaited = Some(length);
                return self.partial(input, end, self.remaining - 1);
            }
            self.step(1);
            spans.push(Span { start: self.position as u32, len: length });
            self.position = end;
            self.remaining -= 1;
        }
        Ok(Advance::Whole)
    }

    /// Reads the line `*<count>`: how many arguments follow, 0 for none.
    #[inline]
    fn count(&mut self, input: &[u8], limits: &Limits) -> Result<Option<u32>, ProtocolError> {
        let Some(line) = self.header(input, ProtocolError::CountLineTooLong)? else {
            return Ok(None);
        };
        match parse_i64(&line[1..]) {
            Some(..=0) => Ok(Some(0)),
            Some(count) if count > i64::from(ARGUMENTS_MAX) => Err(ProtocolError::InvalidCount),
            Some(count) if !limits.authenticated && count > i64::from(UNAUTHENTICATED_ARGUMENTS_MAX) => {
                Err(ProtocolError::UnauthenticatedCount)
            }
            Some(count) => Ok(Some(count as u32)),
            None => Err(ProtocolError::InvalidCount),
        }
    }

    /// Reads the line `$<length>` at `position`.
    #[inline]
    fn length(&mut self, input: &[u8], limits: &Limits) -> Result<Option<u32>, ProtocolError> {
        let Some(line) = self.header(input, ProtocolError::LengthLineTooLong)? else {
            return Ok(None);
        };
        let digits = match line {
            [b'$', digits @ ..] => digits,
            [other, ..] => return Err(ProtocolError::ExpectedBulk(*other)),
            [] => return Err(ProtocolError::ExpectedBulk(b'\r')),
        };
        match parse_i64(digits).and_then(|length| u64::try_from(length).ok()) {
            Some(length) if length > limits.bulk_bytes_max => Err(ProtocolError::InvalidLength),
            Some(length) if !limits.authenticated && length > UNAUTHENTICATED_BULK_BYTES_MAX => {
                Err(ProtocolError::UnauthenticatedLength)
            }
            Some(length) => u32::try_from(length).map(Some).map_err(|_| ProtocolError::CommandTooLarge),
            None => Err(ProtocolError::InvalidLength),
        }
    }

    /// The header line at `position`, without its end; `position` moves behind it.
    fn header<'a>(
        &mut self,
        input: &'a [u8],
        too_long: ProtocolError,
    ) -> Result<Option<&'a [u8]>, ProtocolError> {
        let start = self.position;
        match self.line_end(input, b'\r', HEADER_BYTES_MAX, too_long)? {
            Some(end) if end + CRLF_BYTES <= input.len() => {
                self.position = end + CRLF_BYTES;
                Ok(Some(&input[start..end]))
            }
            _ => Ok(None),
        }
    }

    /// Where the line at `position` ends, looking only at bytes not yet looked at. A line with a NUL never
    /// ends, and breaks its limit sooner or later.
    fn line_end(
        &mut self,
        input: &[u8],
        terminator: u8,
        bytes_max: usize,
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let from = self.scanned.max(self.position);
        let unseen = &input[from..];
        let found = unseen.iter().position(|&byte| byte == terminator || byte == 0);
        self.scanned = from + found.unwrap_or(unseen.len());
        self.step(self.scanned - from + 1);
        let ended = input.get(self.scanned) == Some(&terminator);
        let line_bytes = if ended { self.scanned } else { input.len() } - self.position;
        if line_bytes > bytes_max {
            return Err(too_long);
        }
        Ok(ended.then_some(self.scanned))
    }

    /// The input ends too early: needed are its first `certain` bytes and then `arguments` arguments.
    fn partial(&mut self, input: &[u8], certain: usize, arguments: u32) -> Result<Advance, ProtocolError> {
        if certain > COMMAND_BYTES_MAX || input.len() == COMMAND_BYTES_MAX {
            return Err(ProtocolError::CommandTooLarge);
        }
        self.begun = true;
        let hint = certain.saturating_add(ARGUMENT_BYTES_MIN.saturating_mul(arguments as usize));
        Ok(Advance::Partial { hint: hint.max(input.len() + 1) })
    }

    #[cfg(test)]
    fn step(&mut self, steps: usize) {
        self.steps += steps;
    }

    #[cfg(not(test))]
    fn step(&mut self, _steps: usize) {}
}

/// The usual case, made quick: a whole command of an authenticated client with nothing uncommon in it, its
/// arguments appended to `spans`. Everything else is left to `Progress`, and may have appended some.
#[inline]
fn whole_command(input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> Option<usize> {
    let (count, mut position) = short_header(input, b'*')?;
    if count == 0 || !limits.authenticated {
        return None;
    }
    for _ in 0..count {
        let (length, header) = short_header(&input[position..], b'$')?;
        let start = position + header;
        let end = start + length as usize + CRLF_BYTES;
        if end > input.len() || u64::from(length) > limits.bulk_bytes_max {
            return None;
        }
        spans.push(Span { start: start as u32, len: length });
        position = end;
    }
    Some(position)
}

/// `<marker>`, few digits as `parse_i64` takes them, CR and any byte: the number and the length of the line.
#[inline]
fn short_header(input: &[u8], marker: u8) -> Option<(u32, usize)> {
    // Nearly all counts and most lengths have one digit or two.
    let line = u32::from_le_bytes(*input.first_chunk()?);
    let [first, tens, units, _] = line.to_le_bytes();
    let (tens, units) = (u32::from(tens.wrapping_sub(b'0')), u32::from(units.wrapping_sub(b'0')));
    if first != marker || tens > 9 {
        return None;
    }
    if line >> 16 & 0xff == u32::from(b'\r') {
        return Some((tens, 4));
    }
    if tens == 0 || units > 9 {
        return None;
    }
    match input.get(3..5)? {
        [b'\r', _] => Some((tens * 10 + units, 5)),
        _ => longer_header(input),
    }
}

/// The same for a line that begins with the marker and two digits.
fn longer_header(input: &[u8]) -> Option<(u32, usize)> {
    let mut number = 0_u64;
    for (index, byte) in input.iter().enumerate().skip(1).take(SHORT_DIGITS_MAX + 1) {
        let digit = byte.wrapping_sub(b'0');
        if *byte == b'\r' {
            let end = index + CRLF_BYTES;
            return (end <= input.len()).then_some((number as u32, end));
        }
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    None
}

/// Browsers can be made to send `POST` or a `Host:` line here; taking the lines behind it for commands would
/// give the web page the run of the server.
#[inline]
fn refuse_http(name: &[u8]) -> Result<(), ProtocolError> {
    let http = match name.len() {
        4 => name.eq_ignore_ascii_case(b"POST"),
        5 => name.eq_ignore_ascii_case(b"Host:"),
        _ => false,
    };
    if http { Err(ProtocolError::Http) } else { Ok(()) }
}

/// The two bytes behind a header line and behind a byte string.
const CRLF_BYTES: usize = 2;

/// A number of so many digits always fits 32 bits, and is no count above the limit.
const SHORT_DIGITS_MAX: usize = 9;

const _: () = assert!(10_u64.pow(SHORT_DIGITS_MAX as u32) - 1 <= ARGUMENTS_MAX as u64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    const UNAUTHENTICATED: Limits = Limits { bulk_bytes_max: 512 * 1024 * 1024, authenticated: false };

    fn parse(input: &[u8], limits: &Limits) -> Result<Parsed, ProtocolError> {
        RequestParser::new().parse(input, limits, &mut Vec::new())
    }

    /// The words of the first command in `input`.
    fn words(input: &[u8]) -> Vec<Vec<u8>> {
        let mut spans = Vec::new();
        let parsed = RequestParser::new().parse(input, &Limits::default(), &mut spans);
        assert!(matches!(parsed, Ok(Parsed::Command { .. })), "{parsed:?}");
        Request::new(input, &spans).iter().map(<[u8]>::to_vec).collect()
    }

    fn line(start: &[u8], filler: u8, bytes: usize) -> Vec<u8> {
        let mut line = start.to_vec();
        line.resize(bytes, filler);
        line
    }

    #[test]
    fn every_breach_has_its_text() {
        let nul_first = [b"P\0NG\r\n".to_vec(), vec![b'x'; INLINE_BYTES_MAX]].concat();
        let table: &[(&[u8], &str)] = &[
            (&line(b"P", b'A', INLINE_BYTES_MAX + 1), "too big inline request"),
            (&[line(b"P", b'A', INLINE_BYTES_MAX + 1), b"\n".to_vec()].concat(), "too big inline request"),
            (&nul_first, "too big inline request"),
            (&line(b"*", b'1', HEADER_BYTES_MAX + 1), "too big mbulk count string"),
            (&line(b"*1\r\n$", b'1', 4 + HEADER_BYTES_MAX + 1), "too big bulk count string"),
            (&line(b"*1\r\nP", b'P', 4 + HEADER_BYTES_MAX + 1), "too big bulk count string"),
            (b"*\r\n", "invalid multibulk length"),
            (b"*x\r\n", "invalid multibulk length"),
            (b"*+1\r\n", "invalid multibulk length"),
            (b"*01\r\n", "invalid multibulk length"),
            (b"*-0\r\n", "invalid multibulk length"),
            (b"*1 \r\n", "invalid multibulk length"),
            (b"* 1\r\n", "invalid multibulk length"),
            (b"*1\n$4\nPING\r\n", "invalid multibulk length"),
            (b"*2147483648\r\n", "invalid multibulk length"),
            (b"*99999999999999999999\r\n", "invalid multibulk length"),
            (b"*1\r\n$\r\n", "invalid bulk length"),
            (b"*1\r\n$x\r\n", "invalid bulk length"),
            (b"*1\r\n$04\r\n", "invalid bulk length"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*2\r\n$4\r\nPING\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
            (b"*1\r\n$99999999999999999999999\r\n", "invalid bulk length"),
            (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
            (b"*1\r\n\r\n", "expected '$', got '\r'"),
            (b"*1\r\n\n\r\n", "expected '$', got '\n'"),
            (b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n:1\r\n", "expected '$', got ':'"),
            (b"ECHO \"a\r\n", "unbalanced quotes in request"),
        ];
        for (input, expected) in table {
            let error = parse(input, &Limits::default()).expect_err("a breach");
            assert_eq!(error.to_string(), format!("Protocol error: {expected}"), "{}", input.escape_ascii());
            assert!(error.is_answered());
        }
        assert_eq!(parse(b"*1\r\n\x80\r\n", &Limits::default()), Err(ProtocolError::ExpectedBulk(0x80)));
        assert_eq!(
            ProtocolError::ExpectedBulk(0x80).text().as_ref(),
            b"Protocol error: expected '$', got '\x80'"
        );
    }

    #[test]
    fn what_stays_just_inside_a_limit_waits_for_more() {
        let table: &[&[u8]] = &[
            &line(b"P", b'A', INLINE_BYTES_MAX),
            &line(b"*", b'1', HEADER_BYTES_MAX),
            &line(b"*1\r\n$", b'1', 4 + HEADER_BYTES_MAX),
            b"*2147483647\r\n",
            b"*1\r\n$536870912\r\n",
            b"*1\r",
            b"*x\r",
            b"*1\n",
            b"*1\r\n",
            b"*1\r\nPING",
            b"*1\r\n$x\r",
            b"*1\r\n\0\r\n",
            b"P\0NG\r\n",
            b"\0\r\n",
        ];
        for input in table {
            let mut parser = RequestParser::new();
            let parsed = parser.parse(input, &Limits::default(), &mut Vec::new());
            assert!(matches!(parsed, Ok(Parsed::Incomplete { .. })), "{}: {parsed:?}", input.escape_ascii());
            assert!(parser.is_partial());
        }
        let whole = [line(b"P", b'A', INLINE_BYTES_MAX), b"\n".to_vec()].concat();
        assert_eq!(words(&whole), [&whole[..INLINE_BYTES_MAX]]);
    }

    #[test]
    fn strangers_may_send_little() {
        let table: &[(&[u8], &str)] = &[
            (b"*11\r\n", "unauthenticated multibulk length"),
            (b"*2147483648\r\n", "invalid multibulk length"),
            (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
            (b"*1\r\n$-2\r\n", "invalid bulk length"),
        ];
        for (input, expected) in table {
            let error = parse(input, &UNAUTHENTICATED).expect_err("a breach");
            assert_eq!(error.to_string(), format!("Protocol error: {expected}"));
        }
        for input in [&b"*10\r\n"[..], b"*1\r\n$16384\r\n"] {
            assert!(matches!(parse(input, &UNAUTHENTICATED), Ok(Parsed::Incomplete { .. })));
        }
        let many_words = b"PING 1 2 3 4 5 6 7 8 9 10 11 12\r\n";
        let consumed = many_words.len();
        assert_eq!(parse(many_words, &UNAUTHENTICATED), Ok(Parsed::Command { consumed }));
    }

    #[test]
    fn bulk_lengths_follow_the_setting() {
        let limits = Limits { bulk_bytes_max: 3, authenticated: true };
        assert_eq!(parse(b"*1\r\n$4\r\nPING\r\n", &limits), Err(ProtocolError::InvalidLength));
        assert_eq!(parse(b"*1\r\n$3\r\nGET\r\n", &limits), Ok(Parsed::Command { consumed: 13 }));
        let limits = Limits { bulk_bytes_max: u64::MAX, authenticated: true };
        for input in [&b"*1\r\n$4294967295\r\n"[..], b"*1\r\n$9223372036854775807\r\n"] {
            assert_eq!(parse(input, &limits), Err(ProtocolError::CommandTooLarge));
        }
        assert!(!ProtocolError::CommandTooLarge.is_answered());
    }

    #[test]
    fn web_clients_are_recognized_in_every_form() {
        let table: &[&[u8]] = &[
            b"POST / HTTP/1.1\r\nX: y\r\n",
            b"post\r\n",
            b"\"post\" x\r\n",
            b"host: a\r\n",
            b"*1\r\n$4\r\nPOST\r\n",
            b"*1\r\n$5\r\nHost:\r\n",
        ];
        for input in table {
            assert_eq!(parse(input, &Limits::default()), Err(ProtocolError::Http));
            assert_eq!(parse(input, &UNAUTHENTICATED), Err(ProtocolError::Http));
        }
        assert!(!ProtocolError::Http.is_answered());
        for input in [&b"POSTx\r\n"[..], b"Host:a\r\n", b"*2\r\n$4\r\nECHO\r\n$4\r\nPOST\r\n"] {
            assert!(matches!(parse(input, &Limits::default()), Ok(Parsed::Command { .. })));
        }
    }

    #[test]
    fn commands_without_arguments_are_skipped() {
        let table: &[&[u8]] = &[b"*0\r\n", b"*-1\r\n", b"*-5\r\n", b"\r\n", b"\n", b"\r\r\n", b" \t\r\n"];
        for input in table {
            let followed = [input, &b"PING\r\n"[..]].concat();
            let consumed = input.len();
            assert_eq!(parse(&followed, &Limits::default()), Ok(Parsed::Nothing { consumed }));
            assert_eq!(parse(&followed, &UNAUTHENTICATED), Ok(Parsed::Nothing { consumed }));
        }
    }

    #[test]
    fn lines_end_as_c_string_functions_see_it() {
        assert_eq!(words(b"*1\rX$4\rXPINGxx"), [b"PING"]);
        assert_eq!(words(b"*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n"), [&b""[..], b"\r\n"]);
        assert_eq!(words(b"PING\n"), [b"PING"]);
        assert_eq!(words(b"PING\r\r\n"), [b"PING"]);
        assert_eq!(words(b"PING\rX\n"), [&b"PING"[..], b"X"]);
    }

    #[test]
    fn quoted_words_are_handed_out_unescaped() {
        let parsed = parse(b"SET \"a b\" '\\''\r\nPING\r\n", &Limits::default());
        let request = OwnedRequest::from_args(&["SET", "a b", "'"]);
        assert_eq!(parsed, Ok(Parsed::Inline { consumed: 16, request }));
    }

    #[test]
    fn hints_tell_what_is_certainly_missing() {
        let hint = |input: &[u8]| match parse(input, &Limits::default()) {
            Ok(Parsed::Incomplete { hint }) => hint,
            other => panic!("{other:?}"),
        };
        assert_eq!(hint(b""), 1);
        assert_eq!(hint(b"*3"), 3);
        assert_eq!(hint(b"*3\r\n"), 4 + 3 * 6);
        assert_eq!(hint(b"*3\r\n$100\r\n"), 4 + 6 + 102 + 2 * 6);
        assert_eq!(hint(b"*1\r\n$536870912\r\nx"), 4 + 12 + 536_870_912 + 2);
        assert_eq!(hint(b"GET"), 4);
    }

    #[test]
    fn spans_are_left_alone_unless_there_is_a_command() {
        let mut spans = vec![Span { start: 7, len: 7 }];
        let table: &[&[u8]] = &[
            b"*2\r\n$1\r\na\r\n",
            b"*2\r\n$1\r\na\r\nx\r\n",
            b"*0\r\n",
            b"POST x\r\n",
            b"*1\r\n$4\r\nPOST\r\n",
        ];
        for input in table {
            let _ = RequestParser::new().parse(input, &Limits::default(), &mut spans);
            assert_eq!(spans.len(), 1, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn a_command_in_pieces_costs_as_much_as_in_one() {
        let mut input = b"*100000\r\n".to_vec();
        for argument in 0..100_000 {
            input.extend(format!("${}\r\n{argument}\r\n", argument.to_string().len()).bytes());
        }
        let steps = |piece: usize| {
            let (mut parser, mut spans, mut steps) = (RequestParser::new(), Vec::new(), 0);
            for end in (0..input.len()).step_by(piece) {
                let parsed = parser.parse(&input[..end], &Limits::default(), &mut spans);
                assert!(
                    matches!(parsed, Ok(Parsed::Incomplete { hint }) if hint > end && hint <= input.len())
                );
                steps = parser.progress.steps;
            }
            let parsed = parser.parse(&input, &Limits::default(), &mut spans);
            assert_eq!(parsed, Ok(Parsed::Command { consumed: input.len() }));
            assert_eq!((spans.len(), parser.memory_bytes(), parser.is_partial()), (100_000, 0, false));
            steps
        };
        for piece in [1, 7, 1000, 16 * 1024] {
            assert!(steps(piece) <= 2 * input.len(), "pieces of {piece}: {} steps", steps(piece));
        }
    }

    #[test]
    fn a_long_line_in_pieces_is_looked_at_once() {
        for start in [&b"*"[..], b"*1\r\n$", b"PING "] {
            let input = line(start, b'1', start.len() + HEADER_BYTES_MAX - 10);
            let mut parser = RequestParser::new();
            for end in 1..=input.len() {
                let parsed = parser.parse(&input[..end], &Limits::default(), &mut Vec::new());
                assert!(matches!(parsed, Ok(Parsed::Incomplete { .. })));
            }
            assert!(parser.progress.steps <= 3 * input.len(), "{} steps", parser.progress.steps);
        }
    }
}

//! Glob patterns as Redis matches them: bytes, not characters, against the whole of a text. Only matching;
//! what a pattern is applied to, and what a match means, is the caller's.
//!
//! `*` any bytes · `?` one byte · `[abc]` `[^abc]` `[a-z]` one byte of (not of) the class · `\x` the byte
//! `x`.
//!
//! A few things that are Redis's own: a class that is not closed ends with the pattern; the ends of a range
//! are swapped when reversed and compared as signed bytes; `\` as the last byte stands for itself; an escaped
//! byte in a class keeps its case even where case is ignored; and only an empty pattern matches an empty
//! text.

/// Whether `pattern` matches the whole of `text`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_with::<false>(pattern, text)
}

/// The same, with the letters of ASCII compared without regard to case.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_with::<true>(pattern, text)
}

/// A pattern that keys are filtered by (KEYS, SCAN), looked at once for the forms that need no matching.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    bytes: &'a [u8],
    literal: bool,
}

impl<'a> Pattern<'a> {
    /// Any bytes are a pattern.
    pub fn new(bytes: &'a [u8]) -> Pattern<'a> {
        Pattern { bytes, literal: !bytes.iter().any(|byte| b"*?[\\".contains(byte)) }
    }

    /// Whether the pattern can match only one text, which is the pattern's own bytes: a lookup does instead
    /// of a walk.
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether the pattern is the single `*`, which filters nothing out, not even an empty text.
    pub fn is_everything(&self) -> bool {
        self.bytes == b"*"
    }

    /// The pattern as it was written.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the pattern lets `text` through.
    pub fn matches(&self, text: &[u8]) -> bool {
        if self.literal { self.bytes == text } else { self.is_everything() || matches(self.bytes, text) }
    }
}

/// A `*` first takes nothing; on a mismatch the last one takes a byte more, and no earlier one needs to be
/// tried again, because the last could have taken what it would. So time is at most the product of both
/// lengths. More stars than Redis follows match nothing, as there.
fn matches_with<const IGNORE_CASE: bool>(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut pattern_at, mut text_at) = (0, 0);
    let (mut last_star, mut stars) = (None, 0);
    while text_at < text.len() {
        let rest = &pattern[pattern_at..];
        if let [b'*', after @ ..] = rest {
            match after.first() {
                None => return true,
                // Stars beside each other are one.
                Some(b'*') => {}
                Some(_) => stars += 1,
            }
            if stars > STARS_MAX {
                return false;
            }
            pattern_at += 1;
            last_star = Some((pattern_at, text_at));
        } else if let Some(length) = match_one::<IGNORE_CASE>(rest, text[text_at]) {
            pattern_at += length;
            text_at += 1;
        } else {
            let Some((after_star, taken_to)) = last_star else { return false };
            (pattern_at, text_at) = (after_star, taken_to + 1);
            last_star = Some((pattern_at, text_at));
        }
    }
    pattern[pattern_at..].iter().all(|&byte| byte == b'*')
}

/// Stars, but for one at the end, behind which Redis looks: there each of them is a call inside the one before.
const STARS_MAX: usize = 1000;

/// Matches what `pattern` begins with, which is no `*`, against one byte: how much of the pattern that used
/// up.
fn match_one<const IGNORE_CASE: bool>(pattern: &[u8], byte: u8) -> Option<usize> {
    let fold = fold::<IGNORE_CASE>;
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => match_class::<IGNORE_CASE>(class, byte).map(|length| length + 1),
        [b'\\', escaped, ..] => (fold(escaped) == fold(byte)).then_some(2),
        [literal, ..] => (fold(literal) == fold(byte)).then_some(1),
    }
}

/// Matches a class, given from behind its `[`, against one byte: the length of the class with its `]`.
fn match_class<const IGNORE_CASE: bool>(class: &[u8], byte: u8) -> Option<usize> {
    let fold = fold::<IGNORE_CASE>;
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        let (hit, length) = match class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => (escaped == byte, 2),
            [first, b'-', last, ..] => {
                let (low, high) = if first as i8 <= last as i8 { (first, last) } else { (last, first) };
                (fold(low) as i8 <= fold(byte) as i8 && fold(byte) as i8 <= fold(high) as i8, 3)
            }
            [literal, ..] => (fold(literal) == fold(byte), 1),
        };
        found |= hit;
        at += length;
    }
    (found != negated).then_some(at)
}

fn fold<const IGNORE_CASE: bool>(byte: u8) -> u8 {
    if IGNORE_CASE { byte.to_ascii_lowercase() } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition of a match, by trying everything that a `*` could take.
    fn matches_by_trying(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| matches_by_trying(rest, &text[taken..])),
            (_, [byte, rest @ ..]) => match_one::<false>(pattern, *byte)
                .is_some_and(|length| matches_by_trying(&pattern[length..], rest)),
            (_, []) => pattern.is_empty(),
        }
    }

    /// As redis-server 7.0.15 and valkey-server 9.1.2 answer.
    #[test]
    fn a_thousand_stars_are_followed_and_one_at_the_end() {
        let text = [b'a'; 3000];
        for (stars, matched) in [(1000, true), (1001, false), (2000, false)] {
            assert_eq!(matches(&b"*a".repeat(stars), &text), matched, "{stars}");
            assert_eq!(matches(&[&b"*a".repeat(stars)[..], b"**"].concat(), &text), matched, "{stars}");
        }
        assert!(matches(&[b'*'; 5000], &text));
    }

    /// Each pattern with the texts that a real server lets through, out of `TEXTS`.
    const ANSWERS: &[(&[u8], &[u8])] = &[
        (b"?", TEXTS),
        (b"*", TEXTS),
        (b"**", TEXTS),
        (b"[a-\xff]", b"\x01-AB\\]^a\xff"),
        (b"[\x80-\xff]", b"\x80\xff"),
        (b"[", b""),
        (b"[^", TEXTS),
        (b"[a", b"a"),
        (b"[a-", b"-a"),
        (b"[a-]", b"]^a"),
        (b"[]a]", b""),
        (b"[]", b""),
        (b"[^]", TEXTS),
        (b"[\\", b"\\"),
        (b"[\\]]", b"]"),
        (b"[\\]", b"]"),
        (b"\\", b"\\"),
        (b"[z-a]", b"abz"),
        (b"[^a-z]*", b"\x01-AB\\]^\x80\xff"),
        (b"[a-b-z]", b"-abz"),
        (b"[\\a-z]", b"-az"),
        (b"[a-\\z]", b"\\]^az"),
        (b"[!a]", b"a"),
        (b"[a-b]*", b"ab"),
        (b"[^^]", b"\x01-AB\\]abz\x80\xff"),
        (b"[a\\", b"\\a"),
        (b"[a-z\\", b"\\abz"),
    ];
    const TEXTS: &[u8] = b"\x01-AB\\]^abz\x80\xff";

    #[test]
    fn classes_and_escapes_match_what_a_real_server_matches() {
        for (pattern, expected) in ANSWERS {
            let matched: Vec<u8> = TEXTS.iter().copied().filter(|&text| matches(pattern, &[text])).collect();
            assert_eq!(&matched, expected, "{}", pattern.escape_ascii());
        }
    }

    #[test]
    fn case_is_ignored_except_for_an_escaped_byte_in_a_class() {
        let answers = [
            ("[\\A]ppendonly", false),
            ("[\\a]ppendonly", true),
            ("[Z-a]ppendonly", false),
            ("[A-B]ppendonly", true),
            ("[z-A]ppendonly", true),
            ("[Z-A]ppendonly", true),
            ("[b-A]ppendonly", true),
            ("APPENDONLY", true),
            ("a*Y", true),
        ];
        for (pattern, expected) in answers {
            assert_eq!(matches_ignore_case(pattern.as_bytes(), b"appendonly"), expected, "{pattern}");
        }
    }

    #[test]
    fn an_empty_text_is_matched_by_nothing_but_an_empty_pattern() {
        assert!(matches(b"", b""));
        assert!(!matches(b"*", b""));
        assert!(!matches(b"**", b""));
        assert!(!matches(b"", b"a"));
        assert!(Pattern::new(b"*").matches(b""));
    }

    #[test]
    fn many_stars_do_not_multiply_the_time() {
        let pattern = [b"a*".repeat(STARS_MAX).as_slice(), b"b"].concat();
        assert!(!matches(&pattern, &b"a".repeat(20_000)));
        assert!(matches(&pattern, &[b"a".repeat(20_000).as_slice(), b"b"].concat()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_match_is_what_trying_everything_finds(
            pattern in "[ab*?\\[\\]^\\\\-]{0,9}",
            text in "[ab^\\]-]{1,9}",
        ) {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), matches_by_trying(pattern, text));
            prop_assert_eq!(Pattern::new(pattern).matches(text), matches(pattern, text));
            prop_assert_eq!(matches_ignore_case(pattern, text), matches(pattern, text));
        }

        #[test]
        fn no_bytes_panic(pattern in any::<Vec<u8>>(), text in any::<Vec<u8>>()) {
            let _ = matches(&pattern, &text) | matches_ignore_case(&pattern, &text);
        }

        #[test]
        fn a_literal_pattern_matches_its_own_bytes_only(
            pattern in "[ab^\\]-]{0,3}",
            text in "[ab^\\]-]{0,3}",
        ) {
            prop_assert!(Pattern::new(pattern.as_bytes()).is_literal());
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), pattern == text);
        }
    }
}

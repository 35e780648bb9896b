//! Texts that have a form: each function gives the text as it is shown, or refuses it in the words of Redis. What a
//! value means to the server is not decided here.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::{self, FromStr};

use super::kind::Reason;
use crate::command::args::until_zero;

/// How a text of some form is checked and brought into the form in which it is shown.
pub type Shape = fn(&[u8]) -> Result<Vec<u8>, Reason>;

/// The name of the directory of the journal.
pub fn journal_directory(text: &[u8]) -> Result<Vec<u8>, Reason> {
    base_name(text, "appenddirname can't be a path, just a dirname")
}

/// The name of the journal.
pub fn journal(text: &[u8]) -> Result<Vec<u8>, Reason> {
    base_name(text, "appendfilename can't be a path, just a filename")
}

/// The name of the snapshot.
pub fn snapshot(text: &[u8]) -> Result<Vec<u8>, Reason> {
    base_name(text, "dbfilename can't be a path, just a filename")
}

fn base_name(text: &[u8], reason: &'static str) -> Result<Vec<u8>, Reason> {
    let text = until_zero(text);
    if text.contains(&b'/') { Err(reason.into()) } else { Ok(text.to_vec()) }
}

/// Pairs of seconds and changes.
pub fn save_points(text: &[u8]) -> Result<Vec<u8>, Reason> {
    integers(text, |position, number| number >= if position % 2 == 0 { 1 } else { 0 })
        .filter(|numbers| numbers.len() % 2 == 0)
        .map(|numbers| joined(&numbers))
        .ok_or_else(|| "Invalid save parameters".into())
}

/// What is added to the score of the primary, of a replica and of a child when memory is short.
pub fn oom_scores(text: &[u8]) -> Result<Vec<u8>, Reason> {
    if text.split(|&byte| byte == b' ').count() != OOM_SCORES {
        return Err("wrong number of arguments".into());
    }
    integers(text, |_, number| (-OOM_SCORE_MAX..=OOM_SCORE_MAX).contains(&number))
        .map(|scores| joined(&scores))
        .ok_or_else(|| "Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into())
}

/// The integers of a text with one space between them, none for the empty text. Redis reads them as C does: with a sign
/// and with zeros before them.
fn integers(text: &[u8], is_allowed: impl Fn(usize, i64) -> bool) -> Option<Vec<i64>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let words = text.split(|&byte| byte == b' ').enumerate();
    words
        .map(|(position, word)| {
            let number = i64::from_str(str::from_utf8(word).ok()?).ok()?;
            is_allowed(position, number).then_some(number)
        })
        .collect()
}

fn joined(numbers: &[i64]) -> Vec<u8> {
    let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
    words.join(" ").into_bytes()
}

/// The title of the process, with variables in braces. One that is certainly empty is refused.
pub fn title_template(text: &[u8]) -> Result<Vec<u8>, Reason> {
    let text = until_zero(text);
    let mut rest = text;
    let mut is_empty = true;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'{' {
            is_empty &= *first == b' ';
        } else if let [b'{', behind @ ..] = rest {
            is_empty = false;
            rest = behind;
        } else {
            let end = rest.iter().position(|&byte| byte == b'}').ok_or(INVALID_TEMPLATE)?;
            let variable = TITLE_VARIABLES.iter().find(|(name, _)| name.as_bytes() == &rest[..end]);
            is_empty &= !variable.ok_or(INVALID_TEMPLATE)?.1;
            rest = &rest[end + 1..];
        }
    }
    if is_empty { Err(INVALID_TEMPLATE.into()) } else { Ok(text.to_vec()) }
}

/// The order of texts: only that of bytes is there.
pub fn collation(text: &[u8]) -> Result<Vec<u8>, Reason> {
    let is_by_bytes = COLLATIONS.iter().any(|name| name.as_bytes() == text);
    if is_by_bytes { Ok(text.to_vec()) } else { Err("Invalid locale name".into()) }
}

/// The name of a host.
pub fn host_name(text: &[u8]) -> Result<Vec<u8>, Reason> {
    let text = until_zero(text);
    if text.len() > HOST_NAME_MAX {
        return Err("Hostnames must be less than 256 characters".into());
    }
    if !text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte)) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into());
    }
    Ok(text.to_vec())
}

/// What people call a node of a cluster.
pub fn node_name(text: &[u8]) -> Result<Vec<u8>, Reason> {
    plain(text, "Announced human node name contained invalid character")
}

/// The address of a node, as Valkey checks it.
pub fn node_address(text: &[u8]) -> Result<Vec<u8>, Reason> {
    if text.len() >= ADDRESS_MAX {
        return Err("cluster-announce-ip is too long".into());
    }
    plain(text, "cluster-announce-ip contains invalid character")
}

fn plain(text: &[u8], reason: &'static str) -> Result<Vec<u8>, Reason> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-./:_`".contains(byte) || !byte.is_ascii();
    if text.iter().all(is_plain) { Ok(text.to_vec()) } else { Err(reason.into()) }
}

/// An IPv4 address or nothing.
pub fn ipv4(text: &[u8]) -> Result<Vec<u8>, Reason> {
    address::<Ipv4Addr>(text, "Invalid IPv4 address")
}

/// An IPv6 address or nothing.
pub fn ipv6(text: &[u8]) -> Result<Vec<u8>, Reason> {
    address::<Ipv6Addr>(text, "Invalid IPv6 address")
}

fn address<T: FromStr>(text: &[u8], reason: &'static str) -> Result<Vec<u8>, Reason> {
    let is_address = str::from_utf8(text).is_ok_and(|text| text.parse::<T>().is_ok());
    if text.is_empty() || is_address { Ok(text.to_vec()) } else { Err(reason.into()) }
}

const INVALID_TEMPLATE: &str = "template format is invalid or contains unknown variables";
/// The variables of a title, and whether they are certainly not empty.
const TITLE_VARIABLES: &[(&str, bool)] = &[
    ("title", false),
    ("listen-addr", true),
    ("server-mode", false),
    ("port", true),
    ("tls-port", true),
    ("unixsocket", false),
    ("config-file", true),
];
const COLLATIONS: &[&str] = &["", "C", "POSIX", "C.UTF-8", "C.utf8"];
const OOM_SCORES: usize = 3;
const OOM_SCORE_MAX: i64 = 2000;
const HOST_NAME_MAX: usize = 255;
const ADDRESS_MAX: usize = 46;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(shape: Shape, text: &str) -> Result<String, String> {
        match shape(text.as_bytes()) {
            Ok(text) => Ok(String::from_utf8(text).expect("letters")),
            Err(reason) => Err(reason.into_owned()),
        }
    }

    /// Answers of redis-server 7.0.15 and valkey-server 9.1.2, which agree on these.
    #[test]
    fn texts_are_shown_in_the_form_of_redis() {
        let table: &[(Shape, &str, &str)] = &[
            (oom_scores, "+1 02 -800", "1 2 -800"),
            (save_points, "+900 01 60 0", "900 1 60 0"),
            (save_points, "", ""),
            (title_template, "}", "}"),
            (title_template, "{{{title}", "{{{title}"),
            (host_name, "a-1.b\0 c", "a-1.b"),
            (node_name, "a:b", "a:b"),
            (ipv6, "::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            (ipv4, "", ""),
            (collation, "C.utf8", "C.utf8"),
            (snapshot, "a.rdb", "a.rdb"),
        ];
        for (shape, text, expected) in table {
            assert_eq!(shown(*shape, text).as_deref(), Ok(*expected), "{text:?}");
        }
    }

    /// Answers of the same servers.
    #[test]
    fn texts_without_the_form_are_refused_in_the_words_of_redis() {
        let long = "a".repeat(256);
        let scores = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
        let table: &[(Shape, &str, &str)] = &[
            (oom_scores, "1 2", "wrong number of arguments"),
            (oom_scores, "", "wrong number of arguments"),
            (oom_scores, "0  200 800", "wrong number of arguments"),
            (oom_scores, "a 2 3", scores),
            (oom_scores, "-2001 1 2", scores),
            (save_points, "900", "Invalid save parameters"),
            (save_points, "0 1", "Invalid save parameters"),
            (save_points, "1 -1", "Invalid save parameters"),
            (save_points, "900  1", "Invalid save parameters"),
            (save_points, " ", "Invalid save parameters"),
            (title_template, "", INVALID_TEMPLATE),
            (title_template, " {title}", INVALID_TEMPLATE),
            (title_template, "a{foo}", INVALID_TEMPLATE),
            (title_template, "a{title", INVALID_TEMPLATE),
            (host_name, &long, "Hostnames must be less than 256 characters"),
            (host_name, "a_b", "Hostnames may only contain alphanumeric characters, hyphens or dots"),
            (node_name, "a b", "Announced human node name contained invalid character"),
            (node_address, &long, "cluster-announce-ip is too long"),
            (node_address, "a\0b", "cluster-announce-ip contains invalid character"),
            (ipv4, "01.2.3.4", "Invalid IPv4 address"),
            (ipv6, "1::2::3", "Invalid IPv6 address"),
            (collation, "en_US", "Invalid locale name"),
            (snapshot, "a/b", "dbfilename can't be a path, just a filename"),
            (journal, "/a", "appendfilename can't be a path, just a filename"),
            (journal_directory, "a/", "appenddirname can't be a path, just a dirname"),
        ];
        for (shape, text, expected) in table {
            assert_eq!(shown(*shape, text), Err((*expected).to_owned()), "{text:?}");
        }
    }
}

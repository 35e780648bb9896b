//! Expressions, as far as they go in this version: one variable of the row, `v`, `h.field`, `h["a-b"]`,
//! `len`, `ttl`, `key` or `type`. Every other expression is refused with the place where it stops being one.
//! Not here: what a variable's text is read as, which depends on who asks (`plan`).

use std::fmt;

use crate::error::{PlanError, repeated};

/// Longest expression text.
pub(crate) const EXPRESSION_BYTES_MAX: usize = 4096;

/// A variable of a keyspace row: what a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `v`: the value of a string key.
    Value,
    /// `h.name`: one field of a hash key.
    Field(Vec<u8>),
    /// `len`: what STRLEN, HLEN, LLEN... would say; an integer.
    Length,
    /// `ttl`: milliseconds left, -1 without expiry; an integer.
    Ttl,
    /// `key`: the key itself.
    Key,
    /// `type`: the name of the key's type.
    Type,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Source::Field(name) = self {
            let text = String::from_utf8_lossy(name);
            return if is_identifier(&text) { write!(f, "h.{text}") } else { write!(f, "h[{text:?}]") };
        }
        f.write_str(VARIABLES.iter().find(|(_, source)| source == self).map_or("", |(name, _)| *name))
    }
}

/// The variables that are a word alone.
const VARIABLES: &[(&str, Source)] = &[
    ("v", Source::Value),
    ("len", Source::Length),
    ("ttl", Source::Ttl),
    ("key", Source::Key),
    ("type", Source::Type),
];

/// Words that will mean something, to be told apart from misspelt ones.
const VARIABLES_LATER: &[&str] = &["bytes", "idle", "now", "p", "has"];

/// Parses an expression, which must be one variable.
pub(crate) fn parse(text: &[u8]) -> Result<Source, PlanError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("expression is longer than {EXPRESSION_BYTES_MAX} bytes");
        return Err(PlanError::expression(EXPRESSION_BYTES_MAX + 1, message));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| PlanError::expression(error.valid_up_to() + 1, "expression is not valid UTF-8"))?;
    let mut scanner = Scanner { text, rest: text };
    let source = scanner.variable()?;
    scanner.skip_spaces();
    if scanner.rest.is_empty() {
        Ok(source)
    } else {
        Err(scanner.error("only a field name (v, h.field) is available yet"))
    }
}

struct Scanner<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn variable(&mut self) -> Result<Source, PlanError> {
        self.skip_spaces();
        let start = self.position();
        let name = self.identifier();
        if name == "h" {
            return self.field();
        }
        if let Some((_, source)) = VARIABLES.iter().find(|(variable, _)| *variable == name) {
            return Ok(source.clone());
        }
        Err(PlanError::expression(
            start,
            match name {
                "" => "expected a field name (v, h.field)".to_owned(),
                _ if VARIABLES_LATER.contains(&name) => format!("{name} is not available yet"),
                _ => format!("unknown variable {} (v, h.field, ...)", repeated(name.as_bytes())),
            },
        ))
    }

    /// What follows `h`: `.name` or `["any text"]`.
    fn field(&mut self) -> Result<Source, PlanError> {
        self.skip_spaces();
        if self.take('.') {
            self.skip_spaces();
            return match self.identifier() {
                "" => Err(self.error("expected the name of a field")),
                name => Ok(Source::Field(name.into())),
            };
        }
        if !self.take('[') {
            return Err(self.error("h is a hash: name a field of it, as in h.field"));
        }
        self.skip_spaces();
        let name = self.quoted()?;
        self.skip_spaces();
        if self.take(']') { Ok(Source::Field(name.into())) } else { Err(self.error("expected ]")) }
    }

    fn quoted(&mut self) -> Result<&'a str, PlanError> {
        let Some(quote) = ['"', '\''].into_iter().find(|quote| self.take(*quote)) else {
            return Err(self.error("expected the name of a field in quotes"));
        };
        let Some(end) = self.rest.find([quote, '\\']) else {
            return Err(self.error("the quotes are not closed"));
        };
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if self.take(quote) { Ok(name) } else { Err(self.error("escapes are not available yet")) }
    }

    fn identifier(&mut self) -> &'a str {
        let tail = self.rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let name = &self.rest[..self.rest.len() - tail.len()];
        if !is_identifier(name) {
            return "";
        }
        self.rest = tail;
        name
    }

    fn take(&mut self, expected: char) -> bool {
        let tail = self.rest.strip_prefix(expected);
        self.rest = tail.unwrap_or(self.rest);
        tail.is_some()
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Where the scanner stands, in characters from 1.
    fn position(&self) -> usize {
        self.text[..self.text.len() - self.rest.len()].chars().count() + 1
    }

    fn error(&self, text: &str) -> PlanError {
        PlanError::expression(self.position(), text)
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_parse() {
        let field = |name: &str| Source::Field(name.into());
        for (text, source) in [
            ("v", Source::Value),
            (" len ", Source::Length),
            ("ttl", Source::Ttl),
            ("key", Source::Key),
            ("type", Source::Type),
            ("h.total", field("total")),
            ("h . _a1", field("_a1")),
            ("h[\"a-b\"]", field("a-b")),
            ("h[ 'größe \"x\"' ]", field("größe \"x\"")),
            ("h[\"\"]", field("")),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(source), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_place() {
        for (text, message) in [
            ("", "1: expected a field name (v, h.field)"),
            ("1 + v", "1: expected a field name (v, h.field)"),
            ("  price", "3: unknown variable price (v, h.field, ...)"),
            ("V", "1: unknown variable V (v, h.field, ...)"),
            ("idle", "1: idle is not available yet"),
            ("v * 2", "3: only a field name (v, h.field) is available yet"),
            ("h.a.b", "4: only a field name (v, h.field) is available yet"),
            ("h", "2: h is a hash: name a field of it, as in h.field"),
            ("h.", "3: expected the name of a field"),
            ("h.1", "3: expected the name of a field"),
            ("h[a]", "3: expected the name of a field in quotes"),
            ("h[\"ä", "4: the quotes are not closed"),
            ("h[\"ä\"", "6: expected ]"),
            ("h[\"a\\n\"]", "5: escapes are not available yet"),
            ("has(h.a)", "1: has is not available yet"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("BADEXPR {message}"), "{text}");
        }
        assert_eq!(parse(b"v\xff").unwrap_err().to_string(), "BADEXPR 2: expression is not valid UTF-8");
        assert!(parse(&[b' '; EXPRESSION_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn a_source_prints_as_it_is_written() {
        for text in ["v", "len", "ttl", "key", "type", "h.total", "h[\"a-b\"]"] {
            assert_eq!(parse(text.as_bytes()).unwrap().to_string(), text);
        }
    }
}

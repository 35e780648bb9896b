//! The shapes of commands, read from `commands.txt`: what to send how often. It knows no command itself.
//!
//! | written | means |
//! | --- | --- |
//! | `8 GET key` | weight 8; `GET` is sent as it is, `key` is a kind of word |
//! | `[ EX seconds \| KEEPTTL ]` | one of these, or nothing |
//! | `( field value )+4` | one to four times |
//! | `( NX \| XX )` | one of these |
//! | `valkey 8 DELIFEQ …` | only where the reference is Valkey |
//!
//! Kinds begin with a lower-case letter, everything else is literal; where both could be meant, `words`
//! decides: a word that it does not know is literal.

use crate::reference::Reference;

use super::words::Kind;

/// One line of the file.
#[derive(Debug)]
pub struct Shape {
    /// How often, compared with the others.
    pub weight: u32,
    /// What follows the weight.
    pub parts: Vec<Part>,
}

/// A part of a shape.
#[derive(Debug)]
pub enum Part {
    /// Sent as written.
    Literal(String),
    /// A random word.
    Word(Kind),
    /// One of several sequences, at least and at most so many times.
    Choice { of: Vec<Vec<Part>>, least: usize, most: usize },
}

/// The shapes for one reference.
pub fn shapes(reference: Reference) -> Vec<Shape> {
    let lines = include_str!("commands.txt").lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| match (line.strip_prefix("valkey "), reference) {
            (Some(rest), Reference::Valkey) => Some(shape(rest)),
            (Some(_), Reference::Redis) => None,
            (None, _) => Some(shape(line)),
        })
        .collect()
}

fn shape(line: &str) -> Shape {
    let (weight, rest) = line.split_once(' ').unwrap_or_else(|| panic!("a weight and a command: {line}"));
    let mut tokens = rest.split_whitespace();
    let (parts, end) = sequence(&mut tokens);
    assert!(end.is_none() && !parts.is_empty(), "unbalanced brackets: {line}");
    Shape { weight: weight.parse().unwrap_or_else(|_| panic!("no weight: {line}")), parts }
}

/// Parts up to a bar, a closing bracket or the end; that token is returned too.
fn sequence<'a>(tokens: &mut impl Iterator<Item = &'a str>) -> (Vec<Part>, Option<&'a str>) {
    let mut parts = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            "[" | "(" => parts.push(choice(tokens)),
            "|" => return (parts, Some(token)),
            _ if token.starts_with(['[', ']', ')']) => return (parts, Some(token)),
            _ => parts.push(Kind::named(token).map_or_else(|| Part::Literal(token.into()), Part::Word)),
        }
    }
    (parts, None)
}

fn choice<'a>(tokens: &mut impl Iterator<Item = &'a str>) -> Part {
    let mut of = Vec::new();
    loop {
        let (parts, end) = sequence(tokens);
        of.push(parts);
        match end.expect("a bracket is closed") {
            "|" => {}
            "]" => return Part::Choice { of, least: 0, most: 1 },
            close => {
                let most =
                    close.strip_prefix(")+").map_or(1, |count| count.parse().expect("a count after +"));
                return Part::Choice { of, least: 1, most };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_described() {
        let shape = shape("3 SET string-key [ EX seconds | NX ] ( GET )+2");
        assert_eq!(shape.weight, 3);
        assert!(matches!(&shape.parts[..2], [Part::Literal(name), Part::Word(_)] if name == "SET"));
        assert!(matches!(&shape.parts[2], Part::Choice { of, least: 0, most: 1 } if of.len() == 2));
        assert!(matches!(&shape.parts[3], Part::Choice { of, least: 1, most: 2 } if of.len() == 1));
    }

    #[test]
    fn lines_for_valkey_are_left_out_for_redis() {
        let commands = |reference| shapes(reference).len();
        assert!(commands(Reference::Redis) > 90 && commands(Reference::Valkey) > commands(Reference::Redis));
    }
}

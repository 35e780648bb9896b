//! The syntax line of a command, read into the argument tree that `COMMAND DOCS` reports and that hints are made from.
//!
//! The notation is that of the documentation, so that a line can be pasted from there:
//!
//! ```text
//! key value [NX | XX] [GET] [EX seconds | PX milliseconds]      words in upper case are tokens
//! key <BEFORE | AFTER> pivot element                            <..> one of these is needed
//! key field value [field value ...]                             what stands before, any number of times
//! [LIMIT offset count]   [AGGREGATE <SUM | MIN | MAX>]          a token leads what follows it
//! key increment:double   where=<LEFT | RIGHT>                   a type, a name, where the usual one is wrong
//! [count]@6.2.0          [ASYNC@4.0.0 | SYNC@6.2.0]             the version since which there is what stands before
//! ```
//!
//! A syntax line is part of a declaration and never input of a client; nothing is checked against it when a command is
//! called. That it agrees with the arity and the keys of its command is checked by the table's tests.

use super::Command;

/// An argument, or a group of arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How hints show it; empty for a group.
    pub display_text: String,
    /// The word that leads it, or that it is.
    pub token: Option<&'static str>,
    /// The version that introduced it, where that is later than the command.
    pub since: Option<&'static str>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub multiple: bool,
    /// Whether its token is repeated with it.
    pub multiple_token: bool,
    /// Of a key: the index of its key specification.
    pub key_spec_index: Option<usize>,
    /// The members of a group.
    pub arguments: Vec<Argument>,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any bytes.
    String,
    /// An integer.
    Integer,
    /// A floating point number.
    Double,
    /// The name of a key.
    Key,
    /// A glob pattern.
    Pattern,
    /// A time since 1970.
    UnixTime,
    /// A token alone.
    PureToken,
    /// One of its members.
    OneOf,
    /// All its members in order.
    Block,
}

impl Kind {
    /// As `COMMAND DOCS` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Key => "key",
            Kind::Pattern => "pattern",
            Kind::UnixTime => "unix-time",
            Kind::PureToken => "pure-token",
            Kind::OneOf => "oneof",
            Kind::Block => "block",
        }
    }

    /// Whether it consists of other arguments.
    pub const fn is_group(self) -> bool {
        matches!(self, Kind::OneOf | Kind::Block)
    }
}

/// The arguments of a command, from its syntax line and its key specifications.
pub fn arguments(command: &Command) -> Vec<Argument> {
    let mut arguments = parse(command.syntax);
    if let Some(last) = command.keys.len().checked_sub(1) {
        number_keys(&mut arguments, &mut (0..=last).chain(std::iter::repeat(last)));
    }
    arguments
}

/// The arguments of a syntax line.
pub fn parse(syntax: &'static str) -> Vec<Argument> {
    Parser { lexemes: lexemes(syntax), at: 0 }.sequence()
}

/// Gives each key the next specification; the last one serves all keys that are left.
fn number_keys(arguments: &mut [Argument], specs: &mut impl Iterator<Item = usize>) {
    for argument in arguments {
        if argument.kind == Kind::Key {
            argument.key_spec_index = specs.next();
        }
        number_keys(&mut argument.arguments, specs);
    }
}

/// Brackets, bars and words.
fn lexemes(syntax: &'static str) -> Vec<&'static str> {
    let is_mark = |c: char| "[]<>|".contains(c);
    let parts = syntax.split_whitespace().flat_map(|part| part.split_inclusive(is_mark));
    let split = parts.flat_map(|part| {
        let word = part.strip_suffix(is_mark).unwrap_or(part);
        let (name, version) = word.split_at(word.find('@').unwrap_or(word.len()));
        [name, version, &part[word.len()..]]
    });
    split.filter(|lexeme| !lexeme.is_empty()).collect()
}

/// Reads lexemes from left to right. A bracket that is never closed ends with the line.
struct Parser {
    lexemes: Vec<&'static str>,
    at: usize,
}

impl Parser {
    /// Arguments up to a bar, a closing bracket, an ellipsis or the end.
    fn sequence(&mut self) -> Vec<Argument> {
        let mut arguments = Vec::new();
        while let Some(lexeme) = self.peek() {
            match lexeme {
                "|" | "]" | ">" | ELLIPSIS => break,
                "[" if self.is_repetition() => {
                    let repeated = self.group().arguments_or_self();
                    repeat(&mut arguments, &repeated);
                }
                _ => {
                    let name = self.given_name();
                    let mut argument = match self.peek() {
                        Some("[" | "<") => self.group(),
                        _ => self.word(),
                    };
                    if let Some(name) = name.filter(|_| argument.kind == Kind::PureToken) {
                        argument.display_text = name.to_owned();
                    }
                    let name = name.map_or(argument.name, str::to_owned);
                    arguments.push(Argument { name, since: self.since(), ..argument });
                }
            }
        }
        arguments
    }

    /// The name that is given to what follows.
    fn given_name(&mut self) -> Option<&'static str> {
        let word = self.peek().filter(|word| word.len() > 1 && !is_mark(word));
        let name = word.and_then(split_name)?;
        let rest = &self.lexemes[self.at][name.len() + 1..];
        if rest.is_empty() {
            self.at += 1;
        } else {
            self.lexemes[self.at] = rest;
        }
        Some(name)
    }

    /// The version that stands behind an argument.
    fn since(&mut self) -> Option<&'static str> {
        let version = self.peek()?.strip_prefix('@')?;
        self.at += 1;
        Some(version)
    }

    /// A word; a token together with what it leads.
    fn word(&mut self) -> Argument {
        let word = self.next();
        if !is_token(word) {
            return Argument::plain(word);
        }
        if self.peek() == Some("<") {
            return Argument { token: Some(word), name: word.to_ascii_lowercase(), ..self.group() };
        }
        let mut led = Vec::new();
        while let Some(lexeme) = self.peek() {
            if lexeme == "["
                && self.is_repetition()
                && !self.lexemes.get(self.at + 1).is_some_and(|next| is_token(next))
            {
                let repeated = self.group().arguments_or_self();
                repeat(&mut led, &repeated);
            } else if is_mark_or_token(lexeme) {
                break;
            } else {
                led.push(Argument::plain(self.next()));
            }
        }
        match led.len() {
            0 => Argument {
                token: Some(word),
                display_text: word.to_ascii_lowercase(),
                ..Argument::new(word.to_ascii_lowercase(), Kind::PureToken, "")
            },
            1 => Argument { token: Some(word), ..led.remove(0) },
            _ => Argument { token: Some(word), name: word.to_ascii_lowercase(), ..Argument::block(led) },
        }
    }

    /// What stands between two brackets: one argument.
    fn group(&mut self) -> Argument {
        let optional = self.next() == "[";
        let mut alternatives = vec![one(self.sequence())];
        while let Some(lexeme) = self.peek() {
            self.at += 1;
            match lexeme {
                "|" => alternatives.push(one(self.sequence())),
                ELLIPSIS => {}
                _ => break,
            }
        }
        let mut group =
            if alternatives.len() == 1 { alternatives.remove(0) } else { Argument::one_of(alternatives) };
        group.optional |= optional;
        group
    }

    /// Whether the bracket here ends with an ellipsis: its content repeats what stands before it.
    fn is_repetition(&self) -> bool {
        let mut depth = 0;
        let mut previous = "";
        for &lexeme in &self.lexemes[self.at..] {
            match lexeme {
                "[" | "<" => depth += 1,
                "]" | ">" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            previous = lexeme;
        }
        previous == ELLIPSIS
    }

    fn peek(&self) -> Option<&'static str> {
        self.lexemes.get(self.at).copied()
    }

    fn next(&mut self) -> &'static str {
        let lexeme = self.peek().unwrap_or_default();
        self.at += 1;
        lexeme
    }
}

/// Marks the arguments before a repetition as what is repeated; several become a block.
fn repeat(arguments: &mut Vec<Argument>, repeated: &[Argument]) {
    let multiple_token = repeated.first().is_some_and(|first| first.token.is_some());
    let tail = arguments.split_off(arguments.len().saturating_sub(repeated.len()));
    let whole = one(tail);
    let name = if repeated.len() > 1 { "data".to_owned() } else { whole.name.clone() };
    arguments.push(Argument { name, multiple: true, multiple_token, ..whole });
}

/// One argument as it is, several as a block.
fn one(mut arguments: Vec<Argument>) -> Argument {
    if arguments.len() == 1 { arguments.remove(0) } else { Argument::block(arguments) }
}

impl Argument {
    fn new(name: String, kind: Kind, display_text: &str) -> Argument {
        Argument {
            name,
            kind,
            display_text: display_text.to_owned(),
            token: None,
            since: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            key_spec_index: None,
            arguments: Vec::new(),
        }
    }

    fn plain(word: &'static str) -> Argument {
        let annotated = word.rsplit_once(':').and_then(|(name, kind)| Some((name, kind_by_name(kind)?)));
        let (name, kind) = annotated.unwrap_or_else(|| (word, usual_kind(word)));
        Argument::new(name.to_owned(), kind, name)
    }

    fn block(arguments: Vec<Argument>) -> Argument {
        let name = arguments.first().map_or(String::new(), |first| format!("{}-block", first.name));
        Argument { arguments, ..Argument::new(name, Kind::Block, "") }
    }

    fn one_of(arguments: Vec<Argument>) -> Argument {
        let first = arguments.first().map_or("", |first| &first.name);
        let usual = CHOICE_NAMES.iter().find(|(known, _)| *known == first);
        let name = usual.map_or("option", |(_, name)| name).to_owned();
        Argument { arguments, ..Argument::new(name, Kind::OneOf, "") }
    }

    /// The members of a repeated block, or the one repeated argument.
    fn arguments_or_self(self) -> Vec<Argument> {
        if self.kind == Kind::Block && self.token.is_none() { self.arguments } else { vec![self] }
    }
}

const ELLIPSIS: &str = "...";

/// What a choice is called, by its first member.
const CHOICE_NAMES: [(&str, &str); 12] = [
    ("nx", "condition"),
    ("seconds", "expiration"),
    ("async", "flush-type"),
    ("before", "where"),
    ("nosave", "save-selector"),
    ("timeout", "unblock-type"),
    ("gt", "comparison"),
    ("byte", "unit"),
    ("yes", "mode"),
    ("write", "mode"),
    ("on", "enabled"),
    ("asc", "order"),
];

/// The kinds that a word can have, and the words that usually have them; all others are strings.
const USUAL_KINDS: [(Kind, &str); 6] = [
    (
        Kind::Integer,
        "bit bits client-id count cursor db decrement destination-db entries-added entries-read frequency increment \
         index index1 index2 len limit min-match-len milliseconds ms num-matches numfields numkeys numlocal \
         numreplicas offset port protover rank seconds slot start stop end ttl version weight",
    ),
    (Kind::Double, "height latitude longitude max min radius score timeout width"),
    (Kind::Key, "key key1 key2 newkey source destination destkey sourcekey src dst"),
    (Kind::Pattern, "pattern"),
    (Kind::UnixTime, "unix-time-seconds unix-time-milliseconds"),
    (Kind::String, ""),
];

fn usual_kind(word: &str) -> Kind {
    let usual = USUAL_KINDS.iter().find(|(_, words)| words.split(' ').any(|known| known == word));
    usual.map_or(Kind::String, |&(kind, _)| kind)
}

fn kind_by_name(name: &str) -> Option<Kind> {
    USUAL_KINDS.iter().map(|&(kind, _)| kind).find(|kind| kind.name() == name)
}

/// A token has no lower-case letter: `NX`, `LIB-NAME`, `~`.
fn is_token(word: &str) -> bool {
    !is_mark(word) && word != ELLIPSIS && !word.contains(|c: char| c.is_ascii_lowercase())
}

fn is_mark(lexeme: &str) -> bool {
    matches!(lexeme, "[" | "]" | "<" | ">" | "|")
}

/// Where the words that a token leads come to their end.
fn is_mark_or_token(lexeme: &'static str) -> bool {
    is_mark(lexeme) || lexeme == ELLIPSIS || is_token(lexeme) || split_name(lexeme).is_some()
}

/// The name in `name=`, if there is one.
fn split_name(word: &'static str) -> Option<&'static str> {
    word.split_once('=').map(|(name, _)| name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, key};

    /// The tree on one line: `name:kind`, a token before, marks for optional, multiple and multiple token behind.
    fn tree(arguments: &[Argument]) -> String {
        let one = |argument: &Argument| {
            let token = argument.token.map(|token| format!("{token} ")).unwrap_or_default();
            let members = if argument.kind.is_group() {
                format!("({})", tree(&argument.arguments))
            } else {
                String::new()
            };
            let marks = [(argument.optional, "?"), (argument.multiple, "*"), (argument.multiple_token, "+")];
            let marks: String = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| *mark).collect();
            let since = argument.since.map(|version| format!("@{version}")).unwrap_or_default();
            format!("{token}{}:{}{members}{marks}{since}", argument.name, argument.kind.name())
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_form_of_the_notation_has_its_tree() {
        let forms = [
            ("", ""),
            ("key value", "key:key value:string"),
            ("[REPLACE]", "REPLACE replace:pure-token?"),
            ("[DB destination-db]", "DB destination-db:integer?"),
            ("[NX | XX]", "condition:oneof(NX nx:pure-token XX xx:pure-token)?"),
            (
                "<BEFORE | AFTER> pivot",
                "where:oneof(BEFORE before:pure-token AFTER after:pure-token) pivot:string",
            ),
            ("[EX seconds | PERSIST]", "expiration:oneof(EX seconds:integer PERSIST persist:pure-token)?"),
            ("key [key ...]", "key:key*"),
            ("[section [section ...]]", "section:string?*"),
            ("key field value [field value ...]", "key:key data:block(field:string value:string)*"),
            ("[LIMIT offset count]", "LIMIT limit:block(offset:integer count:integer)?"),
            ("[COUNT count [ANY]]", "count-block:block(COUNT count:integer ANY any:pure-token?)?"),
            ("[AGGREGATE <SUM | MIN>]", "AGGREGATE aggregate:oneof(SUM sum:pure-token MIN min:pure-token)?"),
            ("[GET pattern [GET pattern ...]]", "GET pattern:pattern?*+"),
            ("[ID client-id [client-id ...]]", "ID client-id:integer?*"),
            ("STREAMS key [key ...] id [id ...]", "STREAMS streams:block(key:key* id:string*)"),
            ("FIELDS numfields field [field ...]", "FIELDS fields:block(numfields:integer field:string*)"),
            (
                "[CONFIG name value [CONFIG name value ...]]",
                "CONFIG config:block(name:string value:string)?*+",
            ),
            ("increment:double timeout:integer", "increment:double timeout:integer"),
            ("ip:port", "ip:port:string"),
            ("where=<LEFT | RIGHT>", "where:oneof(LEFT left:pure-token RIGHT right:pure-token)"),
            ("[addr=ADDR ip:port] change=CH", "ADDR addr:string? CH change:pure-token"),
            (
                "[a | b c]@1.2.3 D@4.5.6 E f@7.8.9",
                "option:oneof(a:string b-block:block(b:string c:string))?@1.2.3 D d:pure-token@4.5.6 E f:string@7.8.9",
            ),
            ("[= | ~]", "option:oneof(= =:pure-token ~ ~:pure-token)?"),
        ];
        for (syntax, expected) in forms {
            assert_eq!(tree(&parse(syntax)), expected, "{syntax}");
        }
    }

    #[test]
    fn unbalanced_lines_end_somewhere() {
        for syntax in
            ["[a", "a]", "<a | b", "[a [a ...", "...", "| a", "[]", "a=", "[[a] ...]", "TOKEN [x ...]"]
        {
            parse(syntax);
        }
    }

    #[test]
    fn keys_are_numbered_like_their_specifications() {
        let numbers = |command: &Command| -> Vec<_> {
            arguments(command).iter().filter_map(|argument| argument.key_spec_index).collect()
        };
        let container = Command::container("X", &[]);
        assert_eq!(
            numbers(&container.syntax("source destination").keys(const { &[key(1), key(2)] })),
            [0, 1]
        );
        let container = Command::container("X", &[]);
        assert_eq!(numbers(&container.syntax("key1 key2").keys(const { &[key(1)] })), [0, 0]);
        assert_eq!(numbers(&Command::container("X", &[]).syntax("key")), []);
    }
}

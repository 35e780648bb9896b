//! Which commands a selector allows: a bit for each, the first words by which it allows some calls of a command, and
//! the rules that it was made by, in the short form in which they are shown.
//!
//! Servers before 7.2 did not keep the rules: what they show is made from the bits, in `summary`.

use std::collections::BTreeMap;

use shardis_protocol::Request;

use crate::command::args::until_zero;
use crate::command::error::RuleFault;
use crate::command::table::{CommandId, Entry, Table};
use crate::command::{Category, Flags};

/// The commands that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRules {
    /// A bit for each command of the table.
    bits: Box<[u64]>,
    /// The first words with which a command is allowed that is not allowed as such.
    first_words: BTreeMap<CommandId, Vec<Box<[u8]>>>,
    /// Whether the rules began with everything or with nothing.
    pub(super) began_with_all: bool,
    /// The rules since then, those that no later one has made idle.
    rules: Vec<Vec<u8>>,
}

impl CommandRules {
    /// All commands or none.
    pub fn new(table: &Table, is_all: bool) -> CommandRules {
        let words = table.entries().len().div_ceil(WORD_BITS);
        let bits = vec![if is_all { u64::MAX } else { 0 }; words].into_boxed_slice();
        CommandRules { bits, first_words: BTreeMap::new(), began_with_all: is_all, rules: Vec::new() }
    }

    /// Whether every command is allowed.
    pub fn is_all(&self, table: &Table) -> bool {
        table.entries().iter().all(|entry| self.has(entry.id))
    }

    /// Whether a call is allowed.
    pub fn allow(&self, entry: &Entry, request: Request<'_>) -> bool {
        self.has(entry.id)
            || entry.flags.contains(Flags::NO_AUTH)
            || self.first_words(entry.id).any(|word| request.arg(1).is_some_and(|arg| is_same(word, arg)))
    }

    /// Follows a rule: `+` or `-` and what it is about.
    pub fn apply(&mut self, rule: &[u8], table: &Table) -> Result<(), RuleFault> {
        let rule = until_zero(rule);
        let (is_allowed, name) = match rule {
            [b'+', name @ ..] => (true, name),
            [b'-', name @ ..] => (false, name),
            _ => return Err(RuleFault::Syntax),
        };
        match name {
            [b'@', category @ ..] if category.eq_ignore_ascii_case(b"all") => {
                *self = CommandRules::new(table, is_allowed);
                return Ok(());
            }
            [b'@', category @ ..] => {
                let category = Category::from_name(category).ok_or(RuleFault::UnknownCommand)?;
                self.change_category(category, is_allowed, table);
            }
            _ => match table.lookup_full_name(name) {
                Some(entry) => self.change(entry, is_allowed, table),
                None if is_allowed => self.add_first_word(name, table)?,
                None => return Err(RuleFault::UnknownCommand),
            },
        }
        self.note(rule.to_ascii_lowercase());
        Ok(())
    }

    /// Allows or forbids the commands of a category.
    pub(super) fn change_category(&mut self, category: Category, is_allowed: bool, table: &Table) {
        for entry in table.entries().iter().filter(|entry| entry.categories.contains(category)) {
            self.change(entry, is_allowed, table);
        }
    }

    /// Allows or forbids a command with its subcommands, with whatever words.
    pub(super) fn change(&mut self, entry: &Entry, is_allowed: bool, table: &Table) {
        for entry in std::iter::once(entry).chain(table.subcommands(entry)) {
            let (word, bit) = place(entry.id);
            self.bits[word] = self.bits[word] & !bit | if is_allowed { bit } else { 0 };
            self.first_words.remove(&entry.id);
        }
    }

    /// Whether a command is allowed with whatever words.
    pub(super) fn has(&self, id: CommandId) -> bool {
        let (word, bit) = place(id);
        self.bits[word] & bit != 0
    }

    /// The first words with which a command is allowed besides.
    pub(super) fn first_words(&self, id: CommandId) -> impl Iterator<Item = &[u8]> {
        self.first_words.get(&id).into_iter().flatten().map(|word| &**word)
    }

    fn add_first_word(&mut self, name: &[u8], table: &Table) -> Result<(), RuleFault> {
        let bar = name.iter().rposition(|&byte| byte == b'|').ok_or(RuleFault::UnknownCommand)?;
        let (command, word) = (&name[..bar], &name[bar + 1..]);
        let entry = table.lookup_full_name(command).ok_or(RuleFault::UnknownCommand)?;
        if entry.container.is_some() {
            return Err(RuleFault::WordOfSubcommand);
        }
        if word.is_empty() {
            return Err(RuleFault::Syntax);
        }
        if entry.has_subcommands() {
            return Err(RuleFault::UnknownCommand);
        }
        let words = self.first_words.entry(entry.id).or_default();
        if !words.iter().any(|known| is_same(known, word)) {
            words.push(word.into());
        }
        Ok(())
    }

    /// Appends a rule. Earlier ones about the same, or about a part of it, are idle from now on.
    fn note(&mut self, rule: Vec<u8>) {
        let subject = &rule[1..];
        self.rules.retain(|earlier| {
            let rest = earlier[1..].strip_prefix(subject);
            rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(b"|"))
        });
        self.rules.push(rule);
    }

    /// The rules, shortened.
    pub fn text(&self) -> Vec<u8> {
        let mut text = self.beginning().to_vec();
        for rule in &self.rules {
            text.push(b' ');
            text.extend(rule);
        }
        text
    }

    /// The rule that all begins with.
    pub(super) fn beginning(&self) -> &'static [u8] {
        if self.began_with_all { b"+@all" } else { b"-@all" }
    }
}

const WORD_BITS: usize = u64::BITS as usize;

fn place(id: CommandId) -> (usize, u64) {
    (id.index() / WORD_BITS, 1 << (id.index() % WORD_BITS))
}

/// Whether two words are the same for C, in any case.
fn is_same(word: &[u8], other: &[u8]) -> bool {
    word.eq_ignore_ascii_case(until_zero(other))
}

#[cfg(test)]
mod tests {
    use shardis_protocol::OwnedRequest;

    use super::*;
    use crate::acl::summary;

    fn rules(words: &str) -> CommandRules {
        let table = crate::command_table();
        let mut rules = CommandRules::new(&table, false);
        for word in words.split(' ') {
            rules.apply(word.as_bytes(), &table).expect(word);
        }
        rules
    }

    fn allows(rules: &CommandRules, words: &[&str]) -> bool {
        let table = crate::command_table();
        let request = OwnedRequest::from_args(words);
        rules.allow(table.invoked(request.as_request()).expect("a command"), request.as_request())
    }

    /// As valkey-server 9.1.2 shows them.
    #[test]
    fn idle_rules_are_left_out() {
        for (words, shown) in [
            ("+@all -@hash -@slow +hget", "+@all -@hash -@slow +hget"),
            ("+@all -@hash -@slow +hget -@hash", "+@all -@slow +hget -@hash"),
            ("-@string -@slow +@all", "+@all"),
            ("-@all +@HASH +@hash +@HaSh", "-@all +@hash"),
            ("-@all +hget -hset +hset -hget", "-@all +hset -hget"),
            (
                "+client|list +client|list +config|get +config +acl|list -acl",
                "-@all +client|list +config -acl",
            ),
            ("+select|0 +select|0 +debug|segfault +debug", "-@all +select|0 +debug"),
            ("+config +config|get -config|set +config", "-@all +config"),
            ("+get +GET|X", "-@all +get +get|x"),
            ("+@all +client|id", "+@all +client|id"),
        ] {
            assert_eq!(String::from_utf8(rules(words).text()).as_deref(), Ok(shown), "{words}");
        }
    }

    /// As redis-server 7.0.15 shows them.
    #[test]
    fn the_bits_alone_are_told_by_the_categories_that_fit_best() {
        let table = crate::command_table();
        for (words, shown) in [
            ("-@all", "-@all"),
            ("+@all", "+@all"),
            ("+get +GET|X +select|0", "-@all +get +select|0"),
            ("+@string -set", "-@all +@string -set"),
            ("+@all -config +config|get -@dangerous", "+@all -@dangerous -config"),
            ("+select|0 +@connection -@connection", "-@all"),
        ] {
            let text = summary::text(&rules(words), &table);
            assert_eq!(String::from_utf8(text).as_deref(), Ok(shown), "{words}");
        }
        for category in Category::NAMES {
            for (words, shown) in [
                (format!("+@{category}"), format!("-@all +@{category}")),
                (format!("+@all -@{category}"), format!("+@all -@{category}")),
            ] {
                let text = String::from_utf8(summary::text(&rules(&words), &table));
                let is_empty =
                    !table.entries().iter().any(|entry| entry.categories.names().any(|n| n == category));
                assert!(is_empty || text.as_deref() == Ok(&shown), "{words}: {text:?}");
            }
        }
    }

    #[test]
    fn calls_are_allowed_by_command_subcommand_or_first_word() {
        let some = rules("+config|get +select|0 +@hash -hget +acl -acl|list");
        for words in
            [&["config", "get", "x"][..], &["SELECT", "0"], &["hset", "k", "f", "v"], &["acl", "cat"]]
        {
            assert!(allows(&some, words), "{words:?}");
        }
        for words in
            [&["config", "set", "x", "y"][..], &["select", "1"], &["hget", "k", "f"], &["acl", "list"]]
        {
            assert!(!allows(&some, words), "{words:?}");
        }
        assert!(allows(&some, &["auth", "x"]), "whoever may log in before it may anything may do so later");
        assert!(!some.is_all(&crate::command_table()));
        assert!(rules("+@all").is_all(&crate::command_table()));
    }

    #[test]
    fn what_does_not_exist_cannot_be_allowed() {
        let table = crate::command_table();
        for (rule, fault) in [
            ("+nosuch", RuleFault::UnknownCommand),
            ("-get|x", RuleFault::UnknownCommand),
            ("+@", RuleFault::UnknownCommand),
            ("+", RuleFault::UnknownCommand),
            ("+config|nosuch", RuleFault::UnknownCommand),
            ("+get|x|y", RuleFault::UnknownCommand),
            ("+nosuch|", RuleFault::UnknownCommand),
            ("+get|", RuleFault::Syntax),
            ("+config|", RuleFault::Syntax),
            ("+config|get|x", RuleFault::WordOfSubcommand),
        ] {
            assert_eq!(CommandRules::new(&table, false).apply(rule.as_bytes(), &table), Err(fault), "{rule}");
        }
    }
}

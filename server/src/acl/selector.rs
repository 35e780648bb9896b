//! A selector: commands with the keys, channels and databases that they may be used on. A user has one of its own, and
//! further ones in parentheses; a call has to be allowed by one of them as a whole.

use shardis_storage::glob;

use super::rules::CommandRules;
use super::{Attempt, Denied, What, summary};
use crate::command::args::until_zero;
use crate::command::error::RuleFault;
use crate::command::keys::{Access, KeySpec};
use crate::command::table::{Entry, Table};
use crate::command::{Category, Databases, Flags};
use crate::config::Dialect;

/// What may be used on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    pub(super) commands: CommandRules,
    keys: Reach<KeyPattern>,
    channels: Reach<Box<[u8]>>,
    databases: Reach<i32>,
}

/// All of a kind, or those that are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reach<T> {
    All,
    Only(Vec<T>),
}

/// Keys, and what may be done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    pattern: Box<[u8]>,
    reads: bool,
    writes: bool,
}

impl<T: PartialEq> Reach<T> {
    const NONE: Reach<T> = Reach::Only(Vec::new());

    fn is_all(&self) -> bool {
        matches!(self, Reach::All)
    }

    /// Whether something is listed that `fits`, or everything is.
    fn any(&self, fits: impl FnMut(&T) -> bool) -> bool {
        match self {
            Reach::All => true,
            Reach::Only(listed) => listed.iter().any(fits),
        }
    }
}

impl Selector {
    /// A selector that allows nothing, or at most to hear all channels.
    pub fn new(table: &Table, has_channels: bool) -> Selector {
        Selector {
            commands: CommandRules::new(table, false),
            keys: Reach::NONE,
            channels: if has_channels { Reach::All } else { Reach::NONE },
            databases: Reach::All,
        }
    }

    /// A selector that allows everything.
    pub fn all(table: &Table) -> Selector {
        let commands = CommandRules::new(table, true);
        Selector { commands, keys: Reach::All, channels: Reach::All, databases: Reach::All }
    }

    /// A selector made of the words between its parentheses.
    pub fn parse(
        words: &[u8],
        table: &Table,
        has_channels: bool,
        dialect: &Dialect,
    ) -> Result<Selector, RuleFault> {
        let mut selector = Selector::new(table, has_channels);
        // What cannot be split is empty, as in the real servers.
        let split = shardis_protocol::split_words(words).unwrap_or_default();
        for rule in split.as_request().iter() {
            selector.apply(rule, table, dialect)?;
        }
        Ok(selector)
    }

    /// Whether it allows everything.
    pub fn is_all(&self, table: &Table) -> bool {
        self.keys.is_all() && self.channels.is_all() && self.databases.is_all() && self.commands.is_all(table)
    }

    /// Follows a rule.
    pub fn apply(&mut self, rule: &[u8], table: &Table, dialect: &Dialect) -> Result<(), RuleFault> {
        let word = until_zero(rule).to_ascii_lowercase();
        match (word.as_slice(), rule) {
            (b"allkeys" | b"~*", _) => self.keys = Reach::All,
            (b"resetkeys", _) => self.keys = Reach::NONE,
            (b"allchannels" | b"&*", _) => self.channels = Reach::All,
            (b"resetchannels", _) => self.channels = Reach::NONE,
            (b"allcommands", _) => return self.commands.apply(b"+@all", table),
            (b"nocommands", _) => return self.commands.apply(b"-@all", table),
            (b"alldbs", _) if dialect.users_have_databases => self.databases = Reach::All,
            (b"resetdbs", _) if dialect.users_have_databases => self.databases = Reach::NONE,
            ([b'd', b'b', b'=', numbers @ ..], _) if dialect.users_have_databases => {
                self.databases = Reach::Only(databases(numbers)?);
            }
            (_, [b'~' | b'%', ..]) => return self.add_keys(rule),
            (_, [b'&', pattern @ ..]) => return self.add_channels(pattern),
            (_, [b'+' | b'-', ..]) => return self.commands.apply(rule, table),
            _ => return Err(RuleFault::Syntax),
        }
        Ok(())
    }

    fn add_keys(&mut self, rule: &[u8]) -> Result<(), RuleFault> {
        let Reach::Only(patterns) = &mut self.keys else { return Err(RuleFault::KeysAfterAll) };
        let added = KeyPattern::parse(rule).ok_or(RuleFault::Syntax)?;
        match patterns.iter_mut().find(|known| known.pattern == added.pattern) {
            Some(known) => {
                known.reads |= added.reads;
                known.writes |= added.writes;
            }
            None => patterns.push(added),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleFault> {
        let Reach::Only(patterns) = &mut self.channels else { return Err(RuleFault::ChannelsAfterAll) };
        if !is_plain(pattern) {
            return Err(RuleFault::Syntax);
        }
        if !patterns.iter().any(|known| **known == *pattern) {
            patterns.push(pattern.into());
        }
        Ok(())
    }

    /// Whether a call is allowed, or what is the first that is not.
    pub fn check(&self, attempt: &Attempt<'_>) -> Result<(), Denied> {
        self.check_databases(attempt)?;
        let is_allowed = |entry: &Entry| self.commands.allow(entry, attempt.request);
        if !is_allowed(attempt.entry) || !attempt.also.is_none_or(is_allowed) {
            return Err(Denied { what: What::Command, word: 0 });
        }
        self.check_keys(attempt)?;
        let channels = attempt.entry.command.channels;
        for word in channels.positions(attempt.request) {
            let channel = attempt.request.arg(word).unwrap_or_default();
            if !self.may_hear(channel, channels.are_patterns()) {
                return Err(Denied { what: What::Channel, word });
            }
        }
        Ok(())
    }

    fn check_databases(&self, attempt: &Attempt<'_>) -> Result<(), Denied> {
        let Reach::Only(allowed) = &self.databases else { return Ok(()) };
        let is_allowed = |db: u16| allowed.contains(&i32::from(db));
        let declared = attempt.entry.command.databases;
        if matches!(declared, Databases::Every) && !(0..attempt.databases).all(is_allowed)
            || uses_database(attempt) && !is_allowed(attempt.db.0)
        {
            return Err(Denied { what: What::Database, word: 0 });
        }
        let mut named = declared.named(attempt.request, attempt.databases).into_iter();
        match named.find(|(_, db)| !is_allowed(*db)) {
            Some((word, _)) => Err(Denied { what: What::Database, word }),
            None => Ok(()),
        }
    }

    fn check_keys(&self, attempt: &Attempt<'_>) -> Result<(), Denied> {
        if self.keys.is_all() {
            return Ok(());
        }
        let (specs, request) = (attempt.entry.command.keys, attempt.request);
        // If some cannot be found the call is refused for that, and none are looked at.
        if specs.iter().any(|spec| spec.positions(request).is_none()) {
            return Ok(());
        }
        for spec in specs.iter().filter(|spec| is_of_keys(spec)) {
            let access = spec.access_in(request, attempt.dialect);
            for word in spec.positions(request).into_iter().flatten() {
                if !self.may_touch(request.arg(word).unwrap_or_default(), access) {
                    return Err(Denied { what: What::Key, word });
                }
            }
        }
        Ok(())
    }

    /// Whether a key may be touched so.
    pub fn may_touch(&self, key: &[u8], access: Access) -> bool {
        self.keys.any(|allowed| allowed.lets(access) && glob::matches(&allowed.pattern, key))
    }

    /// Whether every key may be touched so.
    pub fn may_touch_all_keys(&self, access: Access) -> bool {
        self.keys.any(|allowed| allowed.lets(access) && &*allowed.pattern == b"*")
    }

    /// Whether a channel may be used. A pattern, which may stand for many, has to be allowed as it is.
    pub fn may_hear(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.channels.any(|allowed| match is_pattern {
            true => **allowed == *channel,
            false => glob::matches(allowed, channel),
        })
    }

    /// Whether it allows every channel that another one lists.
    pub fn keeps_channels_of(&self, other: &Selector) -> bool {
        match (&self.channels, &other.channels) {
            (Reach::All, _) => true,
            (Reach::Only(_), Reach::All) => false,
            (Reach::Only(kept), Reach::Only(listed)) => listed.iter().all(|pattern| kept.contains(pattern)),
        }
    }

    /// The commands, as rules.
    pub fn commands_text(&self, table: &Table, dialect: &Dialect) -> Vec<u8> {
        if dialect.users_keep_rules { self.commands.text() } else { summary::text(&self.commands, table) }
    }

    /// The keys, as rules.
    pub fn keys_text(&self) -> Vec<u8> {
        match &self.keys {
            Reach::All => b"~*".to_vec(),
            Reach::Only(patterns) => patterns.iter().map(KeyPattern::text).collect::<Vec<_>>().join(&b' '),
        }
    }

    /// The channels, as rules.
    pub fn channels_text(&self) -> Vec<u8> {
        match &self.channels {
            Reach::All => b"&*".to_vec(),
            Reach::Only(patterns) => {
                patterns.iter().map(|pattern| [b"&", &**pattern].concat()).collect::<Vec<_>>().join(&b' ')
            }
        }
    }

    /// The databases, as a rule.
    pub fn databases_text(&self) -> Vec<u8> {
        match &self.databases {
            Reach::All => b"alldbs".to_vec(),
            Reach::Only(numbers) if numbers.is_empty() => b"resetdbs".to_vec(),
            Reach::Only(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(i32::to_string).collect();
                format!("db={}", numbers.join(",")).into_bytes()
            }
        }
    }

    /// All rules that make it.
    pub fn text(&self, table: &Table, dialect: &Dialect) -> Vec<u8> {
        let mut words = vec![self.keys_text()];
        if !self.channels.is_all() {
            words.push(b"resetchannels".to_vec());
        }
        words.push(self.channels_text());
        if !self.databases.is_all() {
            words.push(self.databases_text());
        }
        words.push(self.commands_text(table, dialect));
        words.retain(|word| !word.is_empty());
        words.join(&b' ')
    }
}

impl KeyPattern {
    fn parse(rule: &[u8]) -> Option<KeyPattern> {
        let (reads, writes, pattern) = match rule {
            [b'~', pattern @ ..] => (true, true, pattern),
            [b'%', rest @ ..] => {
                let end = rest.iter().position(|&byte| byte == b'~');
                let (access, pattern) =
                    (&rest[..end.unwrap_or(rest.len())], end.map_or(&[][..], |end| &rest[end + 1..]));
                match access.to_ascii_uppercase().as_slice() {
                    b"R" => (true, false, pattern),
                    b"W" => (false, true, pattern),
                    b"RW" | b"WR" => (true, true, pattern),
                    _ => return None,
                }
            }
            _ => return None,
        };
        is_plain(pattern).then(|| KeyPattern { pattern: pattern.into(), reads, writes })
    }

    /// Whether they may be touched so: what reads what users have stored needs one right, what changes it the other.
    fn lets(&self, access: Access) -> bool {
        let changes = Access::INSERT | Access::DELETE | Access::UPDATE;
        (self.reads || access.0 & Access::ACCESS == 0) && (self.writes || access.0 & changes == 0)
    }

    fn text(&self) -> Vec<u8> {
        let access: &[u8] = match (self.reads, self.writes) {
            (true, false) => b"%R~",
            (false, true) => b"%W~",
            _ => b"~",
        };
        [access, &self.pattern].concat()
    }
}

/// Numbers of databases, ascending and each once.
fn databases(numbers: &[u8]) -> Result<Vec<i32>, RuleFault> {
    let mut databases = Vec::new();
    for number in numbers.split(|&byte| byte == b',') {
        let number = std::str::from_utf8(number.trim_ascii_start()).map_err(|_| RuleFault::Syntax)?;
        let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RuleFault::Syntax);
        }
        let number = number.parse::<i32>().ok().filter(|&number| number >= 0);
        databases.push(number.ok_or(RuleFault::DatabaseRange)?);
    }
    databases.sort_unstable();
    databases.dedup();
    Ok(databases)
}

/// Whether a pattern, or the name of a user, can stand in a line of rules.
pub fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, 0 | b' ' | b'\t'..=b'\r'))
}

/// Whether it is about keys at all: some only look like keys.
fn is_of_keys(spec: &KeySpec) -> bool {
    spec.access.0 & Access::NOT_KEY == 0
}

/// Whether a call looks at the selected database: one with keys does, and so does one over data that does not say in which
/// databases.
fn uses_database(attempt: &Attempt<'_>) -> bool {
    let entry = attempt.entry;
    let is_of_data = entry.flags.contains(Flags::WRITE)
        || entry.flags.contains(Flags::READONLY)
        || entry.categories.contains(Category::KEYSPACE);
    entry.command.keys.iter().any(is_of_keys)
        || is_of_data && !matches!(entry.command.databases, Databases::At(_))
}

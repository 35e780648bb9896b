//! A user: name, passwords and selectors. Users do not change; a changed one takes the place of the one that was there.

use std::sync::Arc;

use hex::FromHex;
use sha2::{Digest as _, Sha256};

use super::selector::Selector;
use super::{Attempt, Denied};
use crate::command::Access;
use crate::command::args::until_zero;
use crate::command::error::RuleFault;
use crate::command::table::Table;
use crate::config::{Config, Dialect, NewUsersChannels};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Any bytes but spaces and zeros.
    pub name: Box<[u8]>,
    /// Whether somebody may log in as this user.
    pub is_on: bool,
    /// Whether any password is right.
    pub takes_any_password: bool,
    /// What is said about payloads of RESTORE. They are checked in any case.
    payload: Payload,
    passwords: Vec<PasswordSum>,
    /// The user's own, then those in parentheses.
    selectors: Vec<Selector>,
    /// Whether the user may do everything, so that no call has to be looked at; known once the user is complete.
    may_all: bool,
}

/// What a server keeps of a password.
pub type PasswordSum = [u8; 32];

/// Whether payloads are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    Unsaid,
    Checked,
    Unchecked,
}

/// What a rule depends on besides the user it is for.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The commands that there are.
    pub table: &'a Table,
    /// Which rules there are, and how they are shown.
    pub dialect: &'a Dialect,
    /// Whether new users may use all channels.
    pub has_channels: bool,
}

impl<'a> Surroundings<'a> {
    /// Those of a server.
    pub fn new(table: &'a Table, config: &Config) -> Surroundings<'a> {
        Surroundings {
            table,
            dialect: config.dialect(),
            has_channels: config.acl_pubsub_default.value() == NewUsersChannels::All,
        }
    }
}

impl User {
    /// A new user, who may not even log in.
    pub fn new(name: &[u8], around: Surroundings<'_>) -> User {
        User {
            name: name.into(),
            is_on: false,
            takes_any_password: false,
            payload: if around.dialect.new_users_sanitize { Payload::Checked } else { Payload::Unsaid },
            passwords: Vec::new(),
            selectors: vec![Selector::new(around.table, around.has_channels)],
            may_all: false,
        }
    }

    /// The user that clients have who have not logged in: without a password, for everything.
    pub fn of_everybody(around: Surroundings<'_>) -> User {
        let selectors = vec![Selector::all(around.table)];
        User { is_on: true, takes_any_password: true, selectors, ..User::new(super::DEFAULT, around) }
    }

    /// Follows a rule.
    pub fn apply(&mut self, rule: &[u8], around: Surroundings<'_>) -> Result<(), RuleFault> {
        let word = until_zero(rule).to_ascii_lowercase();
        match (word.as_slice(), rule) {
            (b"", _) => {}
            (b"on", _) => self.is_on = true,
            (b"off", _) => self.is_on = false,
            (b"nopass", _) => (self.takes_any_password, self.passwords) = (true, Vec::new()),
            (b"resetpass", _) => (self.takes_any_password, self.passwords) = (false, Vec::new()),
            (b"sanitize-payload", _) => self.payload = Payload::Checked,
            (b"skip-sanitize-payload", _) => self.payload = Payload::Unchecked,
            (b"clearselectors", _) => self.selectors.truncate(1),
            (b"reset", _) => self.reset(around),
            (_, [b'>', password @ ..]) => self.add_password(sum(password)),
            (_, [b'#', digits @ ..]) => self.add_password(parse_sum(digits).ok_or(RuleFault::PasswordSum)?),
            (_, [b'<', password @ ..]) => return self.remove_password(sum(password)),
            (_, [b'!', digits @ ..]) => {
                return self.remove_password(parse_sum(digits).ok_or(RuleFault::PasswordSum)?);
            }
            (_, [b'(', words @ .., b')']) => {
                let Surroundings { table, dialect, has_channels } = around;
                self.selectors.push(Selector::parse(words, table, has_channels, dialect)?);
            }
            _ => return self.selectors[0].apply(rule, around.table, around.dialect),
        }
        Ok(())
    }

    fn add_password(&mut self, sum: PasswordSum) {
        self.takes_any_password = false;
        if !self.passwords.contains(&sum) {
            self.passwords.push(sum);
        }
    }

    fn remove_password(&mut self, sum: PasswordSum) -> Result<(), RuleFault> {
        let at = self.passwords.iter().position(|known| *known == sum).ok_or(RuleFault::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Whether somebody with this password may log in as this user. Sums of passwords are compared in a time that does not
    /// depend on how much of one is right.
    pub fn lets_in(&self, password: &PasswordSum) -> bool {
        let is_right = |known: &PasswordSum| {
            let differing =
                known.iter().zip(password).fold(0, |differing, (known, given)| differing | known ^ given);
            std::hint::black_box(differing) == 0
        };
        self.is_on && (self.takes_any_password || self.passwords.iter().any(is_right))
    }

    /// Whether the user may do everything.
    pub fn may_all(&self) -> bool {
        self.may_all
    }

    /// The user, complete.
    pub(super) fn sealed(mut self, table: &Table) -> Arc<User> {
        self.may_all = self.selectors.iter().any(|selector| selector.is_all(table));
        Arc::new(self)
    }

    /// Takes back everything.
    pub(super) fn reset(&mut self, around: Surroundings<'_>) {
        *self = User { payload: Payload::Checked, ..User::new(&self.name, around) };
    }

    /// Has this password and no other; an empty one stands for any.
    pub(super) fn set_only_password(&mut self, password: &[u8]) {
        self.takes_any_password = password.is_empty();
        self.passwords = if password.is_empty() { Vec::new() } else { vec![sum(password)] };
    }

    /// Whether a call is allowed. If not, the selector tells why that went along with it the furthest.
    pub fn check(&self, attempt: &Attempt<'_>) -> Result<(), Denied> {
        let mut furthest = None;
        for selector in &self.selectors {
            match selector.check(attempt) {
                Ok(()) => return Ok(()),
                Err(denied) => furthest = furthest.max(Some(denied)),
            }
        }
        furthest.map_or(Ok(()), Err)
    }

    /// The selectors that allow a call.
    pub fn selectors_for(&self, attempt: &Attempt<'_>) -> Vec<usize> {
        let allowing =
            self.selectors.iter().enumerate().filter(|(_, selector)| selector.check(attempt).is_ok());
        allowing.map(|(at, _)| at).collect()
    }

    /// Whether a key may be touched so, as far as these selectors go.
    pub fn may_touch(&self, selectors: &[usize], key: &[u8], access: Access) -> bool {
        let mut among = selectors.iter().filter_map(|at| self.selectors.get(*at));
        among.any(|selector| selector.may_touch(key, access))
    }

    /// Whether a call is allowed and may touch every key so besides.
    pub fn may_touch_all_keys(&self, attempt: &Attempt<'_>, access: Access) -> bool {
        let mut selectors = self.selectors.iter();
        selectors.any(|selector| selector.may_touch_all_keys(access) && selector.check(attempt).is_ok())
    }

    /// Whether a channel may be listened to; a pattern has to be allowed as it is.
    pub fn may_hear(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.selectors.iter().any(|selector| selector.may_hear(channel, is_pattern))
    }

    /// Whether everything is still allowed that another user could listen to, pattern by pattern.
    pub fn keeps_channels_of(&self, other: &User) -> bool {
        let is_kept = |before: &Selector| self.selectors.iter().any(|now| now.keeps_channels_of(before));
        other.selectors.iter().all(is_kept)
    }

    /// The flags, by their names.
    pub fn flags(&self, dialect: &Dialect) -> Vec<&'static str> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        if self.takes_any_password {
            flags.push("nopass");
        }
        match self.payload {
            Payload::Checked if dialect.users_show_payload => flags.push("sanitize-payload"),
            Payload::Unchecked if dialect.users_show_payload => flags.push("skip-sanitize-payload"),
            _ => {}
        }
        flags
    }

    /// The sums of the passwords, in hexadecimal digits.
    pub fn passwords(&self) -> impl ExactSizeIterator<Item = String> {
        self.passwords.iter().map(hex::encode)
    }

    /// The user's own selector.
    pub fn own(&self) -> &Selector {
        &self.selectors[0]
    }

    /// The selectors in parentheses.
    pub fn others(&self) -> &[Selector] {
        &self.selectors[1..]
    }

    /// The line that declares the user.
    pub fn line(&self, table: &Table, dialect: &Dialect) -> Vec<u8> {
        let mut words = vec![b"user".to_vec(), self.name.to_vec()];
        words.extend(self.flags(dialect).into_iter().map(|flag| flag.into()));
        words.extend(self.passwords().map(|sum| format!("#{sum}").into_bytes()));
        words.push(self.own().text(table, dialect));
        for selector in self.others() {
            words.push([b"(", selector.text(table, dialect).as_slice(), b")"].concat());
        }
        words.join(&b' ')
    }
}

/// What is kept of a password.
pub fn sum(password: &[u8]) -> PasswordSum {
    Sha256::digest(password).into()
}

/// The sum that was written down, in lower case as it is always.
fn parse_sum(digits: &[u8]) -> Option<PasswordSum> {
    PasswordSum::from_hex(digits).ok().filter(|_| !digits.iter().any(u8::is_ascii_uppercase))
}

/// Joins the words of each selector in parentheses, which are separate words of a call or a line; or the first word of the
/// one that does not end. Servers before 7.2 forget a selector in which another one begins.
pub fn join_selectors<'a>(
    words: impl Iterator<Item = &'a [u8]>,
    dialect: &Dialect,
) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut joined = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        let (begins, ends) = (word.starts_with(b"("), word.ends_with(b")"));
        open = match open.take() {
            Some((first, mut selector)) if dialect.users_keep_rules || !begins => {
                selector.push(b' ');
                selector.extend(word);
                Some((first, selector))
            }
            _ if begins => Some((word, word.into())),
            _ => {
                joined.push(word.into());
                None
            }
        };
        if ends && let Some((_, selector)) = open.take() {
            joined.push(selector);
        }
    }
    match open {
        Some((first, _)) => Err(first),
        None => Ok(joined),
    }
}

#[cfg(test)]
mod tests {
    use shardis_protocol::OwnedRequest;
    use shardis_storage::Db;

    use super::*;
    use crate::acl::What;
    use crate::config::Personality;

    fn in_table<T>(personality: Personality, test: impl FnOnce(Surroundings<'_>) -> T) -> T {
        let table = crate::command_table();
        test(Surroundings { table: &table, dialect: personality.dialect(), has_channels: false })
    }

    fn user(rules: &[&str], around: Surroundings<'_>) -> User {
        let mut user = User::new(b"u", around);
        for rule in rules {
            user.apply(rule.as_bytes(), around).expect(rule);
        }
        user
    }

    fn check(user: &User, around: Surroundings<'_>, words: &[&str]) -> Result<(), (What, usize)> {
        let request = OwnedRequest::from_args(words);
        let request = request.as_request();
        let entry = around.table.invoked(request).expect("a command");
        let attempt =
            Attempt { entry, request, dialect: around.dialect, db: Db(0), databases: 16, also: None };
        user.check(&attempt).map_err(|denied| (denied.what, denied.word))
    }

    #[test]
    fn only_the_very_same_password_lets_in() {
        in_table(Personality::Redis72, |around| {
            let mut user = user(&["on", ">correct horse", ">other"], around);
            let lets_in = |user: &User, password: &[u8]| user.lets_in(&sum(password));
            assert!(lets_in(&user, b"correct horse") && lets_in(&user, b"other"));
            for given in [&b""[..], b"c", b"correct hors", b"correct horse ", b"Correct horse"] {
                assert!(!lets_in(&user, given), "{}", given.escape_ascii());
            }
            user.apply(b"<other", around).expect("it is one of them");
            assert!(!lets_in(&user, b"other"));
            user.apply(b"nopass", around).expect("it is a rule");
            assert!(lets_in(&user, b"anything") && user.passwords().len() == 0);
            user.apply(b"off", around).expect("it is a rule");
            assert!(!lets_in(&user, b"anything"));
            user.set_only_password(b"x");
            assert_eq!((user.takes_any_password, user.passwords().len()), (false, 1));
        });
    }

    #[test]
    fn keys_are_allowed_by_pattern_and_by_what_is_done_to_them() {
        in_table(Personality::Redis72, |around| {
            let user = user(&["+@all", "%R~r*", "%W~w*", "~b*", "&c*"], around);
            for words in [
                &["GET", "r"][..],
                &["GET", "b"],
                &["LPUSH", "w", "v"],
                &["COPY", "r", "w"],
                &["STRLEN", "w"],
                &["EXISTS", "r", "w", "b"],
                &["SET", "w", "v"],
                &["PING"],
                &["SINTERCARD", "9", "x"],
            ] {
                assert_eq!(check(&user, around, words), Ok(()), "{words:?}");
            }
            for (words, at) in [
                (&["GET", "w"][..], 1),
                (&["LPUSH", "r", "v"], 1),
                (&["COPY", "w", "r"], 1),
                (&["COPY", "r", "r"], 2),
                (&["EXISTS", "r", "x"], 2),
                (&["SET", "w", "v", "GET"], 1),
                (&["SINTERCARD", "2", "r", "w"], 3),
            ] {
                assert_eq!(check(&user, around, words), Err((What::Key, at)), "{words:?}");
            }
            assert!(user.may_hear(b"cc", false) && user.may_hear(b"c*", true));
            assert!(!user.may_hear(b"cc", true) && !user.may_hear(b"d", false));
        });
    }

    #[test]
    fn a_call_is_allowed_by_one_selector_as_a_whole() {
        in_table(Personality::Valkey91, |around| {
            let user = user(&["+get", "~a", "(+mget ~b*)", "(+set ~a db=3)"], around);
            assert_eq!(check(&user, around, &["GET", "a"]), Ok(()));
            assert_eq!(check(&user, around, &["MGET", "b1", "b2"]), Ok(()));
            for (words, what, at) in [
                (&["DEL", "a"][..], What::Database, 0),
                (&["PING"], What::Command, 0),
                (&["SET", "a", "v"], What::Database, 0),
                (&["GET", "b"], What::Key, 1),
                (&["MGET", "b", "a"], What::Key, 2),
            ] {
                assert_eq!(check(&user, around, words), Err((what, at)), "{words:?}");
            }
        });
    }

    #[test]
    fn who_may_do_everything_is_known() {
        in_table(Personality::Valkey91, |around| {
            let may_all = |rules: &[&str]| user(rules, around).sealed(around.table).may_all();
            assert!(User::of_everybody(around).sealed(around.table).may_all());
            assert!(may_all(&["+@all", "~*", "&*"]) && may_all(&["(allcommands allkeys allchannels)"]));
            for rules in [
                &["+@all", "~*"][..],
                &["+@all", "&*"],
                &["~*", "&*", "+@all", "-get"],
                &["~*", "&*", "+@all", "db=0"],
                &["+@all", "%RW~*", "&*"],
            ] {
                assert!(!may_all(rules), "{rules:?}");
            }
        });
    }

    #[test]
    fn channels_are_kept_or_lost_pattern_by_pattern() {
        in_table(Personality::Redis72, |around| {
            let keeps =
                |now: &[&str], before: &[&str]| user(now, around).keeps_channels_of(&user(before, around));
            assert!(
                keeps(&["&*"], &["&a", "&b*"]) && keeps(&["&a", "&b*", "&c"], &["&b*"]) && keeps(&[], &[])
            );
            assert!(!keeps(&["&a"], &["&*"]) && !keeps(&["&b*"], &["&b1"]) && !keeps(&[], &["(&x)"]));
        });
    }

    #[test]
    fn selectors_may_be_several_words() {
        let join = |words: &str, personality: Personality| {
            let joined = join_selectors(words.split(' ').map(str::as_bytes), personality.dialect());
            let text = |word: Vec<u8>| String::from_utf8(word).expect("letters");
            joined.map(|words| words.into_iter().map(text).collect::<Vec<_>>()).map_err(<[u8]>::to_vec)
        };
        let joined = join("on ( +get ~a ) (+set) ~b", Personality::Redis72);
        assert_eq!(joined, Ok(["on", "( +get ~a )", "(+set)", "~b"].map(String::from).to_vec()));
        assert_eq!(join("on (+get ~a", Personality::Redis72), Err(b"(+get".to_vec()));
        let nested = "(+get (+set ~b)";
        assert_eq!(join(nested, Personality::Redis72), Ok(vec![nested.to_owned()]));
        assert_eq!(join(nested, Personality::Redis70), Ok(vec!["(+set ~b)".to_owned()]));
    }
}

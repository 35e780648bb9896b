//! The settings that are one of a list of words, as types. What a personality changes is where the replies are made;
//! here is only who we say we are.

use super::setting::Choice;

/// Which server's replies are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personality {
    /// Redis 7.0.
    Redis70,
    /// Redis 7.2.
    Redis72,
    /// Valkey 9.1.
    Valkey91,
}

impl Choice for Personality {
    const WORDS: &'static [&'static str] = &["redis-7.0", "redis-7.2", "valkey-9.1"];
    const VALUES: &'static [Personality] =
        &[Personality::Redis70, Personality::Redis72, Personality::Valkey91];
}

impl Personality {
    /// Whether the texts are Valkey's where they differ from those of Redis.
    pub fn is_valkey(self) -> bool {
        self == Personality::Valkey91
    }

    /// `redis_version` of INFO.
    pub fn redis_version(self) -> &'static str {
        match self {
            Personality::Redis70 => "7.0.15",
            Personality::Redis72 | Personality::Valkey91 => "7.2.4",
        }
    }

    /// `valkey_version` of INFO, which only Valkey has.
    pub fn valkey_version(self) -> Option<&'static str> {
        self.is_valkey().then_some("9.1.0")
    }

    /// `server` of HELLO.
    pub fn server_name(self) -> &'static str {
        if self.is_valkey() { "valkey" } else { "redis" }
    }

    /// `version` of HELLO.
    pub fn server_version(self) -> &'static str {
        self.valkey_version().unwrap_or(self.redis_version())
    }
}

/// Who may use the debugging commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugAccess {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Connections from this machine.
    Local,
}

impl Choice for DebugAccess {
    const WORDS: &'static [&'static str] = &["no", "yes", "local"];
    const VALUES: &'static [DebugAccess] = &[DebugAccess::No, DebugAccess::Yes, DebugAccess::Local];
}

/// How much a line of the log matters; as a setting, the least that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who look for a fault.
    Debug,
    /// Events that are rarely of use.
    Verbose,
    /// What an operator wants to know.
    Notice,
    /// What an operator has to know.
    Warning,
    /// Nothing is that important.
    Nothing,
}

impl Choice for Level {
    const WORDS: &'static [&'static str] = &["debug", "verbose", "notice", "warning", "nothing"];
    const VALUES: &'static [Level] =
        &[Level::Debug, Level::Verbose, Level::Notice, Level::Warning, Level::Nothing];
}

#[cfg(test)]
mod tests {
    use super::super::setting::{Scalar, Setting};
    use super::*;

    fn assert_words_and_values_are_pairs<T: Choice + std::fmt::Debug>() {
        assert_eq!(T::WORDS.len(), T::VALUES.len());
        for (index, value) in T::VALUES.iter().enumerate() {
            assert_eq!(value.into_raw(), index as i64, "{value:?} stands once");
            assert_eq!(Setting::new(*value).value(), *value);
        }
    }

    #[test]
    fn every_choice_has_a_word_and_survives_its_setting() {
        assert_words_and_values_are_pairs::<Personality>();
        assert_words_and_values_are_pairs::<DebugAccess>();
        assert_words_and_values_are_pairs::<Level>();
    }

    #[test]
    fn only_valkey_names_its_own_version() {
        let told = Personality::VALUES.iter().map(|who| (who.server_name(), who.server_version()));
        assert!(told.eq([("redis", "7.0.15"), ("redis", "7.2.4"), ("valkey", "9.1.0")]));
        assert_eq!(Personality::Valkey91.redis_version(), "7.2.4");
    }
}

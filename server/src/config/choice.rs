//! The settings that are one of a list of words, as types. The personality, which is one too, has a file of its own.

use super::setting::Choice;

/// Who may do what can do harm: use the debugging commands, change protected parameters.
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

impl DebugAccess {
    /// Whether a client on this machine or on another one may do it.
    pub fn lets_in(self, is_local: bool) -> bool {
        self == DebugAccess::Yes || self == DebugAccess::Local && is_local
    }
}

/// Which channels a new user may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewUsersChannels {
    /// All.
    All,
    /// None.
    None,
}

impl Choice for NewUsersChannels {
    const WORDS: &'static [&'static str] = &["allchannels", "resetchannels"];
    const VALUES: &'static [NewUsersChannels] = &[NewUsersChannels::All, NewUsersChannels::None];
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

/// What to evict when memory is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// Of the keys that expire, those that were not used for the longest time.
    VolatileLru,
    /// Of the keys that expire, those that are used least.
    VolatileLfu,
    /// Of the keys that expire, any.
    VolatileRandom,
    /// Those that expire soonest.
    VolatileTtl,
    /// Those that were not used for the longest time.
    AllkeysLru,
    /// Those that are used least.
    AllkeysLfu,
    /// Any.
    AllkeysRandom,
    /// None: commands that may need more memory are refused.
    NoEviction,
}

impl Choice for EvictionPolicy {
    const WORDS: &'static [&'static str] = &[
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "noeviction",
    ];
    const VALUES: &'static [EvictionPolicy] = &[
        EvictionPolicy::VolatileLru,
        EvictionPolicy::VolatileLfu,
        EvictionPolicy::VolatileRandom,
        EvictionPolicy::VolatileTtl,
        EvictionPolicy::AllkeysLru,
        EvictionPolicy::AllkeysLfu,
        EvictionPolicy::AllkeysRandom,
        EvictionPolicy::NoEviction,
    ];
}

#[cfg(test)]
mod tests {
    use super::super::Personality;
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
        assert_words_and_values_are_pairs::<EvictionPolicy>();
    }
}

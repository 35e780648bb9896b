//! Whose replies are given: the servers that can be imitated, and one table of all that they answer differently. A
//! difference is a field of [`Dialect`], told once for each server; handlers ask for the field and never for the server.
//!
//! What all of them answer alike is not here, and neither is what only depends on a setting.

use super::choice::Level;
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
    /// What it answers where others answer something else.
    pub fn dialect(self) -> &'static Dialect {
        match self {
            Personality::Redis70 => &REDIS_70,
            Personality::Redis72 => &REDIS_72,
            Personality::Valkey91 => &VALKEY_91,
        }
    }
}

/// What one server answers where others answer something else.
#[derive(Debug)]
pub struct Dialect {
    /// `redis_version` of INFO.
    pub redis_version: &'static str,
    /// `valkey_version` of INFO, which only Valkey has.
    pub valkey_version: Option<&'static str>,
    /// `server` of HELLO.
    pub server_name: &'static str,
    /// The field of INFO that says `standalone`.
    pub mode_field: &'static str,
    /// Modules in HELLO: name, version and path.
    pub modules: &'static [(&'static str, i64, &'static str)],
    /// Whether INFO tells where the server listens and which accesses it denied.
    pub tells_listeners_and_denials: bool,
    /// Whether a memory value beyond 64 bits is no number, else it is as large as numbers get.
    pub huge_memory_is_malformed: bool,
    /// The levels of the log, the first of those that there are.
    pub log_levels: &'static [&'static str],
    /// Whether deleting and flushing free in the background unless told otherwise.
    pub frees_in_background: bool,

    /// Whether a client that has to authenticate hears so even when the command does not exist or has too few words.
    pub authentication_first: bool,
    /// What stands before `AUTH` in the advice of HELLO.
    pub hello_protocol: &'static str,
    /// Whether HELLO fulfils each wish as it reads it, even if it refuses a later one.
    pub hello_word_by_word: bool,
    /// Whether the name of a client ends at a zero byte, in the check and in the list.
    pub client_name_ends_at_zero: bool,
    /// The types that CLIENT LIST knows; the first one is that of ordinary clients.
    pub client_types: &'static [&'static str],
    /// Whether CLIENT LIST takes several filters, each with checks of its own, instead of one.
    pub client_filters_combine: bool,
    /// Whether CLIENT PAUSE and UNBLOCK ignore their option when more words follow it; else those are too many.
    pub client_extra_words_ignored: bool,
    /// Whether CLIENT LIST names the library of a client.
    pub client_library: bool,
    /// Whether CLIENT LIST tells capabilities, watched keys and traffic.
    pub client_traffic: bool,

    /// What HELP says of itself.
    pub help_of_help: &'static str,
    /// The fewest words of COMMAND GETKEYS.
    pub getkeys_words_min: u16,
    /// Whether COMMAND INFO has an array in RESP3 where there are no subcommands, else a set.
    pub no_subcommands_is_array: bool,
    /// Whether DEBUG OBJECT takes an argument behind the key.
    pub debug_object_takes_option: bool,

    /// Whether a cursor is an integer that is not negative; else it is whatever C reads as an unsigned number, and
    /// nothing is 0.
    pub strict_cursors: bool,
    /// Whether SCAN refuses types that do not exist, and `NOVALUES` in words of its own.
    pub strict_scan_options: bool,
    /// Whether SET with a comparison counts as an access to the old value.
    pub comparing_accesses: bool,
    /// Whether GETEX checks the time before it looks at the key.
    pub getex_time_first: bool,
    /// The shortest string that does not share the allocation of its object, by the length of its key.
    pub raw_bytes_min: fn(usize) -> usize,
    /// How much shorter that is when it replaces a value that had a deadline.
    pub replaced_deadline_bytes: usize,
    /// Whether HSET counts fields before it sets them, repeated ones too, and makes a table at once of too many.
    pub hset_counts_first: bool,
    /// Whether small integers are one object for all keys.
    pub shares_integers: bool,
    /// Whether short lists are reported as long ones are.
    pub only_quicklists: bool,
}

impl Dialect {
    /// `version` of HELLO.
    pub fn server_version(&self) -> &'static str {
        self.valkey_version.unwrap_or(self.redis_version)
    }

    /// Name and version for people.
    pub fn server_title(&self) -> String {
        let name = if self.valkey_version.is_some() { "Valkey" } else { "Redis" };
        format!("{name} {}", self.server_version())
    }
}

const REDIS_70: Dialect = Dialect {
    redis_version: "7.0.15",
    tells_listeners_and_denials: false,
    log_levels: Level::WORDS.split_at(4).0,
    hello_protocol: "",
    hello_word_by_word: true,
    client_name_ends_at_zero: false,
    client_library: false,
    help_of_help: "    Prints this help.",
    getkeys_words_min: 4,
    hset_counts_first: false,
    only_quicklists: true,
    ..REDIS_72
};

const REDIS_72: Dialect = Dialect {
    redis_version: "7.2.4",
    valkey_version: None,
    server_name: "redis",
    mode_field: "redis_mode",
    modules: &[],
    tells_listeners_and_denials: true,
    huge_memory_is_malformed: false,
    log_levels: Level::WORDS,
    frees_in_background: false,
    authentication_first: false,
    hello_protocol: "<proto> ",
    hello_word_by_word: false,
    client_name_ends_at_zero: true,
    client_types: &["normal", "slave", "replica", "pubsub", "master"],
    client_filters_combine: false,
    client_extra_words_ignored: false,
    client_library: true,
    client_traffic: false,
    help_of_help: "    Print this help.",
    getkeys_words_min: 3,
    no_subcommands_is_array: false,
    debug_object_takes_option: false,
    strict_cursors: false,
    strict_scan_options: false,
    comparing_accesses: true,
    getex_time_first: false,
    raw_bytes_min: |_| 45,
    replaced_deadline_bytes: 0,
    hset_counts_first: true,
    shares_integers: true,
    only_quicklists: false,
};

const VALKEY_91: Dialect = Dialect {
    valkey_version: Some("9.1.2"),
    server_name: "valkey",
    mode_field: "server_mode",
    modules: &[("lua", 1, "lua")],
    huge_memory_is_malformed: true,
    frees_in_background: true,
    authentication_first: true,
    client_types: &["normal", "slave", "replica", "pubsub", "master", "primary"],
    client_filters_combine: true,
    client_extra_words_ignored: true,
    client_traffic: true,
    no_subcommands_is_array: true,
    debug_object_takes_option: true,
    strict_cursors: true,
    strict_scan_options: true,
    comparing_accesses: false,
    getex_time_first: true,
    // Key and value are in one block of 128 bytes, in which the length of a key takes one byte or three.
    raw_bytes_min: |key_bytes| (if key_bytes < 32 { 114_usize } else { 112 }).saturating_sub(key_bytes),
    replaced_deadline_bytes: 8,
    shares_integers: false,
    ..REDIS_72
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valkey_names_its_own_version() {
        let dialects = Personality::VALUES.iter().map(|personality| personality.dialect());
        let told =
            dialects.map(|dialect| (dialect.server_name, dialect.server_version(), dialect.redis_version));
        assert!(told.eq([
            ("redis", "7.0.15", "7.0.15"),
            ("redis", "7.2.4", "7.2.4"),
            ("valkey", "9.1.2", "7.2.4"),
        ]));
        let titles = Personality::VALUES.iter().map(|personality| personality.dialect().server_title());
        assert!(titles.eq(["Redis 7.0.15", "Redis 7.2.4", "Valkey 9.1.2"]));
    }

    #[test]
    fn what_is_raw_depends_on_the_key_in_valkey_only() {
        let shortest = |personality: Personality, key| (personality.dialect().raw_bytes_min)(key);
        assert_eq!(
            [0, 31, 32, 111, 112, 500].map(|key| shortest(Personality::Valkey91, key)),
            [114, 83, 80, 1, 0, 0]
        );
        assert_eq!([0, 500].map(|key| shortest(Personality::Redis72, key)), [45, 45]);
    }
}

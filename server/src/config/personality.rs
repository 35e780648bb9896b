//! Whose replies are given: the servers that can be imitated, and one table of all that they answer differently. A
//! difference is a field of [`Dialect`], told once for each server; handlers ask for the field and never for the server.
//!
//! What all of them answer alike is not here, and neither is what only depends on a setting.

use shardis_protocol::DoubleStyle;
use shardis_storage::types::stream::{Counting, Log, StreamId};

use super::dialects::{REDIS_70, REDIS_72, VALKEY_91};
use super::setting::Choice;
use super::voice::Voice;

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
    /// What its INFO and MEMORY STATS do not tell of all that one of the servers tells: sections and fields.
    pub without: &'static [&'static [&'static str]],
    /// How large the replication backlog would be: `repl_backlog_size` of INFO.
    pub replication_backlog: &'static str,
    /// Whether a memory value beyond 64 bits is no number, else it is as large as numbers get.
    pub huge_memory_is_malformed: bool,
    /// The levels of the log, the first of those that there are.
    pub log_levels: &'static [&'static str],
    /// Whether deleting and flushing free in the background unless told otherwise.
    pub frees_in_background: bool,

    /// Whether a client that has to authenticate hears so even when the command does not exist or has too few words.
    pub authentication_first: bool,
    /// Whether a client that waits for several keys is served with the one that came first, else with the one that it has named first
    /// of those that have come.
    pub serves_what_came_first: bool,
    /// Whether a transaction inside a transaction makes it void, and what is not allowed there is named.
    pub nested_transactions_are_void: bool,
    /// Whether all that is gathered for a transaction is refused while there is no memory left, whatever it does.
    pub transactions_need_memory: bool,
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
    /// Whether CLIENT LIST tells capabilities, watched keys and traffic, and CLIENT knows CAPA and IMPORT-SOURCE.
    pub client_traffic: bool,

    /// Whether a refusal names the user; else it says `this user`, and each kind of it in words of its own.
    pub refusals_name_user: bool,
    /// Whether the rules of a user are kept as they were given; else they are told from what they come to.
    pub users_keep_rules: bool,
    /// Whether new users have a flag that says that payloads are checked.
    pub new_users_sanitize: bool,
    /// Whether users are shown with such a flag.
    pub users_show_payload: bool,
    /// Whether users may be kept to some databases.
    pub users_have_databases: bool,
    /// Whether the clients of users who are still there stay when the ACL file is read anew.
    pub reloading_keeps_clients: bool,
    /// Whether the entries of ACL LOG have ids and tell when they were made.
    pub refusals_have_ids: bool,
    /// Whether a call that has blocked is refused in the end if its client has lost the right to it meanwhile.
    pub blocked_calls_need_rights: bool,

    /// In whose words LATENCY DOCTOR speaks.
    pub doctor: Voice,
    /// Whether LATENCY LATEST tells the sum and the number of samples too.
    pub latest_has_totals: bool,
    /// What HELP says of itself.
    pub help_of_help: &'static str,
    /// Whether HELP names the server; else the lines that do go without the name.
    pub help_names_server: bool,
    /// Whether COMMAND INFO has an array in RESP3 where there are no subcommands, else a set.
    pub no_subcommands_is_array: bool,
    /// Whether DEBUG OBJECT and DEBUG HTSTATS take a further argument, which says what to leave out or add.
    pub debug_takes_option: bool,
    /// What DEBUG SDSLEN has between its figures, and what it calls the blocks of key and value.
    pub sdslen_words: [&'static str; 3],
    /// The version of the format in which data is taken from server to server.
    pub rdb_version: u16,
    /// Whether a version can be read.
    pub reads_rdb_version: fn(u16) -> bool,
    /// Whether the first line of a script is asked for its engine first, whose name is then taken as it is written.
    pub script_engine_first: bool,
    /// Who has the copyright of `cmsgpack`.
    pub cmsgpack_copyright: &'static str,
    /// Whether a push that a command sends to its own client comes behind its reply.
    pub pushes_after_reply: bool,
    /// Whether what only a cluster needs, but makes sense alone, is answered without one.
    pub answers_without_cluster: bool,

    /// Whether keys and ids that do not pair are said to be those of the command that was called.
    pub unbalanced_streams_names_command: bool,
    /// When a group's count of what it has read is believed.
    pub counting: Counting,
    /// Whether a consumer that is not there is only made when it gets an entry, and only then counts as seen.
    pub consumers_come_with_entries: bool,
    /// What XREAD knows as the last entry by `+`, if it knows that.
    pub last_entry: Option<fn(&Log) -> Option<StreamId>>,
    /// Whether XSETID may set an id that is less than one that was deleted.
    pub last_id_may_be_deleted: bool,
    /// Whether it is told when a consumer last got anything.
    pub consumers_tell_activity: bool,

    /// Whether seconds to wait that do not fit into 64 bits of milliseconds are negative, and any others fine; else those
    /// that end after all time are out of range.
    pub endless_timeouts_are_negative: bool,
    /// Whether a cursor is an integer that is not negative; else it is whatever C reads as an unsigned number, and
    /// nothing is 0.
    pub strict_cursors: bool,
    /// Whether SCAN refuses types that do not exist, and `NOVALUES` in words of its own.
    pub strict_scan_options: bool,
    /// Whether a call counts as soon as it has blocked; else when it is answered.
    pub counts_blocked_calls: bool,
    /// Whether a call that CLIENT UNBLOCK ends with an error counts as refused; else as one that failed.
    pub unblocked_calls_are_refused: bool,
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
    /// Whether a key that gets a deadline which is past is told to have expired, else to be deleted.
    pub past_deadlines_expire: bool,
    /// The tables by which scripts call the server.
    pub server_tables: &'static [&'static str],
    /// Whether errors of scripts speak of Redis and of its library, and name the script.
    pub scripts_name_redis: bool,
    /// Whether scripts can ask for the time that the processor has spent on them.
    pub scripts_have_a_clock: bool,
    /// What a script raises that was ended by another client.
    pub script_killed: &'static str,
    /// What a function raises that was.
    pub function_killed: &'static str,
    /// Whether the functions of a library are checked only once it has been loaded, and are spoken of as functions.
    pub functions_checked_late: bool,
    /// EVALSHA of a script that is not there.
    pub no_script: &'static &'static str,
    /// How doubles are written.
    pub doubles: DoubleStyle,
    /// Whether doubles are read by C's own parser: they may be hexadecimal; the ends of ranges and the weights of SORT may
    /// have leading space, and an empty weight is zero.
    pub doubles_of_c: bool,
    /// Whether TIME is the same for all calls of a script or a transaction.
    pub time_is_frozen: bool,
    /// Whether LTRIM that cuts nothing off is a change all the same.
    pub ltrim_always_changes: bool,
    /// Whether a negative offset of LIMIT in a large sorted set counts from the other end; else nothing is there.
    pub negative_offset_counts_back: bool,
    /// Whether ZADD counts members before it adds them, repeated ones too, and makes a sorted set large at once for too many.
    pub zadd_counts_first: bool,
    /// Whether it does so for a member that is too long, too.
    pub zadd_measures_first: bool,
    /// Whether places can be searched for in polygons, and a member that is missing there is named.
    pub searches_polygons: bool,
    /// Whether small integers are one object for all keys.
    pub shares_integers: bool,
    /// Whether short lists are reported as long ones are.
    pub only_quicklists: bool,
    /// What a small hash with deadlines of fields is reported as.
    pub timed_hash_encoding: &'static str,
    /// The latest deadline that a field may have: Unix milliseconds.
    pub field_deadline_ms_max: i64,
    /// Whether the commands over deadlines of fields check their arguments before they look at the key, and have fewer words
    /// for what is wrong with them.
    pub fields_checked_first: bool,
    /// Whether seconds that are left of a field are rounded up, else to the nearest.
    pub field_seconds_rounded_up: bool,
    /// Whether DEBUG DIGEST differs where fields have deadlines.
    pub digest_tells_field_deadlines: bool,
    /// Whether INFO counts the hashes with deadlines of fields, by database.
    pub info_counts_timed_hashes: bool,
    /// Whether BITCOUNT and BITPOS check their arguments before they look at the key, and BITCOUNT as BITPOS does, so that it
    /// needs no end.
    pub bit_ranges_checked_first: bool,
    /// Whether a type of BITFIELD ends at a zero byte.
    pub bitfield_type_ends_at_zero: bool,
    /// Whether LSET cuts its index to 32 bits.
    pub lset_cuts_index: bool,
    /// Whether LPOS and LREM refuse a number that cannot be negated; else they search from the end without limit.
    pub unnegatable_is_refused: bool,
    /// Whether a set is one of integers or a table and nothing between. So short sets of others are reported as long ones
    /// are, members are not counted before they are added, and what a table leaves over may be one of integers.
    pub sets_without_listpacks: bool,
}

impl Dialect {
    /// Whether a double is written in a way that is read: hexadecimal digits are not everywhere.
    pub fn reads_double(&self, text: &[u8]) -> bool {
        self.doubles_of_c || !text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'x'))
    }

    /// A double without the leading space that C's parser skips.
    pub fn behind_space<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let is_space = |byte: &u8| self.doubles_of_c && matches!(byte, b' ' | b'\t'..=b'\r');
        let space = text.iter().take_while(|byte| is_space(byte)).count();
        &text[space..]
    }

    /// Whether INFO or MEMORY STATS have a section or field of this name.
    pub fn tells(&self, name: &str) -> bool {
        !self.without.iter().any(|names| names.contains(&name))
    }

    /// `version` of HELLO.
    pub fn server_version(&self) -> &'static str {
        self.valkey_version.unwrap_or(self.redis_version)
    }

    /// The name for people.
    pub fn product(&self) -> &'static str {
        if self.valkey_version.is_some() { "Valkey" } else { "Redis" }
    }

    /// The first of the tables by which scripts call the server.
    pub fn server_table(&self) -> &'static str {
        self.server_tables[0]
    }

    /// Name and version for people.
    pub fn server_title(&self) -> String {
        format!("{} {}", self.product(), self.server_version())
    }
}

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

//! Every error text that a client can see, byte for byte, and nothing else. A text that several commands share is a
//! constant; one with a blank is a function. Where the imitated servers differ, the personality decides.

mod access;
mod bitmap;
mod collections;
mod compute;
mod functions;
mod geo;
mod hyperloglog;
mod jobs;
mod locks;
mod pubsub;
mod scripting;
mod shebang;
mod streams;
mod tracking;
mod transactions;

use shardis_storage::{StringTooLong, WrongType};

pub use self::access::{Forbidden, RuleFault};
use super::args::until_zero;
use crate::config::Dialect;

/// An error reply: its code and text, without the leading `-`. CR and LF are replaced when it is written.
#[derive(Clone, Debug)]
pub struct Error(Text);

/// Two words, so that what a handler answers comes back in registers.
#[derive(Clone, Debug)]
#[expect(clippy::box_collection, reason = "a vector is three words")]
enum Text {
    Fixed(&'static &'static str),
    Made(Box<Vec<u8>>),
}

const _: () = assert!(size_of::<Error>() == 16);

impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.text() == other.text()
    }
}

impl Error {
    /// The option grammar was not met.
    pub const SYNTAX: Error = Error::fixed(&"ERR syntax error");
    /// The key holds another type.
    pub const WRONG_TYPE: Error =
        Error::fixed(&"WRONGTYPE Operation against a key holding the wrong kind of value");
    /// Not an integer, or beyond 64 bits.
    pub const NOT_INTEGER: Error = Error::fixed(&"ERR value is not an integer or out of range");
    /// Not a floating point number.
    pub const NOT_FLOAT: Error = Error::fixed(&"ERR value is not a valid float");
    /// An integer argument beyond its range.
    pub const OUT_OF_RANGE: Error = Error::fixed(&"ERR value is out of range");
    /// A negative argument where a count is wanted.
    pub const NOT_POSITIVE: Error = Error::fixed(&"ERR value is out of range, must be positive");
    /// INCR and its family beyond 64 bits.
    pub const OVERFLOW: Error = Error::fixed(&"ERR increment or decrement would overflow");
    /// A value beyond `proto-max-bulk-len`.
    pub const STRING_TOO_LONG: Error =
        Error::fixed(&"ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// SORT by numbers that are none.
    pub const SORT_NOT_NUMBERS: Error =
        Error::fixed(&"ERR One or more scores can't be converted into double");
    /// The source key does not exist.
    pub const NO_SUCH_KEY: Error = Error::fixed(&"ERR no such key");
    /// Source and destination are one.
    pub const SAME_OBJECT: Error = Error::fixed(&"ERR source and destination objects are the same");
    /// A database number beyond `databases`.
    pub const DB_OUT_OF_RANGE: Error = Error::fixed(&"ERR DB index is out of range");
    /// The first database of SWAPDB is no number.
    pub const INVALID_FIRST_DB: Error = Error::fixed(&"ERR invalid first DB index");
    /// The second database of SWAPDB is no number.
    pub const INVALID_SECOND_DB: Error = Error::fixed(&"ERR invalid second DB index");
    /// An integer argument beyond 32 bits.
    pub const OUT_OF_RANGE_32: Error =
        Error::fixed(&"ERR value is out of range, value must between -2147483648 and 2147483647");
    /// DECRBY by a number that cannot be negated.
    pub const DECREMENT_OVERFLOW: Error = Error::fixed(&"ERR decrement would overflow");
    /// A sum of floating point numbers that is none.
    pub const FLOAT_OVERFLOW: Error = Error::fixed(&"ERR increment would produce NaN or Infinity");
    /// An integer argument that cannot be negated: neither a decrement nor a number of elements that may repeat.
    pub const OUT_OF_RANGE_NEGATABLE: Error = Error::fixed(
        &"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
    /// LSET of an element that is not there.
    pub const INDEX_OUT_OF_RANGE: Error = Error::fixed(&"ERR index out of range");
    /// LPOS of no element in particular.
    pub const RANK_ZERO: Error = Error::fixed(
        &"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start \
         from the end of the list",
    );
    /// LPOS of fewer than no elements.
    pub const COUNT_NEGATIVE: Error = Error::fixed(&"ERR COUNT can't be negative");
    /// LPOS among fewer than no elements.
    pub const MAXLEN_NEGATIVE: Error = Error::fixed(&"ERR MAXLEN can't be negative");
    /// SETRANGE before the beginning.
    pub const OFFSET_OUT_OF_RANGE: Error = Error::fixed(&"ERR offset is out of range");
    /// A digest that is too short or too long.
    pub const DIGEST_LENGTH: Error = Error::fixed(&"ERR must be exactly 16 hexadecimal characters");
    /// DELEX with a condition on another type.
    pub const CONDITION_NEEDS_STRING: Error =
        Error::fixed(&"ERR Key should be of string type if conditions are specified");
    /// DELEX with an unknown condition.
    pub const INVALID_CONDITION: Error =
        Error::fixed(&"ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
    /// A number of keys that is not positive or no number.
    pub const INVALID_NUMKEYS: Error = Error::fixed(&"ERR invalid numkeys value or out of range");
    /// A number of keys that does not fit the call, in a command of collections.
    pub const NUMKEYS_BEYOND_ARGUMENTS: Error =
        Error::fixed(&"ERR Number of keys can't be greater than number of args");
    /// A negative limit of a count, or no number.
    pub const LIMIT_NEGATIVE: Error = Error::fixed(&"ERR LIMIT can't be negative");
    /// LCS of another type.
    pub const LCS_NEEDS_STRINGS: Error = Error::fixed(&"ERR The specified keys must contain string values");
    /// LCS with LEN and IDX.
    pub const LCS_LENGTH_AND_POSITIONS: Error =
        Error::fixed(&"ERR If you want both the length and indexes, please just use IDX.");
    /// LCS of strings that are too long together.
    pub const LCS_TOO_LARGE: Error =
        Error::fixed(&"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    /// A cursor that is no number.
    pub const INVALID_CURSOR: Error = Error::fixed(&"ERR invalid cursor");
    /// SCAN without the values of fields that it does not have.
    pub const NOVALUES_WITHOUT_FIELDS: Error = Error::fixed(&"ERR NOVALUES option can only be used in HSCAN");
    /// EXPIRE with conditions that exclude each other.
    pub const NX_AND_OTHERS: Error =
        Error::fixed(&"ERR NX and XX, GT or LT options at the same time are not compatible");
    /// EXPIRE with both comparisons.
    pub const GT_AND_LT: Error = Error::fixed(&"ERR GT and LT options at the same time are not compatible");
    /// OBJECT FREQ while no frequencies are counted.
    pub const NO_FREQUENCY: Error = Error::fixed(
        &"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
         between policies at runtime LRU and LFU data will take some time to adjust.",
    );
    /// OBJECT IDLETIME while frequencies are counted instead.
    pub const NO_IDLE_TIME: Error = Error::fixed(
        &"ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies \
         at runtime LRU and LFU data will take some time to adjust.",
    );
    /// A command that may need memory while there is no more.
    pub const OUT_OF_MEMORY: Error = Error::fixed(&"OOM command not allowed when used memory > 'maxmemory'.");
    /// HINCRBY of a field that is no number.
    pub const HASH_NOT_INTEGER: Error = Error::fixed(&"ERR hash value is not an integer");
    /// COMMAND GETKEYS of what is no command.
    pub const INVALID_COMMAND: Error = Error::fixed(&"ERR Invalid command specified");
    /// COMMAND GETKEYS of a command without keys.
    pub const NO_KEY_ARGUMENTS: Error = Error::fixed(&"ERR The command has no key arguments");
    /// COMMAND GETKEYS of a call with too few or too many words.
    pub const INVALID_ARGUMENT_COUNT: Error =
        Error::fixed(&"ERR Invalid number of arguments specified for command");
    /// COMMAND GETKEYS of a call whose keys cannot be found.
    pub const INVALID_ARGUMENTS: Error = Error::fixed(&"ERR Invalid arguments specified for command");
    /// The client has to authenticate first.
    pub const NO_AUTH: Error = Error::fixed(&"NOAUTH Authentication required.");
    /// AUTH with a password while none is set.
    pub const NO_PASSWORD_SET: Error = Error::fixed(
        &"ERR AUTH <password> called without any password configured for the default user. Are you sure your \
         configuration is correct?",
    );
    /// HELLO with a protocol that does not exist.
    pub const UNSUPPORTED_PROTOCOL: Error = Error::fixed(&"NOPROTO unsupported protocol version");
    /// HELLO with a protocol that is no number.
    pub const INVALID_PROTOCOL: Error =
        Error::fixed(&"ERR Protocol version is not an integer or out of range");
    /// A client's name that does not fit into a line.
    pub const CLIENT_NAME: Error =
        Error::fixed(&"ERR Client names cannot contain spaces, newlines or special characters.");
    /// The number of a client that is none.
    pub const INVALID_CLIENT_ID: Error = Error::fixed(&"ERR Invalid client ID");
    /// The number of a client in Valkey, which none has.
    pub const CLIENT_ID_NOT_POSITIVE: Error = Error::fixed(&"ERR client-id should be greater than 0");
    /// A client that monitors wants data.
    pub const MONITOR_AND_DATA: Error = Error::fixed(&"ERR Replica can't interact with the keyspace");
    /// MONITOR by somebody who cannot be sent anything.
    pub const MONITOR_NOT_ALLOWED: Error =
        Error::fixed(&"ERR MONITOR isn't allowed for DENY BLOCKING client");
    /// A count of log entries below -1.
    pub const LOG_COUNT: Error = Error::fixed(&"ERR count should be greater than or equal to -1");
    /// COMMANDLOG of a type that does not exist.
    pub const LOG_TYPE: Error =
        Error::fixed(&"ERR type should be one of the following: slow, large-request, large-reply");
    /// CLIENT KILL of an address that nobody has.
    pub const NO_SUCH_CLIENT: Error = Error::fixed(&"ERR No such client");
    /// CLIENT PAUSE in a mode that does not exist.
    pub const PAUSE_MODE: Error = Error::fixed(&"ERR CLIENT PAUSE mode must be WRITE or ALL");
    /// CLIENT UNBLOCK for a reason that does not exist.
    pub const UNBLOCK_REASON: Error = Error::fixed(&"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    /// CLIENT IMPORT-SOURCE ON.
    pub const NO_IMPORT_MODE: Error = Error::fixed(&"ERR Server is not in import mode");
    /// WAITAOF for this server's own file.
    pub const NO_JOURNAL: Error =
        Error::fixed(&"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    /// An integer argument that is neither 0 nor 1.
    pub const OUT_OF_RANGE_0_1: Error =
        Error::fixed(&"ERR value is out of range, value must between 0 and 1");
    /// Somebody has ended the wait of a blocking command.
    pub const UNBLOCKED: Error = Error::fixed(&"UNBLOCKED client unblocked via CLIENT UNBLOCK");
    /// The server stops while a caller inside its process waits.
    pub const STOPPING: Error = Error::fixed(&"CANCELED the server is stopping");
    /// A time to wait that is no number, in seconds.
    pub const TIMEOUT_NOT_FLOAT: Error = Error::fixed(&"ERR timeout is not a float or out of range");
    /// A time to wait that is no number.
    pub const TIMEOUT_NOT_INTEGER: Error = Error::fixed(&"ERR timeout is not an integer or out of range");
    /// A time to wait below zero.
    pub const TIMEOUT_NEGATIVE: Error = Error::fixed(&"ERR timeout is negative");
    /// A time to wait that ends after all time.
    pub const TIMEOUT_OUT_OF_RANGE: Error = Error::fixed(&"ERR timeout is out of range");
    /// SHUTDOWN ABORT while the server is not ending.
    pub const NO_SHUTDOWN: Error = Error::fixed(&"ERR No shutdown in progress.");
    /// SHUTDOWN SAVE.
    pub const NOTHING_IS_SAVED: Error = Error::fixed(
        &"ERR Errors trying to SHUTDOWN: this server keeps its data in memory only and cannot save it. Use SHUTDOWN \
         NOSAVE.",
    );

    /// Whatever would save the data.
    pub const NO_PERSISTENCE: Error = Error::fixed(
        &"ERR this server keeps its data in memory only: there is no RDB file and no append-only file to write. What must \
         outlive it has to be read by a client and kept elsewhere.",
    );
    /// REPLICAOF a server.
    pub const NO_REPLICATION: Error = Error::fixed(
        &"ERR this server cannot follow another one: replication is not there yet. It is a master, as after REPLICAOF NO \
         ONE.",
    );
    /// What a replica asks for.
    pub const NO_REPLICAS: Error =
        Error::fixed(&"ERR this server cannot have replicas: replication is not there yet");
    /// REPLICAOF a port that is none.
    pub const MASTER_PORT: Error = Error::fixed(&"ERR Invalid master port");
    /// FAILOVER ABORT.
    pub const NO_FAILOVER: Error = Error::fixed(&"ERR No failover in progress.");
    /// FAILOVER within no time.
    pub const FAILOVER_TIMEOUT: Error = Error::fixed(&"ERR FAILOVER timeout must be greater than 0");
    /// FAILOVER with nobody to take over.
    pub const FAILOVER_WITHOUT_REPLICAS: Error = Error::fixed(&"ERR FAILOVER requires connected replicas.");
    /// Whatever needs a cluster.
    pub const CLUSTER_DISABLED: Error = Error::fixed(&"ERR This instance has cluster support disabled");
    /// SCRIPT DEBUG.
    pub const NO_SCRIPT_DEBUGGER: Error = Error::fixed(&"ERR this server has no debugger for scripts");
    /// SCRIPT KILL and FUNCTION KILL.
    pub const NOT_BUSY: Error = Error::fixed(&"NOTBUSY No scripts in execution right now.");
    /// SCRIPT DEBUG with an unknown mode.
    pub const SCRIPT_DEBUG_MODE: Error = Error::fixed(&"ERR Use SCRIPT DEBUG YES/SYNC/NO");
    /// SCRIPT FLUSH with an unknown mode.
    pub const SCRIPT_FLUSH_MODE: Error = Error::fixed(&"ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    /// FUNCTION FLUSH with an unknown mode.
    pub const FUNCTION_FLUSH_MODE: Error =
        Error::fixed(&"ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    /// FUNCTION DELETE.
    pub const NO_LIBRARY: Error = Error::fixed(&"ERR Library not found");
    /// FUNCTION LIST LIBRARYNAME without a name.
    pub const LIBRARY_NAME_MISSING: Error = Error::fixed(&"ERR library name argument was not given");
    /// ACL GENPASS of a password that is too short or too long.
    pub const PASSWORD_BITS: Error = Error::fixed(
        &"ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
    );
    /// The system has nothing random to give.
    pub const NO_RANDOM: Error = Error::fixed(&"ERR the system's random numbers cannot be read");
    /// DEBUG with what would crash the server or save its data.
    pub const DEBUG_REFUSED: Error = Error::fixed(
        &"ERR this server does not crash, restart or reload on request: it may live in a process with others, and its data \
         is nowhere but in memory",
    );
    /// DEBUG HTSTATS of a database that does not exist.
    pub const NO_SUCH_DATABASE: Error = Error::fixed(&"ERR Out of range database");
    /// DEBUG HTSTATS-KEY of another value.
    pub const NOT_A_HASH_TABLE: Error =
        Error::fixed(&"ERR The value stored at the specified key is not represented using an hash table");
    /// DEBUG LISTPACK of another value.
    pub const NOT_A_LISTPACK: Error = Error::fixed(&"ERR Not a listpack encoded object.");
    /// DEBUG QUICKLIST of another value.
    pub const NOT_A_QUICKLIST: Error = Error::fixed(&"ERR Not a quicklist encoded object.");
    /// DEBUG SDSLEN of another value.
    pub const NOT_AN_SDS: Error = Error::fixed(&"ERR Not an sds encoded string.");
    /// DEBUG QUICKLIST-PACKED-THRESHOLD of what is no size.
    pub const PACKED_THRESHOLD: Error =
        Error::fixed(&"ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    /// DEBUG PROTOCOL of an unknown type.
    pub const PROTOCOL_TYPE: Error = Error::fixed(
        &"ERR Wrong protocol type name. Please use one of the following: \
         string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
    );
    /// What only RESP3 has.
    pub const NEEDS_RESP3: Error = Error::fixed(&"ERR RESP2 is not supported by this command");

    /// A panic has struck this server.
    pub const POISONED: Error = Error::fixed(&"ERR the server has failed internally and must be restarted");

    /// A fixed text with its code.
    pub const fn fixed(text: &'static &'static str) -> Error {
        Error(Text::Fixed(text))
    }

    /// A text made for the occasion, with its code.
    pub fn new(text: impl Into<Vec<u8>>) -> Error {
        Error(Text::Made(Box::new(text.into())))
    }

    /// The code and the text.
    pub fn text(&self) -> &[u8] {
        match &self.0 {
            Text::Fixed(text) => text.as_bytes(),
            Text::Made(text) => text,
        }
    }

    /// The code: the first word.
    pub fn code(&self) -> &[u8] {
        self.text().split(|&byte| byte == b' ').next().unwrap_or_default()
    }

    /// A time to live that is not positive or overflows.
    pub fn invalid_expire(command: &str) -> Error {
        Error::new(format!("ERR invalid expire time in '{}' command", command.to_ascii_lowercase()))
    }

    /// A union or its like of no keys.
    pub fn no_input_keys(command: &str) -> Error {
        Error::new(format!(
            "ERR at least 1 input key is needed for '{}' command",
            command.to_ascii_lowercase()
        ))
    }

    /// An option that EXPIRE does not have.
    pub fn unsupported_option(option: &[u8]) -> Error {
        Error::quoting("ERR Unsupported option ", option, "")
    }

    /// SCAN for a type that does not exist.
    pub fn unknown_type(name: &[u8]) -> Error {
        Error::quoting("ERR unknown type name '", name, "'")
    }

    /// HELLO before AUTH.
    pub fn hello_needs_authentication(dialect: &Dialect) -> Error {
        Error::new(format!(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO {}AUTH <user> <pass> \
             option can be used to authenticate the client and select the RESP protocol version at the same time",
            dialect.hello_protocol
        ))
    }

    /// An option that HELLO does not have, or that lacks its value.
    pub fn hello_option(option: &[u8]) -> Error {
        Error::quoting("ERR Syntax error in HELLO option '", option, "'")
    }

    /// CLIENT LIST of a type that does not exist.
    pub fn unknown_client_type(name: &[u8]) -> Error {
        Error::quoting("ERR Unknown client type '", name, "'")
    }

    /// An argument that FUNCTION LIST does not have.
    pub fn unknown_argument(argument: &[u8]) -> Error {
        Error::quoting("ERR Unknown argument ", argument, "")
    }

    /// ACL CAT of a category that does not exist.
    pub fn unknown_category(name: &[u8]) -> Error {
        Error::quoting("ERR Unknown category '", name, "'")
    }

    /// An attribute that CLIENT SETINFO does not know.
    pub fn unrecognized_option(option: &[u8]) -> Error {
        Error::quoting("ERR Unrecognized option '", option, "'")
    }

    /// An attribute of a client that does not fit into a line.
    pub fn client_attribute(attribute: &[u8]) -> Error {
        Error::quoting("ERR ", attribute, " cannot contain spaces, newlines or special characters.")
    }

    /// A subcommand that a command takes apart by itself, unknown or with the wrong number of arguments.
    pub fn unknown_subcommand_or_arity(container: &str, subcommand: &[u8]) -> Error {
        let advice = format!("'. Try {container} HELP.");
        Error::quoting(
            "ERR unknown subcommand or wrong number of arguments for '",
            start_of(subcommand),
            &advice,
        )
    }

    /// LATENCY GRAPH of an event that has not been seen.
    pub fn no_samples(event: &[u8]) -> Error {
        Error::quoting("ERR No samples available for event '", event, "'")
    }

    /// CLIENT LIST or KILL of a user that does not exist.
    pub fn no_such_user(name: &[u8]) -> Error {
        Error::quoting("ERR No such user '", name, "'")
    }

    /// A figure of a client filter in Valkey that is no number.
    pub fn not_an_integer(name: &str) -> Error {
        Error::new(format!("ERR {name} is not an integer or out of range"))
    }

    /// A figure of a client filter in Valkey that is too small.
    pub fn not_above_zero(name: &str) -> Error {
        Error::new(format!("ERR {name} should be greater than 0"))
    }

    /// Letters of a client filter in Valkey that no client can have.
    pub fn unknown_letters(filter: &str, is_negated: bool, letters: &[u8]) -> Error {
        let what = filter.trim_start_matches("NOT-").to_ascii_lowercase();
        let place = if is_negated { filter } else { "provided" };
        Error::quoting(&format!("ERR Unknown {what} found in the {place} filter: "), letters, "")
    }

    /// The database of a client filter in Valkey does not exist.
    pub fn filter_db_out_of_range(name: &str, databases: u16) -> Error {
        Error::new(format!("ERR {name} number should be between 0 and {}", databases - 1))
    }

    /// A command that this option does not allow.
    pub fn protected(name: &str, option: &str) -> Error {
        Error::new(format!(
            "ERR {name} command not allowed. If the {option} option is set to \"local\", you can run it from a local \
             connection, otherwise you need to set this option in the configuration file, and then restart the server."
        ))
    }

    /// Too few or too many words; `name` as `COMMAND` reports it (`config|get`).
    pub fn arity(name: &str) -> Error {
        Error::new(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// No such command; the arguments are cut so that the text stays short.
    pub fn unknown_command<'a>(name: &[u8], args: impl Iterator<Item = &'a [u8]>) -> Error {
        let mut beginning = Vec::new();
        for arg in args {
            let Some(room) = UNKNOWN_COMMAND_BYTES_MAX.checked_sub(beginning.len()).filter(|&room| room > 0)
            else {
                break;
            };
            let cut = until_zero(&arg[..arg.len().min(room)]);
            beginning.extend([b"'", cut, b"' "].concat());
        }
        let name = until_zero(start_of(name));
        Error::new([b"ERR unknown command '", name, b"', with args beginning with: ", &beginning].concat())
    }

    /// No such subcommand of `container`.
    pub fn unknown_subcommand(container: &str, subcommand: &[u8]) -> Error {
        Error::quoting("ERR unknown subcommand '", start_of(subcommand), &format!("'. Try {container} HELP."))
    }

    /// A text that repeats what a client sent, as the imitated servers do: up to its first zero byte.
    pub fn quoting(before: &str, bytes: &[u8], after: &str) -> Error {
        Error::new([before.as_bytes(), until_zero(bytes), after.as_bytes()].concat())
    }
}

/// As much of a name as is repeated.
fn start_of(name: &[u8]) -> &[u8] {
    &name[..name.len().min(UNKNOWN_COMMAND_BYTES_MAX)]
}

/// How much of an unknown command's name and arguments is repeated in the error.
const UNKNOWN_COMMAND_BYTES_MAX: usize = 128;

impl From<WrongType> for Error {
    fn from(_: WrongType) -> Error {
        Error::WRONG_TYPE
    }
}

impl From<StringTooLong> for Error {
    fn from(_: StringTooLong) -> Error {
        Error::STRING_TOO_LONG
    }
}

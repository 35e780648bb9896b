//! Errors of scripts: what a caller hears, and what scripts raise.

use super::Error;
use crate::config::Dialect;
use crate::scripting::watchdog::Kind;

impl Error {
    /// Arguments of a function that takes another number of them.
    pub const SCRIPT_ARGUMENTS: Error = Error::fixed(&"ERR wrong number of arguments");
    /// `error_reply` and `status_reply` of something else than one text.
    pub const SCRIPT_REPLY: Error = Error::fixed(&"ERR wrong number or type of arguments");
    /// `set_repl` of what is none.
    pub const SCRIPT_REPLICATION: Error =
        Error::fixed(&"ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    /// `setresp` of another version.
    pub const SCRIPT_PROTOCOL: Error = Error::fixed(&"ERR RESP version must be 2 or 3.");
    /// `log` without a level.
    pub const SCRIPT_LOG_LEVEL_TYPE: Error =
        Error::fixed(&"ERR First argument must be a number (log level).");
    /// A script that may only read calls a command that writes.
    pub const SCRIPT_WRITES: Error =
        Error::fixed(&"ERR Write commands are not allowed from read-only scripts.");
    /// A script that writes is called where it may only read.
    pub const SCRIPT_NOT_READ_ONLY: Error =
        Error::fixed(&"ERR Can not execute a script with write flag using *_ro command.");
    /// A script that does not say that it can do without memory is called where there is none.
    pub const SCRIPT_OUT_OF_MEMORY: Error = Error::fixed(
        &"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
    );
    /// EVAL with fewer keys than none.
    pub const NUMKEYS_NEGATIVE: Error = Error::fixed(&"ERR Number of keys can't be negative");
    /// A script that has written cannot be ended.
    pub const UNKILLABLE: Error = Error::fixed(
        &"UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script \
          termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
    );
    /// A function of the server's table is called where no script runs, as while a library is loaded.
    pub const NO_SCRIPT_RUNS: Error =
        Error::fixed(&"ERR redis.call/pcall can only be called inside a script invocation");
    /// A script was taken for one that keeps to its keys, and does not: a fault of ours.
    pub const SCRIPT_LEFT_ITS_KEYS: Error = Error::fixed(
        &"ERR this script touches keys that it has not declared, and was not expected to; please report it",
    );
    /// A script that will run again, on another thread; nobody hears it.
    pub const SCRIPT_MOVES: Error = Error::fixed(&"ERR this script goes on elsewhere");
    /// There is no memory for an engine.
    pub const NO_ENGINE: Error = Error::fixed(&"ERR scripts cannot be run now: no engine could be made");

    /// EVALSHA of what is not there.
    pub fn no_such_script(dialect: &Dialect) -> Error {
        Error::fixed(dialect.no_script)
    }

    /// Whoever calls while something has been running for too long.
    pub fn busy(dialect: &Dialect, kind: Kind) -> Error {
        let product = dialect.product();
        let killer = match kind {
            Kind::Script => "SCRIPT KILL",
            Kind::Function => "FUNCTION KILL",
        };
        Error::new(format!(
            "BUSY {product} is busy running a script. You can only call {killer} or SHUTDOWN NOSAVE."
        ))
    }

    /// What Lua does not understand.
    pub fn script_does_not_compile(message: &[u8]) -> Error {
        Error::new([b"ERR Error compiling script (new function): ", message].concat())
    }

    /// `call` without a command.
    pub fn script_without_command(dialect: &Dialect) -> Error {
        let of = if dialect.scripts_name_redis { "redis lib " } else { "" };
        Error::new(format!("ERR Please specify at least one argument for this {of}call"))
    }

    /// A word of a call that is none.
    pub fn script_argument(dialect: &Dialect) -> Error {
        let of = if dialect.scripts_name_redis { "Lua redis lib command" } else { "Command" };
        Error::new(format!("ERR {of} arguments must be strings or integers"))
    }

    /// Arguments of a function of the server's table that takes others.
    pub fn script_arguments(dialect: &Dialect, function: &str, rest: &str) -> Error {
        Error::new(format!("ERR {}.{function}() {rest}", dialect.server_table()))
    }

    /// `log` with a level that there is not.
    pub fn script_log_level(dialect: &Dialect) -> Error {
        let of = if dialect.scripts_name_redis { "debug" } else { "log" };
        Error::new(format!("ERR Invalid {of} level."))
    }

    /// `acl_check_cmd` of a command that there is not.
    pub fn script_unknown_command(dialect: &Dialect) -> Error {
        Error::new(format!("ERR Invalid command passed to {}.acl_check_cmd()", dialect.server_table()))
    }

    /// A call of a command that there is not.
    pub fn unknown_in_script(dialect: &Dialect) -> Error {
        let of = if dialect.scripts_name_redis { "Redis " } else { "" };
        Error::new(format!("ERR Unknown {of}command called from script"))
    }

    /// A call with too few or too many words.
    pub fn arity_in_script(dialect: &Dialect) -> Error {
        let of = if dialect.scripts_name_redis { "Redis " } else { "" };
        Error::new(format!("ERR Wrong number of args calling {of}command from script"))
    }

    /// A call that scripts may not make.
    pub fn not_in_script(dialect: &Dialect) -> Error {
        Error::new(format!("ERR This {} command is not allowed from script", dialect.product()))
    }
}

//! Errors of functions: those that callers hear, and those that libraries raise while they are loaded.

use super::Error;
use crate::config::Dialect;

impl Error {
    /// FCALL of what is not there.
    pub const NO_FUNCTION: Error = Error::fixed(&"ERR Function not found");
    /// FCALL with a number of keys that is none.
    pub const NUMKEYS_BAD: Error = Error::fixed(&"ERR Bad number of keys provided");
    /// A library without any function.
    pub const NO_FUNCTIONS_REGISTERED: Error = Error::fixed(&"ERR No functions registered");
    /// A library takes too long to load.
    pub const FUNCTION_LOAD_TIMEOUT: Error = Error::fixed(&"ERR FUNCTION LOAD timeout");
    /// A library has two functions of one name.
    pub const FUNCTION_REPEATED: Error = Error::fixed(&"ERR Function already exists in the library");
    /// A function has a flag that there is not.
    pub const FUNCTION_FLAG: Error = Error::fixed(&"ERR unknown flag given");
    /// A policy of FUNCTION RESTORE that there is not.
    pub const RESTORE_POLICY: Error =
        Error::fixed(&"ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    /// The name of a function has other characters, or none.
    const FUNCTION_NAME: Error = Error::fixed(
        &"ERR Function names can only contain letters, numbers, or underscores(_) and must be at least one character long",
    );

    /// The name of a function has other characters, or none.
    pub fn function_name(dialect: &Dialect) -> Error {
        if dialect.functions_checked_late { Error::FUNCTION_NAME } else { Error::LIBRARY_NAME }
    }

    /// FUNCTION LOAD of a library that is there.
    pub fn library_exists(name: &str) -> Error {
        Error::new(format!("ERR Library '{name}' already exists"))
    }

    /// FUNCTION RESTORE of a library that is there.
    pub fn library_collides(name: &str) -> Error {
        Error::new(format!("ERR Library {name} already exists"))
    }

    /// A function of another library has the name.
    pub fn function_collides(name: &str) -> Error {
        Error::new(format!("ERR Function {name} already exists"))
    }

    /// FUNCTION LOAD with an option that there is not.
    pub fn unknown_load_option(option: &[u8]) -> Error {
        Error::quoting("ERR Unknown option given: ", option, "")
    }

    /// Lua does not understand a library.
    pub fn library_does_not_compile(message: &[u8]) -> Error {
        Error::new([b"ERR Error compiling function: ", message].concat())
    }

    /// A library has raised an error while it was loaded.
    pub fn library_does_not_load(raised: &[u8]) -> Error {
        Error::new([b"ERR Error registering functions: ", raised].concat())
    }

    /// `register_function` outside of a library that is being loaded.
    pub fn register_outside(dialect: &Dialect) -> Error {
        Error::of_register(dialect, "", " can only be called on FUNCTION LOAD command")
    }

    /// `register_function` with other arguments than it takes: what stands before its name in the text, and behind it.
    pub fn of_register(dialect: &Dialect, before: &str, behind: &str) -> Error {
        Error::new(format!("ERR {before}{}.register_function{behind}", dialect.server_table()))
    }
}

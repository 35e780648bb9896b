//! The texts of errors about scripts and libraries of functions.

use super::Error;
use crate::config::Dialect;
use crate::scripting::payload::Malformed;
use crate::scripting::shebang::{LibraryError, ScriptError};

impl Error {
    /// The first line of a script does not end.
    pub const SCRIPT_SHEBANG: Error = Error::fixed(&"ERR Invalid script shebang");
    /// The quotes in the first line of a script do not match.
    pub const SCRIPT_SHEBANG_QUOTES: Error = Error::fixed(&"ERR Invalid engine in script shebang");
    /// A library has no first line that says so.
    pub const LIBRARY_METADATA_MISSING: Error = Error::fixed(&"ERR Missing library metadata");
    /// The first line of a library does not end, or its quotes do not match.
    pub const LIBRARY_METADATA: Error = Error::fixed(&"ERR Invalid library metadata");
    /// The first line of a library has several names.
    pub const LIBRARY_NAME_REPEATED: Error =
        Error::fixed(&"ERR Invalid metadata value, name argument was given multiple times");
    /// The first line of a library has no name.
    pub const LIBRARY_NAME_NOT_GIVEN: Error = Error::fixed(&"ERR Library name was not given");
    /// The name of a library has other characters, or none.
    pub const LIBRARY_NAME: Error = Error::fixed(
        &"ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
    );
    /// A payload was damaged or comes from a later server.
    pub const PAYLOAD: Error = Error::fixed(&"ERR DUMP payload version or checksum are wrong");
    /// A payload is not one of libraries.
    pub const PAYLOAD_NOT_A_FUNCTION: Error = Error::fixed(&"ERR given type is not a function");
    /// A payload is one of libraries as no released server writes it.
    pub const PAYLOAD_OF_CANDIDATE: Error = Error::fixed(&"ERR Pre-GA function format not supported");
    /// The text of a library in a payload is cut off or damaged.
    pub const PAYLOAD_TEXT: Error = Error::fixed(&"ERR Failed loading library payload");

    /// The first line of a script.
    pub fn script_shebang(error: &ScriptError, dialect: &Dialect) -> Error {
        match error {
            ScriptError::Unended => Error::SCRIPT_SHEBANG,
            ScriptError::Quotes => Error::SCRIPT_SHEBANG_QUOTES,
            ScriptError::Engine(engine) if dialect.script_engine_first => {
                Error::quoting("ERR Unexpected engine in script shebang: ", engine, "")
            }
            ScriptError::Engine(engine) => {
                Error::quoting("ERR Could not find scripting engine '", engine, "'")
            }
            ScriptError::Option(option) => Error::quoting("ERR Unknown lua shebang option: ", option, ""),
            ScriptError::Flag(flag) => Error::quoting("ERR Unexpected flag in script shebang: ", flag, ""),
        }
    }

    /// The first line of a library.
    pub fn library_shebang(error: &LibraryError) -> Error {
        match error {
            LibraryError::Missing => Error::LIBRARY_METADATA_MISSING,
            LibraryError::Invalid => Error::LIBRARY_METADATA,
            LibraryError::Option(option) => Error::quoting("ERR Invalid metadata value given: ", option, ""),
            LibraryError::RepeatedName => Error::LIBRARY_NAME_REPEATED,
            LibraryError::NoName => Error::LIBRARY_NAME_NOT_GIVEN,
            LibraryError::Name => Error::LIBRARY_NAME,
            LibraryError::Engine(engine) => Error::quoting("ERR Engine '", engine, "' not found"),
        }
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Error {
        match malformed {
            Malformed::VersionOrChecksum => Error::PAYLOAD,
            Malformed::NotAFunction => Error::PAYLOAD_NOT_A_FUNCTION,
            Malformed::Candidate => Error::PAYLOAD_OF_CANDIDATE,
            Malformed::Text => Error::PAYLOAD_TEXT,
        }
    }
}

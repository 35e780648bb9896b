//! The texts of errors about bitmaps.

use super::Error;

impl Error {
    /// The place of a bit that is no number, or beyond the longest string.
    pub const BIT_OFFSET: Error = Error::fixed(&"ERR bit offset is not an integer or out of range");
    /// SETBIT to something that is no bit.
    pub const BIT_VALUE: Error = Error::fixed(&"ERR bit is not an integer or out of range");
    /// BITPOS of something that is no bit.
    pub const BIT_ARGUMENT: Error = Error::fixed(&"ERR The bit argument must be 1 or 0.");
    /// BITOP NOT of several keys.
    pub const BITOP_ONE_SOURCE: Error =
        Error::fixed(&"ERR BITOP NOT must be called with a single source key.");
    /// BITFIELD of integers that do not exist.
    pub const BITFIELD_TYPE: Error = Error::fixed(
        &"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    );
    /// BITFIELD with a way to deal with overflows that does not exist.
    pub const BITFIELD_OVERFLOW: Error = Error::fixed(&"ERR Invalid OVERFLOW type specified");
    /// BITFIELD_RO that would write.
    pub const BITFIELD_READS_ONLY: Error = Error::fixed(&"ERR BITFIELD_RO only supports the GET subcommand");

    /// BITOP that compares the first key with others, without any.
    pub fn bitop_two_sources(operation: &str) -> Error {
        Error::new(format!("ERR BITOP {operation} must be called with at least two source keys."))
    }
}

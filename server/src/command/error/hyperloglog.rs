//! The texts of errors about HyperLogLogs.

use shardis_storage::hyperloglog::Corrupted;

use super::Error;

impl Error {
    /// A string that is none.
    pub const NOT_HYPERLOGLOG: Error =
        Error::fixed(&"WRONGTYPE Key is not a valid HyperLogLog string value.");
    /// One whose registers are not all there.
    pub const CORRUPTED_HYPERLOGLOG: Error = Error::fixed(&"INVALIDOBJ Corrupted HLL object detected");
    /// PFDEBUG of nothing.
    pub const NO_HYPERLOGLOG: Error = Error::fixed(&"ERR The specified key does not exist");
    /// PFDEBUG DECODE of a dense one.
    pub const HYPERLOGLOG_NOT_SPARSE: Error = Error::fixed(&"ERR HLL encoding is not sparse");
    /// PFSELFTEST: few elements are not kept sparse.
    pub const TEST_NOT_SPARSE: Error = Error::fixed(&"ERR TESTFAILED sparse encoding not used");
    /// PFSELFTEST: the two ways to write registers differ.
    pub const TEST_DISAGREEMENT: Error = Error::fixed(&"ERR TESTFAILED dense/sparse disagree");

    /// PFDEBUG of something that it cannot do.
    pub fn unknown_pfdebug(subcommand: &[u8]) -> Error {
        Error::quoting("ERR Unknown PFDEBUG subcommand '", subcommand, "'")
    }

    /// PFSELFTEST: an estimate is further off than it may be.
    pub fn test_too_big_error(count: u64, error: u64) -> Error {
        Error::new(format!("ERR TESTFAILED Too big error. card:{count} abserr:{error}").into_bytes())
    }
}

impl From<Corrupted> for Error {
    fn from(_: Corrupted) -> Error {
        Error::CORRUPTED_HYPERLOGLOG
    }
}

//! The texts of errors about hashes and sorted sets.

use super::Error;

impl Error {
    /// HINCRBYFLOAT of a field that is no number.
    pub const HASH_NOT_FLOAT: Error = Error::fixed(&"ERR hash value is not a float");
    /// The fields are not where they belong.
    pub const FIELDS_MISSING: Error =
        Error::fixed(&"ERR Mandatory argument FIELDS is missing or not at the right position");
    /// A number of fields that is not positive or no number.
    pub const FIELDS_NOT_POSITIVE: Error = Error::fixed(&"ERR Number of fields must be a positive integer");
    /// The same for HEXPIRE.
    pub const NUMFIELDS_PARAMETER: Error =
        Error::fixed(&"ERR Parameter `numFields` should be greater than 0");
    /// A number of fields that are not there, or of fewer than are.
    pub const FIELDS_UNEQUAL: Error =
        Error::fixed(&"ERR The `numfields` parameter must match the number of arguments");
    /// All of these in Valkey.
    pub const NUMFIELDS: Error =
        Error::fixed(&"ERR numfields should be greater than 0 and match the provided number of fields");
    /// A negative time for fields.
    pub const NEGATIVE_EXPIRE: Error = Error::fixed(&"ERR invalid expire time, must be >= 0");
    /// HINCRBYFLOAT by a number without end.
    pub const NAN_OR_INFINITY: Error = Error::fixed(&"ERR value is NaN or Infinity");
    /// An end of a range of scores that is no number.
    pub const RANGE_NOT_FLOAT: Error = Error::fixed(&"ERR min or max is not a float");
    /// An end of a range of members that does not say whether it belongs to the range.
    pub const RANGE_NOT_LEX: Error = Error::fixed(&"ERR min or max not valid string range item");
    /// ZRANGE with a part of a range of ranks.
    pub const LIMIT_OF_RANKS: Error = Error::fixed(
        &"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
    );
    /// ZRANGE with the scores of a range of members.
    pub const WITHSCORES_BY_LEX: Error =
        Error::fixed(&"ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    /// ZADD only of members that are and are not there.
    pub const NX_AND_XX: Error = Error::fixed(&"ERR XX and NX options at the same time are not compatible");
    /// ZADD with conditions that exclude each other.
    pub const NX_GT_LT: Error =
        Error::fixed(&"ERR GT, LT, and/or NX options at the same time are not compatible");
    /// ZADD with several increments.
    pub const INCR_OF_MANY: Error = Error::fixed(&"ERR INCR option supports a single increment-element pair");
    /// A sum of two infinities.
    pub const SCORE_NAN: Error = Error::fixed(&"ERR resulting score is not a number (NaN)");
    /// A weight that is no number.
    pub const WEIGHT_NOT_FLOAT: Error = Error::fixed(&"ERR weight value is not a float");
    /// A step through something else than a sorted set, without the scores that it does not have.
    pub const NOSCORES_WITHOUT_SCORES: Error = Error::fixed(&"ERR NOSCORES option can only be used in ZSCAN");
}

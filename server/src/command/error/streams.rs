//! The texts of errors about streams.

use super::Error;

impl Error {
    /// No id of an entry.
    pub const INVALID_STREAM_ID: Error =
        Error::fixed(&"ERR Invalid stream ID specified as stream command argument");
    /// There is no id behind the one that an interval excludes.
    pub const INVALID_START_ID: Error = Error::fixed(&"ERR invalid start ID for the interval");
    /// There is none before it.
    pub const INVALID_END_ID: Error = Error::fixed(&"ERR invalid end ID for the interval");
    /// XADD of the least id.
    pub const ID_ZERO: Error = Error::fixed(&"ERR The ID specified in XADD must be greater than 0-0");
    /// XADD of an id that is not greater than the last.
    pub const ID_TOO_SMALL: Error =
        Error::fixed(&"ERR The ID specified in XADD is equal or smaller than the target stream top item");
    /// The last id was the greatest.
    pub const IDS_EXHAUSTED: Error =
        Error::fixed(&"ERR The stream has exhausted the last possible ID, unable to add more items");
    /// XADD of more bytes than an entry may have.
    pub const ENTRY_TOO_LARGE: Error = Error::fixed(&"ERR Elements are too large to be stored");
    /// Two ways to trim.
    pub const MAXLEN_AND_MINID: Error =
        Error::fixed(&"ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
    /// A negative number of entries that are to stay.
    pub const KEPT_NEGATIVE: Error = Error::fixed(&"ERR The MAXLEN argument must be >= 0.");
    /// A negative number of entries that may go.
    pub const TRIMMED_NEGATIVE: Error = Error::fixed(&"ERR The LIMIT argument must be >= 0.");
    /// A limit of nothing.
    pub const LIMIT_WITHOUT_TRIM: Error =
        Error::fixed(&"ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
    /// A limit of what is exact.
    pub const LIMIT_OF_EXACT_TRIM: Error =
        Error::fixed(&"ERR syntax error, LIMIT cannot be used without the special ~ option");
    /// XTRIM without saying how.
    pub const NO_TRIM: Error =
        Error::fixed(&"ERR syntax error, XTRIM must be called with a trimming strategy");
    /// A number of ids that is not positive.
    pub const IDS_NOT_POSITIVE: Error = Error::fixed(&"ERR Number of IDs must be a positive integer");
    /// A number of ids of which there are fewer.
    pub const IDS_UNEQUAL: Error =
        Error::fixed(&"ERR The `numids` parameter must match the number of arguments");
    /// No ids at all.
    pub const IDS_MISSING: Error = Error::fixed(&"ERR IDS option is required");
    /// XSETID below what was deleted.
    pub const SETID_BELOW_GIVEN_DELETED: Error =
        Error::fixed(&"ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
    /// The same for what is known to be deleted.
    pub const SETID_BELOW_DELETED: Error =
        Error::fixed(&"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
    /// XSETID below what is there.
    pub const SETID_BELOW_TOP: Error =
        Error::fixed(&"ERR The ID specified in XSETID is smaller than the target stream top item");
    /// XSETID to fewer entries than there are.
    pub const SETID_FEWER_ADDED: Error =
        Error::fixed(&"ERR The entries_added specified in XSETID is smaller than the target stream length");
    /// A negative number of entries.
    pub const ENTRIES_ADDED_NEGATIVE: Error = Error::fixed(&"ERR entries_added must be positive");
    /// XREADGROUP without a group.
    pub const GROUP_MISSING: Error = Error::fixed(&"ERR Missing GROUP option for XREADGROUP");
    /// XREAD with a group.
    pub const GROUP_OF_XREAD: Error =
        Error::fixed(&"ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
    /// XREAD with what only groups have.
    pub const NOACK_OF_XREAD: Error =
        Error::fixed(&"ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
    /// The same.
    pub const CLAIM_OF_XREAD: Error =
        Error::fixed(&"ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.");
    /// Entries that have been idle are claimed by other commands.
    pub const NO_CLAIM: Error =
        Error::fixed(&"ERR XREADGROUP knows no CLAIM here, use XAUTOCLAIM to take over what is pending");
    /// XREADGROUP of what comes from now on.
    pub const LAST_ID_OF_GROUP: Error = Error::fixed(
        &"ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
    );
    /// XREADGROUP of the last entry.
    pub const TOP_ID_OF_GROUP: Error = Error::fixed(
        &"ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
    );
    /// XREAD of what a group has not got.
    pub const NEW_ID_OF_XREAD: Error = Error::fixed(
        &"ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    );
    /// XGROUP of a key that is not there.
    pub const GROUP_NEEDS_KEY: Error = Error::fixed(
        &"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    );
    /// XGROUP CREATE of a group that is there.
    pub const GROUP_EXISTS: Error = Error::fixed(&"BUSYGROUP Consumer Group name already exists");
    /// A number of entries that were read that is none.
    pub const ENTRIES_READ_NEGATIVE: Error =
        Error::fixed(&"ERR value for ENTRIESREAD must be positive or -1");
    /// XAUTOCLAIM of nothing.
    pub const COUNT_NOT_POSITIVE: Error = Error::fixed(&"ERR COUNT must be > 0");
    /// Idle times that are no numbers.
    pub const XCLAIM_MIN_IDLE: Error = Error::fixed(&"ERR Invalid min-idle-time argument for XCLAIM");
    /// The same.
    pub const XAUTOCLAIM_MIN_IDLE: Error = Error::fixed(&"ERR Invalid min-idle-time argument for XAUTOCLAIM");
    /// The same.
    pub const XCLAIM_IDLE: Error = Error::fixed(&"ERR Invalid IDLE option argument for XCLAIM");
    /// A time that is no number.
    pub const XCLAIM_TIME: Error = Error::fixed(&"ERR Invalid TIME option argument for XCLAIM");
    /// A number of deliveries that is none.
    pub const XCLAIM_RETRYCOUNT: Error = Error::fixed(&"ERR Invalid RETRYCOUNT option argument for XCLAIM");

    /// Keys and ids that do not pair, whatever the command is called.
    pub const UNBALANCED_XREAD: Error = Error::fixed(
        &"ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
    );

    /// The same, for a command.
    pub fn unbalanced_streams(command: &str, id: &str) -> Error {
        Error::new(
            format!(
                "ERR Unbalanced '{command}' list of streams: for each stream key an ID or '{id}' must be specified."
            )
            .into_bytes(),
        )
    }

    /// XREADGROUP for a group that is not there.
    pub fn no_group_to_read(key: &[u8], group: &[u8]) -> Error {
        Error::no_group_then(key, group, "' in XREADGROUP with GROUP option")
    }

    /// Any other command for such a group.
    pub fn no_key_or_group(key: &[u8], group: &[u8]) -> Error {
        Error::no_group_then(key, group, "'")
    }

    fn no_group_then(key: &[u8], group: &[u8], end: &str) -> Error {
        let key = super::until_zero(key);
        let text = [b"NOGROUP No such key '", key, b"' or consumer group '"].concat();
        let group = super::until_zero(group);
        Error::new([&text, group, end.as_bytes()].concat())
    }

    /// XGROUP and XINFO of such a group.
    pub fn no_group(key: &[u8], group: &[u8]) -> Error {
        let (key, group) = (super::until_zero(key), super::until_zero(group));
        Error::new([b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"].concat())
    }

    /// XCLAIM with a word that is no option.
    pub fn unknown_xclaim_option(option: &[u8]) -> Error {
        Error::quoting("ERR Unrecognized XCLAIM option '", option, "'")
    }
}

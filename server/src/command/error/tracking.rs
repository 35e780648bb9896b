//! The texts about client-side caching.

use super::Error;
use crate::command::args::until_zero;

impl Error {
    /// CLIENT CACHING of a client that does not say for each call what counts.
    pub const CACHING_WITHOUT_TRACKING: Error = Error::fixed(
        &"ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    );
    /// CLIENT CACHING YES of a client whose calls do not wait for that.
    pub const CACHING_WITHOUT_OPTIN: Error =
        Error::fixed(&"ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    /// CLIENT CACHING NO of a client whose calls do not wait for that.
    pub const CACHING_WITHOUT_OPTOUT: Error =
        Error::fixed(&"ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    /// CLIENT TRACKING with a client that does not exist.
    pub const REDIRECT_TO_NOBODY: Error =
        Error::fixed(&"ERR The client ID you want redirect to does not exist");
    /// CLIENT TRACKING with several clients.
    pub const REDIRECT_TWICE: Error =
        Error::fixed(&"ERR A client can only redirect to a single other client");
    /// CLIENT TRACKING of prefixes of the keys that a client has read.
    pub const PREFIX_WITHOUT_BROADCAST: Error =
        Error::fixed(&"ERR PREFIX option requires BCAST mode to be enabled");
    /// CLIENT TRACKING by prefixes of a client that tracks what it reads, or the reverse.
    pub const BROADCAST_SWITCHED: Error = Error::fixed(
        &"ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
          with a different mode.",
    );
    /// CLIENT TRACKING by prefixes and by calls.
    pub const BROADCAST_BY_CALLS: Error = Error::fixed(&"ERR OPTIN and OPTOUT are not compatible with BCAST");
    /// CLIENT TRACKING where each call counts, and none does.
    pub const OPTIN_AND_OPTOUT: Error =
        Error::fixed(&"ERR You can't specify both OPTIN mode and OPTOUT mode");
    /// CLIENT TRACKING where each call counts of a client for whom none did, or the reverse.
    pub const OPTIN_SWITCHED: Error = Error::fixed(
        &"ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it \
          with a different mode.",
    );

    /// CLIENT TRACKING with a prefix of another prefix.
    pub fn prefixes_overlap(prefix: &[u8], other: &[u8], is_new: bool) -> Error {
        let kind = if is_new { "another provided" } else { "an existing" };
        let text: [&[u8]; 7] = [
            b"ERR Prefix '",
            until_zero(prefix),
            b"' overlaps with ",
            kind.as_bytes(),
            b" prefix '",
            until_zero(other),
            b"'. Prefixes for a single client must not overlap.",
        ];
        Error::new(text.concat())
    }

    /// A session inside the process wants to track keys: nobody can send it anything.
    pub fn cannot_track(name: &str) -> Error {
        Error::new(format!("ERR {name} isn't allowed for a DENY BLOCKING client"))
    }
}

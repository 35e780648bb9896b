//! CLIENT HELP: the texts of the imitated server.

use super::ANYTIME;
use crate::client::Client;
use crate::command::{Call, Command, Done};
use crate::config::Dialect;

pub static HELP: Command = Command::help(help).flags(ANYTIME).since("5.0.0");

fn help(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let dialect = call.dialect();
    let parts = PARTS.iter().filter(|(of, _)| of.includes(dialect));
    let lines: Vec<&str> = parts.flat_map(|(_, lines)| lines.lines()).collect();
    call.help("CLIENT", &lines)
}

/// Whose help a part belongs to.
#[derive(Clone, Copy)]
enum Of {
    All,
    Redis,
    /// All that know libraries of clients, which are all but the oldest.
    Newer,
    Valkey,
}

impl Of {
    fn includes(self, dialect: &Dialect) -> bool {
        match self {
            Of::All => true,
            Of::Redis => !dialect.client_filters_combine,
            Of::Newer => dialect.client_library,
            Of::Valkey => dialect.client_filters_combine,
        }
    }
}

static PARTS: &[(Of, &str)] = &[
    (
        Of::All,
        "CACHING (YES|NO)
    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    ),
    (
        Of::Valkey,
        "CAPA <option> [options...]
    The client claims its some capability options. Options are:
    * REDIRECT
      The client can handle redirection during primary and replica failover in standalone mode.",
    ),
    (
        Of::All,
        "GETREDIR
    Return the client ID we are redirecting to when tracking is enabled.
GETNAME
    Return the name of the current connection.
ID
    Return the ID of the current connection.
INFO
    Return information about the current client connection.
KILL <ip:port>
    Kill connection made from <ip:port>.
KILL <option> <value> [<option> <value> [...]]
    Kill connections. Options are:
    * ADDR (<ip:port>|<unixsocket>:0)",
    ),
    (
        Of::Redis,
        "      Kill connections made from the specified address
    * LADDR (<ip:port>|<unixsocket>:0)
      Kill connections made to specified local address
    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    ),
    (
        Of::Valkey,
        "      Kill connections made from the specified address.
    * LADDR (<ip:port>|<unixsocket>:0)
      Kill connections made to the specified local address.
    * TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB)",
    ),
    (
        Of::All,
        "      Kill connections by type.
    * USER <username>
      Kill connections authenticated by <username>.
    * SKIPME (YES|NO)
      Skip killing current connection (default: yes).",
    ),
    (
        Of::Valkey,
        "    * ID <client-id> [<client-id>...]
      Kill connections by client IDs.
    * MAXAGE <maxage>
      Kill connections older than the specified age.
    * FLAGS <flags>
      Kill connections that include the specified flags.
    * NAME <client-name>
      Kill connections with the specified name.
    * IDLE <idle>
      Kill connections with idle time greater than or equal to <idle> seconds.
    * LIB-NAME <library-name>
      Kill connections with the specified library name.
    * LIB-VER <library-version>
      Kill connections with the specified library version.
    * DB <db-id>
      Kill connections currently operating on the specified database ID.
    * CAPA <capa>
      Kill connections currently with the specified capa.
    * IP <ip>
      Kill connections made from the specified ip.",
    ),
    (
        Of::All,
        "LIST [options ...]
    Return information about client connections. Options:",
    ),
    (
        Of::Redis,
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)
      Return clients of specified type.",
    ),
    (
        Of::Valkey,
        "    * TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB)
      Return clients of specified type.
    * USER <username>
      Return clients authenticated by <username>.
    * ADDR <ip:port>
      Return clients connected from the specified address.
    * LADDR <ip:port>
      Return clients connected to the specified local address.
    * ID <client-id> [<client-id>...]
      Return clients with the specified IDs.
    * SKIPME (YES|NO)
      Exclude the current client from the list (default: no).
    * MAXAGE <maxage>
      List connections older than the specified age.
    * FLAGS <flags>
      Return clients with the specified flags.
    * NAME <client-name>
      Return clients with the specified name.
    * IDLE <idle>
      Return clients with idle time greater than or equal to <idle> seconds.
    * LIB-NAME <lib-name>
      Return clients with the specified lib name.
    * LIB-VER <lib-version>
      Return clients with the specified lib version.
    * DB <db-id>
      Return clients currently operating on the specified database ID.
    * CAPA <capa>
      Return connections currently with the specified capa.
    * IP <ip>
      Return connections made from the specified ip.",
    ),
    (
        Of::All,
        "UNPAUSE
    Stop the current client pause, resuming traffic.
PAUSE <timeout> [WRITE|ALL]
    Suspend all, or just write, clients for <timeout> milliseconds.
REPLY (ON|OFF|SKIP)
    Control the replies sent to the current connection.
SETNAME <name>
    Assign the name <name> to the current connection.",
    ),
    (
        Of::Newer,
        "SETINFO <option> <value>
    Set client meta attr. Options are:
    * LIB-NAME: the client lib name.
    * LIB-VER: the client lib version.",
    ),
    (
        Of::All,
        "UNBLOCK <clientid> [TIMEOUT|ERROR]
    Unblock the specified blocked client.
TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]
         [OPTIN] [OPTOUT] [NOLOOP]
    Control server assisted client side caching.
TRACKINGINFO
    Report tracking status for the current connection.
NO-EVICT (ON|OFF)
    Protect current client connection from eviction.",
    ),
    (
        Of::Newer,
        "NO-TOUCH (ON|OFF)
    Will not touch LRU/LFU stats when this mode is on.",
    ),
    (
        Of::Valkey,
        "IMPORT-SOURCE (ON|OFF)
    Mark this connection as an import source if import-mode is enabled.
    Sync tools can set their connections into 'import-source' state to visit
    expired keys.",
    ),
];

//! The texts about who may do what: logging in, the rules of users, and what they forbid.

use super::Error;
use crate::config::Dialect;

/// What is wrong with a rule of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleFault {
    /// There is no such rule.
    Syntax,
    /// It names a command or category that does not exist.
    UnknownCommand,
    /// A pattern of keys for somebody who has all keys.
    KeysAfterAll,
    /// A pattern of channels for somebody who has all channels.
    ChannelsAfterAll,
    /// A password to remove that the user does not have.
    NoSuchPassword,
    /// A sum of a password that cannot be one.
    PasswordSum,
    /// A first word for a subcommand.
    WordOfSubcommand,
    /// A database that cannot be there.
    DatabaseRange,
}

impl RuleFault {
    /// As the real servers say it.
    pub fn text(self) -> &'static str {
        match self {
            RuleFault::Syntax => "Syntax error",
            RuleFault::UnknownCommand => "Unknown command or category name in ACL",
            RuleFault::KeysAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. \
                 Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleFault::ChannelsAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleFault::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleFault::PasswordSum => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleFault::WordOfSubcommand => "Allowing first-arg of a subcommand is not supported",
            RuleFault::DatabaseRange => "The provided database ID is out of range",
        }
    }
}

/// What is not allowed, by its name.
#[derive(Clone, Copy, Debug)]
pub enum Forbidden<'a> {
    /// A command or subcommand.
    Command(&'a str),
    /// A database, by its number; the current one by the command that would use it.
    Database(&'a [u8]),
    /// A key.
    Key(&'a [u8]),
    /// A channel.
    Channel(&'a [u8]),
}

impl Error {
    /// AUTH with a wrong name or password.
    pub const WRONG_PASSWORD: Error =
        Error::fixed(&"WRONGPASS invalid username-password pair or user is disabled.");
    /// ACL SETUSER of a name that no line could hold.
    pub const USER_NAME: Error = Error::fixed(&"ERR Usernames can't contain spaces or null characters");
    /// ACL DELUSER of the one user who is always there.
    pub const DEFAULT_USER_STAYS: Error = Error::fixed(&"ERR The 'default' user cannot be removed");
    /// ACL SAVE into a file that cannot be written.
    pub const USERS_NOT_SAVED: Error = Error::fixed(
        &"ERR There was an error trying to save the ACLs. Please check the server logs for more information",
    );

    /// A rule of ACL SETUSER that cannot be obeyed.
    pub fn user_rule(rule: &[u8], fault: RuleFault) -> Error {
        Error::quoting("ERR Error in ACL SETUSER modifier '", rule, &format!("': {}", fault.text()))
    }

    /// A selector that does not end.
    pub fn unmatched_parenthesis(word: &[u8]) -> Error {
        Error::quoting("ERR Unmatched parenthesis in acl selector starting at '", word, "'.")
    }

    /// ACL DRYRUN for a user that does not exist.
    pub fn user_not_found(name: &[u8]) -> Error {
        Error::quoting("ERR User '", name, "' not found")
    }

    /// ACL DRYRUN of a command that does not exist.
    pub fn command_not_found(name: &[u8]) -> Error {
        Error::quoting("ERR Command '", name, "' not found")
    }

    /// ACL LOAD and SAVE without a file.
    pub fn no_user_file(dialect: &Dialect) -> Error {
        let server = if dialect.help_names_server { "Redis " } else { "" };
        Error::new(format!(
            "ERR This {server}instance is not configured to use an ACL file. You may want to specify users via the ACL \
             SETUSER command and then issue a CONFIG REWRITE (assuming you have a {server}configuration file set) in \
             order to store users in the {server}configuration."
        ))
    }

    /// What a user is told whose call is refused.
    pub fn no_permission(user: &[u8], forbidden: Forbidden<'_>, dialect: &Dialect) -> Error {
        let text: &[u8] = match (forbidden, dialect.refusals_name_user) {
            (Forbidden::Command(_), _) => {
                let sentence = sentence(user, forbidden, dialect, "this user");
                return Error::new([b"NOPERM ".as_slice(), &sentence].concat());
            }
            (Forbidden::Key(_), true) => b"NOPERM No permissions to access a key",
            (Forbidden::Channel(_), true) => b"NOPERM No permissions to access a channel",
            (Forbidden::Key(_), false) => {
                b"NOPERM this user has no permissions to access one of the keys used as arguments"
            }
            (Forbidden::Channel(_), false) => {
                b"NOPERM this user has no permissions to access one of the channels used as arguments"
            }
            (Forbidden::Database(_), _) => b"NOPERM No permissions to access database",
        };
        Error::new(text)
    }

    /// What is said of a user whose call would be refused.
    pub fn would_be_refused(user: &[u8], forbidden: Forbidden<'_>, dialect: &Dialect) -> Vec<u8> {
        sentence(user, forbidden, dialect, "This user")
    }

    /// The element of a transaction for a call that was allowed when it was queued.
    pub fn no_permission_any_more(forbidden: Forbidden<'_>) -> Error {
        let what = match forbidden {
            Forbidden::Command(_) => "no permission to execute the command or subcommand",
            Forbidden::Key(_) => "no permission to touch the specified keys",
            Forbidden::Channel(_) => {
                "no permission to access one of the channels used as arguments to the command"
            }
            Forbidden::Database(_) => "no permission to access the database",
        };
        Error::new(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
             is no longer allowed for the following reason: {what}"
        ))
    }

    /// What a script is told whose call is refused.
    pub fn no_permission_in_script(user: &[u8], forbidden: Forbidden<'_>, dialect: &Dialect) -> Error {
        if dialect.refusals_name_user {
            let error = Error::no_permission(user, forbidden, dialect);
            let reason = error.text().strip_prefix(b"NOPERM ").unwrap_or_default();
            return Error::new([b"ERR ACL failure in script: ".as_slice(), reason].concat());
        }
        let what = match forbidden {
            Forbidden::Command(_) => "can't run this command or subcommand",
            Forbidden::Channel(_) => "can't publish to the channel mentioned in the command",
            Forbidden::Key(_) | Forbidden::Database(_) => {
                "can't access at least one of the keys mentioned in the command arguments"
            }
        };
        Error::new(format!("ERR The user executing the script {what}"))
    }

    /// SORT with an option that names keys of which the user may not read all.
    pub fn option_denied(option: &str) -> Error {
        Error::new(format!("ERR {option} option of SORT denied due to insufficient ACL permissions."))
    }
}

/// The whole truth: who may not do what.
fn sentence(user: &[u8], forbidden: Forbidden<'_>, dialect: &Dialect, nameless: &str) -> Vec<u8> {
    let who = match dialect.refusals_name_user {
        true => [b"User ".as_slice(), user].concat(),
        false => nameless.into(),
    };
    let (before, what, after): (&str, &[u8], &str) = match forbidden {
        Forbidden::Command(name) => ("run the '", name.as_bytes(), "' command"),
        Forbidden::Database(name) => ("access database ", name, ""),
        Forbidden::Key(key) => ("access the '", key, "' key"),
        Forbidden::Channel(channel) => ("access the '", channel, "' channel"),
    };
    [&who, b" has no permissions to ".as_slice(), before.as_bytes(), what, after.as_bytes()].concat()
}

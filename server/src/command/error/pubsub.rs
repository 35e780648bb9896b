//! The texts of errors about listening to channels.

use super::Error;

impl Error {
    /// A command that a client may not run while it listens to channels in RESP2; `name` as `COMMAND` reports it.
    pub fn while_subscribed(name: &str) -> Error {
        Error::new(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
             context"
        ))
    }

    /// A session inside the process wants to listen: nobody can send it anything.
    pub fn cannot_listen(name: &str) -> Error {
        Error::new(format!("ERR {name} isn't allowed for a DENY BLOCKING client"))
    }
}

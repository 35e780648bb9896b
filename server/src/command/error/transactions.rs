//! Errors of transactions.

use super::Error;
use crate::config::Dialect;

impl Error {
    /// EXEC of nothing.
    pub const EXEC_WITHOUT_MULTI: Error = Error::fixed(&"ERR EXEC without MULTI");
    /// DISCARD of nothing.
    pub const DISCARD_WITHOUT_MULTI: Error = Error::fixed(&"ERR DISCARD without MULTI");
    /// A transaction in a transaction.
    pub const NESTED_MULTI: Error = Error::fixed(&"ERR MULTI calls can not be nested");
    /// Watching begins too late.
    pub const WATCH_IN_MULTI: Error = Error::fixed(&"ERR WATCH inside MULTI is not allowed");
    /// One of the commands of a transaction was refused.
    pub const TRANSACTION_BROKEN: Error =
        Error::fixed(&"EXECABORT Transaction discarded because of previous errors.");

    /// A command that a transaction must not contain.
    pub fn not_in_transaction(dialect: &Dialect, full_name: &str) -> Error {
        match dialect.nested_transactions_are_void {
            true => Error::new(format!("ERR Command '{full_name}' not allowed inside a transaction")),
            false => Error::new("ERR Command not allowed inside a transaction"),
        }
    }

    /// A transaction that is refused as a whole; a reason without a code of its own loses the general one.
    pub fn transaction_refused(reason: &Error) -> Error {
        let reason = String::from_utf8_lossy(reason.text());
        let reason = reason.strip_prefix("ERR ").unwrap_or(&reason);
        Error::new(format!("EXECABORT Transaction discarded because of: {reason}"))
    }
}

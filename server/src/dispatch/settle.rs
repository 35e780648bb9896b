//! What follows a command, once, while its locks are still held: the change log goes to whoever listens. Under the
//! locks listeners only mark or enqueue; freeing and sending happen after.
//!
//! No listener exists yet (transactions, blocking, tracking, notifications and the journal will), so the log is empty:
//! storage writes it only while somebody has raised an interest.

use shardis_storage::Transaction;

use crate::state::State;

/// Ends a transaction that leaves something behind.
#[cold]
pub fn settle(state: &State, mut txn: Transaction<'_>) {
    let settled = txn.settle();
    drop(txn);
    state.executor.free(settled.garbage);
}

//! What follows a command, once, while its locks are still held: the change log goes to whoever listens. Under the
//! locks listeners only mark or enqueue; freeing and sending happen after.
//!
//! No listener exists yet (transactions, blocking, tracking, notifications and the journal will), so the log is empty:
//! storage writes it only while somebody has raised an interest.

use shardis_storage::{Settled, Transaction};

use crate::state::State;

/// Ends a transaction that leaves something behind, but for its locks; what it leaves goes to [`finish`] without them.
#[cold]
pub fn settle(txn: &mut Transaction<'_>) -> Settled {
    txn.settle()
}

/// What is left of a transaction when its locks are gone.
#[cold]
pub fn finish(state: &State, settled: Settled) {
    state.executor.free(settled.garbage);
}

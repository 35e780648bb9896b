//! What follows a transaction, whoever began it: a command, the expiry or the eviction. Freeing happens here, when its locks are
//! gone. Whoever listens to the change log will be told while they are held, and then only marks or enqueues.
//!
//! No listener exists yet (transactions, blocking, tracking, notifications and the journal will), so the log is empty:
//! storage writes it only while somebody has raised an interest.

use shardis_storage::Settled;

use crate::state::State;

/// Takes care of what a transaction has left behind, when its locks are gone.
#[cold]
pub fn finish(state: &State, settled: Settled) {
    state.executor.free(settled.garbage);
}

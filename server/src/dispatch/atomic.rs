//! Computations that only read, set going: under ISOLATION ATOMIC on the executor, with all that they read held for as long as
//! they take, else on the shard workers. Whoever holds everything looks often whether anybody still waits for the answer, and
//! whether time is up; that runs from the command on, so that waiting counts. Not here: those inside of transactions and scripts, which hold it anyway (`program`).

use std::sync::Arc;

use shardis_storage::{Hold, Patience};

use super::route::Route;
use crate::jobs::{Job, Ticket};
use crate::state::State;

/// Sets a job going.
pub fn start(state: &Arc<State>, job: Job) -> Ticket {
    if !job.is_atomic() {
        return job.start(state);
    }
    let (ticket, promise, cancel) = Ticket::new();
    let (started, deadline) = (state.clock.tick(), job.deadline(&state.clock));
    let server = Arc::clone(state);
    state.executor.run(move |_| {
        if cancel.is_set() {
            return;
        }
        let answer = {
            let route = Route::to_target(&server.keyspace, job.target());
            let begun =
                server.keyspace.begin(route.scope(), Patience::Wait, Hold::Long, server.clock.now_ms());
            // Whoever waits is never told to come back.
            let Ok(mut txn) = begun else { return };
            // Behind the transaction, so that the server is marked before its shards are free.
            let _guard = server.poison.guard();
            let is_over = || cancel.is_set() || server.clock.has_reached(deadline);
            job.answer_within(&server, &mut txn, started, &is_over)
        };
        promise.fulfil(answer);
    });
    ticket
}

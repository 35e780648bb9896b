//! Work that runs elsewhere than on a network thread: `executor` runs long commands and frees what is heavy; `pool`
//! holds the shard workers of compute jobs. Here are the words in which a command describes such work and in which its
//! connection waits for the answer.

pub mod apply;
pub mod executor;
mod feed;
pub mod inline;
pub mod pool;
mod queue;
mod rights;
pub mod rows;
pub mod run;
mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shardis_compute::{Isolation, Target};
use shardis_protocol::Reply;
use shardis_storage::View;
use tokio::sync::{oneshot, watch};

use self::rights::Rights;
use self::run::Order;
use crate::acl::{Attempt, User};
use crate::block::block_on;
use crate::clock::Clock;
use crate::command::{Access, Error};
use crate::state::State;

/// A computation described by a command and started by the dispatcher.
pub struct Job(Order);

/// What a job answers.
pub struct Answer {
    write: Box<dyn FnOnce(&mut Reply) -> Result<(), Error> + Send>,
    scanned: Option<u64>,
}

/// The claim to a job's answer. Dropping it cancels the job at its next slice.
pub struct Ticket {
    answer: oneshot::Receiver<Answer>,
    cancel: Cancel,
    scanned: Option<u64>,
}

/// Whether a job has been cancelled.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

/// The worker's end of a ticket.
pub struct Promise {
    answer: oneshot::Sender<Answer>,
}

impl Job {
    /// A job of this order.
    pub fn new(order: Order) -> Job {
        Job(order)
    }

    /// Holds it to the rights of whoever calls.
    pub fn held_to(mut self, user: Option<Arc<User>>, attempt: &Attempt<'_>) -> Job {
        let changes = if self.0.apply.is_some() { Access::UPDATE } else { 0 };
        let access = Access(Access::ACCESS | changes);
        let limited = user.filter(|user| !user.may_touch_all_keys(attempt, access));
        self.0.rights = limited.map(|user| Arc::new(Rights::new(user, attempt, access)));
        self
    }

    /// What it is about.
    pub fn into_order(self) -> Order {
        self.0
    }

    /// Whether nobody may write meanwhile.
    pub fn is_atomic(&self) -> bool {
        self.0.plan.options().isolation == Isolation::Atomic
    }

    /// Sets it going on the shard workers.
    pub fn start(self, state: &Arc<State>) -> Ticket {
        state.pool.submit(state, self.0)
    }

    /// The rows that it reads.
    pub fn target(&self) -> &Target {
        self.0.plan.target()
    }

    /// When its time is up, by the server's clock.
    pub fn deadline(&self, clock: &Clock) -> Option<Duration> {
        self.0.deadline(clock)
    }

    /// Runs it right here, over shards that are held, unless it is over before its end.
    pub fn answer_within(
        self,
        state: &State,
        view: &mut View<'_>,
        started: Instant,
        is_over: &dyn Fn() -> bool,
    ) -> Answer {
        let end = inline::run(&self.0, view, &state.keyspace, started, is_over);
        let scanned = end.scanned();
        Answer::new(scanned, move |reply| (self.0.respond)(&self.0.plan, end, reply))
    }
}

impl Answer {
    /// An answer after so many rows, if that is known, that is a reply or says why there is none.
    pub fn new(
        scanned: Option<u64>,
        write: impl FnOnce(&mut Reply) -> Result<(), Error> + Send + 'static,
    ) -> Answer {
        Answer { write: Box::new(write), scanned }
    }

    /// Writes it.
    pub fn write(self, reply: &mut Reply) -> Result<(), Error> {
        (self.write)(reply)
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

impl Ticket {
    /// A ticket, the other end of it, and the mark by which the worker learns that nobody waits any more.
    pub fn new() -> (Ticket, Promise, Cancel) {
        let (sender, answer) = oneshot::channel();
        let cancel = Cancel::default();
        (Ticket { answer, cancel: cancel.clone(), scanned: None }, Promise { answer: sender }, cancel)
    }

    /// Waits for the answer and writes it.
    pub async fn wait(&mut self, reply: &mut Reply) -> Result<(), Error> {
        match (&mut self.answer).await {
            Ok(answer) => {
                self.scanned = answer.scanned;
                answer.write(reply)
            }
            // The worker is gone without an answer: the server is stopping.
            Err(_) => Err(Error::STOPPING),
        }
    }

    /// Rows that the job has looked at, if it has told with its answer.
    pub fn scanned(&self) -> Option<u64> {
        self.scanned
    }

    /// Waits for the answer on this thread and writes it, unless the server stops before.
    pub fn block(&mut self, mut stopping: watch::Receiver<bool>, reply: &mut Reply) -> Result<(), Error> {
        block_on(async {
            tokio::select! {
                biased;
                answered = self.wait(reply) => answered,
                Ok(_) = stopping.wait_for(|&stopping| stopping) => Err(Error::STOPPING),
            }
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel.0.store(true, Ordering::Release);
    }
}

impl Cancel {
    /// Whether the job has been cancelled.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Promise {
    /// Hands over the answer.
    pub fn fulfil(self, answer: Answer) {
        // Nobody waits any more when the ticket is gone.
        let _ = self.answer.send(answer);
    }
}

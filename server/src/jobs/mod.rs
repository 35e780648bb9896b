//! Work that runs elsewhere than on a network thread: `executor` runs long commands and frees what is heavy; `pool`
//! holds the shard workers of compute jobs. Here are the words in which a command describes such work and in which its
//! connection waits for the answer.

pub mod apply;
pub mod cursors;
pub mod directory;
pub mod executor;
mod feed;
pub mod inline;
pub mod into;
pub mod order;
pub mod pool;
mod queue;
pub mod rights;
pub mod rows;
pub mod run;
pub mod site;
mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shardis_compute::Options;
use shardis_protocol::Reply;
use tokio::sync::{oneshot, watch};

use self::directory::Listing;
use self::order::Order;
use self::rights::Rights;
use crate::acl::{Attempt, User};
use crate::block::block_on;
use crate::command::{Access, Error};

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

/// The worker's end: where the answer goes, and whether anybody still wants it.
pub struct Promise {
    to: Option<Recipient>,
    cancel: Cancel,
    /// Its place among the computations that somebody waits for.
    listing: Option<Listing>,
}

/// Who gets an answer.
enum Recipient {
    /// Whoever has the ticket.
    Ticket(oneshot::Sender<Answer>),
    /// This function, once in any case: without an answer if there is none.
    Function(Box<dyn FnOnce(Option<Answer>) + Send>),
}

impl Job {
    /// The clauses that only choose.
    pub fn options(&self) -> &Options {
        self.0.plan.options()
    }

    /// Whether nobody waits for it.
    pub fn is_asynchronous(&self) -> bool {
        self.options().asynchronous.is_some()
    }

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
    /// A ticket, and the other end of it.
    pub fn new() -> (Ticket, Promise) {
        let (sender, answer) = oneshot::channel();
        let cancel = Cancel::default();
        let to = Some(Recipient::Ticket(sender));
        let ticket = Ticket { answer, cancel: cancel.clone(), scanned: None };
        (ticket, Promise { to, cancel, listing: None })
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
        self.cancel.set();
    }
}

impl Cancel {
    /// Cancels it.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the job has been cancelled.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Promise {
    /// A promise to a function, which is called in any case; without an answer if there is none.
    pub fn to(function: impl FnOnce(Option<Answer>) + Send + 'static, cancel: Cancel) -> Promise {
        Promise { to: Some(Recipient::Function(Box::new(function))), cancel, listing: None }
    }

    /// The same, with a place in the directory until it is kept or broken.
    pub fn listed(mut self, listing: Listing) -> Promise {
        self.listing = Some(listing);
        self
    }

    /// By what the worker learns that nobody wants the answer any more.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Hands over the answer.
    pub fn fulfil(mut self, answer: Answer) {
        // Whoever has the answer finds it listed no more.
        self.listing = None;
        match self.to.take() {
            // Nobody waits any more when the ticket is gone.
            Some(Recipient::Ticket(sender)) => drop(sender.send(answer)),
            Some(Recipient::Function(function)) => function(Some(answer)),
            None => {}
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(Recipient::Function(function)) = self.to.take() {
            function(None);
        }
    }
}

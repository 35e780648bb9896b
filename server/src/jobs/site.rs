//! The key of a job whose shard is locked, and all that follows when the job changes: its events, the messages to those who listen,
//! and how long it is kept. Those who wait for it are served like any others, when the transaction is settled.

use shardis_storage::types::job::{Job, Stage};
use shardis_storage::{Event, Key, Notice, Transaction};

use crate::command::event;
use crate::locks::Errand;
use crate::state::State;

/// The key of a job in the transaction's current database.
pub struct Site<'s, 't, 'k> {
    state: &'s State,
    txn: &'t mut Transaction<'k>,
    key: Key<'s>,
}

impl<'s, 't, 'k> Site<'s, 't, 'k> {
    /// The site of a key. What it changes is told by its own events.
    pub fn new(state: &'s State, txn: &'t mut Transaction<'k>, key: Key<'s>) -> Site<'s, 't, 'k> {
        txn.announce(Notice::Silent);
        Site { state, txn, key }
    }

    /// Puts a job there, in the place of nothing.
    pub fn create(&mut self, job: Job) {
        self.txn.set_collection(&self.key, job);
        self.tell(Stage::Created, 0);
    }

    /// Notes when the work on the job of this number has begun.
    pub fn begin(&mut self, number: u64, begun_ms: i64) {
        if self.change(number, |job| job.begin(begun_ms)) {
            self.tell(Stage::Running, 0);
        }
    }

    /// Notes how far it has got.
    pub fn advance(&mut self, number: u64, percent: u8) {
        if self.change(number, |job| job.advance(percent)) {
            self.publish(Stage::Running, percent);
        }
    }

    /// Ends it; if it was not open, what it was to end with comes back.
    pub fn end(&mut self, number: u64, stage: Stage, outcome: Vec<u8>) -> Option<Vec<u8>> {
        let now_ms = self.txn.now_ms();
        let mut left = None;
        self.change(number, |job| {
            left = job.end(stage, outcome, now_ms);
            left.is_none()
        });
        if left.is_some() {
            return left;
        }
        let job = self.txn.inspect(&self.key).and_then(|entry| entry.object::<Job>());
        let (percent, kept) = job.map(|job| (job.percent(), job.kept()))?;
        if let Some(channel) = job.and_then(|job| job.channel()) {
            let message = [self.key.bytes(), b" ", stage.name().as_bytes()].concat();
            let (channel, message) = (channel.into(), message.into());
            self.state.locks.errands.push(Errand::Publish { channel, message });
        }
        if let Some(kept_ms) = kept.and_then(|kept| i64::try_from(kept.as_millis()).ok()) {
            self.txn.set_deadline(&self.key, Some(now_ms.saturating_add(kept_ms)));
        }
        self.tell(stage, percent);
        None
    }

    /// Adds to why it was cancelled.
    pub fn explain(&mut self, number: u64, more: &[u8]) {
        self.change(number, |job| job.explain(more));
    }

    /// Changes the job of this number, if it is there; whether that has changed anything.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut Job) -> bool) -> bool {
        let Ok(Some(mut guard)) = self.txn.edit::<Job>(&self.key) else { return false };
        guard.number() == number
            && guard.change(|job| {
                let is_changed = change(job);
                (is_changed, is_changed)
            })
    }

    fn tell(&mut self, stage: Stage, percent: u8) {
        self.txn.tell(&self.key, event_of(stage));
        self.publish(stage, percent);
    }

    /// Has a message sent to those who listen to the job.
    fn publish(&self, stage: Stage, percent: u8) {
        let name = format!("__job@{}__:", self.txn.db().0);
        let channel = [name.as_bytes(), self.key.bytes()].concat().into();
        let message = format!("{} - {percent}", stage.name()).into_bytes().into();
        self.state.locks.errands.push(Errand::Publish { channel, message });
    }
}

fn event_of(stage: Stage) -> &'static Event {
    match stage {
        Stage::Created => &event::JOB_CREATED,
        Stage::Running => &event::JOB_RUNNING,
        Stage::Done => &event::JOB_DONE,
        Stage::Failed => &event::JOB_FAILED,
        Stage::Canceled => &event::JOB_CANCELED,
        Stage::Expired => &event::JOB_EXPIRED,
    }
}

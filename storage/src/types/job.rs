//! A job: work that the server does for somebody who does not wait for it, as its key shows it. It knows neither the work nor
//! its key; who does the work finds the job again by its number.
//!
//! A job is open until it has an outcome. From then on it does not change any more.

use std::time::Duration;

use super::allocation::allocation_bytes;

/// A job.
#[derive(Clone, Debug, Default)]
pub struct Job(Box<Facts>);

#[derive(Clone, Debug, Default)]
struct Facts {
    number: u64,
    command: &'static str,
    stage: Stage,
    percent: u8,
    created_ms: i64,
    started_ms: Option<i64>,
    ended_ms: Option<i64>,
    kept: Duration,
    channel: Option<Box<[u8]>>,
    outcome: Box<[u8]>,
}

/// How far a job has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn.
    #[default]
    Created,
    /// It is being worked on.
    Running,
    /// It has a result.
    Done,
    /// It has come to an error.
    Failed,
    /// Somebody has ended it.
    Canceled,
    /// Its time was over.
    Expired,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 6] =
        [Stage::Created, Stage::Running, Stage::Done, Stage::Failed, Stage::Canceled, Stage::Expired];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Created => "created",
            Stage::Running => "running",
            Stage::Done => "done",
            Stage::Failed => "failed",
            Stage::Canceled => "canceled",
            Stage::Expired => "expired",
        }
    }

    /// Whether there is no outcome yet.
    pub const fn is_open(self) -> bool {
        matches!(self, Stage::Created | Stage::Running)
    }
}

impl Job {
    /// A job that is to be done by this command: its number, when it was asked for in Unix milliseconds, how long it is kept
    /// when it has ended (zero: until somebody removes it), and the channel that is to hear of its end.
    pub fn new(
        number: u64,
        command: &'static str,
        created_ms: i64,
        kept: Duration,
        channel: Option<&[u8]>,
    ) -> Job {
        let channel = channel.map(Box::from);
        Job(Box::new(Facts { number, command, created_ms, kept, channel, ..Facts::default() }))
    }

    /// Its number, which no other job of the server has.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// What does it.
    pub fn command(&self) -> &'static str {
        self.0.command
    }

    /// How far it has got.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// How much of it is done.
    pub fn percent(&self) -> u8 {
        self.0.percent
    }

    /// When it was asked for, in Unix milliseconds.
    pub fn created_ms(&self) -> i64 {
        self.0.created_ms
    }

    /// When the work began.
    pub fn started_ms(&self) -> Option<i64> {
        self.0.started_ms
    }

    /// When it ended.
    pub fn ended_ms(&self) -> Option<i64> {
        self.0.ended_ms
    }

    /// How long it is kept when it has ended; `None`: until somebody removes it.
    pub fn kept(&self) -> Option<Duration> {
        Some(self.0.kept).filter(|kept| !kept.is_zero())
    }

    /// The channel that is to hear of its end.
    pub fn channel(&self) -> Option<&[u8]> {
        self.0.channel.as_deref()
    }

    /// Of a job that is done the result, of one that has ended otherwise the reason; of an open one nothing.
    pub fn outcome(&self) -> &[u8] {
        &self.0.outcome
    }

    /// Work on it begins; whether that is news.
    pub fn begin(&mut self, now_ms: i64) -> bool {
        let is_news = self.0.stage == Stage::Created;
        if is_news {
            self.0.stage = Stage::Running;
            self.0.started_ms = Some(now_ms);
        }
        is_news
    }

    /// So much of an open job is done; whether that is news.
    pub fn advance(&mut self, percent: u8) -> bool {
        let is_news = self.0.stage.is_open() && self.0.percent != percent;
        if is_news {
            self.0.percent = percent.min(100);
        }
        is_news
    }

    /// Ends an open job; of one that is not, the outcome comes back.
    pub fn end(&mut self, stage: Stage, outcome: Vec<u8>, now_ms: i64) -> Option<Vec<u8>> {
        if !self.0.stage.is_open() || stage.is_open() {
            return Some(outcome);
        }
        self.0.stage = stage;
        self.0.outcome = outcome.into_boxed_slice();
        self.0.ended_ms = Some(now_ms);
        if stage == Stage::Done {
            self.0.percent = 100;
        }
        None
    }

    /// Adds to why a job has ended that somebody has ended; whether there was anything to add.
    pub fn explain(&mut self, more: &[u8]) -> bool {
        let is_news = self.0.stage == Stage::Canceled && !more.is_empty();
        if is_news {
            self.0.outcome = [&self.0.outcome, more].concat().into();
        }
        is_news
    }

    /// Heap bytes.
    pub fn memory_bytes(&self) -> usize {
        let of = |bytes: &[u8]| if bytes.is_empty() { 0 } else { allocation_bytes(bytes.len()) };
        allocation_bytes(size_of::<Facts>()) + of(&self.0.outcome) + self.0.channel.as_deref().map_or(0, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_ends_once_and_keeps_its_outcome() {
        let mut job = Job::new(7, "COMPUTE.COUNT", 10, Duration::from_secs(1), Some(b"c"));
        let empty_bytes = job.memory_bytes();
        assert!(job.begin(20) && !job.begin(21));
        assert!(job.advance(40) && !job.advance(40));
        assert_eq!((job.stage(), job.percent(), job.started_ms()), (Stage::Running, 40, Some(20)));
        assert!(job.end(Stage::Running, Vec::new(), 30).is_some() && job.outcome().is_empty());
        assert_eq!(job.end(Stage::Done, b":3\r\n".to_vec(), 30), None);
        assert_eq!(job.end(Stage::Failed, b"ERR".to_vec(), 31), Some(b"ERR".to_vec()));
        assert!(!job.advance(50) && !job.begin(32));
        assert_eq!((job.stage(), job.percent(), job.ended_ms()), (Stage::Done, 100, Some(30)));
        assert!(!job.explain(b"ERR"));
        assert_eq!(job.outcome(), b":3\r\n");
        assert!(job.memory_bytes() > empty_bytes);
    }

    #[test]
    fn a_job_that_never_began_can_be_ended_and_the_reason_told_later() {
        let mut job = Job::default();
        assert!(job.stage().is_open() && job.kept().is_none() && job.channel().is_none());
        assert_eq!(job.end(Stage::Canceled, b"CANCELED too late".to_vec(), 5), None);
        assert!(!job.explain(b"") && job.explain(b", changed=3"));
        assert_eq!((job.outcome(), job.started_ms()), (&b"CANCELED too late, changed=3"[..], None));
    }
}

//! What a command wants to be run, and how that ends. Not here: the running (`run`, `inline`), nor what becomes of keys when it has
//! run (`dispatch`).

use std::sync::Arc;
use std::time::Duration;

use shardis_compute::{Ended, Exceeded, Isolation, Outcome, Plan, RowError, Target};
use shardis_storage::glob::Pattern;
use shardis_storage::{Db, Keyspace};

use super::apply::Apply;
use super::directory::Course;
use super::feed::Refusal;
use super::rights::Rights;
use super::run::Units;
use super::visit::Toll;
use super::{Answer, Promise};
use crate::clock::Clock;
use crate::command::Error;

/// What a command wants to be run.
#[derive(Clone)]
pub struct Order {
    /// What to compute.
    pub plan: Arc<Plan>,
    /// Over which database.
    pub db: Db,
    /// Which keys its caller may read; `None`: all.
    pub rights: Option<Arc<Rights>>,
    /// What is done with what it finds, if that is more than to answer it.
    pub apply: Option<Arc<Apply>>,
    /// Who gets its end; `None`: whoever waits for it.
    pub then: Option<Then>,
    /// What is answered.
    pub respond: Respond,
    /// How far it has got.
    pub course: Arc<Course>,
}

/// What is answered to an end; made where that is, so that it may take long.
pub type Respond = Arc<dyn Fn(&Arc<Plan>, End) -> Answer + Send + Sync>;

/// Goes on with the end of a run, and keeps the promise that it has made.
pub type Then = Arc<dyn Fn(End, Promise) + Send + Sync>;

impl Order {
    /// When its time is up, by the server's clock.
    pub fn deadline(&self, clock: &Clock) -> Option<Duration> {
        let timeout_ms = Some(self.plan.limits().timeout_ms).filter(|&timeout_ms| timeout_ms > 0);
        timeout_ms.map(|timeout_ms| clock.elapsed().saturating_add(Duration::from_millis(timeout_ms)))
    }

    /// Whether nobody may write meanwhile.
    pub fn is_atomic(&self) -> bool {
        self.plan.options().isolation == Isolation::Atomic
    }

    /// Whether keys are changed when it has run.
    pub fn changes_keys(&self) -> bool {
        self.apply.is_some() || self.plan.storing().is_some()
    }

    /// A key that is changed then, beside those that it reads.
    pub fn other_key(&self) -> Option<&Vec<u8>> {
        let of_action = self.apply.as_ref().and_then(|apply| apply.other_key.as_ref());
        of_action.or(self.plan.options().into.as_ref().map(|into| &into.key))
    }

    /// What is answered to such an end.
    pub fn answer(self, end: End) -> Answer {
        (self.respond)(&self.plan, end)
    }

    /// All shards, or the one in which the only key that can match would be; or collections.
    pub(super) fn units(&self, keyspace: &Keyspace) -> Units {
        match self.plan.target() {
            Target::Keys(keys) => {
                let mut distinct: Vec<&Vec<u8>> = keys.iter().collect();
                distinct.sort_unstable();
                distinct.dedup();
                Units { first: 0, count: distinct.len() }
            }
            Target::Pattern(pattern) => {
                let pattern = Pattern::new(pattern);
                if !pattern.is_literal() {
                    return Units { first: 0, count: keyspace.shards() };
                }
                let shard = keyspace.shard_of(keyspace.hash(pattern.bytes()));
                Units { first: shard, count: 1 }
            }
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// With a result.
    Result(Box<Finished>),
    /// By a row that must not fail.
    Failed(RowError),
    /// By a limit.
    Exceeded(Exceeded),
    /// By a key that its caller may not read.
    Denied,
    /// By a key of another type than the plan reads.
    WrongType,
    /// With a result that cannot be stored as it was to be.
    Unfit(Error),
    /// By its time limit.
    Overdue {
        /// The limit.
        timeout_ms: u64,
        /// Rows until then.
        scanned: u64,
    },
}

/// A result, and how it came about.
#[derive(Debug)]
pub struct Finished {
    /// The result.
    pub outcome: Outcome,
    /// How many rows of it were stored; these are not in it any more.
    pub stored: Option<u64>,
    /// The level that it was given.
    pub isolation: Isolation,
    /// When time was up: the share of the shards that the result is about.
    pub covered: Option<f64>,
    /// Milliseconds since the command.
    pub ms: f64,
    /// Where the time went.
    pub profile: Profile,
}

/// Where the time of a run went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profile {
    /// Opening the cut.
    pub opening: Duration,
    /// Visits, while a shard was locked.
    pub toll: Toll,
    /// Folding, summed over the workers.
    pub folding: Duration,
    /// Merging and finishing.
    pub merging: Duration,
    /// Rows that writers handed over.
    pub fed: u64,
    /// Workers that took part.
    pub lanes: usize,
}

/// What a run comes to.
pub(super) fn concluded(
    plan: &Plan,
    finished: Result<Outcome, Ended>,
    isolation: Isolation,
    covered: Option<f64>,
    took: Duration,
    profile: Profile,
) -> End {
    let outcome = match finished {
        Ok(outcome) => outcome,
        Err(Ended::Failed(failure)) => return End::Failed(failure),
        Err(Ended::Exceeded(exceeded)) => return End::Exceeded(exceeded),
    };
    let bytes_max = plan.limits().output_bytes_max;
    // Whoever has it page by page has a page within the limit.
    let is_whole = plan.options().cursor.is_none();
    if is_whole && outcome.weight_bytes() as u64 > bytes_max {
        return End::Exceeded(Exceeded::Output { bytes_max });
    }
    let ms = took.as_micros() as f64 / 1000.0;
    End::Result(Box::new(Finished { outcome, stored: None, isolation, covered, ms, profile }))
}

impl End {
    /// Rows that were looked at, as far as that is known.
    pub fn scanned(&self) -> Option<u64> {
        match self {
            End::Result(finished) => Some(finished.outcome.scanned),
            End::Overdue { scanned, .. } => Some(*scanned),
            End::Failed(_) | End::Exceeded(_) | End::Denied | End::WrongType | End::Unfit(_) => None,
        }
    }

    /// Without a result, for a reason that those know who have made the rows.
    pub(super) fn refused(plan: &Plan, refusal: Refusal) -> End {
        let bytes_max = plan.limits().memory_bytes_max;
        match refusal {
            Refusal::Denied => End::Denied,
            Refusal::WrongType => End::WrongType,
            Refusal::Memory => End::Exceeded(Exceeded::Memory { bytes_max }),
        }
    }
}

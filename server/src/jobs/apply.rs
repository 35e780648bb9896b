//! What a command that changes what it selects asks for, and what came of it. A run finds the candidates like those of any
//! selection (`run`, `inline`). Not here: the changes themselves, each of which is an ordinary call (`dispatch::apply`).

use std::sync::Arc;

use shardis_compute::{Application, Exceeded, Isolation, RowError, Value};
use shardis_protocol::{OwnedRequest, Reply, Request};
use shardis_storage::{Keyspace, Kind, Transaction, View};

use super::Answer;
use super::order::{End, Profile};
use crate::command::{Call, Done, Error};

/// A change of what is selected.
#[derive(Debug)]
pub struct Apply {
    /// What to change, and how.
    pub application: Application,
    /// Makes the call that changes a row. Of an element, the type of its collection, and where it stands, are known.
    pub deed: fn(&Application, &Candidate, Option<Kind>, &[Value]) -> Option<Deed>,
    /// Why such a call would fail, as far as that can be told without calling.
    pub check: fn(&mut View<'_>, Request<'_>, &Keyspace) -> Result<(), Error>,
    /// Another key that the calls change.
    pub other_key: Option<Vec<u8>>,
    /// Writes the reply.
    pub respond: fn(&Apply, Result<Applied, Stopped>, &mut Reply) -> Result<(), Error>,
}

impl Apply {
    /// What is answered to such an outcome.
    pub fn answer(self: Arc<Apply>, outcome: Result<Applied, Stopped>) -> Answer {
        let scanned = match &outcome {
            Ok(applied) => Some(applied.scanned),
            Err(Stopped { why: Why::Run(end), .. }) => end.scanned(),
            Err(Stopped { why: Why::Overdue { scanned, .. }, .. }) => Some(*scanned),
            Err(_) => None,
        };
        Answer::new(scanned, move |reply| (self.respond)(&self, outcome, reply))
    }
}

/// A call that changes a row.
#[derive(Debug)]
pub struct Deed {
    /// The call, which is also what those hear of who hear of events.
    pub request: OwnedRequest,
    /// What runs in the place of its command, where no command does just that.
    pub run: Option<fn(&mut Call<'_>, &mut Transaction<'_>) -> Done>,
}

/// What a row is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its key.
    pub key: Vec<u8>,
    /// What tells it apart from other elements, if it is one.
    pub element: Vec<u8>,
    /// Its index in a list.
    pub place: usize,
}

/// How many rows came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Candidates: rows of which WHERE held.
    pub matched: u64,
    /// Those that were changed.
    pub changed: u64,
    /// Those that were gone when it was their turn, or of which WHERE did not hold any more.
    pub skipped: u64,
    /// Rows that failed, sooner or later.
    pub errors: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Applied {
    /// How many rows came to what.
    pub tally: Tally,
    /// Rows that were looked at to find them.
    pub scanned: u64,
    /// How the candidates were found.
    pub isolation: Isolation,
    /// Whether time was up before its end.
    pub is_partial: bool,
    /// Milliseconds since the command.
    pub ms: f64,
    /// Where the time went until the candidates were found.
    pub profile: Profile,
}

/// Why it ended before its end; the changes until then stay.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub why: Why,
    /// How many changes were made.
    pub changed: u64,
}

/// Why it ended before its end.
#[derive(Debug)]
pub enum Why {
    /// There are no candidates, by this end of the run that looked for them.
    Run(Box<End>),
    /// A row failed that must not.
    Failed(RowError),
    /// It needs too much memory.
    Exceeded(Exceeded),
    /// The server has no memory for what would be added.
    OutOfMemory,
    /// Time was up.
    Overdue {
        /// The limit.
        timeout_ms: u64,
        /// Rows that were looked at.
        scanned: u64,
    },
    /// Nobody waits for it any more.
    Cancelled,
}

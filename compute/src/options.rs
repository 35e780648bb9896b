//! The clauses of a plan that only choose: how it runs, what limits it keeps and what becomes of its answer. Most are the
//! server's to fulfil. Not here: what is computed (`plan`).

use std::num::NonZeroUsize;

/// The clauses of a plan that only choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// AUTHORIZED: keys that the caller may not read are left out.
    pub authorized: bool,
    /// How much of one instant the result must be.
    pub isolation: Isolation,
    /// TIMEOUT: `None` leaves it to the server, 0 is no limit.
    pub timeout_ms: Option<u64>,
    /// What to answer when the time is over.
    pub on_timeout: OnTimeout,
    /// What to do with a row whose expressions fail.
    pub on_error: OnError,
    /// MAXMEM: `None` leaves it to the server.
    pub memory_bytes_max: Option<u64>,
    /// MAXGROUPS, likewise.
    pub groups_max: Option<u64>,
    /// MAXOUT, likewise.
    pub output_bytes_max: Option<u64>,
    /// Most workers to use; `None` leaves it to the server.
    pub threads: Option<NonZeroUsize>,
    /// Whether the reply tells how the run went.
    pub profile: bool,
    /// Whether the reply is the lone value and nothing else.
    pub scalar: bool,
    /// Where the result is stored.
    pub into: Option<Into>,
    /// Whether the result is handed out in parts.
    pub cursor: Option<Cursor>,
    /// Whether the command is answered before the run.
    pub asynchronous: Option<Async>,
    /// Whether nothing is changed.
    pub dry_run: bool,
}

/// `INTO key [HASH|ZSET|LIST]`.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "they are as the clause says")]
pub struct Into {
    pub key: Vec<u8>,
    pub form: Option<IntoForm>,
}

/// What a stored result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntoForm {
    /// Group to value.
    Hash,
    /// Group to number.
    Zset,
    /// An object of JSON for each row.
    List,
}

/// `CURSOR [COUNT n] [MAXIDLE ms]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "they are as the clause says")]
pub struct Cursor {
    pub count: Option<NonZeroUsize>,
    pub idle_ms_max: Option<u64>,
}

/// `ASYNC [ID key] [NOTIFY channel]`.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "they are as the clause says")]
pub struct Async {
    pub id: Option<Vec<u8>>,
    pub notify: Option<Vec<u8>>,
}

/// What a run promises about writes that happen meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// The result of one instant.
    #[default]
    Snapshot,
    /// No writes meanwhile.
    Atomic,
    /// Every key present throughout counts once, with the value it has when visited.
    Fuzzy,
}

impl Isolation {
    /// The name that replies give it.
    pub fn name(self) -> &'static str {
        match self {
            Isolation::Snapshot => "snapshot",
            Isolation::Atomic => "atomic",
            Isolation::Fuzzy => "fuzzy",
        }
    }
}

/// What to answer when the time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTimeout {
    /// An error.
    #[default]
    Fail,
    /// What was folded so far, labelled as partial.
    Partial,
}

/// What to do with a row whose expressions fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Leave the row out of every reducer, and count it.
    #[default]
    Skip,
    /// End the run.
    Fail,
    /// Let the failing expression be null; nothing is counted as an error.
    Null,
}

/// What a plan is allowed, when its command does not say otherwise, and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Without a word in the command.
    pub usual: Limits,
    /// How long one with ASYNC may run without a word about that, 0 for as long as it takes.
    pub async_timeout_ms: u64,
    /// What no command may ask for more than.
    pub hard: Limits,
}

/// What a plan is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may run, 0 for as long as it takes.
    pub timeout_ms: u64,
    /// Heap bytes of its batches and partial results.
    pub memory_bytes_max: u64,
    /// Groups of its result.
    pub groups_max: u64,
    /// Bytes of its reply.
    pub output_bytes_max: u64,
}

impl Bounds {
    /// No limit.
    pub const NONE: Bounds = Bounds { usual: Limits::NONE, async_timeout_ms: 0, hard: Limits::NONE };
}

impl Limits {
    /// No limit.
    pub const NONE: Limits = Limits {
        timeout_ms: 0,
        memory_bytes_max: u64::MAX,
        groups_max: u64::MAX,
        output_bytes_max: u64::MAX,
    };
}

//! Computing over the rows of a keyspace: plans, batches of rows, and partial results that merge exactly.
//!
//! A command's words become a [`Plan`], its expressions (CEL) kernels. Whoever has rows copies what the plan reads into a
//! [`Batch`] and
//! folds it into a [`Partial`]; partials of any number of workers merge, and the last one is finished into an
//! [`Outcome`]. However the rows were split, ordered and merged, the outcome is the same, bit for bit.
//!
//! The crate is pure. It knows no threads, clock, random numbers, files or sockets, no protocol and no
//! storage: rows come in by [`RowSource`], and cancelling, deadlines and limits are the caller's, between
//! batches.
//!
//! ```
//! use shardis_compute::{Batch, Bounds, Field, Form, Limits, Partial, Plan, Row, Value};
//!
//! let words = ["order:*", "WHERE", "h.total < 100", "REDUCE", "SUM", "1", "h.total", "AS", "revenue"];
//! let bounds = Bounds::NONE;
//! let plan = Plan::new(Form::Aggregate, &words.map(str::as_bytes), &bounds)?;
//! let mut batch = Batch::new(&plan);
//! batch.push_row(Row { key: b"order:1", ..Row::default() }, |_| Field::Bytes(b"12.50"));
//! batch.push_row(Row { key: b"order:2", ..Row::default() }, |_| Field::Int(30));
//! batch.push_row(Row { key: b"order:3", ..Row::default() }, |_| Field::Missing);
//! let mut partial = Partial::new(&plan);
//! partial.fold(&plan, &batch);
//! let outcome = partial.finish(&plan).expect("only ONERROR FAIL ends a run");
//! assert_eq!(outcome.scalar(), Some(&Value::Double(42.5)));
//! assert_eq!((outcome.scanned, outcome.errors), (3, 1));
//! # Ok::<(), shardis_compute::PlanError>(())
//! ```
#![deny(unsafe_code)]

mod batch;
mod encode;
mod error;
mod expr;
mod grammar;
mod inputs;
mod kind;
mod number;
mod options;
mod partial;
mod plan;
mod reading;
mod reducer;
mod sum;
mod text;
mod value;
mod vector;

pub use batch::{Batch, COPIED_BYTES_MAX, Field, ROWS_MAX, Row, TEXT_BYTES_MAX};
pub use error::{DecodeError, Exceeded, PlanError, RowError};
pub use expr::Source;
pub use grammar::{Form, Place};
pub use kind::{Kind, Kinds};
pub use options::{Async, Bounds, Cursor, Into, IntoForm, Isolation, Limits, OnError, OnTimeout, Options};
pub use partial::{Ended, Outcome, Partial};
pub use plan::{Action, Application, Argument, Clause, Explanation, Plan, Target, Verdict, action_words};
pub use reducer::Limit;
pub use value::Value;

/// Where rows come from, one bounded slice at a time.
pub trait RowSource {
    /// Adds rows to `out` until it is full, the budget is spent or the rows are at an end. Called with an
    /// empty batch.
    fn next_batch(&mut self, budget: Budget, out: &mut Batch) -> Progress;
}

/// What one slice may cost while it keeps others waiting. The source measures it; this crate has no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Most buckets of a table to visit.
    pub buckets: usize,
    /// Most microseconds to hold a lock.
    pub micros: u64,
}

/// How a slice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more in this shard.
    More,
    /// The shard is at its end; a further call goes on with the next.
    ShardDone,
    /// There are no more rows: all were given, or the run was stopped.
    Stopped,
}

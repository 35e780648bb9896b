//! Reducers: what COMPUTE makes of many values. Each is a state that rows are folded into, and that merges with others
//! of its kind:
//!
//! 1. A `Spec` is made once for each `REDUCE` of a plan, from its `Function` and constants.
//! 2. Every worker, and every group of rows, has a `State` of its own and folds rows into it, a slice at a time or one
//!    row after the other.
//! 3. States merge in any order and grouping, also as bytes between machines: every integer little-endian, and what has
//!    no order of its own sorted.
//! 4. The last one is finished into a `Value`.
//!
//! However rows were split, ordered and merged, the finished value is the same, bit for bit, with two exceptions: VAR
//! and STDDEV of doubles, which are rounded as they come, and TOPK once there were more values than its table holds,
//! which then states the error of each count.
//!
//! Nulls are ignored everywhere; COUNT without an argument counts rows. Not here: expressions, groups, rows that
//! failed, and the memory of a run, which its caller adds up from `State::memory_bytes`.

mod concat;
mod distinct;
mod extreme;
mod frequent;
mod function;
mod histogram;
mod hll;
mod key;
mod limit;
#[cfg(test)]
mod properties;
mod quantile;
mod sample;
mod spec;
mod state;
mod text;
mod truth;
mod variance;

pub(crate) use function::{Context, Function};
pub(crate) use key::normalized;
pub use limit::Limit;
pub(crate) use spec::Spec;
pub(crate) use state::State;

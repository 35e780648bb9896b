//! Running a lowered expression over some rows of a batch: each node gives one vector for all of them. `&&`, `||` and `?:`
//! run what is behind them only for the rows that need it, and absorb failures as the language says. Not here: the
//! loops over typed slices (`kernels`), and how columns are read (`input`).

use std::cell::Cell;
use std::fmt;

use bumpalo::Bump;

use super::fault::{Failure, Fault};
use super::input;
use super::kernels;
use super::node::Node;
use super::scalar::{self, Comparison};
use crate::batch::Batch;
use crate::inputs::Inputs;
use crate::vector::{Scalar, Vector};

/// What an expression gave for some rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluated<'b> {
    /// A value for each row; of no meaning where it failed.
    pub(crate) vector: Vector<'b>,
    /// The rows that failed, by their place among those asked for, ascending.
    pub(crate) failures: Vec<(u32, Failure<'b>)>,
}

/// Whether work is to stop before its end: asked between rows that may take long.
pub(crate) struct Stop<'s> {
    is_over: &'s dyn Fn() -> bool,
    has_stopped: Cell<bool>,
}

impl<'s> Stop<'s> {
    pub(crate) fn when(is_over: &'s dyn Fn() -> bool) -> Stop<'s> {
        Stop { is_over, has_stopped: Cell::new(false) }
    }

    /// Whether it is to stop now; then it has stopped.
    pub(super) fn asks(&self) -> bool {
        self.has_stopped.set(self.has_stopped.get() || (self.is_over)());
        self.has_stopped.get()
    }

    /// Whether anything was left out because of it.
    pub(crate) fn has_stopped(&self) -> bool {
        self.has_stopped.get()
    }
}

impl fmt::Debug for Stop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("has_stopped", &self.has_stopped).finish_non_exhaustive()
    }
}

/// Where expressions find their inputs.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'b> {
    pub(super) from: From<'b>,
    pub(super) inputs: &'b Inputs,
    /// What is made on the way.
    arena: &'b Bump,
    /// When to stop, if ever.
    stop: Option<&'b Stop<'b>>,
}

/// What inputs are read from.
#[derive(Clone, Copy)]
pub(super) enum From<'b> {
    Batch(&'b Batch),
    /// Their values, by the number of their column.
    Columns(&'b [Evaluated<'b>]),
}

impl<'b> Evaluated<'b> {
    pub(crate) fn of(vector: Vector<'b>) -> Evaluated<'b> {
        Evaluated { vector, failures: Vec::new() }
    }

    /// Why a row failed.
    pub(crate) fn failure_at(&self, row: u32) -> Option<Failure<'b>> {
        let at = self.failures.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(self.failures[at].1)
    }

    /// What it gave for some of its rows, which ascend.
    pub(super) fn at_rows(&self, rows: &[u32]) -> Evaluated<'b> {
        let values = rows.iter().map(|row| self.vector.at(*row as usize)).collect();
        let failed = rows.iter().enumerate();
        let failures = failed.filter_map(|(at, row)| Some((at as u32, self.failure_at(*row)?))).collect();
        Evaluated { vector: Vector::Mixed(values).settled(), failures }
    }

    /// Adds the failures of something that it was made of.
    fn inherit(&mut self, other: &Evaluated<'b>) {
        if other.failures.is_empty() {
            return;
        }
        let own = std::mem::take(&mut self.failures);
        self.failures = merged(&other.failures, &own);
    }
}

/// Failures of two parts, in order; those of the first where both failed.
fn merged<'b>(first: &[(u32, Failure<'b>)], second: &[(u32, Failure<'b>)]) -> Vec<(u32, Failure<'b>)> {
    let mut both: Vec<_> = first.iter().chain(second).copied().collect();
    both.sort_by_key(|(row, _)| *row);
    both.dedup_by_key(|(row, _)| *row);
    both
}

impl<'b> Frame<'b> {
    /// Over the rows of a batch.
    pub(crate) fn of_batch(batch: &'b Batch, inputs: &'b Inputs, arena: &'b Bump) -> Frame<'b> {
        Frame { from: From::Batch(batch), inputs, arena, stop: None }
    }

    /// The same, until it is to stop.
    pub(crate) fn until(self, stop: &'b Stop<'b>) -> Frame<'b> {
        Frame { stop: Some(stop), ..self }
    }

    /// Over rows whose inputs have their values already.
    pub(crate) fn of_columns(columns: &'b [Evaluated<'b>], inputs: &'b Inputs, arena: &'b Bump) -> Frame<'b> {
        Frame { from: From::Columns(columns), inputs, arena, stop: None }
    }

    /// The value of a node for each of some rows of the batch, which ascend.
    pub(crate) fn evaluate(&self, node: &'b Node, rows: &[u32]) -> Evaluated<'b> {
        match node {
            Node::Constant(constant) => Evaluated::of(kernels::repeated(constant.scalar(), rows.len())),
            Node::Input(number) => input::read(self, *number, rows),
            Node::Present(number) => {
                let mut made = input::read(self, *number, rows);
                let missing =
                    (0..rows.len() as u32).filter(|at| made.vector.at(*at as usize) == Scalar::Bool(false));
                let failure = Failure { fault: Fault::Missing, input: Some(*number) };
                made.failures = missing.map(|at| (at, failure)).collect();
                made
            }
            Node::Not(a) => self.map(a, rows, |value| match value {
                Scalar::Bool(value) => Ok(Scalar::Bool(!value)),
                _ => Err(Fault::Operand("! needs a truth value")),
            }),
            Node::Negate(a) => self.map(a, rows, scalar::negate),
            Node::And(a, b) => self.both(a, b, rows, false),
            Node::Or(a, b) => self.both(a, b, rows, true),
            Node::Choose(parts) => self.choose(parts, rows),
            Node::Arithmetic(operator, sides) => self.pair(sides.each_ref(), rows, |a, b| {
                kernels::arithmetic(*operator, a, b, rows.len(), self.arena)
            }),
            Node::Compare(how, sides) => self.compare_text(*how, sides, rows).unwrap_or_else(|| {
                self.pair(sides.each_ref(), rows, |a, b| kernels::compare(*how, a, b, rows.len()))
            }),
            Node::CompareLoosely(how, sides) => self.pair(sides.each_ref(), rows, |a, b| {
                kernels::each(a, b, rows.len(), |a, b| scalar::compare_loosely(*how, a, b).map(Scalar::Bool))
            }),
            Node::Among(a, constants) => self.map(a, rows, |value| {
                let is_equal = |constant: &super::node::Constant| {
                    scalar::compare(Comparison::Equal, value, constant.scalar()) == Ok(true)
                };
                Ok(Scalar::Bool(constants.iter().any(is_equal)))
            }),
            Node::Matches(a, regex) => self.map(a, rows, |value| match value {
                Scalar::Text(text) => Ok(Scalar::Bool(regex.is_match(text))),
                _ => Err(Fault::Operand("matches needs text")),
            }),
            Node::Call(function, arguments) => match arguments.as_slice() {
                [a] => self.map(a, rows, |value| scalar::call(*function, &[value], self.arena)),
                [a, b] => self.pair([a, b], rows, |a, b| {
                    kernels::each(a, b, rows.len(), |a, b| scalar::call(*function, &[a, b], self.arena))
                }),
                _ => unreachable!("invariant: functions take one or two arguments"),
            },
            Node::Interpreted(interpreted) => {
                let columns: Vec<_> = interpreted
                    .inputs
                    .iter()
                    .map(|number| (*number, input::read(self, *number, rows)))
                    .collect();
                interpreted.evaluate(&columns, rows.len(), self.arena, self.stop)
            }
        }
    }

    /// The comparison of an input as text with text that is written in the expression, if it is that.
    fn compare_text(&self, how: Comparison, sides: &'b [Node; 2], rows: &[u32]) -> Option<Evaluated<'b>> {
        let [Node::Input(number), Node::Constant(constant)] = sides else { return None };
        match constant.scalar() {
            Scalar::Text(text) => input::compare_text(self, *number, how, text.as_bytes(), rows),
            Scalar::Bytes(bytes) => input::compare_text(self, *number, how, bytes, rows),
            _ => None,
        }
    }

    fn map(
        &self,
        node: &'b Node,
        rows: &[u32],
        of: impl Fn(Scalar<'b>) -> Result<Scalar<'b>, Fault<'b>>,
    ) -> Evaluated<'b> {
        let a = self.evaluate(node, rows);
        let mut made = kernels::one(&a.vector, &a.failures, of);
        made.inherit(&a);
        made
    }

    fn pair(
        &self,
        [a, b]: [&'b Node; 2],
        rows: &[u32],
        of: impl FnOnce(Side<'_, 'b>, Side<'_, 'b>) -> Evaluated<'b>,
    ) -> Evaluated<'b> {
        let (a, b) = (self.operand(a, rows), self.operand(b, rows));
        let mut made = of(a.side(), b.side());
        b.pass_on(&mut made);
        a.pass_on(&mut made);
        made
    }

    /// A side of an operator: constants are not spread out.
    fn operand(&self, node: &'b Node, rows: &[u32]) -> Operand<'b> {
        match node {
            Node::Constant(constant) => Operand::Constant(constant.scalar()),
            _ => Operand::Vector(self.evaluate(node, rows)),
        }
    }

    /// `&&` and `||`: a side with the deciding value decides, whatever the other does.
    fn both(&self, a: &'b Node, b: &'b Node, rows: &[u32], deciding: bool) -> Evaluated<'b> {
        let left = self.truths(a, rows);
        let open: Vec<usize> = (0..rows.len()).filter(|at| left[*at] != Ok(deciding)).collect();
        let mut result = left;
        if !open.is_empty() {
            let some: Vec<u32> = open.iter().map(|at| rows[*at]).collect();
            let right = if some.len() == rows.len() { self.truths(b, rows) } else { self.truths(b, &some) };
            for (at, right) in open.into_iter().zip(right) {
                // Where the left failed, only the deciding value on the right makes good for it.
                if result[at].is_ok() || right == Ok(deciding) {
                    result[at] = right;
                }
            }
        }
        let failures = result
            .iter()
            .enumerate()
            .filter_map(|(at, truth)| truth.err().map(|failure| (at as u32, failure)))
            .collect();
        let values = result.into_iter().map(|truth| truth.unwrap_or(false)).collect();
        Evaluated { vector: Vector::Bools(values), failures }
    }

    fn truths(&self, node: &'b Node, rows: &[u32]) -> Vec<Result<bool, Failure<'b>>> {
        let Evaluated { vector, failures } = self.evaluate(node, rows);
        let mut truths: Vec<Result<bool, Failure<'b>>> = match vector {
            Vector::Bools(values) => values.into_iter().map(Ok).collect(),
            other => (0..rows.len())
                .map(|at| match other.at(at) {
                    Scalar::Bool(value) => Ok(value),
                    _ => Err(Fault::Operand("is not a truth value").into()),
                })
                .collect(),
        };
        for (row, failure) in failures {
            truths[row as usize] = Err(failure);
        }
        truths
    }

    fn choose(&self, [condition, a, b]: &'b [Node; 3], rows: &[u32]) -> Evaluated<'b> {
        let conditions = self.truths(condition, rows);
        let mut values = vec![Scalar::Null; rows.len()];
        let mut failures: Vec<(u32, Failure<'b>)> = Vec::new();
        for (at, condition) in conditions.iter().enumerate() {
            if let Err(failure) = condition {
                failures.push((at as u32, *failure));
            }
        }
        for (branch, wanted) in [(a, true), (b, false)] {
            let taken: Vec<usize> = (0..rows.len()).filter(|at| conditions[*at] == Ok(wanted)).collect();
            if taken.is_empty() {
                continue;
            }
            let some: Vec<u32> = taken.iter().map(|at| rows[*at]).collect();
            let made = self.evaluate(branch, &some);
            for (nth, at) in taken.iter().enumerate() {
                values[*at] = made.vector.at(nth);
            }
            failures
                .extend(made.failures.iter().map(|(nth, failure)| (taken[*nth as usize] as u32, *failure)));
        }
        failures.sort_by_key(|(row, _)| *row);
        Evaluated { vector: Vector::Mixed(values).settled(), failures }
    }
}

/// A side of an operator.
enum Operand<'b> {
    Constant(Scalar<'b>),
    Vector(Evaluated<'b>),
}

/// The values of a side of an operator.
#[derive(Clone, Copy)]
pub(crate) enum Side<'v, 'b> {
    /// The same for each row.
    Constant(Scalar<'b>),
    /// One for each row.
    Vector(&'v Vector<'b>),
}

impl<'b> Operand<'b> {
    fn side(&self) -> Side<'_, 'b> {
        match self {
            Operand::Constant(value) => Side::Constant(*value),
            Operand::Vector(made) => Side::Vector(&made.vector),
        }
    }

    fn pass_on(&self, made: &mut Evaluated<'b>) {
        if let Operand::Vector(own) = self {
            made.inherit(own);
        }
    }
}

impl<'b> Side<'_, 'b> {
    #[inline]
    pub(crate) fn at(&self, row: usize) -> Scalar<'b> {
        match self {
            Side::Constant(value) => *value,
            Side::Vector(vector) => vector.at(row),
        }
    }
}

//! Folding a batch: WHERE chooses rows, expressions give their values, rows on which one fails are left out, told or made
//! null, and what is left goes into the states. Not here: what the states are.

use bumpalo::Bump;

use super::{Body, Partial};
use crate::batch::Batch;
use crate::error::{Exceeded, RowError};
use crate::expr::{Evaluated, Failure, Fault, Frame, Stop};
use crate::options::OnError;
use crate::plan::{Computed, Demand, Plan, Shape};
use crate::vector::{self, Scalar, Vector};

impl Partial {
    /// Adds the rows of a batch, which stays as it is.
    pub fn fold(&mut self, plan: &Plan, batch: &Batch) {
        self.fold_unless(plan, batch, &|| false);
    }

    /// The same, unless it is over before all rows have been looked at: then none of them is added, and [`Partial::is_cut_short`]
    /// from then on. It is asked between rows that may take long.
    pub fn fold_unless(&mut self, plan: &Plan, batch: &Batch, is_over: &dyn Fn() -> bool) {
        let stop = Stop::when(is_over);
        let before = (self.scanned, self.matched, self.errors);
        self.fold_until(plan, batch, &stop);
        if stop.has_stopped() {
            (self.scanned, self.matched, self.errors) = before;
            self.is_cut_short = true;
        }
    }

    fn fold_until(&mut self, plan: &Plan, batch: &Batch, stop: &Stop<'_>) {
        let arena = Bump::new();
        let bytes_max = plan.limits().memory_bytes_max;
        arena.set_allocation_limit(usize::try_from(bytes_max).ok());
        let frame = Frame::of_batch(batch, plan.inputs(), &arena).until(stop);
        self.scanned += batch.rows() as u64;
        let mut rows: Vec<u32> = (0..batch.rows() as u32).collect();
        if let Some(filter) = plan.filter() {
            let mut made = frame.evaluate(&filter.node, &rows);
            if stop.has_stopped() {
                return;
            }
            conform(&mut made, Demand::Truth);
            self.note_failures(plan, batch, &rows, &made.failures);
            let holds =
                |at: usize| made.vector.at(at) == Scalar::Bool(true) && made.failure_at(at as u32).is_none();
            rows = rows.iter().enumerate().filter(|(at, _)| holds(*at)).map(|(_, row)| *row).collect();
        }
        self.matched += rows.len() as u64;
        if rows.is_empty() {
            return;
        }
        let mut values: Vec<Evaluated<'_>> =
            plan.values().iter().map(|value| computed(&frame, value, &rows)).collect();
        if stop.has_stopped() {
            return;
        }
        self.settle(plan, batch, &mut rows, &mut values);
        let vectors: Vec<Vector<'_>> = values.into_iter().map(|made| made.vector).collect();
        if let Err(exceeded) = self.take(plan, batch, &rows, &vectors) {
            self.exceeded.get_or_insert(exceeded);
        }
    }

    /// Leaves out the rows on which an expression failed, or makes its value null.
    fn settle<'b>(&mut self, plan: &Plan, batch: &Batch, rows: &mut Vec<u32>, values: &mut [Evaluated<'b>]) {
        if values.iter().all(|made| made.failures.is_empty()) {
            return;
        }
        let mut failures: Vec<(u32, Failure<'b>)> =
            values.iter().flat_map(|made| made.failures.iter().copied()).collect();
        failures.sort_by_key(|(row, _)| *row);
        failures.dedup_by_key(|(row, _)| *row);
        self.note_failures(plan, batch, rows, &failures);
        if plan.options().on_error == OnError::Null {
            return values.iter_mut().for_each(make_null);
        }
        let mut kept = vec![true; rows.len()];
        failures.iter().for_each(|(row, _)| kept[*row as usize] = false);
        let mut is_kept = kept.iter();
        rows.retain(|_| *is_kept.next().unwrap_or(&false));
        values.iter_mut().for_each(|made| made.vector.keep(&kept));
    }

    fn note_failures(&mut self, plan: &Plan, batch: &Batch, rows: &[u32], failures: &[(u32, Failure<'_>)]) {
        // What is too much for one row is so for the run, whatever becomes of rows that fail.
        if failures.iter().any(|(_, failure)| failure.fault == Fault::Memory) {
            let bytes_max = plan.limits().memory_bytes_max;
            self.exceeded.get_or_insert(Exceeded::Memory { bytes_max });
        }
        if plan.options().on_error == OnError::Null {
            return;
        }
        self.errors += failures.len() as u64;
        if plan.options().on_error == OnError::Fail {
            for (at, failure) in failures.iter().filter(|(_, failure)| failure.fault != Fault::Memory) {
                let row = rows[*at as usize] as usize;
                let text = told(plan, *failure);
                self.fail(RowError { key: batch.key(row).to_vec(), text });
            }
        }
    }

    /// Folds the values of rows that have them all.
    fn take(
        &mut self,
        plan: &Plan,
        batch: &Batch,
        rows: &[u32],
        vectors: &[Vector<'_>],
    ) -> Result<(), Exceeded> {
        let asks = plan.asks();
        let identities: Vec<&[u8]> = match asks.identities {
            true => rows.iter().map(|row| batch.identity(*row as usize)).collect(),
            false => Vec::new(),
        };
        let ordinals: Vec<u64> = match asks.ordinals {
            true => rows.iter().map(|row| batch.ordinal(*row as usize)).collect(),
            false => Vec::new(),
        };
        let of = vector::Rows { len: rows.len(), ordinals: &ordinals, identities: &identities };
        match (&mut self.body, plan.shape()) {
            (Body::One(states), Shape::Reduce(reduction)) => {
                let mut pairs = states.iter_mut().zip(&reduction.reducers);
                pairs.try_for_each(|(state, reducer)| {
                    let arguments = &vectors[reducer.arguments.clone()];
                    state.fold(&reducer.spec, arguments, of).map_err(Exceeded::Reducer)
                })
            }
            (Body::Groups(groups), Shape::Reduce(reduction)) => {
                groups.fold(reduction, plan.limits().groups_max, vectors, of)
            }
            (Body::Rows(kept), _) => kept.fold(plan, vectors, of),
            _ => unreachable!("invariant: a partial has the shape of its plan"),
        }
    }
}

/// A failure in words.
pub(crate) fn told(plan: &Plan, failure: Failure<'_>) -> String {
    match failure.input {
        Some(input) => format!("{} {}", plan.inputs().source_of(input), failure.fault),
        None => format!("an expression {}", failure.fault),
    }
}

pub(crate) fn computed<'b>(frame: &Frame<'b>, value: &'b Computed, rows: &[u32]) -> Evaluated<'b> {
    let mut made = frame.evaluate(&value.expression.node, rows);
    conform(&mut made, value.demand);
    made
}

/// Fails the rows whose value is none that its place can take. Zero loses its sign.
pub(crate) fn conform(made: &mut Evaluated<'_>, demand: Demand) {
    let mut faults: Vec<(u32, Fault<'static>)> = Vec::new();
    match &mut made.vector {
        Vector::Ints(_) if demand != Demand::Truth => {}
        Vector::Bools(_) if demand != Demand::Number => {}
        // One look at all of them, which is quick, and nearly always enough.
        Vector::Doubles(values) if demand != Demand::Truth && are_plain(values) => {}
        Vector::Doubles(values) if demand != Demand::Truth => {
            for (at, value) in values.iter_mut().enumerate() {
                *value += 0.0;
                if !value.is_finite() {
                    faults.push((at as u32, Fault::NotFinite));
                    *value = 0.0;
                }
            }
        }
        Vector::Mixed(values) => {
            for (at, value) in values.iter_mut().enumerate() {
                if let Some(fault) = misfit(value, demand) {
                    faults.push((at as u32, fault));
                    *value = Scalar::Null;
                }
            }
        }
        other => {
            let fault = if demand == Demand::Truth { "gives no truth value" } else { "gives no number" };
            let fault = Fault::Result(fault);
            faults.extend((0..other.len() as u32).map(|at| (at, fault)));
        }
    }
    if faults.is_empty() {
        return;
    }
    // A row that failed before has no value that could be judged.
    faults.retain(|(row, _)| made.failure_at(*row).is_none());
    made.failures.extend(faults.into_iter().map(|(row, fault)| (row, Failure::from(fault))));
    made.failures.sort_by_key(|(row, _)| *row);
}

/// Whether all are finite, and no zero has a sign. Without a branch for each, so that several are looked at at once.
fn are_plain(values: &[f64]) -> bool {
    const EXPONENT: u64 = f64::INFINITY.to_bits();
    const SIGN: u64 = (-0.0_f64).to_bits();
    let is_odd = |bits: u64| (bits & EXPONENT == EXPONENT) | (bits == SIGN);
    !values.iter().fold(false, |any, value| any | is_odd(value.to_bits()))
}

fn misfit(value: &mut Scalar<'_>, demand: Demand) -> Option<Fault<'static>> {
    match (value, demand) {
        (Scalar::Double(double), Demand::Number | Demand::Anything) => {
            *double += 0.0;
            (!double.is_finite()).then_some(Fault::NotFinite)
        }
        (Scalar::Null, _) | (Scalar::Int(_), Demand::Number) | (Scalar::Bool(_), Demand::Truth) => None,
        (_, Demand::Anything) => None,
        (_, Demand::Number) => Some(Fault::Result("gives no number")),
        (_, Demand::Truth) => Some(Fault::Result("gives no truth value")),
    }
}

fn make_null(made: &mut Evaluated<'_>) {
    if made.failures.is_empty() {
        return;
    }
    let mut values: Vec<Scalar<'_>> = (0..made.vector.len()).map(|at| made.vector.at(at)).collect();
    made.failures.iter().for_each(|(row, _)| values[*row as usize] = Scalar::Null);
    made.vector = Vector::Mixed(values);
    made.failures.clear();
}

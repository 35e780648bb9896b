//! What happens once, when all rows are in: reducers give their values, HAVING chooses among the groups, and the rows of
//! the result are sorted and limited.

use std::cmp::Ordering;

use bumpalo::Bump;

use super::fold::conform;
use super::{Body, Ended, Outcome, Partial};
use crate::error::{Exceeded, RowError};
use crate::expr::{Evaluated, Fault, Frame};
use crate::options::OnError;
use crate::plan::{Demand, Having, Plan, Reduction, Shape, SortKey};
use crate::value::Value;
use crate::vector::{Scalar, Vector};

/// A row of the result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) values: Vec<Value>,
    /// What tells it apart, and orders it where nothing else does.
    pub(super) identity: Vec<Value>,
}

impl Partial {
    /// The result of all rows that came in.
    pub fn finish(mut self, plan: &Plan) -> Result<Outcome, Ended> {
        if let Some(failure) = self.failure.take() {
            return Err(Ended::Failed(failure));
        }
        if let Some(exceeded) = self.exceeded.take() {
            return Err(Ended::Exceeded(exceeded));
        }
        let body = std::mem::replace(&mut self.body, Body::One(Vec::new()));
        let (mut rows, columns) = match (body, plan.shape()) {
            (Body::Rows(rows), Shape::Select(selection)) => (rows.finish(), selection.columns.clone()),
            (body, Shape::Reduce(reduction)) => (reduced(body, reduction), names(reduction)),
            _ => unreachable!("invariant: a partial has the shape of its plan"),
        };
        if let Shape::Reduce(Reduction { having: Some(having), .. }) = plan.shape() {
            rows = self.chosen(plan, having, rows)?;
        }
        rows.sort_unstable_by(|a, b| compare(plan.order(), a, b));
        let (skipped, given) = plan.limit().unwrap_or((0, usize::MAX));
        let rows = rows.into_iter().skip(skipped).take(given);
        let rows = rows.map(|mut row| {
            row.values.truncate(columns.len());
            row.values
        });
        Ok(Outcome {
            rows: rows.collect(),
            columns,
            scanned: self.scanned,
            matched: self.matched,
            errors: self.errors,
        })
    }

    /// The rows of which HAVING holds.
    fn chosen(&mut self, plan: &Plan, having: &Having, rows: Vec<Given>) -> Result<Vec<Given>, Ended> {
        let arena = Bump::new();
        arena.set_allocation_limit(usize::try_from(plan.limits().memory_bytes_max).ok());
        let columns = having.inputs.columns.iter().map(|column| {
            let values = rows.iter().map(|row| Scalar::of_value(&row.values[column.source.output()]));
            Evaluated::of(Vector::Mixed(values.collect()).settled())
        });
        let columns: Vec<Evaluated<'_>> = columns.collect();
        let frame = Frame::of_columns(&columns, &having.inputs, &arena);
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        let mut made = frame.evaluate(&having.expression.node, &all);
        conform(&mut made, Demand::Truth);
        if made.failures.iter().any(|(_, failure)| failure.fault == Fault::Memory) {
            let bytes_max = plan.limits().memory_bytes_max;
            return Err(Ended::Exceeded(Exceeded::Memory { bytes_max }));
        }
        match (plan.options().on_error, made.failures.first()) {
            (OnError::Fail, Some((_, failure))) => {
                let text = format!("HAVING {}", failure.fault);
                return Err(Ended::Failed(RowError { key: b"a group".to_vec(), text }));
            }
            (OnError::Skip, _) => self.errors += made.failures.len() as u64,
            _ => {}
        }
        let holds: Vec<bool> = (0..rows.len())
            .map(|at| made.vector.at(at) == Scalar::Bool(true) && made.failure_at(at as u32).is_none())
            .collect();
        Ok(rows.into_iter().zip(holds).filter(|(_, holds)| *holds).map(|(row, _)| row).collect())
    }
}

fn reduced(body: Body, reduction: &Reduction) -> Vec<Given> {
    match body {
        Body::Groups(groups) => groups.finish(reduction),
        Body::One(states) => {
            let finished = states.iter().zip(&reduction.reducers);
            let values = finished.map(|(state, reducer)| state.finish(&reducer.spec)).collect();
            vec![Given { values, identity: Vec::new() }]
        }
        Body::Rows(_) => unreachable!("invariant: a partial has the shape of its plan"),
    }
}

fn names(reduction: &Reduction) -> Vec<Vec<u8>> {
    let reducers = reduction.reducers.iter().map(|reducer| reducer.name.clone());
    reduction.groups.iter().cloned().chain(reducers).collect()
}

/// The order of two rows of the result: by what is sorted by, then by what tells them apart.
pub(super) fn compare(keys: &[SortKey], a: &Given, b: &Given) -> Ordering {
    for key in keys {
        let order = a.values[key.column].order(&b.values[key.column]);
        let order = if key.descends { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    let mut pairs = a.identity.iter().zip(&b.identity).map(|(a, b)| a.order(b));
    pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

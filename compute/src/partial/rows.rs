//! Rows that are selected as they are. With a LIMIT no more are kept than it may give, in the order of the result.

use super::finish::{Given, compare};
use crate::encode::{Reader, put_bytes};
use crate::error::{DecodeError, Exceeded};
use crate::plan::Plan;
use crate::value::Value;
use crate::vector::{self, Vector};

/// Rows of a selection.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    rows: Vec<Given>,
    /// Heap bytes of all that.
    memory_bytes: usize,
}

/// With a LIMIT, rows are thinned out when there are this many more than it may give, or as many more if that is more: so
/// that a row is looked at a few times, however many are kept.
const SPARE_ROWS: usize = 4096;

impl Rows {
    pub(super) fn fold(
        &mut self,
        plan: &Plan,
        vectors: &[Vector<'_>],
        rows: vector::Rows<'_>,
    ) -> Result<(), Exceeded> {
        for row in 0..rows.len {
            let values = vectors.iter().map(|values| values.at(row).into()).collect();
            let identity = vec![Value::Bytes(rows.identities.get(row).map_or(Vec::new(), |of| of.to_vec()))];
            self.push(Given { values, identity });
        }
        self.thin(plan);
        Ok(())
    }

    fn push(&mut self, row: Given) {
        self.memory_bytes += weight(&row);
        self.rows.push(row);
    }

    /// Keeps what the limit may give, once there is much more.
    fn thin(&mut self, plan: &Plan) {
        let Some((skipped, given)) = plan.limit() else { return };
        let kept = skipped.saturating_add(given);
        if self.rows.len() <= kept.saturating_add(kept.max(SPARE_ROWS)) {
            return;
        }
        if kept == 0 {
            self.rows.clear();
        } else {
            self.rows.select_nth_unstable_by(kept - 1, |a, b| compare(plan.order(), a, b));
            self.rows.truncate(kept);
        }
        self.memory_bytes = self.rows.iter().map(weight).sum();
    }

    pub(super) fn merge(&mut self, plan: &Plan, other: Rows) -> Result<(), Exceeded> {
        self.memory_bytes += other.memory_bytes;
        self.rows.extend(other.rows);
        self.thin(plan);
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub(super) fn finish(self) -> Vec<Given> {
        self.rows
    }

    /// `rows u64 | (identity bytes | values) ..`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.rows.len() as u64).to_le_bytes());
        for row in &self.rows {
            let identity = match row.identity.first() {
                Some(Value::Bytes(identity)) => identity.as_slice(),
                _ => &[],
            };
            put_bytes(out, identity);
            row.values.iter().for_each(|value| value.encode(out));
        }
    }

    pub(super) fn decode(plan: &Plan, input: &mut Reader<'_>) -> Result<Rows, DecodeError> {
        let mut rows = Rows::default();
        for _ in 0..input.u64()? {
            let identity = vec![Value::Bytes(input.bytes()?.to_vec())];
            let values = plan.values().iter().map(|_| Value::decode(input));
            rows.push(Given { values: values.collect::<Result<_, _>>()?, identity });
        }
        Ok(rows)
    }
}

fn weight(row: &Given) -> usize {
    let values = row.values.iter().chain(&row.identity);
    size_of::<Given>() + values.map(|value| size_of::<Value>() + value.memory_bytes()).sum::<usize>()
}

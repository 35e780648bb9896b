//! Which reducers there are and what they are called. Their states are in `kernels::reduce`.

use std::ops::RangeInclusive;

use crate::error::{PlanError, repeated};
use crate::plan::Reading;

/// A reducer that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// Name, and how an untyped argument is read.
const FUNCTIONS: [(Function, &str, Reading); 5] = [
    (Function::Count, "COUNT", Reading::Presence),
    (Function::Sum, "SUM", Reading::Number),
    (Function::Avg, "AVG", Reading::Number),
    (Function::Min, "MIN", Reading::Any),
    (Function::Max, "MAX", Reading::Any),
];

/// Reducers that are specified but not built.
const FUNCTIONS_LATER: &[&str] = &[
    "VAR", "STDDEV", "FIRST", "LAST", "ARGMIN", "ARGMAX", "DISTINCT", "HLL", "QUANTILE", "TOPK", "SAMPLE",
    "HIST", "ANY", "ALL", "CONCAT",
];

impl Function {
    pub(crate) fn named(word: &[u8]) -> Result<Function, PlanError> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if let Some((function, ..)) = FUNCTIONS.iter().find(|(_, name, _)| is(name)) {
            return Ok(*function);
        }
        if let Some(later) = FUNCTIONS_LATER.iter().find(|name| is(name)) {
            return Err(PlanError::Unavailable(format!("REDUCE {later}").into()));
        }
        let names = FUNCTIONS.map(|(_, name, _)| name).join(", ");
        Err(PlanError::Grammar(format!("unknown reducer '{}', there are {names}", repeated(word))))
    }

    pub(crate) fn name(self) -> &'static str {
        FUNCTIONS[self as usize].1
    }

    pub(crate) fn reading(self) -> Reading {
        FUNCTIONS[self as usize].2
    }

    /// How many arguments it takes.
    pub(crate) fn arguments(self) -> RangeInclusive<u64> {
        if self == Function::Count { 0..=1 } else { 1..=1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_stand_in_the_table_in_their_own_order() {
        for (at, (function, name, _)) in FUNCTIONS.iter().enumerate() {
            assert_eq!(*function as usize, at);
            assert_eq!(Function::named(name.to_lowercase().as_bytes()), Ok(*function));
        }
    }
}

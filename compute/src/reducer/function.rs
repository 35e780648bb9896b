//! `Function`: which reducers there are, what they are called and what they take. Not here: what their constants mean
//! (`spec`), and what they keep (`state`).

use std::ops::RangeInclusive;

use super::spec::QUANTILE_SHARES_MAX;
use crate::error::{PlanError, repeated};

/// A reducer by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    Var,
    Stddev,
    First,
    Last,
    ArgMin,
    ArgMax,
    Distinct,
    Hll,
    Quantile,
    TopK,
    Sample,
    Hist,
    Any,
    All,
    Concat,
}

/// How an argument is read whose type is not known from the expression itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Only whether it is there.
    Presence,
    /// As a number, or the row fails.
    Number,
    /// As a number if it is one, else as text.
    Any,
    /// As the text it is.
    Text,
    /// As a truth value, or the row fails.
    Truth,
}

/// What is said of each function once.
struct Declaration {
    function: Function,
    name: &'static str,
    /// How many words it takes, constants included.
    arguments: RangeInclusive<usize>,
    /// How many of them are expressions, at most; they come first.
    expressions: usize,
    context: Context,
}

const fn declare(
    function: Function,
    name: &'static str,
    arguments: RangeInclusive<usize>,
    expressions: usize,
    context: Context,
) -> Declaration {
    Declaration { function, name, arguments, expressions, context }
}

/// All of them, in the order of the enum. What is kept or told apart as it is, is read as text, like GROUPBY and
/// RETURN read it; what is compared is read as a number where it is one.
const FUNCTIONS: [Declaration; 20] = [
    declare(Function::Count, "COUNT", 0..=1, 1, Context::Presence),
    declare(Function::Sum, "SUM", 1..=1, 1, Context::Number),
    declare(Function::Avg, "AVG", 1..=1, 1, Context::Number),
    declare(Function::Min, "MIN", 1..=1, 1, Context::Any),
    declare(Function::Max, "MAX", 1..=1, 1, Context::Any),
    declare(Function::Var, "VAR", 1..=1, 1, Context::Number),
    declare(Function::Stddev, "STDDEV", 1..=1, 1, Context::Number),
    declare(Function::First, "FIRST", 1..=1, 1, Context::Text),
    declare(Function::Last, "LAST", 1..=1, 1, Context::Text),
    declare(Function::ArgMin, "ARGMIN", 2..=2, 2, Context::Any),
    declare(Function::ArgMax, "ARGMAX", 2..=2, 2, Context::Any),
    declare(Function::Distinct, "DISTINCT", 1..=1, 1, Context::Text),
    declare(Function::Hll, "HLL", 1..=1, 1, Context::Text),
    declare(Function::Quantile, "QUANTILE", 2..=1 + QUANTILE_SHARES_MAX, 1, Context::Number),
    declare(Function::TopK, "TOPK", 2..=2, 1, Context::Text),
    declare(Function::Sample, "SAMPLE", 2..=3, 1, Context::Text),
    declare(Function::Hist, "HIST", 2..=2, 1, Context::Number),
    declare(Function::Any, "ANY", 1..=1, 1, Context::Truth),
    declare(Function::All, "ALL", 1..=1, 1, Context::Truth),
    declare(Function::Concat, "CONCAT", 1..=2, 1, Context::Text),
];

impl Function {
    pub(crate) fn named(word: &[u8]) -> Result<Function, PlanError> {
        let is_named = |known: &&Declaration| word.eq_ignore_ascii_case(known.name.as_bytes());
        FUNCTIONS.iter().find(is_named).map(|known| known.function).ok_or_else(|| {
            let names = FUNCTIONS.each_ref().map(|known| known.name).join(", ");
            PlanError::Grammar(format!("unknown reducer '{}', there are {names}", repeated(word)))
        })
    }

    pub(crate) fn name(self) -> &'static str {
        self.declaration().name
    }

    /// How many words it takes: expressions, then constants.
    pub(crate) fn arguments(self) -> RangeInclusive<usize> {
        self.declaration().arguments.clone()
    }

    /// How many of the leading words are expressions, of as many as are given; the others are constants.
    pub(crate) fn expressions(self) -> usize {
        self.declaration().expressions
    }

    /// How an untyped argument is read.
    pub(crate) fn context(self, argument: usize) -> Context {
        debug_assert!(argument < self.expressions());
        self.declaration().context
    }

    /// Whether it asks for the places of rows in their source, where that has an order.
    pub(crate) fn needs_order(self) -> bool {
        matches!(self, Function::First | Function::Last | Function::Concat)
    }

    /// Whether it asks for the keys or elements of rows.
    pub(crate) fn needs_identity(self) -> bool {
        self == Function::Sample
    }

    /// Refuses a wrong number of words.
    pub(crate) fn check_count(self, count: usize) -> Result<(), PlanError> {
        let arguments = self.arguments();
        if arguments.contains(&count) {
            return Ok(());
        }
        let takes = match arguments.into_inner() {
            (1, 1) => "1 argument".into(),
            (min, max) if min == max => format!("{min} arguments"),
            (min, max) if min + 1 == max => format!("{min} or {max} arguments"),
            (min, max) => format!("{min} to {max} arguments"),
        };
        Err(PlanError::Refused(format!("REDUCE {} takes {takes}", self.name()).into()))
    }

    fn declaration(self) -> &'static Declaration {
        &FUNCTIONS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_stand_in_the_table_in_their_own_order() {
        for (at, known) in FUNCTIONS.iter().enumerate() {
            assert_eq!(known.function as usize, at);
            assert_eq!(Function::named(known.name.to_lowercase().as_bytes()), Ok(known.function));
            assert!(known.expressions <= *known.arguments.end());
        }
        assert!(Function::named(b"MEDIAN").is_err());
    }

    #[test]
    fn a_wrong_number_of_arguments_is_told() {
        let text = |function: Function, count| function.check_count(count).map_err(|error| error.to_string());
        assert_eq!(text(Function::Count, 2), Err("ERR REDUCE COUNT takes 0 or 1 arguments".into()));
        assert_eq!(text(Function::Sum, 0), Err("ERR REDUCE SUM takes 1 argument".into()));
        assert_eq!(text(Function::ArgMax, 1), Err("ERR REDUCE ARGMAX takes 2 arguments".into()));
        assert_eq!(text(Function::Quantile, 1), Err("ERR REDUCE QUANTILE takes 2 to 101 arguments".into()));
        assert_eq!(text(Function::Sample, 3), Ok(()));
    }
}

//! `Spec`: a reducer with its constants, read from words and checked. Not here: expressions, which are the plan's.

use super::function::Function;
use super::{hll, quantile};
use crate::error::{PlanError, repeated};
use crate::number;

/// Most shares of one QUANTILE.
pub(crate) const QUANTILE_SHARES_MAX: usize = 100;

/// Most values of TOPK, and most rows of SAMPLE.
pub(crate) const KEPT_MAX: usize = 10_000;

/// A reducer that can be run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(super) function: Function,
    pub(super) constants: Constants,
    /// Whether rows have places in their source.
    pub(super) ordered: bool,
    pub(super) output_bytes_max: usize,
}

/// What the words behind the expressions say.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constants {
    None,
    /// Shares of QUANTILE, each from 0 to 1.
    Shares(Vec<f64>),
    /// How many values TOPK gives.
    Kept(usize),
    Sample {
        rows: usize,
        seed: u64,
    },
    Width(Width),
    Separator(Vec<u8>),
}

/// Width of the buckets of HIST, above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Width {
    Int(i64),
    Double(f64),
}

impl Spec {
    /// Checks a reducer. `ordered` tells whether rows have places in their source; `output_bytes_max` is what MAXOUT
    /// leaves for its result.
    pub(crate) fn new(
        function: Function,
        constants: &[&[u8]],
        ordered: bool,
        output_bytes_max: usize,
    ) -> Result<Spec, PlanError> {
        // COUNT alone may lack its expression.
        let expressions = function.expressions().min(*function.arguments().start());
        function.check_count(expressions + constants.len())?;
        if matches!(function, Function::First | Function::Last) && !ordered {
            let name = function.name();
            let text = format!("{name} needs rows in an order: those of a list, a sorted set or a stream");
            return Err(PlanError::expression(1, text));
        }
        let constants = Constants::read(function, constants)?;
        Ok(Spec { function, constants, ordered, output_bytes_max })
    }

    pub(crate) fn function(&self) -> Function {
        self.function
    }

    /// The stated bound of an estimate, relative to what it estimates: a standard error for HLL, the largest error
    /// there can be for QUANTILE. TOPK states its own for each value.
    pub(crate) fn error(&self) -> Option<f64> {
        match self.function {
            Function::Hll => Some(hll::STANDARD_ERROR),
            Function::Quantile => Some(quantile::RELATIVE_ERROR),
            _ => None,
        }
    }
}

impl Constants {
    fn read(function: Function, words: &[&[u8]]) -> Result<Constants, PlanError> {
        let expected = |what: String, word: &[u8]| {
            let (name, word) = (function.name(), repeated(word));
            PlanError::Grammar(format!("REDUCE {name}: expected {what}, got '{word}'"))
        };
        let kept = |what: &str, word: &[u8]| {
            let number = number::integer(word).and_then(|number| usize::try_from(number).ok());
            number
                .filter(|number| (1..=KEPT_MAX).contains(number))
                .ok_or_else(|| expected(format!("{what}, an integer from 1 to {KEPT_MAX}"), word))
        };
        Ok(match (function, words) {
            (Function::Quantile, shares) => {
                let share = |word: &&[u8]| {
                    number::decimal(word)
                        .filter(|share| (0.0..=1.0).contains(share))
                        .ok_or_else(|| expected("a share from 0 to 1".into(), word))
                };
                Constants::Shares(shares.iter().map(share).collect::<Result<_, _>>()?)
            }
            (Function::TopK, [word]) => Constants::Kept(kept("the number of values", word)?),
            (Function::Sample, [word, seed @ ..]) => {
                let rows = kept("the number of rows", word)?;
                let seed = seed.first().map_or(Ok(0), |word| {
                    number::integer(word).ok_or_else(|| expected("a seed, an integer".into(), word))
                })?;
                Constants::Sample { rows, seed: seed.cast_unsigned() }
            }
            (Function::Hist, [word]) => {
                let int = number::integer(word).map(Width::Int);
                let width = int.or_else(|| number::decimal(word).map(Width::Double));
                let width = width.filter(|width| match width {
                    Width::Int(width) => *width > 0,
                    Width::Double(width) => *width > 0.0,
                });
                Constants::Width(width.ok_or_else(|| expected("a width above 0".into(), word))?)
            }
            (Function::Concat, separator) => {
                Constants::Separator(separator.first().map_or(Vec::new(), |separator| separator.to_vec()))
            }
            _ => Constants::None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(function: Function, words: &[&str]) -> Result<Constants, String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        Spec::new(function, &words, true, 1000).map(|spec| spec.constants).map_err(|error| error.to_string())
    }

    #[test]
    fn constants_are_read() {
        assert_eq!(spec(Function::Count, &[]), Ok(Constants::None));
        assert_eq!(spec(Function::ArgMin, &[]), Ok(Constants::None));
        assert_eq!(spec(Function::Quantile, &["0", "0.5", "1"]), Ok(Constants::Shares(vec![0.0, 0.5, 1.0])));
        assert_eq!(spec(Function::TopK, &["10000"]), Ok(Constants::Kept(10_000)));
        assert_eq!(spec(Function::Sample, &["3"]), Ok(Constants::Sample { rows: 3, seed: 0 }));
        assert_eq!(spec(Function::Sample, &["3", "-1"]), Ok(Constants::Sample { rows: 3, seed: u64::MAX }));
        assert_eq!(spec(Function::Hist, &["10"]), Ok(Constants::Width(Width::Int(10))));
        assert_eq!(spec(Function::Hist, &["10.0"]), Ok(Constants::Width(Width::Double(10.0))));
        assert_eq!(spec(Function::Concat, &[]), Ok(Constants::Separator(vec![])));
        assert_eq!(spec(Function::Concat, &[", "]), Ok(Constants::Separator(b", ".to_vec())));
    }

    #[test]
    fn wrong_constants_are_refused() {
        let refused = [
            (
                Function::Quantile,
                "1.5",
                "ERR COMPUTE: REDUCE QUANTILE: expected a share from 0 to 1, got '1.5'",
            ),
            (
                Function::Quantile,
                "nan",
                "ERR COMPUTE: REDUCE QUANTILE: expected a share from 0 to 1, got 'nan'",
            ),
            (
                Function::TopK,
                "0",
                "ERR COMPUTE: REDUCE TOPK: expected the number of values, an integer from 1 to 10000, got '0'",
            ),
            (
                Function::Sample,
                "10001",
                "ERR COMPUTE: REDUCE SAMPLE: expected the number of rows, an integer from 1 to 10000, got '10001'",
            ),
            (Function::Hist, "0", "ERR COMPUTE: REDUCE HIST: expected a width above 0, got '0'"),
            (Function::Hist, "-0.5", "ERR COMPUTE: REDUCE HIST: expected a width above 0, got '-0.5'"),
            (Function::Hist, "inf", "ERR COMPUTE: REDUCE HIST: expected a width above 0, got 'inf'"),
            (Function::Sum, "1", "ERR REDUCE SUM takes 1 argument"),
        ];
        for (function, word, text) in refused {
            assert_eq!(spec(function, &[word]), Err(text.into()));
        }
        assert_eq!(spec(Function::TopK, &[]), Err("ERR REDUCE TOPK takes 2 arguments".into()));
        let error = Spec::new(Function::First, &[], false, 0).map_err(|error| error.to_string());
        let text = "BADEXPR 1: FIRST needs rows in an order: those of a list, a sorted set or a stream";
        assert_eq!(error, Err(text.into()));
    }

    #[test]
    fn estimates_state_their_error() {
        let error = |function, words: &[&[u8]]| Spec::new(function, words, false, 0).map(|spec| spec.error());
        assert_eq!(error(Function::Hll, &[]), Ok(Some(0.0081)));
        assert_eq!(error(Function::Quantile, &[b"0.5"]), Ok(Some(0.01)));
        assert_eq!(error(Function::Distinct, &[]), Ok(None));
    }
}

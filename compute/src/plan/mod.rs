//! `Plan`: what a command asks to be computed, checked so that whatever follows cannot fail on it. It says
//! which columns the rows must bring, which expressions are run over them, and what becomes of their values. Not how any of
//! that runs.

mod application;
mod bind;
mod explain;
mod storing;

use crate::error::PlanError;
use crate::expr::{Expression, Language, Source};
use crate::grammar::{self, Form};
use crate::inputs::Inputs;
use crate::kind::Kinds;
use crate::number;
use crate::options::{Bounds, Limits, Options};
use crate::reading::Reading;
use crate::reducer::Spec;

pub use self::application::{Action, Application, Argument, Verdict, action_words};
pub use self::explain::{Clause, Explanation};

/// A checked plan.
#[derive(Debug)]
pub struct Plan {
    target: Target,
    options: Options,
    limits: Limits,
    kinds: Kinds,
    inputs: Inputs,
    filter: Option<Expression>,
    /// What is computed for each row: groups first, then the arguments of reducers; or what is returned.
    values: Vec<Computed>,
    shape: Shape,
    order: Vec<SortKey>,
    /// Rows of the result to leave out, and how many to give.
    limit: Option<(usize, usize)>,
}

/// Whose rows a plan is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Keys that match a glob.
    Pattern(Vec<u8>),
    /// The elements of the collections at these keys.
    Keys(Vec<Vec<u8>>),
}

/// An expression, and what its values must be.
#[derive(Debug)]
pub(crate) struct Computed {
    pub(crate) expression: Expression,
    pub(crate) demand: Demand,
}

/// What the value of an expression must be for its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Anything with a meaning outside: no infinity.
    Anything,
    Number,
    Truth,
}

/// What becomes of the values of rows.
#[derive(Debug)]
pub(crate) enum Shape {
    Reduce(Reduction),
    Select(Selection),
}

/// Groups and reducers.
#[derive(Debug)]
pub(crate) struct Reduction {
    /// The names of the groups, whose values come first.
    pub(crate) groups: Vec<Vec<u8>>,
    pub(crate) reducers: Vec<Reducer>,
    pub(crate) having: Option<Box<Having>>,
}

/// One reducer.
#[derive(Debug)]
pub(crate) struct Reducer {
    pub(crate) name: Vec<u8>,
    pub(crate) spec: Spec,
    /// Where its arguments are among the values.
    pub(crate) arguments: std::ops::Range<usize>,
}

/// A condition on rows of the result. Its inputs are their columns.
#[derive(Debug)]
pub(crate) struct Having {
    pub(crate) expression: Expression,
    pub(crate) inputs: Inputs,
}

/// Columns of the rows themselves.
#[derive(Debug)]
pub(crate) struct Selection {
    /// The names of those that are given; more values may follow, by which rows are sorted.
    pub(crate) columns: Vec<Vec<u8>>,
    /// The clause that they come from.
    pub(crate) clause: &'static str,
}

/// A column of the result to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SortKey {
    pub(crate) column: usize,
    pub(crate) descends: bool,
}

/// What a batch keeps of each row beside its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    pub(crate) keys: bool,
    pub(crate) identities: bool,
    pub(crate) ordinals: bool,
}

impl Plan {
    /// The plan of a command, from the words after its name.
    pub fn new(form: Form, words: &[&[u8]], bounds: &Bounds) -> Result<Plan, PlanError> {
        let (target, words) = target(form, words)?;
        let draft = grammar::parse(form, words)?;
        bind::bind(form, target, &draft, bounds)
    }

    /// The same with every expression left to the interpreter: what kernels are measured against.
    pub fn interpreted(mut self) -> Plan {
        let language = Language::default();
        let values = self.values.iter_mut().map(|value| &mut value.expression);
        for expression in self.filter.iter_mut().chain(values) {
            expression.node = expression.interpreted(&language);
        }
        self
    }

    /// The same with any number of rows, however long.
    fn without_output_limit(mut self) -> Plan {
        self.limits.output_bytes_max = u64::MAX;
        self
    }

    /// Whose rows it is about.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The glob that keys must match, for plans over the keyspace.
    pub fn pattern(&self) -> Option<&[u8]> {
        match &self.target {
            Target::Pattern(pattern) => Some(pattern),
            Target::Keys(_) => None,
        }
    }

    /// The types of key that have all it reads.
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// The clauses that only choose.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What it is allowed.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What a row must bring, in the order in which a batch asks for it. Empty: rows are only counted.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.inputs.columns.iter().map(|column| &column.source)
    }

    /// The names of the columns of a selection.
    pub fn columns(&self) -> &[Vec<u8>] {
        match &self.shape {
            Shape::Select(selection) => &selection.columns,
            Shape::Reduce(_) => &[],
        }
    }

    /// Whether each row of the result is of a group.
    pub fn is_grouped(&self) -> bool {
        matches!(&self.shape, Shape::Reduce(reduction) if !reduction.groups.is_empty())
    }

    /// The stated bounds of estimates, by the name of their reducer.
    pub fn errors(&self) -> Vec<(&[u8], f64)> {
        let Shape::Reduce(reduction) = &self.shape else { return Vec::new() };
        reduction
            .reducers
            .iter()
            .filter_map(|reducer| reducer.spec.error().map(|error| (reducer.name.as_slice(), error)))
            .collect()
    }

    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Whether it reads one double of each row and nothing else.
    pub(crate) fn reads_one_double(&self) -> bool {
        let is_double =
            matches!(self.inputs.columns.as_slice(), [column] if column.reading == Reading::Double);
        is_double && self.asks() == Asks::default()
    }

    pub(crate) fn filter(&self) -> Option<&Expression> {
        self.filter.as_ref()
    }

    pub(crate) fn values(&self) -> &[Computed] {
        &self.values
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) fn order(&self) -> &[SortKey] {
        &self.order
    }

    pub(crate) fn limit(&self) -> Option<(usize, usize)> {
        self.limit
    }

    pub(crate) fn asks(&self) -> Asks {
        let keys = self.options.on_error == crate::options::OnError::Fail;
        match &self.shape {
            Shape::Select(_) => Asks { keys, identities: true, ordinals: false },
            Shape::Reduce(reduction) => {
                let any = |asks: fn(crate::reducer::Function) -> bool| {
                    reduction.reducers.iter().any(|reducer| asks(reducer.spec.function()))
                };
                Asks {
                    keys,
                    identities: any(crate::reducer::Function::needs_identity),
                    ordinals: any(crate::reducer::Function::needs_order),
                }
            }
        }
    }
}

/// What stands before the clauses: a pattern, a key, or keys behind their number.
fn target<'w>(form: Form, words: &'w [&'w [u8]]) -> Result<(Target, &'w [&'w [u8]]), PlanError> {
    let (first, rest) = words.split_first().ok_or(PlanError::Syntax)?;
    match form {
        Form::Count | Form::Aggregate | Form::Select | Form::Apply => {
            Ok((Target::Pattern(first.to_vec()), rest))
        }
        Form::KAggregate | Form::KSelect | Form::KApply => Ok((Target::Keys(vec![first.to_vec()]), rest)),
        Form::MAggregate => {
            let count = number::integer(first).and_then(|count| usize::try_from(count).ok());
            let count = count
                .filter(|count| *count > 0)
                .ok_or_else(|| PlanError::Refused("numkeys should be greater than 0".into()))?;
            let (keys, rest) = rest.split_at_checked(count).ok_or_else(|| {
                PlanError::Refused("Number of keys can't be greater than number of args".into())
            })?;
            Ok((Target::Keys(keys.iter().map(|key| key.to_vec()).collect()), rest))
        }
    }
}

//! What EXPLAIN tells of a plan.

use super::{Plan, Shape};
use crate::expr::Expression;

/// What there is to tell of a plan before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What each row must bring, as expressions write it.
    pub fields: Vec<String>,
    /// Its expressions.
    pub clauses: Vec<Clause>,
    /// Its reducers.
    pub reducers: Vec<&'static str>,
}

/// An expression of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Where it stands: WHERE, GROUPBY and so on.
    pub clause: &'static str,
    /// As it was written.
    pub text: String,
    /// Why it runs in the interpreter; `None`: it runs in kernels.
    pub interpreted: Option<&'static str>,
}

impl Plan {
    /// Tells what running it would mean.
    pub fn explain(&self) -> Explanation {
        let mut clauses: Vec<Clause> = self.filter.iter().map(|filter| clause("WHERE", filter)).collect();
        let groups = match &self.shape {
            Shape::Reduce(reduction) => reduction.groups.len(),
            Shape::Select(_) => 0,
        };
        for (at, value) in self.values.iter().enumerate() {
            let name = match &self.shape {
                Shape::Select(selection) => selection.clause,
                Shape::Reduce(_) if at < groups => "GROUPBY",
                Shape::Reduce(_) => "REDUCE",
            };
            clauses.push(clause(name, &value.expression));
        }
        let mut reducers = Vec::new();
        if let Shape::Reduce(reduction) = &self.shape {
            clauses.extend(reduction.having.iter().map(|having| clause("HAVING", &having.expression)));
            reducers.extend(reduction.reducers.iter().map(|reducer| reducer.spec.function().name()));
        }
        Explanation { fields: self.sources().map(ToString::to_string).collect(), clauses, reducers }
    }
}

fn clause(clause: &'static str, expression: &Expression) -> Clause {
    let interpreted = expression.node.is_interpreted().then_some("lists have no kernel");
    Clause { clause, text: expression.text.clone(), interpreted }
}

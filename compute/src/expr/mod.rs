//! Expressions: the Common Expression Language over rows. Reading order: `parse` makes a tree of the text, `bind` gives its
//! names and operators their meaning over given rows, `node` lowers it to kernels, `evaluate` runs them over batches.
//! The crate `cel` parses, and its interpreter runs what has no kernel (`interpret`); nobody else knows it.

mod bind;
mod calls;
mod evaluate;
mod fault;
mod input;
mod interpret;
mod kernels;
mod node;
mod parse;
mod scalar;
mod scope;
mod source;
#[cfg(test)]
mod tests;

use cel::common::ast::{Expr, IdedExpr};

use crate::error::PlanError;
use crate::inputs::Inputs;
use crate::kind::Kinds;
use crate::reading::Reading;

use self::bind::Binder;
pub(crate) use self::bind::Type;
pub(crate) use self::evaluate::{Evaluated, Frame, Stop};
pub(crate) use self::fault::{Failure, Fault};
pub(crate) use self::interpret::Language;
pub(crate) use self::node::Node;
pub(crate) use self::parse::{Parsed, parse};
pub(crate) use self::scope::Scope;
pub use self::source::Source;
pub(crate) use self::source::{Domain, Native};

/// An expression, ready to run.
#[derive(Debug)]
pub(crate) struct Expression {
    /// As it was written.
    pub(crate) text: String,
    pub(crate) node: Node,
    pub(crate) kind: Type,
    /// Nodes of its tree and of the LETs in it.
    pub(crate) nodes: usize,
    /// Its bound tree, from which the nodes were lowered.
    tree: IdedExpr,
}

impl Expression {
    /// Parses an expression and gives it its meaning.
    pub(crate) fn of(
        text: &[u8],
        reading: Reading,
        scope: &Scope<'_>,
        inputs: &mut Inputs,
        kinds: &mut Kinds,
    ) -> Result<Expression, PlanError> {
        let parsed = parse(scope.language, text)?;
        Expression::bind(&parsed, text, reading, scope, inputs, kinds)
    }

    /// Gives a parsed expression its meaning. A field whose context does not say how to read it is read as `reading`.
    pub(crate) fn bind(
        parsed: &Parsed,
        text: &[u8],
        reading: Reading,
        scope: &Scope<'_>,
        inputs: &mut Inputs,
        kinds: &mut Kinds,
    ) -> Result<Expression, PlanError> {
        let mut binder = Binder::new(parsed, scope, inputs, kinds);
        let (bound, is_presence) = binder.bind_whole(reading)?;
        let nodes = binder.nodes;
        let node = match Node::lower(&bound.tree, scope.language) {
            Node::Input(input) if is_presence => Node::Present(input),
            node => node,
        };
        Ok(Expression {
            text: String::from_utf8_lossy(text).into_owned(),
            node,
            kind: bound.kind,
            nodes,
            tree: bound.tree,
        })
    }

    /// The value of an input that no text names.
    pub(crate) fn of_input(input: u16) -> Expression {
        let tree = IdedExpr { id: 0, expr: Expr::Ident(format!("@{input}")) };
        Expression { text: String::new(), node: Node::Input(input), kind: Type::Any, nodes: 1, tree }
    }

    /// The same for the interpreter, whole.
    pub(crate) fn interpreted(&self, language: &Language) -> Node {
        Node::interpreted(&self.tree, language)
    }
}

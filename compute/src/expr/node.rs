//! `Node`: an expression as kernels run it, lowered from its bound tree. What has no kernel, macros over lists most of all,
//! runs in the interpreter, as large a part as must. Not here: the running (`evaluate`).

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use regex::Regex;

use super::calls::{self, COMPARISONS};
use super::interpret::{Interpreted, Language};
use super::scalar::{Arithmetic, Comparison, Function};
use crate::vector::Scalar;

/// A part of an expression.
#[derive(Debug)]
pub(crate) enum Node {
    Constant(Constant),
    /// An input of the plan.
    Input(u16),
    /// An input of which only the presence is asked: without it the row fails.
    Present(u16),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Choose(Box<[Node; 3]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    /// A comparison of fields of any text.
    CompareLoosely(Comparison, Box<[Node; 2]>),
    /// Whether it equals one of these.
    Among(Box<Node>, Vec<Constant>),
    Matches(Box<Node>, Regex),
    Call(Function, Vec<Node>),
    Interpreted(Box<Interpreted>),
}

/// A value that is written in the expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Constant {
    pub(crate) fn scalar(&self) -> Scalar<'_> {
        match self {
            Constant::Null => Scalar::Null,
            Constant::Bool(value) => Scalar::Bool(*value),
            Constant::Int(value) => Scalar::Int(*value),
            Constant::Double(value) => Scalar::Double(*value),
            Constant::Text(text) => Scalar::Text(text),
            Constant::Bytes(bytes) => Scalar::Bytes(bytes),
        }
    }
}

impl Node {
    /// Lowers a bound tree.
    pub(crate) fn lower(tree: &IdedExpr, language: &Language) -> Node {
        lowered(tree, language).unwrap_or_else(|| Node::interpreted(tree, language))
    }

    /// The whole tree for the interpreter.
    pub(crate) fn interpreted(tree: &IdedExpr, language: &Language) -> Node {
        Node::Interpreted(Box::new(Interpreted::new(tree.clone(), language.clone())))
    }

    /// Whether any part runs in the interpreter.
    pub(crate) fn is_interpreted(&self) -> bool {
        match self {
            Node::Constant(_) | Node::Input(_) | Node::Present(_) => false,
            Node::Not(a) | Node::Negate(a) | Node::Among(a, _) | Node::Matches(a, _) => a.is_interpreted(),
            Node::And(a, b) | Node::Or(a, b) => a.is_interpreted() || b.is_interpreted(),
            Node::Choose(parts) => parts.iter().any(Node::is_interpreted),
            Node::Arithmetic(_, sides) | Node::Compare(_, sides) | Node::CompareLoosely(_, sides) => {
                sides.iter().any(Node::is_interpreted)
            }
            Node::Call(_, arguments) => arguments.iter().any(Node::is_interpreted),
            Node::Interpreted(_) => true,
        }
    }
}

/// `None` for what has no kernel.
fn lowered(tree: &IdedExpr, language: &Language) -> Option<Node> {
    match &tree.expr {
        Expr::Literal(literal) => constant(literal).map(Node::Constant),
        Expr::Ident(name) => name.strip_prefix('@')?.parse().ok().map(Node::Input),
        Expr::Call(call) => of_call(call, language),
        _ => None,
    }
}

fn of_call(call: &CallExpr, language: &Language) -> Option<Node> {
    let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
    let name = call.func_name.as_str();
    let lower = |tree: &IdedExpr| Node::lower(tree, language);
    let one = |tree: &IdedExpr| Box::new(lower(tree));
    let two = |a: &IdedExpr, b: &IdedExpr| Box::new([lower(a), lower(b)]);
    match (name, arguments.as_slice()) {
        (operators::CONDITIONAL, [condition, a, b]) => {
            Some(Node::Choose(Box::new([condition, a, b].map(|part| lower(part)))))
        }
        (operators::LOGICAL_AND, [a, b]) => Some(Node::And(one(a), one(b))),
        (operators::LOGICAL_OR, [a, b]) => Some(Node::Or(one(a), one(b))),
        (operators::LOGICAL_NOT, [a]) => Some(Node::Not(one(a))),
        (operators::NEGATE | calls::NEGATE, [a]) => Some(Node::Negate(one(a))),
        (operators::IN, [a, list]) => {
            if is_list(a) {
                return None;
            }
            let Expr::List(list) = &list.expr else { return None };
            let constants = list.elements.iter().map(|element| match &element.expr {
                Expr::Literal(literal) => constant(literal),
                _ => None,
            });
            Some(Node::Among(one(a), constants.collect::<Option<Vec<_>>>()?))
        }
        ("matches", [text, pattern]) => match &pattern.expr {
            Expr::Literal(LiteralValue::String(pattern)) => {
                language.pattern(pattern.inner()).ok().map(|regex| Node::Matches(one(text), regex))
            }
            _ => None,
        },
        (_, [a, b]) if operator(name).is_some() => {
            operator(name).map(|operator| Node::Arithmetic(operator, two(a, b)))
        }
        (_, [a, b]) if compared(name).is_some() => {
            // Lists, which have no column, are compared, too.
            if is_list(a) || is_list(b) {
                return None;
            }
            let (how, is_loose) = compared(name)?;
            Some(if is_loose { Node::CompareLoosely(how, two(a, b)) } else { Node::Compare(how, two(a, b)) })
        }
        _ => {
            let function = function(name)?;
            // A list, which has no column, has a size, too.
            let nodes = arguments.iter().map(|argument| lower(argument)).collect();
            let takes_list = arguments.iter().any(|argument| is_list(argument));
            (!takes_list).then_some(Node::Call(function, nodes))
        }
    }
}

fn is_list(tree: &IdedExpr) -> bool {
    match &tree.expr {
        Expr::List(_) | Expr::Comprehension(_) => true,
        Expr::Call(call) => match call.func_name.as_str() {
            operators::ADD | operators::INDEX => call.args.iter().any(is_list),
            operators::CONDITIONAL => call.args.iter().skip(1).any(is_list),
            _ => false,
        },
        _ => false,
    }
}

fn constant(literal: &LiteralValue) -> Option<Constant> {
    Some(match literal {
        LiteralValue::Null => Constant::Null,
        LiteralValue::Boolean(value) => Constant::Bool(*value.inner()),
        LiteralValue::Int(value) => Constant::Int(*value.inner()),
        LiteralValue::Double(value) => Constant::Double(*value.inner()),
        LiteralValue::String(text) => Constant::Text(text.inner().to_owned()),
        LiteralValue::Bytes(bytes) => Constant::Bytes(bytes.inner().to_vec()),
        LiteralValue::UInt(_) => return None,
    })
}

fn operator(name: &str) -> Option<Arithmetic> {
    Some(match name {
        operators::ADD | calls::ADD => Arithmetic::Add,
        operators::SUBSTRACT | calls::SUBTRACT => Arithmetic::Subtract,
        operators::MULTIPLY | calls::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE | calls::DIVIDE => Arithmetic::Divide,
        operators::MODULO | calls::REMAINDER => Arithmetic::Remainder,
        _ => return None,
    })
}

/// Which comparison a name is, and whether of fields of any text.
fn compared(name: &str) -> Option<(Comparison, bool)> {
    COMPARISONS.iter().find_map(|compared| {
        let is_loose = name == compared.loose;
        (is_loose || name == compared.native || name == compared.text).then_some((compared.how, is_loose))
    })
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "size" => Function::Size,
        "startsWith" => Function::StartsWith,
        "endsWith" => Function::EndsWith,
        "contains" => Function::Contains,
        "int" => Function::Int,
        "double" => Function::Double,
        "string" => Function::String,
        "bool" => Function::Bool,
        "bytes" => Function::Bytes,
        calls::NUMBER => Function::Number,
        calls::JOIN => Function::Join,
        calls::BUCKET => Function::Bucket,
        calls::HASH => Function::Hash,
        _ => return None,
    })
}

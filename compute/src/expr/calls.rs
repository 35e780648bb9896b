//! The operators and functions of expressions: what each takes, what it gives, and which call it becomes where the
//! language has no such operator. Not here: their values (`scalar`).

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::bind::{Binder, Bound, Type, as_double, call, choice, common};
use super::scalar::Comparison;
use crate::error::{PlanError, repeated};
use crate::reading::Reading;

/// Operators of ours, where the language has none for the types at hand.
pub(crate) const ADD: &str = "@add";
pub(crate) const SUBTRACT: &str = "@subtract";
pub(crate) const MULTIPLY: &str = "@multiply";
pub(crate) const DIVIDE: &str = "@divide";
pub(crate) const REMAINDER: &str = "@remainder";
pub(crate) const NEGATE: &str = "@negate";
pub(crate) const JOIN: &str = "@join";
pub(crate) const NUMBER: &str = "@number";
pub(crate) const BUCKET: &str = "@bucket";
pub(crate) const HASH: &str = "@hash";

/// A comparison: the language's, that of text with bytes, and that of fields of any text.
pub(crate) struct Compared {
    pub(crate) how: Comparison,
    pub(crate) native: &'static str,
    pub(crate) text: &'static str,
    pub(crate) loose: &'static str,
}

const fn compared(
    how: Comparison,
    native: &'static str,
    text: &'static str,
    loose: &'static str,
) -> Compared {
    Compared { how, native, text, loose }
}

/// Every comparison.
pub(crate) const COMPARISONS: [Compared; 6] = [
    compared(Comparison::Equal, operators::EQUALS, "@equal", "@equal_loosely"),
    compared(Comparison::NotEqual, operators::NOT_EQUALS, "@not_equal", "@not_equal_loosely"),
    compared(Comparison::Less, operators::LESS, "@less", "@less_loosely"),
    compared(Comparison::AtMost, operators::LESS_EQUALS, "@at_most", "@at_most_loosely"),
    compared(Comparison::Greater, operators::GREATER, "@greater", "@greater_loosely"),
    compared(Comparison::AtLeast, operators::GREATER_EQUALS, "@at_least", "@at_least_loosely"),
];

/// Arithmetic: how it is written, the language's operator, and ours.
const ARITHMETIC: [(&str, &str, &str); 5] = [
    ("+", operators::ADD, ADD),
    ("-", operators::SUBSTRACT, SUBTRACT),
    ("*", operators::MULTIPLY, MULTIPLY),
    ("/", operators::DIVIDE, DIVIDE),
    ("%", operators::MODULO, REMAINDER),
];

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The meaning of a call.
pub(super) fn bind<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    made: &'a CallExpr,
) -> Result<Bound, PlanError> {
    let arguments: Vec<&'a IdedExpr> = made.target.as_deref().into_iter().chain(&made.args).collect();
    let name = made.func_name.as_str();
    match (name, arguments.as_slice()) {
        (operators::CONDITIONAL, [condition, a, b]) => conditional(binder, node, [condition, a, b]),
        (operators::LOGICAL_AND | operators::LOGICAL_OR, [a, b]) => {
            let who = if name == operators::LOGICAL_AND { "&&" } else { "||" };
            let (a, b) = (binder.truth(a, who)?, binder.truth(b, who)?);
            Ok(call(node, name, vec![a.tree, b.tree], Type::Bool))
        }
        (operators::LOGICAL_NOT, [a]) => {
            let a = binder.truth(a, "!")?;
            Ok(call(node, name, vec![a.tree], Type::Bool))
        }
        (operators::NOT_STRICTLY_FALSE, [a]) => {
            let a = binder.bind(a)?;
            Ok(call(node, name, vec![a.tree], Type::Bool))
        }
        (operators::NEGATE, [a]) => {
            let bound = binder.bind(a)?;
            let a = binder.number(a, bound, "-")?;
            let name = if matches!(a.kind, Type::Int | Type::Double) { operators::NEGATE } else { NEGATE };
            Ok(call(node, name, vec![a.tree], a.kind))
        }
        (operators::IN, [a, list]) => among(binder, node, a, list),
        (operators::INDEX, [of, at]) => index(binder, node, of, at),
        (_, [a, b]) => {
            if let Some(operator) = ARITHMETIC.iter().find(|(_, native, _)| *native == name) {
                return arithmetic(binder, node, operator, [a, b]);
            }
            if let Some(compared) = COMPARISONS.iter().find(|compared| compared.native == name) {
                return comparison(binder, node, compared, [a, b]);
            }
            function(binder, node, name, &arguments)
        }
        _ => function(binder, node, name, &arguments),
    }
}

fn conditional<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    [condition, a_node, b_node]: [&'a IdedExpr; 3],
) -> Result<Bound, PlanError> {
    let condition = binder.truth(condition, "?:")?;
    let (a, b) = (binder.bind(a_node)?, binder.bind(b_node)?);
    if a.kind == Type::Untyped && b.kind == Type::Untyped {
        return Ok(choice(node, condition, a, b, Type::Untyped));
    }
    let beside = |other: Type| match other {
        Type::Int | Type::Double | Type::Number => Reading::Number,
        Type::Bytes => Reading::Bytes,
        Type::Any => Reading::Any,
        _ => Reading::Raw,
    };
    let (of_a, of_b) = (beside(b.kind), beside(a.kind));
    let (a, b) = (binder.read(a, of_a)?, binder.read(b, of_b)?);
    let kind = common(a.kind, b.kind);
    Ok(choice(node, condition, a, b, kind))
}

fn arithmetic<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    (sign, native, ours): &(&str, &str, &str),
    [a_node, b_node]: [&'a IdedExpr; 2],
) -> Result<Bound, PlanError> {
    let (a, b) = (binder.bind(a_node)?, binder.bind(b_node)?);
    let kinds = [a.kind, b.kind];
    if *sign == "+" {
        if kinds.contains(&Type::List) {
            let (a, b) = (binder.read(a, Reading::Raw)?, binder.read(b, Reading::Raw)?);
            return Ok(call(node, native, vec![a.tree, b.tree], Type::List));
        }
        if kinds.iter().any(|kind| kind.is_text()) {
            return join(binder, node, [(a_node, a), (b_node, b)]);
        }
        if kinds.contains(&Type::Any) {
            let (a, b) = (binder.read(a, Reading::Any)?, binder.read(b, Reading::Any)?);
            return Ok(call(node, ADD, vec![a.tree, b.tree], Type::Any));
        }
    }
    let (a, b) = (binder.number(a_node, a, sign)?, binder.number(b_node, b, sign)?);
    match (a.kind, b.kind) {
        (Type::Int, Type::Int) => Ok(call(node, native, vec![a.tree, b.tree], Type::Int)),
        (Type::Int | Type::Double, Type::Int | Type::Double) if *sign != "%" => {
            let (a, b) = (as_double(a_node, a), as_double(b_node, b));
            Ok(call(node, native, vec![a.tree, b.tree], Type::Double))
        }
        (Type::Double, _) | (_, Type::Double) if *sign == "%" => {
            Err(binder.error(node, "% needs integers, this is a double: write int(...)"))
        }
        (Type::Double, _) | (_, Type::Double) => Ok(call(node, ours, vec![a.tree, b.tree], Type::Double)),
        _ => Ok(call(node, ours, vec![a.tree, b.tree], Type::Number)),
    }
}

/// `+` with text on a side: the other side is taken as text, too.
fn join(
    binder: &mut Binder<'_>,
    node: &IdedExpr,
    sides: [(&IdedExpr, Bound); 2],
) -> Result<Bound, PlanError> {
    let mut kinds = [Type::Text; 2];
    let mut trees = Vec::with_capacity(2);
    for ((side, bound), kind) in sides.into_iter().zip(&mut kinds) {
        let mut bound = binder.read(bound, Reading::Raw)?;
        if bound.kind.is_number() || bound.kind == Type::Bool {
            bound = call(side, "string", vec![bound.tree], Type::String);
        }
        if !bound.kind.is_text() && bound.kind != Type::Any {
            return Err(binder.refuse_kind(side, bound.kind, "+ with text"));
        }
        *kind = bound.kind;
        trees.push(bound.tree);
    }
    let is_native = kinds[0] == kinds[1] && matches!(kinds[0], Type::String | Type::Bytes);
    let kind = if is_native { kinds[0] } else { Type::Text };
    Ok(call(node, if is_native { operators::ADD } else { JOIN }, trees, kind))
}

fn comparison<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    compared: &Compared,
    [a_node, b_node]: [&'a IdedExpr; 2],
) -> Result<Bound, PlanError> {
    let (a, b) = (binder.bind(a_node)?, binder.bind(b_node)?);
    if a.kind == Type::Untyped && matches!(b.kind, Type::Untyped | Type::Any)
        || b.kind == Type::Untyped && a.kind == Type::Any
    {
        let (a, b) = (binder.read(a, Reading::Raw)?, binder.read(b, Reading::Raw)?);
        return Ok(call(node, compared.loose, vec![a.tree, b.tree], Type::Bool));
    }
    let beside = |binder: &Binder<'_>, side: &IdedExpr, other: Type| match other {
        Type::Int | Type::Double | Type::Number => Ok(Reading::Number),
        Type::Bytes => Ok(Reading::Bytes),
        Type::Bool => Err(binder.error(side, "this is text, compared with a truth value: write bool(...)")),
        Type::List => Err(binder.error(side, "this is text, compared with a list")),
        _ => Ok(Reading::Raw),
    };
    let (a_kind, b_kind) = (a.kind, b.kind);
    let a = if a_kind == Type::Untyped {
        let how = beside(binder, a_node, b_kind)?;
        binder.read(a, how)?
    } else {
        a
    };
    let b = if b_kind == Type::Untyped {
        let how = beside(binder, b_node, a_kind)?;
        binder.read(b, how)?
    } else {
        b
    };
    let is_equality = matches!(compared.how, Comparison::Equal | Comparison::NotEqual);
    let name = match (a.kind, b.kind) {
        (a, b) if a.is_number() && b.is_number() => compared.native,
        (Type::String, Type::String) | (Type::Bytes, Type::Bytes) | (Type::Bool, Type::Bool) => {
            compared.native
        }
        (a, b) if a.is_text() && b.is_text() && (a == Type::Text || b == Type::Text) => compared.text,
        (Type::Any, _) | (_, Type::Any) => compared.native,
        (Type::Null, _) | (_, Type::Null) | (Type::List, Type::List) if is_equality => compared.native,
        (a, b) => {
            let text = format!("{} cannot be compared with {}", a.name(), b.name());
            return Err(binder.error(node, text));
        }
    };
    Ok(call(node, name, vec![a.tree, b.tree], Type::Bool))
}

/// `a in list`: elements that are all numbers, or all text, say how an untyped `a` is read.
fn among<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    a_node: &'a IdedExpr,
    list_node: &'a IdedExpr,
) -> Result<Bound, PlanError> {
    let a = binder.bind(a_node)?;
    let Expr::List(list) = &list_node.expr else {
        let list = binder.bind(list_node)?;
        if !matches!(list.kind, Type::List | Type::Any) {
            return Err(binder.refuse_kind(list_node, list.kind, "in"));
        }
        let a = binder.read(a, Reading::Raw)?;
        return Ok(call(node, operators::IN, vec![a.tree, list.tree], Type::Bool));
    };
    let mut elements = Vec::with_capacity(list.elements.len());
    for element in &list.elements {
        elements.push(binder.bind(element)?);
    }
    let is_numeric = |kind: Type| kind.is_number() || kind == Type::Untyped;
    let numeric = is_numeric(a.kind)
        && elements.iter().all(|element| is_numeric(element.kind))
        && (a.kind.is_number() || elements.iter().any(|element| element.kind.is_number()));
    let reading = match (numeric, a.kind) {
        (true, _) => Reading::Number,
        (false, Type::Bytes) => Reading::Bytes,
        (false, _) if elements.iter().any(|element| element.kind == Type::Bytes) => Reading::Bytes,
        (false, _) => Reading::Raw,
    };
    // Text is not equal to bytes in the language, but columns compare both as bytes; so all are bytes where any is.
    let as_read = |bound: Bound| match bound.kind {
        Type::String | Type::Text if reading == Reading::Bytes => {
            let node = bound.tree.clone();
            call(&node, "bytes", vec![bound.tree], Type::Bytes)
        }
        _ => bound,
    };
    let mut trees = Vec::with_capacity(elements.len());
    for element in elements {
        trees.push(as_read(binder.read(element, reading)?).tree);
    }
    let a = as_read(binder.read(a, reading)?);
    let list = cel::common::ast::ListExpr::new(trees);
    let list = IdedExpr { id: list_node.id, expr: Expr::List(list) };
    Ok(call(node, operators::IN, vec![a.tree, list], Type::Bool))
}

/// `h["field"]`, `x["field"]`, or an element of a list.
fn index<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    of: &'a IdedExpr,
    at: &'a IdedExpr,
) -> Result<Bound, PlanError> {
    if let Expr::Ident(root) = &of.expr
        && matches!(root.as_str(), "h" | "x" | "p")
        && !binder.is_local(root)
    {
        let Expr::Literal(LiteralValue::String(field)) = &at.expr else {
            return Err(binder.error(at, format!("the name of a field of {root} is text in quotes")));
        };
        return binder.part(node, root, field.inner(), false);
    }
    let (list, at) = (binder.bind(of)?, binder.bind(at)?);
    if !matches!(list.kind, Type::List | Type::Any) {
        return Err(binder.refuse_kind(of, list.kind, "[...]"));
    }
    let at = binder.read(at, Reading::Number)?;
    Ok(call(node, operators::INDEX, vec![list.tree, at.tree], Type::Any))
}

fn function<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    name: &str,
    arguments: &[&'a IdedExpr],
) -> Result<Bound, PlanError> {
    match (name, arguments) {
        ("startsWith" | "endsWith" | "contains", [text, part]) => {
            let (of, with) = (binder.bind(text)?, binder.bind(part)?);
            let (of, with) = (binder.string(text, of, name)?, binder.string(part, with, name)?);
            Ok(member(node, name, of, with))
        }
        ("matches", [text, pattern]) => {
            let (of, with) = (binder.bind(text)?, binder.bind(pattern)?);
            let (of, with) = (binder.string(text, of, name)?, binder.string(pattern, with, name)?);
            let Expr::Literal(LiteralValue::String(written)) = &with.tree.expr else {
                return Err(binder.error(pattern, "a pattern is text in quotes, or given by PARAMS"));
            };
            match binder.language().pattern(written.inner()) {
                Ok(_) => Ok(member(node, name, of, with)),
                Err(fault) => Err(binder.error(pattern, fault)),
            }
        }
        (_, [argument]) => of_one(binder, node, name, argument),
        ("bucket", [value, width]) => {
            let (a, b) = (binder.bind(value)?, binder.bind(width)?);
            let (a, b) = (binder.number(value, a, name)?, binder.number(width, b, name)?);
            let kind = if a.kind == Type::Int && b.kind == Type::Int { Type::Int } else { Type::Number };
            Ok(call(node, BUCKET, vec![a.tree, b.tree], kind))
        }
        _ => {
            let text = match FUNCTIONS.iter().find(|function| name == **function) {
                Some(_) => format!("{name} does not take {} arguments", arguments.len()),
                None => format!(
                    "unknown function {} (there are {})",
                    repeated(name.as_bytes()),
                    FUNCTIONS.join(", ")
                ),
            };
            Err(binder.error(node, text))
        }
    }
}

/// Functions that clients may call.
const FUNCTIONS: [&str; 22] = [
    "has",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "int",
    "double",
    "string",
    "bool",
    "bytes",
    "num",
    "str",
    "bucket",
    "hour",
    "day",
    "hash",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
];

fn member(node: &IdedExpr, name: &str, of: Bound, with: Bound) -> Bound {
    let call = CallExpr { func_name: name.into(), target: Some(Box::new(of.tree)), args: vec![with.tree] };
    super::bind::made(node, Expr::Call(call), Type::Bool)
}

fn of_one<'a>(
    binder: &mut Binder<'a>,
    node: &'a IdedExpr,
    name: &str,
    argument: &'a IdedExpr,
) -> Result<Bound, PlanError> {
    let bound = binder.bind(argument)?;
    let was_untyped = bound.kind == Type::Untyped;
    let reading = match name {
        "num" | "hour" | "day" => Reading::Number,
        "str" | "size" => Reading::Raw,
        "bytes" | "hash" => Reading::Bytes,
        _ => Reading::String,
    };
    let bound = binder.read(bound, reading)?;
    let one = |name: &str, bound: Bound, kind: Type| Ok(call(node, name, vec![bound.tree], kind));
    match (name, bound.kind) {
        ("num" | "str" | "bytes", _) if was_untyped => Ok(bound),
        ("num", kind) if kind.is_number() => Ok(bound),
        ("num", Type::String | Type::Text | Type::Bytes | Type::Any) => one(NUMBER, bound, Type::Number),
        ("str", Type::Text | Type::String | Type::Bytes) => Ok(bound),
        ("size", Type::List | Type::Any | Type::String | Type::Text | Type::Bytes) => {
            one("size", bound, Type::Int)
        }
        ("int", kind) if kind.is_number() || kind.is_text() && kind != Type::Bytes || kind == Type::Any => {
            one("int", bound, Type::Int)
        }
        ("double", kind)
            if kind.is_number() || kind.is_text() && kind != Type::Bytes || kind == Type::Any =>
        {
            one("double", bound, Type::Double)
        }
        ("string" | "str", kind) if !matches!(kind, Type::List | Type::Null) => {
            one("string", bound, Type::String)
        }
        ("bool", Type::Bool | Type::String | Type::Text | Type::Any) => one("bool", bound, Type::Bool),
        ("bytes", Type::String | Type::Bytes | Type::Text | Type::Any) => one("bytes", bound, Type::Bytes),
        ("hash", Type::String | Type::Bytes | Type::Text | Type::Any) => one(HASH, bound, Type::Int),
        ("hour" | "day", kind) if kind.is_number() || kind == Type::Any => {
            let width = if name == "hour" { HOUR_MS } else { DAY_MS };
            let width = IdedExpr { id: node.id, expr: Expr::Literal(LiteralValue::Int(width.into())) };
            let kind = if kind == Type::Int { Type::Int } else { Type::Number };
            Ok(call(node, BUCKET, vec![bound.tree, width], kind))
        }
        _ if FUNCTIONS.contains(&name) => Err(binder.refuse_kind(argument, bound.kind, name)),
        _ => {
            let text = format!(
                "unknown function {} (there are {})",
                repeated(name.as_bytes()),
                FUNCTIONS.join(", ")
            );
            Err(binder.error(node, text))
        }
    }
}

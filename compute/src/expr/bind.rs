//! What an expression means over given rows: variables become inputs with a reading, text is read as its context demands,
//! operators that the language leaves out become calls of ours, and what cannot have a type is refused. The
//! result is a syntax tree that both the interpreter and the kernels (`lower`) understand, so that both mean the same.
//!
//! A variable whose text has no type yet is a hole until something beside it decides: `?n` in the tree, `@n` once it is the
//! input `n`. Neither name can be written by a client.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, operators};

use super::calls;
use super::interpret::Language;
use super::parse::{NODES_MAX, Parsed, children};
use super::scalar::read_number;
use super::scope::Scope;
use super::source::{Native, Source};
use crate::error::{PlanError, repeated};
use crate::inputs::Inputs;
use crate::kind::Kinds;
use crate::reading::Reading;
use crate::vector::Scalar;

/// What is known of a value before there is a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Text that its context is still to read.
    Untyped,
    Bool,
    Int,
    Double,
    /// An integer or a double.
    Number,
    String,
    Bytes,
    /// A string or bytes.
    Text,
    Null,
    List,
    /// Anything.
    Any,
}

impl Type {
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Double | Type::Number)
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Type::String | Type::Bytes | Type::Text)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Untyped | Type::Text => "text",
            Type::Bool => "a truth value",
            Type::Int => "an integer",
            Type::Double => "a double",
            Type::Number => "a number",
            Type::String => "a string",
            Type::Bytes => "bytes",
            Type::Null => "null",
            Type::List => "a list",
            Type::Any => "anything",
        }
    }
}

/// A part of an expression whose meaning is settled, but for its holes.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) tree: IdedExpr,
    pub(crate) kind: Type,
}

/// Gives the parts of one expression their meaning.
pub(crate) struct Binder<'a> {
    pub(super) parsed: &'a Parsed,
    scope: &'a Scope<'a>,
    inputs: &'a mut Inputs,
    /// The types of key whose rows have all variables used so far.
    kinds: &'a mut Kinds,
    /// Variables of the macros around.
    locals: Vec<String>,
    /// What the holes stand for.
    holes: Vec<Hole>,
    /// Parts bound so far.
    pub(super) nodes: usize,
}

#[derive(Clone, Debug)]
enum Hole {
    Source(Source),
    Parameter(Vec<u8>),
}

impl<'a> Binder<'a> {
    pub(crate) fn new(
        parsed: &'a Parsed,
        scope: &'a Scope<'a>,
        inputs: &'a mut Inputs,
        kinds: &'a mut Kinds,
    ) -> Binder<'a> {
        Binder { parsed, scope, inputs, kinds, locals: Vec::new(), holes: Vec::new(), nodes: 0 }
    }

    /// The whole expression, its holes filled as its place demands; whether it is one field of which only the presence
    /// is asked, so that nothing else of it needs to be kept.
    pub(crate) fn bind_whole(&mut self, reading: Reading) -> Result<(Bound, bool), PlanError> {
        let whole = self.bind(&self.parsed.tree)?;
        let is_hole = whole.kind == Type::Untyped && matches!(whole.tree.expr, Expr::Ident(_));
        match reading {
            Reading::Presence if !is_hole => self.read(whole, Reading::Raw).map(|bound| (bound, false)),
            _ => self.read(whole, reading).map(|bound| (bound, is_hole && reading == Reading::Presence)),
        }
    }

    pub(super) fn bind(&mut self, node: &'a IdedExpr) -> Result<Bound, PlanError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(
                self.error(node, format!("with its LETs the expression has more than {NODES_MAX} nodes"))
            );
        }
        match &node.expr {
            Expr::Literal(literal) => self.literal(node, literal),
            Expr::Ident(name) => self.name(node, name),
            Expr::Select(select) => {
                match &select.operand.expr {
                    Expr::Ident(root) if !self.locals.contains(root) => {
                        self.part(node, root, &select.field, select.test)
                    }
                    _ => Err(self
                        .error(node, format!("nothing has a field {}", repeated(select.field.as_bytes())))),
                }
            }
            Expr::Call(call) => calls::bind(self, node, call),
            Expr::List(list) => {
                let mut elements = Vec::with_capacity(list.elements.len());
                for element in &list.elements {
                    let bound = self.bind(element)?;
                    elements.push(self.read(bound, Reading::Raw)?.tree);
                }
                Ok(made(node, Expr::List(ListExpr::new(elements)), Type::List))
            }
            Expr::Comprehension(loops) => self.comprehension(node, loops),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(self.error(node, "maps and messages are not available in expressions"))
            }
        }
    }

    fn literal(&self, node: &IdedExpr, literal: &LiteralValue) -> Result<Bound, PlanError> {
        let kind = match literal {
            LiteralValue::Boolean(_) => Type::Bool,
            LiteralValue::Bytes(_) => Type::Bytes,
            LiteralValue::Double(_) => Type::Double,
            LiteralValue::Int(_) => Type::Int,
            LiteralValue::Null => Type::Null,
            LiteralValue::String(_) => Type::String,
            LiteralValue::UInt(_) => return Err(self.error(node, "numbers have a sign: leave out the u")),
        };
        Ok(Bound { tree: node.clone(), kind })
    }

    fn name(&mut self, node: &'a IdedExpr, name: &str) -> Result<Bound, PlanError> {
        if self.is_local(name) {
            return Ok(Bound { tree: node.clone(), kind: Type::Any });
        }
        if let Some(parsed) = self.scope.let_named(name) {
            return self.expand(parsed);
        }
        let Some((source, native, kinds)) = self.scope.domain.variable(name) else {
            let text = match name {
                root if self.scope.domain.fields().is_some_and(|(known, _)| known == root) => {
                    format!("{root} has fields: name one, as in {root}.field")
                }
                "p" => "p has the parameters: name one, as in p.name".into(),
                _ => format!(
                    "unknown variable {} (there are {})",
                    repeated(name.as_bytes()),
                    self.scope.names()
                ),
            };
            return Err(self.error(node, text));
        };
        self.narrow(node, &source, kinds)?;
        self.variable(node, source, native)
    }

    /// What a LET stands for, as if it were written here; errors tell of the place in its own text.
    fn expand(&mut self, parsed: &'a Parsed) -> Result<Bound, PlanError> {
        let outer = std::mem::replace(&mut self.parsed, parsed);
        let locals = std::mem::take(&mut self.locals);
        let bound = self.bind(&parsed.tree);
        self.locals = locals;
        self.parsed = outer;
        bound
    }

    /// Whether a name is a variable of a macro around it.
    pub(super) fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|local| local == name)
    }

    /// A variable, read as its own type, as it is pinned, or a hole.
    fn variable(&mut self, node: &IdedExpr, source: Source, native: Native) -> Result<Bound, PlanError> {
        let reading = match native {
            Native::Int => Reading::Int,
            Native::Double => Reading::Double,
            Native::Text => Reading::Raw,
            Native::Any => Reading::Any,
            Native::Untyped => match self.scope.pin_of(&source) {
                Some(pin) => pin,
                None => return Ok(self.hole(node, Hole::Source(source))),
            },
        };
        Ok(self.input(node, source, reading))
    }

    /// `h.field`, `x.field`, `has(...)` of either, or `p.name`.
    pub(super) fn part(
        &mut self,
        node: &IdedExpr,
        root: &str,
        field: &str,
        is_test: bool,
    ) -> Result<Bound, PlanError> {
        if root == "p" {
            let value = self.scope.parameter(field);
            if is_test {
                return Ok(made(
                    node,
                    Expr::Literal(LiteralValue::Boolean(value.is_some().into())),
                    Type::Bool,
                ));
            }
            let Some(value) = value else {
                let text = format!("there is no parameter {}", repeated(field.as_bytes()));
                return Err(self.error(node, text));
            };
            return Ok(self.hole(node, Hole::Parameter(value.to_vec())));
        }
        let Some((_, kind)) = self.scope.domain.fields().filter(|(known, _)| *known == root) else {
            return Err(self.error(node, format!("{} has no fields", repeated(root.as_bytes()))));
        };
        let source = self.scope.domain.field(field);
        self.narrow(node, &source, Kinds::of(&[kind]))?;
        if is_test {
            return Ok(self.input(node, source, Reading::Presence));
        }
        self.variable(node, source, Native::Untyped)
    }

    fn comprehension(
        &mut self,
        node: &'a IdedExpr,
        loops: &'a ComprehensionExpr,
    ) -> Result<Bound, PlanError> {
        let range = self.bind(&loops.iter_range)?;
        if !matches!(range.kind, Type::List | Type::Any) {
            return Err(self.error(&loops.iter_range, format!("this is {}, not a list", range.kind.name())));
        }
        let nodes = nodes_of(&range.tree);
        if nodes > RANGE_NODES_MAX {
            let text = format!(
                "a list of {nodes} parts is too long for a macro, which has at most {RANGE_NODES_MAX}"
            );
            return Err(self.error(&loops.iter_range, text));
        }
        let start = self.bind(&loops.accu_init)?;
        let outside = self.locals.len();
        self.locals.push(loops.iter_var.clone());
        self.locals.extend(loops.iter_var2.clone());
        self.locals.push(loops.accu_var.clone());
        let mut inside = |part: &'a IdedExpr| {
            let bound = self.bind(part)?;
            self.read(bound, Reading::Raw).map(|bound| bound.tree)
        };
        let (condition, step, result) =
            (inside(&loops.loop_cond)?, inside(&loops.loop_step)?, inside(&loops.result)?);
        self.locals.truncate(outside);
        let bound = ComprehensionExpr {
            iter_range: range.tree,
            iter_var: loops.iter_var.clone(),
            iter_var2: loops.iter_var2.clone(),
            accu_var: loops.accu_var.clone(),
            accu_init: start.tree,
            loop_cond: condition,
            loop_step: step,
            result,
        };
        // What `map` and `filter` begin with is a list, what `all` and `exists` begin with is not.
        let kind = match start.kind {
            Type::List | Type::Bool => start.kind,
            _ => Type::Any,
        };
        Ok(made(node, Expr::Comprehension(Box::new(bound)), kind))
    }

    /// Notes that a variable is used which only keys of these types have.
    fn narrow(&mut self, node: &IdedExpr, source: &Source, kinds: Kinds) -> Result<(), PlanError> {
        let both = self.kinds.and(kinds);
        if both.is_empty() {
            let text = format!(
                "{source} needs keys of type {}, but the plan is for type {}",
                kinds.names(),
                self.kinds.names()
            );
            return Err(self.error(node, text));
        }
        *self.kinds = both;
        Ok(())
    }

    fn hole(&mut self, node: &IdedExpr, hole: Hole) -> Bound {
        self.holes.push(hole);
        made(node, Expr::Ident(format!("?{}", self.holes.len() - 1)), Type::Untyped)
    }

    fn input(&mut self, node: &IdedExpr, source: Source, reading: Reading) -> Bound {
        let input = self.inputs.add(source, reading);
        let kind = match reading {
            Reading::Presence => Type::Bool,
            Reading::Int => Type::Int,
            Reading::Double => Type::Double,
            Reading::Number => Type::Number,
            Reading::Any => Type::Any,
            Reading::Raw => Type::Text,
            Reading::String => Type::String,
            Reading::Bytes => Type::Bytes,
        };
        made(node, Expr::Ident(format!("@{input}")), kind)
    }

    /// Fills the holes of a part: its text is read so.
    pub(super) fn read(&mut self, bound: Bound, reading: Reading) -> Result<Bound, PlanError> {
        if bound.kind != Type::Untyped {
            return Ok(bound);
        }
        let Bound { tree, .. } = bound;
        match tree.expr {
            Expr::Ident(ref name) => {
                let at = name.strip_prefix('?').and_then(|at| at.parse::<usize>().ok());
                let hole = at.and_then(|at| self.holes.get(at)).cloned();
                match hole.expect("invariant: what has no type is a hole, or chooses between holes") {
                    Hole::Source(source) => Ok(self.input(&tree, source, reading)),
                    Hole::Parameter(value) => self.parameter(&tree, &value, reading),
                }
            }
            Expr::Call(mut call) => {
                let mut kind = None;
                for branch in call.args.iter_mut().skip(1) {
                    let hole = Bound { tree: std::mem::take(branch), kind: Type::Untyped };
                    let read = self.read(hole, reading)?;
                    kind = Some(kind.map_or(read.kind, |kind| common(kind, read.kind)));
                    *branch = read.tree;
                }
                let kind = kind.unwrap_or(Type::Any);
                Ok(Bound { tree: IdedExpr { id: tree.id, expr: Expr::Call(call) }, kind })
            }
            _ => unreachable!("invariant: what has no type is a hole, or chooses between holes"),
        }
    }

    /// A parameter as a constant.
    fn parameter(&self, node: &IdedExpr, value: &[u8], reading: Reading) -> Result<Bound, PlanError> {
        let number = || read_number(value);
        let refuse =
            |what: &str| Err(self.error(node, format!("the parameter '{}' is not {what}", repeated(value))));
        let scalar = match reading {
            Reading::Presence => Scalar::Bool(true),
            Reading::Bytes => Scalar::Bytes(value),
            Reading::Number | Reading::Double => match number() {
                Some(number) => number,
                None => return refuse("a number"),
            },
            Reading::Int => match number() {
                Some(number @ Scalar::Int(_)) => number,
                _ => return refuse("an integer"),
            },
            Reading::Any if number().is_some() => number().unwrap_or(Scalar::Null),
            Reading::Any | Reading::Raw | Reading::String => match std::str::from_utf8(value) {
                Ok(text) => Scalar::Text(text),
                Err(_) if reading == Reading::String => return refuse("valid UTF-8"),
                Err(_) => Scalar::Bytes(value),
            },
        };
        let (literal, kind) = match scalar {
            Scalar::Null => (LiteralValue::Null, Type::Null),
            Scalar::Bool(value) => (LiteralValue::Boolean(value.into()), Type::Bool),
            Scalar::Int(value) => (LiteralValue::Int(value.into()), Type::Int),
            Scalar::Double(value) => (LiteralValue::Double(value.into()), Type::Double),
            Scalar::Text(text) => (LiteralValue::String(text.to_owned().into()), Type::String),
            Scalar::Bytes(bytes) => (LiteralValue::Bytes(bytes.to_vec().into()), Type::Bytes),
        };
        Ok(made(node, Expr::Literal(literal), kind))
    }

    /// A part as a number.
    pub(super) fn number(&mut self, node: &IdedExpr, bound: Bound, who: &str) -> Result<Bound, PlanError> {
        let bound = self.read(bound, Reading::Number)?;
        if bound.kind.is_number() || bound.kind == Type::Any {
            return Ok(bound);
        }
        Err(self.error(node, format!("{who} needs a number, this is {}", bound.kind.name())))
    }

    /// A part as text.
    pub(super) fn string(&mut self, node: &IdedExpr, bound: Bound, who: &str) -> Result<Bound, PlanError> {
        let bound = self.read(bound, Reading::String)?;
        if matches!(bound.kind, Type::String | Type::Text | Type::Any) {
            return Ok(bound);
        }
        Err(self.error(node, format!("{who} needs text, this is {}", bound.kind.name())))
    }

    /// A part as a truth value.
    pub(super) fn truth(&mut self, node: &'a IdedExpr, who: &str) -> Result<Bound, PlanError> {
        let bound = self.bind(node)?;
        if matches!(bound.kind, Type::Bool | Type::Any) {
            return Ok(bound);
        }
        let text = format!(
            "{who} needs a truth value, this is {}: compare it, or write bool(...)",
            bound.kind.name()
        );
        Err(self.error(node, text))
    }

    pub(super) fn refuse_kind(&self, node: &IdedExpr, kind: Type, who: &str) -> PlanError {
        self.error(node, format!("{who} does not take {}", kind.name()))
    }

    /// The language, with the patterns of the plan.
    pub(super) fn language(&self) -> &Language {
        self.scope.language
    }

    pub(super) fn error(&self, node: &IdedExpr, text: impl Into<String>) -> PlanError {
        PlanError::expression(self.parsed.position(node.id), text)
    }
}

/// What two branches have in common.
pub(super) fn common(a: Type, b: Type) -> Type {
    match (a, b) {
        _ if a == b => a,
        _ if a.is_number() && b.is_number() => Type::Number,
        _ if a.is_text() && b.is_text() => Type::Text,
        _ => Type::Any,
    }
}

/// A part in the place of `node`.
pub(super) fn made(node: &IdedExpr, expr: Expr, kind: Type) -> Bound {
    Bound { tree: IdedExpr { id: node.id, expr }, kind }
}

/// A call in the place of `node`.
pub(super) fn call(node: &IdedExpr, name: &str, arguments: Vec<IdedExpr>, kind: Type) -> Bound {
    made(node, Expr::Call(CallExpr { func_name: name.into(), target: None, args: arguments }), kind)
}

/// A part made a double: an integer beside a double becomes one.
pub(super) fn as_double(node: &IdedExpr, bound: Bound) -> Bound {
    if bound.kind == Type::Int { call(node, "double", vec![bound.tree], Type::Double) } else { bound }
}

/// A choice between two parts.
pub(super) fn choice(node: &IdedExpr, condition: Bound, a: Bound, b: Bound, kind: Type) -> Bound {
    call(node, operators::CONDITIONAL, vec![condition.tree, a.tree, b.tree], kind)
}

/// The most nodes of a list that a macro goes through: two of them in each other are some thousand steps a row then, a few
/// milliseconds at most.
const RANGE_NODES_MAX: usize = 64;

fn nodes_of(tree: &IdedExpr) -> usize {
    1 + children(tree).into_iter().map(nodes_of).sum::<usize>()
}

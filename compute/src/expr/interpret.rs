//! The interpreter of the `cel` crate over rows: the fallback for what has no kernel, and the oracle of the kernels. Inputs
//! are its variables; what the language lacks it calls back for (`scalar`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bumpalo::Bump;
use cel::common::ast::{Expr, IdedExpr};
use cel::common::types::{CelBool, CelBytes, CelDouble, CelInt, CelNull, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Value};
use regex::{Regex, RegexBuilder};

use super::calls::{self, COMPARISONS};
use super::evaluate::{Evaluated, Stop};
use super::fault::{Failure, Fault};
use super::parse::children;
use super::scalar::{self, Arithmetic, Comparison, Function};
use crate::vector::{Scalar, Vector};

/// A tree for the interpreter.
#[derive(Debug)]
pub(crate) struct Interpreted {
    tree: IdedExpr,
    /// The inputs it reads.
    pub(crate) inputs: Vec<u16>,
    language: Language,
}

/// The functions and types of the language, and the patterns of a plan.
#[derive(Clone)]
pub(crate) struct Language {
    pub(crate) env: Arc<Env>,
    patterns: Arc<Mutex<BTreeMap<String, Regex>>>,
}

/// Patterns at most that a plan may have, and heap bytes at most of each: together they bound the time and memory that it takes to
/// make them.
const PATTERNS_MAX: usize = 32;
const PATTERN_BYTES_MAX: usize = 1 << 20;

impl Default for Language {
    fn default() -> Language {
        Language { env: Arc::new(Env::stdlib()), patterns: Arc::default() }
    }
}

impl Language {
    /// A pattern, which is made once for a plan; or why it is none.
    pub(crate) fn pattern(&self, text: &str) -> Result<Regex, String> {
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = patterns.get(text) {
            return Ok(regex.clone());
        }
        if patterns.len() == PATTERNS_MAX {
            return Err(format!("more than {PATTERNS_MAX} patterns"));
        }
        let made =
            RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build();
        let regex = made.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("a pattern that takes more than {PATTERN_BYTES_MAX} bytes")
            }
            _ => "not a regular expression of the regex crate".into(),
        })?;
        patterns.insert(text.to_owned(), regex.clone());
        Ok(regex)
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Language")
    }
}

impl Interpreted {
    pub(crate) fn new(tree: IdedExpr, language: Language) -> Interpreted {
        let mut inputs = Vec::new();
        note_inputs(&tree, &mut inputs);
        inputs.sort_unstable();
        inputs.dedup();
        Interpreted { tree, inputs, language }
    }

    /// Its value for each of some rows, of which `columns` has the inputs. Those behind a stop have no meaning.
    pub(crate) fn evaluate<'b>(
        &self,
        columns: &[(u16, Evaluated<'b>)],
        rows: usize,
        arena: &'b Bump,
        stop: Option<&Stop<'_>>,
    ) -> Evaluated<'b> {
        let row = Row { columns, at: AtomicUsize::new(0) };
        let mut context = context(&self.language.env);
        context.set_variable_resolver(&row);
        let mut values = Vec::with_capacity(rows);
        let mut failures = Vec::new();
        for at in 0..rows {
            if stop.is_some_and(Stop::asks) {
                values.resize(rows, Scalar::Null);
                break;
            }
            row.at.store(at, Ordering::Relaxed);
            let value = Value::resolve(&self.tree, &context).map_err(|error| row.failure(&error, arena));
            let value = value.and_then(|value| to_scalar(&value, arena).map_err(Failure::from));
            values.push(value.unwrap_or_else(|failure| {
                failures.push((at as u32, failure));
                Scalar::Null
            }));
        }
        Evaluated { vector: Vector::Mixed(values).settled(), failures }
    }
}

fn note_inputs(tree: &IdedExpr, inputs: &mut Vec<u16>) {
    if let Expr::Ident(name) = &tree.expr {
        inputs.extend(name.strip_prefix('@').and_then(|number| number.parse::<u16>().ok()));
    }
    children(tree).into_iter().for_each(|child| note_inputs(child, inputs));
}

/// The variables of one row.
struct Row<'r, 'b> {
    columns: &'r [(u16, Evaluated<'b>)],
    at: AtomicUsize,
}

impl<'b> Row<'_, 'b> {
    /// Why the expression has no value: because an input has none, or what the interpreter says.
    fn failure(&self, error: &ExecutionError, arena: &'b Bump) -> Failure<'b> {
        let of_input = match error {
            ExecutionError::UndeclaredReference(name) => self.column(name),
            _ => None,
        };
        let of_input = of_input.and_then(|column| column.failure_at(self.at.load(Ordering::Relaxed) as u32));
        of_input.unwrap_or_else(|| {
            scalar::kept(&error.to_string(), arena).map_or_else(|fault| fault, Fault::Told).into()
        })
    }

    fn column(&self, variable: &str) -> Option<&Evaluated<'b>> {
        let input: u16 = variable.strip_prefix('@')?.parse().ok()?;
        self.columns.iter().find(|(number, _)| *number == input).map(|(_, column)| column)
    }
}

impl VariableResolver for Row<'_, '_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let column = self.column(variable)?;
        let at = self.at.load(Ordering::Relaxed);
        if column.failure_at(at as u32).is_some() {
            return None;
        }
        Some(match column.vector.at(at) {
            Scalar::Null => CowVal::owned(CelNull),
            Scalar::Bool(value) => CowVal::owned(CelBool::from(value)),
            Scalar::Int(value) => CowVal::owned(CelInt::from(value)),
            Scalar::Double(value) => CowVal::owned(CelDouble::from(value)),
            Scalar::Text(text) => CowVal::owned(CelString::from(text)),
            Scalar::Bytes(bytes) => CowVal::owned(CelBytes::from(bytes)),
        })
    }
}

/// The language with our functions.
fn context<'v>(env: &Arc<Env>) -> Context<'v, 'v> {
    let mut context = Context::with_env(Arc::clone(env));
    for (name, operator) in [
        (calls::ADD, Arithmetic::Add),
        (calls::SUBTRACT, Arithmetic::Subtract),
        (calls::MULTIPLY, Arithmetic::Multiply),
        (calls::DIVIDE, Arithmetic::Divide),
        (calls::REMAINDER, Arithmetic::Remainder),
    ] {
        add(&mut context, name, move |a, b, arena| scalar::arithmetic(operator, a, b, arena));
    }
    for compared in &COMPARISONS {
        let how: Comparison = compared.how;
        add(&mut context, compared.text, move |a, b, _| scalar::compare(how, a, b).map(Scalar::Bool));
        add(&mut context, compared.loose, move |a, b, _| {
            scalar::compare_loosely(how, a, b).map(Scalar::Bool)
        });
    }
    for (name, function) in [(calls::JOIN, Function::Join), (calls::BUCKET, Function::Bucket)] {
        add(&mut context, name, move |a, b, arena| scalar::call(function, &[a, b], arena));
    }
    add_one(&mut context, calls::NEGATE, |a, _| scalar::negate(a));
    for (name, function) in [(calls::NUMBER, Function::Number), (calls::HASH, Function::Hash)] {
        add_one(&mut context, name, move |a, arena| scalar::call(function, &[a], arena));
    }
    context
}

fn add(
    context: &mut Context<'_, '_>,
    name: &'static str,
    of: impl for<'b> Fn(Scalar<'b>, Scalar<'b>, &'b Bump) -> Result<Scalar<'b>, Fault<'b>> + Send + Sync + 'static,
) {
    let function = move |a: Value, b: Value| {
        let arena = Bump::new();
        match (to_scalar(&a, &arena), to_scalar(&b, &arena)) {
            (Ok(a), Ok(b)) => answer(name, of(a, b, &arena)),
            _ => Err(ExecutionError::function_error(name, "takes no list")),
        }
    };
    let added = context.add_function(name, function);
    debug_assert!(added.is_ok(), "{name}");
}

fn add_one(
    context: &mut Context<'_, '_>,
    name: &'static str,
    of: impl for<'b> Fn(Scalar<'b>, &'b Bump) -> Result<Scalar<'b>, Fault<'b>> + Send + Sync + 'static,
) {
    let function = move |a: Value| {
        let arena = Bump::new();
        match to_scalar(&a, &arena) {
            Ok(a) => answer(name, of(a, &arena)),
            Err(_) => Err(ExecutionError::function_error(name, "takes no list")),
        }
    };
    let added = context.add_function(name, function);
    debug_assert!(added.is_ok(), "{name}");
}

fn answer(name: &str, result: Result<Scalar<'_>, Fault<'_>>) -> Result<Value, ExecutionError> {
    match result {
        Ok(Scalar::Null) => Ok(Value::Null),
        Ok(Scalar::Bool(value)) => Ok(Value::Bool(value)),
        Ok(Scalar::Int(value)) => Ok(Value::Int(value)),
        Ok(Scalar::Double(value)) => Ok(Value::Float(value)),
        Ok(Scalar::Text(text)) => Ok(Value::String(Arc::new(text.to_owned()))),
        Ok(Scalar::Bytes(bytes)) => Ok(Value::Bytes(Arc::new(bytes.to_vec()))),
        Err(fault) => Err(ExecutionError::function_error(name, fault)),
    }
}

fn to_scalar<'b>(value: &Value, arena: &'b Bump) -> Result<Scalar<'b>, Fault<'b>> {
    Ok(match value {
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Int(value) => Scalar::Int(*value),
        Value::Float(value) => Scalar::Double(*value),
        Value::String(text) => Scalar::Text(scalar::kept(text, arena)?),
        Value::Bytes(bytes) => Scalar::Bytes(arena.try_alloc_slice_copy(bytes).map_err(|_| Fault::Memory)?),
        _ => return Err(Fault::Result("gives a list or a map")),
    })
}

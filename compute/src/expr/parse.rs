//! From text to a syntax tree, by the parser of the `cel` crate, within limits that keep hostile text from taking much
//! time or stack. Not here: what the names in it mean (`bind`).

use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};

use super::interpret::Language;
use crate::error::PlanError;

/// The longest text of one expression.
pub(crate) const EXPRESSION_BYTES_MAX: usize = 4096;
/// Most nodes of its tree, those included that macros write.
pub(crate) const NODES_MAX: usize = 500;
/// How deep brackets may nest: what the parser's stack is measured for.
const DEPTH_MAX: u16 = 32;
/// How deep `all`, `exists`, `map` and their like may nest.
const COMPREHENSIONS_MAX: usize = 2;

/// A parsed expression.
pub(crate) struct Parsed {
    pub(crate) tree: IdedExpr,
    info: SourceInfo,
}

impl Parsed {
    /// Where a node stands, in characters from 1.
    pub(crate) fn position(&self, id: u64) -> usize {
        self.info.offset_for(id).map_or(1, |(start, _)| start as usize + 1)
    }
}

/// Parses the text of an expression.
pub(crate) fn parse(language: &Language, text: &[u8]) -> Result<Parsed, PlanError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("expression is longer than {EXPRESSION_BYTES_MAX} bytes");
        return Err(PlanError::expression(EXPRESSION_BYTES_MAX + 1, message));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| PlanError::expression(error.valid_up_to() + 1, "expression is not valid UTF-8"))?;
    let parser = language.env.parser().max_recursion_depth(DEPTH_MAX).enable_optional_syntax(false);
    let (tree, info) = parser.parse_with_source_info(text).map_err(|errors| refusal(text, &errors))?;
    let parsed = Parsed { tree, info };
    let mut nodes = 0;
    check(&parsed, &parsed.tree, 0, &mut nodes)?;
    Ok(parsed)
}

/// The first complaint of the parser, with its place as a number of characters.
fn refusal(text: &str, errors: &cel::ParseErrors) -> PlanError {
    let Some(first) = errors.errors.first() else { return PlanError::expression(1, "does not parse") };
    let (line, column) = first.pos;
    let before: usize = text
        .split_inclusive('\n')
        .take(usize::try_from(line - 1).unwrap_or(0))
        .map(|line| line.chars().count())
        .sum();
    let position = before + usize::try_from(column).unwrap_or(1);
    if first.msg.contains("OtherError") {
        return PlanError::expression(position, format!("brackets nest deeper than {DEPTH_MAX}"));
    }
    let message = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    PlanError::expression(position, message)
}

fn check(
    parsed: &Parsed,
    node: &IdedExpr,
    comprehensions: usize,
    nodes: &mut usize,
) -> Result<(), PlanError> {
    *nodes += 1;
    if *nodes > NODES_MAX {
        let message = format!("expression has more than {NODES_MAX} nodes");
        return Err(PlanError::expression(parsed.position(node.id), message));
    }
    let mut deeper = comprehensions;
    if let Expr::Comprehension(_) = node.expr {
        deeper += 1;
        if deeper > COMPREHENSIONS_MAX {
            let message = format!("macros over lists nest deeper than {COMPREHENSIONS_MAX}");
            return Err(PlanError::expression(parsed.position(node.id), message));
        }
    }
    children(node).into_iter().try_for_each(|child| check(parsed, child, deeper, nodes))
}

/// The nodes right below one.
pub(super) fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| of_entry(&entry.expr)).collect(),
        Expr::Struct(made) => made.entries.iter().flat_map(|entry| of_entry(&entry.expr)).collect(),
        Expr::Comprehension(loops) => {
            vec![&loops.iter_range, &loops.accu_init, &loops.loop_cond, &loops.loop_step, &loops.result]
        }
    }
}

fn of_entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

//! From the words of a command to a plan: expressions get their meaning, names their columns, limits their bounds; what
//! contradicts itself is refused.

use super::{Computed, Demand, Having, Plan, Reducer, Reduction, Selection, Shape, SortKey, Target, storing};
use crate::error::{PlanError, repeated};
use crate::expr::{self, Domain, Expression, Language, Native, Parsed, Scope, Source, Type};
use crate::grammar::{Draft, DraftReducer, Form, LISTED_MAX};
use crate::inputs::Inputs;
use crate::kind::Kinds;
use crate::options::{Bounds, Isolation, Limits, OnTimeout};
use crate::reading::Reading;
use crate::reducer::{Context, Function, Spec};

/// Makes a plan of a draft.
pub(super) fn bind(
    form: Form,
    target: Target,
    draft: &Draft<'_>,
    bounds: &Bounds,
) -> Result<Plan, PlanError> {
    check(form, draft)?;
    let stored_as = storing::form(draft)?;
    bind_as(target, draft, bounds, |binding, limits| match form {
        Form::Select | Form::KSelect => binding.selection(),
        _ => binding.reduction(form, limits),
    })
    .map(|mut plan| {
        plan.options.scalar |= form == Form::Count;
        plan.options.into.iter_mut().for_each(|into| into.form = stored_as);
        plan
    })
}

/// The same with values and a shape that somebody else makes.
pub(super) fn bind_as<'d>(
    target: Target,
    draft: &'d Draft<'d>,
    bounds: &Bounds,
    shape: impl FnOnce(&mut Binding<'d>, Limits) -> Result<(Vec<Computed>, Shape), PlanError>,
) -> Result<Plan, PlanError> {
    let limits = limits(draft, bounds)?;
    let domain = match target {
        Target::Pattern(_) => Domain::Keyspace,
        Target::Keys(_) => Domain::Elements,
    };
    let all = if domain == Domain::Keyspace { Kinds::ALL } else { Kinds::COLLECTIONS };
    let kinds = draft.kind.map_or(all, |kind| Kinds::of(&[kind]));
    let names = Names { draft, domain, language: Language::default(), pins: Vec::new(), lets: Vec::new() };
    let mut binding = Binding { draft, names, inputs: Inputs::default(), kinds, bytes: 0, nodes: 0 };
    binding.prepare()?;
    let filter = draft.filter.map(|text| binding.truth(text, "WHERE")).transpose()?;
    let (values, shape) = shape(&mut binding, limits)?;
    let options = draft.options.clone();
    let order = order(draft, &shape)?;
    let Binding { inputs, kinds, .. } = binding;
    Ok(Plan { target, options, limits, kinds, inputs, filter, values, shape, order, limit: draft.limit })
}

/// What is known while a draft becomes a plan.
pub(super) struct Binding<'d> {
    draft: &'d Draft<'d>,
    names: Names<'d>,
    pub(super) inputs: Inputs,
    pub(super) kinds: Kinds,
    /// Bytes of all expressions so far.
    bytes: usize,
    /// Nodes of all expressions so far, those of their LETs included.
    nodes: usize,
}

/// What expressions may name.
struct Names<'d> {
    draft: &'d Draft<'d>,
    domain: Domain<'static>,
    language: Language,
    pins: Vec<(Source, Reading)>,
    lets: Vec<(String, Parsed)>,
}

impl Names<'_> {
    fn scope(&self) -> Scope<'_> {
        let Names { language, domain, pins, lets, .. } = self;
        Scope { language, domain: *domain, pins, parameters: &self.draft.parameters, lets }
    }
}

impl Binding<'_> {
    /// Reads what expressions may name: pins and LETs.
    fn prepare(&mut self) -> Result<(), PlanError> {
        for (text, pin) in &self.draft.pins {
            self.charge(text)?;
            let mut inputs = Inputs::default();
            let scope = Scope { pins: &[], parameters: &[], ..self.names.scope() };
            let pinned = Expression::of(text, Reading::Raw, &scope, &mut inputs, &mut self.kinds)?;
            self.count(&pinned)?;
            match inputs.columns.as_slice() {
                [column] if is_untyped(self.names.domain, &column.source) => {
                    self.names.pins.push((column.source.clone(), *pin))
                }
                _ => {
                    return Err(PlanError::expression(
                        1,
                        "TYPES is about fields without a type of their own",
                    ));
                }
            }
        }
        for (name, text) in &self.draft.lets {
            let known = std::str::from_utf8(name).ok().filter(|name| is_name(name)).ok_or_else(|| {
                PlanError::Refused(
                    format!("LET: '{}' is no name: letters, digits and _", repeated(name)).into(),
                )
            })?;
            if self.names.domain.variable(known).is_some() || matches!(known, "h" | "p" | "x") {
                return Err(PlanError::Refused(format!("LET: {known} is a variable of rows").into()));
            }
            self.charge(text)?;
            let parsed = expr::parse(&self.names.language, text)?;
            // Bound once on its own, so that its errors are its own; what it names must stand before it.
            let (scope, mut inputs) = (self.names.scope(), Inputs::default());
            let alone = Expression::bind(&parsed, text, Reading::Raw, &scope, &mut inputs, &mut self.kinds)?;
            self.count(&alone)?;
            self.names.lets.push((known.to_owned(), parsed));
        }
        Ok(())
    }

    pub(super) fn expression(&mut self, text: &[u8], reading: Reading) -> Result<Expression, PlanError> {
        self.charge(text)?;
        let expression =
            Expression::of(text, reading, &self.names.scope(), &mut self.inputs, &mut self.kinds)?;
        self.count(&expression)?;
        Ok(expression)
    }

    /// Refuses text that is too much together with that of the expressions before it. It is not yet parsed then.
    fn charge(&mut self, text: &[u8]) -> Result<(), PlanError> {
        self.bytes += text.len();
        if self.bytes > EXPRESSIONS_BYTES_MAX {
            let text = format!("COMPUTE takes at most {EXPRESSIONS_BYTES_MAX} bytes of expressions");
            return Err(PlanError::Refused(text.into()));
        }
        Ok(())
    }

    /// Refuses an expression that is too much together with those before it.
    fn count(&mut self, expression: &Expression) -> Result<(), PlanError> {
        self.nodes += expression.nodes;
        if self.nodes > PLAN_NODES_MAX {
            let text = format!(
                "COMPUTE takes at most {PLAN_NODES_MAX} nodes in all its expressions with their LETs"
            );
            return Err(PlanError::Refused(text.into()));
        }
        Ok(())
    }

    fn truth(&mut self, text: &[u8], clause: &str) -> Result<Expression, PlanError> {
        let expression = self.expression(text, Reading::Raw)?;
        must_be_truth(&expression, clause)?;
        Ok(expression)
    }

    fn reduction(&mut self, form: Form, limits: Limits) -> Result<(Vec<Computed>, Shape), PlanError> {
        let counting = [DraftReducer { function: Function::Count, words: &[], name: b"count" }];
        let drafts = if form == Form::Count { &counting[..] } else { &self.draft.reducers };
        let mut values = Vec::new();
        for (text, _) in &self.draft.groups {
            values.push(Computed {
                expression: self.expression(text, Reading::Raw)?,
                demand: Demand::Anything,
            });
        }
        let mut reducers = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let function = draft.function;
            let (expressions, constants) =
                draft.words.split_at(draft.words.len().min(function.expressions()));
            let is_placed = matches!(function, Function::First | Function::Last);
            if is_placed && self.names.domain == Domain::Elements {
                self.kinds = self.kinds.and(Kinds::ORDERED);
            }
            let start = values.len();
            for (at, text) in expressions.iter().enumerate() {
                values.push(self.argument(function, at, text)?);
            }
            let ordered = self.names.domain == Domain::Elements && !self.kinds.and(Kinds::ORDERED).is_empty();
            let output_bytes_max = usize::try_from(limits.output_bytes_max).unwrap_or(usize::MAX);
            let spec = Spec::new(function, constants, ordered, output_bytes_max)?;
            reducers.push(Reducer { name: draft.name.to_vec(), spec, arguments: start..values.len() });
        }
        let groups: Vec<Vec<u8>> = self.draft.groups.iter().map(|(_, name)| name.to_vec()).collect();
        let names: Vec<Vec<u8>> =
            groups.iter().cloned().chain(reducers.iter().map(|reducer| reducer.name.clone())).collect();
        let having = self.draft.having.map(|text| self.having(text, &names)).transpose()?;
        Ok((values, Shape::Reduce(Reduction { groups, reducers, having })))
    }

    fn argument(&mut self, function: Function, at: usize, text: &[u8]) -> Result<Computed, PlanError> {
        let (reading, demand) = match function.context(at) {
            Context::Presence => (Reading::Presence, Demand::Anything),
            Context::Number => (Reading::Number, Demand::Number),
            Context::Any => (Reading::Any, Demand::Anything),
            Context::Text => (Reading::Raw, Demand::Anything),
            Context::Truth => (Reading::Raw, Demand::Truth),
        };
        let expression = self.expression(text, reading)?;
        let name = function.name();
        match demand {
            Demand::Number if !is_number_or_open(&expression) => {
                Err(PlanError::expression(1, format!("{name} needs a number, {} is none", expression.text)))
            }
            Demand::Truth => must_be_truth(&expression, name).map(|()| Computed { expression, demand }),
            _ => Ok(Computed { expression, demand }),
        }
    }

    fn having(&mut self, text: &[u8], names: &[Vec<u8>]) -> Result<Box<Having>, PlanError> {
        self.charge(text)?;
        let scope = Scope { domain: Domain::Outputs(names), pins: &[], lets: &[], ..self.names.scope() };
        let (mut inputs, mut kinds) = (Inputs::default(), Kinds::ALL);
        let expression = Expression::of(text, Reading::Any, &scope, &mut inputs, &mut kinds)?;
        self.count(&expression)?;
        must_be_truth(&expression, "HAVING")?;
        Ok(Box::new(Having { expression, inputs }))
    }

    fn selection(&mut self) -> Result<(Vec<Computed>, Shape), PlanError> {
        // What is given is the text as it is; what is sorted by follows, as numbers where they are some.
        let given = self.draft.returns.iter().map(|text| (*text, Reading::Raw));
        let sorted = self.draft.sort.iter().map(|(text, _)| (*text, Reading::Any));
        let mut values = Vec::new();
        for (text, reading) in given.chain(sorted) {
            values.push(Computed { expression: self.expression(text, reading)?, demand: Demand::Anything });
        }
        let columns = self.draft.returns.iter().map(|name| name.to_vec()).collect();
        Ok((values, Shape::Select(Selection { columns, clause: "RETURN" })))
    }
}

/// Columns to sort by: of the result, or those behind what is selected.
fn order(draft: &Draft<'_>, shape: &Shape) -> Result<Vec<SortKey>, PlanError> {
    let reduction = match shape {
        Shape::Reduce(reduction) => reduction,
        Shape::Select(selection) => {
            let keys = (selection.columns.len()..).zip(&draft.sort);
            return Ok(keys.map(|(column, (_, descends))| SortKey { column, descends: *descends }).collect());
        }
    };
    let reducers = reduction.reducers.iter().map(|reducer| reducer.name.as_slice());
    let names: Vec<&[u8]> = reduction.groups.iter().map(Vec::as_slice).chain(reducers).collect();
    let key = |(name, descends): &(&[u8], bool)| match names.iter().position(|known| known == name) {
        Some(column) => Ok(SortKey { column, descends: *descends }),
        None => Err(PlanError::Refused(format!("SORTBY: there is no column '{}'", repeated(name)).into())),
    };
    draft.sort.iter().map(key).collect()
}

/// Whether a value is a number, as far as that is known.
pub(super) fn is_number_or_open(expression: &Expression) -> bool {
    expression.kind.is_number() || expression.kind == Type::Any
}

fn must_be_truth(expression: &Expression, clause: &str) -> Result<(), PlanError> {
    if matches!(expression.kind, Type::Bool | Type::Any) {
        return Ok(());
    }
    let text = format!("{clause} needs a truth value, this is none: compare it, or write bool(...)");
    Err(PlanError::expression(1, text))
}

fn is_untyped(domain: Domain<'_>, source: &Source) -> bool {
    matches!(source, Source::Field(_) | Source::EntryField(_))
        || matches!(domain.variable(&source.to_string()), Some((_, Native::Untyped, _)))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_')
}

/// What the command asks for, unless that is more than it may.
fn limits(draft: &Draft<'_>, bounds: &Bounds) -> Result<Limits, PlanError> {
    let within = |clause: &str, wanted: Option<u64>, usual: u64, hard: u64| match wanted {
        Some(wanted) if wanted > hard => {
            let text = format!("{clause} is above {hard}, the most that this server allows");
            Err(PlanError::Refused(text.into()))
        }
        Some(wanted) => Ok(wanted),
        None => Ok(usual.min(hard)),
    };
    let (options, Bounds { usual, async_timeout_ms, hard }) = (&draft.options, bounds);
    // Who holds up everybody else has no more time than with a client that waits.
    let takes_its_time = options.asynchronous.is_some() && options.isolation != Isolation::Atomic;
    let usual_timeout_ms = if takes_its_time { *async_timeout_ms } else { usual.timeout_ms };
    // Without a limit of time is more than any limit.
    let endless = |ms: u64| if ms == 0 { u64::MAX } else { ms };
    let timeout_ms = within(
        "TIMEOUT",
        options.timeout_ms.map(endless),
        endless(usual_timeout_ms),
        endless(hard.timeout_ms),
    )?;
    Ok(Limits {
        timeout_ms: if timeout_ms == u64::MAX { 0 } else { timeout_ms },
        memory_bytes_max: within(
            "MAXMEM",
            options.memory_bytes_max,
            usual.memory_bytes_max,
            hard.memory_bytes_max,
        )?,
        groups_max: within("MAXGROUPS", options.groups_max, usual.groups_max, hard.groups_max)?,
        output_bytes_max: within(
            "MAXOUT",
            options.output_bytes_max,
            usual.output_bytes_max,
            hard.output_bytes_max,
        )?,
    })
}

/// All expressions of a plan together: it bounds what parsing takes of the time of whoever parses.
const EXPRESSIONS_BYTES_MAX: usize = 16 * 1024;

/// Nodes of all expressions of a plan, each with those of the LETs that it names: it bounds what binding takes likewise, since
/// a short text may name a long LET, and each variable is looked up among all.
const PLAN_NODES_MAX: usize = 4096;

/// What the clauses must fulfil together.
fn check(form: Form, draft: &Draft<'_>) -> Result<(), PlanError> {
    let refuse = |text: &'static str| Err(PlanError::Refused(text.into()));
    let options = &draft.options;
    if matches!(form, Form::Select | Form::KSelect) && draft.returns.is_empty() {
        return refuse("COMPUTE needs RETURN");
    }
    let reduces = matches!(form, Form::Aggregate | Form::KAggregate | Form::MAggregate);
    if reduces && draft.reducers.is_empty() {
        return refuse("COMPUTE needs at least one REDUCE");
    }
    if [draft.reducers.len(), draft.groups.len(), draft.lets.len()].iter().any(|count| *count > LISTED_MAX) {
        return Err(PlanError::Refused(format!("COMPUTE takes at most {LISTED_MAX} of each clause").into()));
    }
    let names = draft.groups.iter().map(|(_, name)| *name);
    let names: Vec<&[u8]> = names.chain(draft.reducers.iter().map(|reducer| reducer.name)).collect();
    if names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
        return refuse("two groups or reducers have the same name");
    }
    if draft
        .lets
        .iter()
        .enumerate()
        .any(|(at, (name, _))| draft.lets[..at].iter().any(|(other, _)| other == name))
    {
        return refuse("two LETs have the same name");
    }
    if options.scalar && (draft.reducers.len() != 1 || !draft.groups.is_empty()) {
        return refuse("SCALAR needs exactly one REDUCE and no GROUPBY");
    }
    if options.scalar && options.into.is_some() {
        return refuse("SCALAR does not go with INTO");
    }
    if (options.scalar || form == Form::Count) && options.on_timeout == OnTimeout::Partial {
        return refuse("ONTIMEOUT PARTIAL needs a map as reply: a lone value could not be labelled");
    }
    let job = options.asynchronous.as_ref().and_then(|wanted| wanted.id.as_ref());
    if job.is_some() && job == options.into.as_ref().map(|into| &into.key) {
        return refuse("INTO and ID name the same key");
    }
    if options.asynchronous.is_some() && (options.cursor.is_some() || options.scalar) {
        return refuse("ASYNC does not go with CURSOR or SCALAR");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that is so many bytes long, with its quotes.
    fn quoted(bytes: usize) -> String {
        format!("'{}'", "x".repeat(bytes - 2))
    }

    /// An integer made of so many nodes.
    fn sized(nodes: usize) -> String {
        format!("size([{}])", vec!["1"; nodes - 2].join(","))
    }

    fn refusal(words: &[&str]) -> Option<String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        Plan::new(Form::Select, &words, &Bounds::NONE).err().map(|error| error.to_string())
    }

    #[test]
    fn expressions_are_bounded_each_and_all_together() {
        let (whole, over) = (quoted(4096), quoted(4097));
        let (full, large, half) = (sized(500), sized(501), sized(250));
        // With the node that names it, it is as large as may be.
        let named = sized(499);
        let (w, h) = (whole.as_str(), half.as_str());
        let bytes = Some("ERR COMPUTE takes at most 16384 bytes of expressions".to_owned());
        let nodes = "ERR COMPUTE takes at most 4096 nodes in all its expressions with their LETs";
        for (words, error) in [
            (vec!["RETURN", "1", w], None),
            (
                vec!["RETURN", "1", &over],
                Some("BADEXPR 4097: expression is longer than 4096 bytes".to_owned()),
            ),
            (vec!["RETURN", "1", &full], None),
            (
                vec!["RETURN", "1", &large],
                Some("BADEXPR 1003: expression has more than 500 nodes".to_owned()),
            ),
            (
                vec!["LET", "a", h, "RETURN", "1", "a + a"],
                Some("BADEXPR 497: with its LETs the expression has more than 500 nodes".to_owned()),
            ),
            (vec!["RETURN", "4", w, w, w, w], None),
            (vec!["RETURN", "4", w, w, w, w, "WHERE", "true"], bytes.clone()),
            (vec!["RETURN", "4", w, w, w, w, "LET", "a", "1"], bytes.clone()),
            (vec!["RETURN", "4", w, w, w, w, "SORTBY", "key", "ASC"], bytes.clone()),
            (vec!["RETURN", "4", w, w, w, w, "TYPES", "1", "h.a", "INT"], bytes),
            (["LET", "a", &named, "RETURN", "7"].into_iter().chain(["a"; 7]).collect(), None),
            (
                ["LET", "a", &named, "RETURN", "8"].into_iter().chain(["a"; 8]).collect(),
                Some(nodes.to_owned()),
            ),
        ] {
            let words: Vec<&str> = ["*"].into_iter().chain(words).collect();
            assert_eq!(refusal(&words), error);
        }
    }
}

//! `Plan`: what a command asks to be computed, checked so that whatever follows cannot fail on it. It says
//! which columns the rows must bring, how each is read, and which reducers see them. Not how any of that
//! runs.

use std::num::NonZeroUsize;

use crate::error::PlanError;
use crate::expr::{self, Source};
use crate::grammar::{self, Draft, Form};
use crate::reducer::Function;

/// Most reducers, and most pinned fields, a plan may list.
pub(crate) const LISTED_MAX: usize = 256;

/// A checked plan for rows of the keyspace, one row per key.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pattern: Vec<u8>,
    options: Options,
    columns: Vec<Column>,
    inputs: Vec<Input>,
    reducers: Vec<Reducer>,
}

/// The clauses of a plan that only choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The type of key to visit, stated or implied by the variables used; `None`: every type.
    pub kind: Option<Kind>,
    /// How much of one instant the result must be.
    pub isolation: Isolation,
    /// TIMEOUT: `None` leaves it to the server, 0 is no limit.
    pub timeout_ms: Option<u64>,
    /// What to answer when the time is over.
    pub on_timeout: OnTimeout,
    /// What to do with a row whose expressions fail.
    pub on_error: OnError,
    /// Most workers to use; `None` leaves it to the server.
    pub threads: Option<NonZeroUsize>,
    /// Whether the reply is the lone value and nothing else.
    pub scalar: bool,
}

/// A type of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Kind {
    String,
    Hash,
    List,
    Set,
    Zset,
    Stream,
}

impl Kind {
    /// Every type, as the TYPE clause names them.
    pub const ALL: [Kind; 6] = [Kind::String, Kind::Hash, Kind::List, Kind::Set, Kind::Zset, Kind::Stream];

    /// The name of the type, as the TYPE command answers it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Hash => "hash",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Zset => "zset",
            Kind::Stream => "stream",
        }
    }
}

/// What a run promises about writes that happen meanwhile. A plan that passed its checks has `Fuzzy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// The result of one instant.
    #[default]
    Snapshot,
    /// No writes meanwhile.
    Atomic,
    /// Every key present throughout counts once, with the value it has when visited.
    Fuzzy,
}

impl Isolation {
    /// The name that replies give it.
    pub fn name(self) -> &'static str {
        match self {
            Isolation::Snapshot => "snapshot",
            Isolation::Atomic => "atomic",
            Isolation::Fuzzy => "fuzzy",
        }
    }
}

/// What to answer when the time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTimeout {
    /// An error.
    #[default]
    Fail,
    /// What was folded so far, labelled as partial.
    Partial,
}

/// What to do with a row whose expressions fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Leave the row out of every reducer, and count it.
    #[default]
    Skip,
    /// End the run.
    Fail,
    /// Let the failing expression be null; nothing is counted as an error.
    Null,
}

/// A column the rows must bring.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) source: Source,
    /// The most demanding of its readings: decides what a batch copies.
    pub(crate) reading: Reading,
}

/// A column as one or more reducers read it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Input {
    pub(crate) column: usize,
    pub(crate) reading: Reading,
}

/// One reducer; without input it counts rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reducer {
    pub(crate) name: Vec<u8>,
    pub(crate) function: Function,
    pub(crate) input: Option<usize>,
}

/// An expression and how its value is read.
type Argument = (Source, Reading);

/// What the text of a field is taken for. Ordered by how much of it a batch must keep: nothing, numbers,
/// everything; from `Raw` on, integers are kept as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reading {
    /// Only whether there is a value.
    Presence,
    /// An integer, or a row error.
    Int,
    /// A number as a double, or a row error.
    Double,
    /// An integer if it is one, else a double, else a row error.
    Number,
    /// A number if it is one, else as `Raw`.
    Any,
    /// A string if it is valid UTF-8, else bytes.
    Raw,
    /// A string if it is valid UTF-8, else a row error.
    String,
    /// Bytes.
    Bytes,
}

impl Reading {
    fn is_number(self) -> bool {
        matches!(self, Reading::Int | Reading::Double | Reading::Number)
    }
}

impl Plan {
    /// The plan of `COMPUTE.COUNT`, from the words after the command name.
    pub fn count(words: &[&[u8]]) -> Result<Plan, PlanError> {
        let (pattern, words) = words.split_first().ok_or(PlanError::Syntax)?;
        let mut draft = grammar::parse(Form::Count, words)?;
        draft.options.scalar = true;
        draft.reducers.push(grammar::DraftReducer {
            function: Function::Count,
            argument: None,
            name: b"count",
        });
        Plan::bind(pattern, &draft)
    }

    /// The plan of `COMPUTE.AGGREGATE`, from the words after the command name.
    pub fn aggregate(words: &[&[u8]]) -> Result<Plan, PlanError> {
        let (pattern, words) = words.split_first().ok_or(PlanError::Syntax)?;
        Plan::bind(pattern, &grammar::parse(Form::Aggregate, words)?)
    }

    /// The glob that keys must match.
    pub fn pattern(&self) -> &[u8] {
        &self.pattern
    }

    /// The clauses that only choose.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What a row must bring, in the order in which a batch asks for it. Empty: rows are only counted.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.columns.iter().map(|column| &column.source)
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(crate) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    pub(crate) fn reducers(&self) -> &[Reducer] {
        &self.reducers
    }

    fn bind(pattern: &[u8], draft: &Draft<'_>) -> Result<Plan, PlanError> {
        check(draft)?;
        let mut pins = Vec::with_capacity(draft.pins.len());
        for (text, pin) in &draft.pins {
            pins.push((pinnable(text)?, *pin));
        }
        let mut plan = Plan {
            pattern: pattern.to_vec(),
            options: draft.options.clone(),
            columns: Vec::new(),
            inputs: Vec::new(),
            reducers: Vec::new(),
        };
        // Readings are settled for all reducers before any becomes an input: they depend on each other.
        let mut arguments = Vec::with_capacity(draft.reducers.len());
        for reducer in &draft.reducers {
            arguments
                .push(reducer.argument.map(|text| plan.argument(reducer.function, text, &pins)).transpose()?);
        }
        if plan.options.on_error != OnError::Null {
            narrow(&mut arguments);
        }
        for (reducer, argument) in draft.reducers.iter().zip(arguments) {
            let input = argument.map(|(source, reading)| plan.input(source, reading));
            plan.reducers.push(Reducer { name: reducer.name.to_vec(), function: reducer.function, input });
        }
        Ok(plan)
    }

    fn argument(
        &mut self,
        function: Function,
        text: &[u8],
        pins: &[Argument],
    ) -> Result<Argument, PlanError> {
        let source = expr::parse(text)?;
        self.imply_kind(&source)?;
        let reading = reading(function, &source, pins)?;
        Ok((source, reading))
    }

    /// The index of an input, added with its column if no reducer used it before.
    fn input(&mut self, source: Source, reading: Reading) -> usize {
        let column = self.columns.iter().position(|column| column.source == source).unwrap_or_else(|| {
            self.columns.push(Column { source, reading });
            self.columns.len() - 1
        });
        self.columns[column].reading = self.columns[column].reading.max(reading);
        let input = Input { column, reading };
        self.inputs.iter().position(|other| *other == input).unwrap_or_else(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        })
    }

    fn imply_kind(&mut self, source: &Source) -> Result<(), PlanError> {
        let implied = match source {
            Source::Value => Kind::String,
            Source::Field(_) => Kind::Hash,
            Source::Length | Source::Ttl | Source::Key | Source::Type => return Ok(()),
        };
        let kind = *self.options.kind.get_or_insert(implied);
        if kind == implied {
            return Ok(());
        }
        let text = format!(
            "{source} needs keys of type {}, but the plan is for type {}",
            implied.name(),
            kind.name()
        );
        Err(PlanError::expression(1, text))
    }
}

/// What the clauses must fulfil together.
fn check(draft: &Draft<'_>) -> Result<(), PlanError> {
    let refuse = |text: &'static str| Err(PlanError::Refused(text.into()));
    match draft.options.isolation {
        Isolation::Fuzzy => {}
        Isolation::Snapshot => {
            return refuse("ISOLATION SNAPSHOT, the default, is not available yet: write ISOLATION FUZZY");
        }
        Isolation::Atomic => return refuse("COMPUTE cannot run atomically yet"),
    }
    if draft.reducers.is_empty() {
        return refuse("COMPUTE needs at least one REDUCE");
    }
    if draft.reducers.len() > LISTED_MAX {
        return Err(PlanError::Refused(format!("COMPUTE takes at most {LISTED_MAX} reducers").into()));
    }
    let names = draft.reducers.iter().map(|reducer| reducer.name);
    if names.clone().enumerate().any(|(at, name)| names.clone().take(at).any(|other| other == name)) {
        return refuse("two reducers have the same name");
    }
    if draft.options.scalar && draft.reducers.len() > 1 {
        return refuse("SCALAR needs exactly one REDUCE");
    }
    if draft.options.scalar && draft.options.on_timeout == OnTimeout::Partial {
        return refuse("ONTIMEOUT PARTIAL needs a map as reply: a lone value could not be labelled");
    }
    Ok(())
}

/// Where one reducer needs a number, the rows without one are left out of all, so that other reducers of the
/// same field may read it as a number too: it is parsed once, and what is none is not copied.
fn narrow(arguments: &mut [Option<Argument>]) {
    let numbers = arguments.iter().flatten().filter(|(_, reading)| *reading == Reading::Number);
    let numbers: Vec<Source> = numbers.map(|(source, _)| source.clone()).collect();
    for (source, reading) in arguments.iter_mut().flatten() {
        if numbers.contains(source) {
            *reading = Reading::Number;
        }
    }
}

/// The field that a TYPES clause names, written as in expressions.
fn pinnable(text: &[u8]) -> Result<Source, PlanError> {
    let source = expr::parse(text)?;
    match source {
        Source::Value | Source::Field(_) => Ok(source),
        _ => Err(PlanError::expression(1, format!("{source} has its type already"))),
    }
}

/// How `function` reads `source`: as its own type, else as it is pinned, else as the function wants it.
fn reading(function: Function, source: &Source, pins: &[Argument]) -> Result<Reading, PlanError> {
    let typed = match source {
        Source::Length | Source::Ttl => Some(Reading::Int),
        Source::Key | Source::Type if function == Function::Count => Some(Reading::Presence),
        Source::Key | Source::Type => Some(Reading::Raw),
        // The last of several pins of a field counts.
        Source::Value | Source::Field(_) => {
            pins.iter().rfind(|(pinned, _)| pinned == source).map(|(_, pin)| *pin)
        }
    };
    let reading = typed.unwrap_or(function.reading());
    if function.reading().is_number() && !reading.is_number() {
        return Err(PlanError::expression(
            1,
            format!("{} needs a number, {source} is text", function.name()),
        ));
    }
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&[u8]> {
        line.split_ascii_whitespace().map(str::as_bytes).collect()
    }

    fn count(line: &str) -> Result<Plan, PlanError> {
        Plan::count(&words(line))
    }

    fn aggregate(line: &str) -> Result<Plan, PlanError> {
        Plan::aggregate(&words(line))
    }

    fn refusal(plan: Result<Plan, PlanError>) -> String {
        plan.unwrap_err().to_string()
    }

    #[test]
    fn options_are_read_in_any_order_and_case() {
        let plan = count("a:* threads 3 onError NULL ISOLATION fuzzy TIMEOUT 250 type zset").unwrap();
        assert_eq!(plan.pattern(), b"a:*");
        let expected = Options {
            kind: Some(Kind::Zset),
            isolation: Isolation::Fuzzy,
            timeout_ms: Some(250),
            on_timeout: OnTimeout::Fail,
            on_error: OnError::Null,
            threads: NonZeroUsize::new(3),
            scalar: true,
        };
        assert_eq!(plan.options(), &expected);
        assert_eq!(plan.sources().count(), 0);
        let plan = aggregate("* ONTIMEOUT PARTIAL REDUCE COUNT 0 AS n ISOLATION FUZZY ONERROR FAIL").unwrap();
        assert_eq!(plan.options().on_timeout, OnTimeout::Partial);
        assert_eq!(plan.options().timeout_ms, None);
        assert!(!plan.options().scalar);
    }

    #[test]
    fn isolation_must_be_written_out() {
        let snapshot = "ERR ISOLATION SNAPSHOT, the default, is not available yet: write ISOLATION FUZZY";
        assert_eq!(refusal(count("*")), snapshot);
        assert_eq!(refusal(count("* ISOLATION SNAPSHOT")), snapshot);
        assert_eq!(refusal(aggregate("* REDUCE COUNT 0 AS n")), snapshot);
        assert_eq!(refusal(count("* ISOLATION ATOMIC")), "ERR COMPUTE cannot run atomically yet");
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        for word in "AUTHORIZED WHERE PARAMS MAXMEM MAXGROUPS MAXOUT PROFILE ASYNC".split(' ') {
            let expected = format!("ERR COMPUTE: {word} is not available yet");
            assert_eq!(refusal(count(&format!("* ISOLATION FUZZY {word} x"))), expected);
            assert_eq!(refusal(aggregate(&format!("* {} x", word.to_lowercase()))), expected);
        }
        for word in "LET GROUPBY HAVING SORTBY LIMIT INTO CURSOR".split(' ') {
            assert_eq!(refusal(count(&format!("* ISOLATION FUZZY {word} x"))), "ERR syntax error");
            assert_eq!(
                refusal(aggregate(&format!("* {word}"))),
                format!("ERR COMPUTE: {word} is not available yet")
            );
        }
        for name in
            "VAR STDDEV FIRST LAST ARGMIN ARGMAX DISTINCT HLL QUANTILE TOPK SAMPLE HIST ANY ALL CONCAT"
                .split(' ')
        {
            let expected = format!("ERR COMPUTE: REDUCE {name} is not available yet");
            assert_eq!(refusal(aggregate(&format!("* ISOLATION FUZZY REDUCE {name} 1 v AS a"))), expected);
        }
    }

    #[test]
    fn unknown_and_repeated_clauses_are_syntax_errors() {
        for line in ["* FOO", "* ISOLATION FUZZY FOO", "* ISOLATION FUZZY ISOLATION FUZZY", "* SCALAR SCALAR"]
        {
            assert_eq!(refusal(aggregate(line)), "ERR syntax error", "{line}");
        }
        assert_eq!(refusal(count("* REDUCE COUNT 0 AS n")), "ERR syntax error");
        assert_eq!(refusal(count("* SCALAR")), "ERR syntax error");
        assert_eq!(refusal(Plan::count(&[])), "ERR syntax error");
        assert_eq!(refusal(Plan::aggregate(&[])), "ERR syntax error");
    }

    #[test]
    fn a_clause_that_goes_wrong_says_where_and_what_it_wants() {
        let sum_as = "REDUCE SUM needs AS <name> behind its arguments";
        for (line, text) in [
            ("ISOLATION", "ISOLATION: expected one of SNAPSHOT, ATOMIC, FUZZY, but the command ends"),
            ("ISOLATION FUZZI", "ISOLATION: expected one of SNAPSHOT, ATOMIC, FUZZY, got 'FUZZI'"),
            ("TYPE", "TYPE: expected one of string, hash, list, set, zset, stream, but the command ends"),
            ("TYPE json", "TYPE: expected one of string, hash, list, set, zset, stream, got 'json'"),
            ("ONTIMEOUT STOP", "ONTIMEOUT: expected one of FAIL, PARTIAL, got 'STOP'"),
            ("ONERROR STOP", "ONERROR: expected one of SKIP, FAIL, NULL, got 'STOP'"),
            ("TIMEOUT", "TIMEOUT: expected an integer, but the command ends"),
            ("THREADS", "THREADS: expected an integer, but the command ends"),
            ("REDUCE", "REDUCE: expected the name of a reducer, but the command ends"),
            ("REDUCE MEDIAN 1 v AS a", "unknown reducer 'MEDIAN', there are COUNT, SUM, AVG, MIN, MAX"),
            ("REDUCE SUM", "REDUCE SUM: expected the number of its arguments, but the command ends"),
            ("REDUCE sum h.a AS r", "REDUCE SUM: expected the number of its arguments, got 'h.a'"),
            ("REDUCE COUNT AS n", "REDUCE COUNT: expected the number of its arguments, got 'AS'"),
            ("REDUCE SUM -1", "REDUCE SUM: expected the number of its arguments, got '-1'"),
            ("REDUCE SUM 257", "REDUCE SUM: expected the number of its arguments, got '257'"),
            ("REDUCE SUM 1", "REDUCE SUM: expected its argument, but the command ends"),
            ("REDUCE SUM 1 v", sum_as),
            ("REDUCE SUM 1 v a", sum_as),
            ("REDUCE SUM 1 v a b", sum_as),
            ("REDUCE SUM 1 v AS", sum_as),
            ("REDUCE SUM 1 v ISOLATION FUZZY", sum_as),
            ("TYPES v int", "TYPES: expected the number of its fields, got 'v'"),
            ("TYPES 0", "TYPES: expected the number of its fields, got '0'"),
            ("TYPES 257", "TYPES: expected the number of its fields, got '257'"),
            ("TYPES 1", "TYPES: expected a field, but the command ends"),
            ("TYPES 1 v", "TYPES: expected one of INT, DOUBLE, STRING, BYTES, but the command ends"),
            ("TYPES 1 v number", "TYPES: expected one of INT, DOUBLE, STRING, BYTES, got 'number'"),
        ] {
            assert_eq!(refusal(aggregate(&format!("* {line}"))), format!("ERR COMPUTE: {text}"), "{line}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for line in
            ["* TIMEOUT -1", "* TIMEOUT x", "* TIMEOUT 9223372036854775808", "* THREADS 0", "* THREADS 65536"]
        {
            assert_eq!(refusal(aggregate(line)), "ERR value is not an integer or out of range", "{line}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for (line, text) in [
            ("*", "COMPUTE needs at least one REDUCE"),
            ("* REDUCE COUNT 2 v v AS n", "REDUCE COUNT takes 0 or 1 arguments"),
            ("* REDUCE SUM 0 AS n", "REDUCE SUM takes 1 argument"),
            ("* REDUCE COUNT 0 AS n REDUCE SUM 1 v AS n", "two reducers have the same name"),
            ("* REDUCE COUNT 0 AS n REDUCE SUM 1 v AS m SCALAR", "SCALAR needs exactly one REDUCE"),
            (
                "* REDUCE COUNT 0 AS n SCALAR ONTIMEOUT PARTIAL",
                "ONTIMEOUT PARTIAL needs a map as reply: a lone value could not be labelled",
            ),
        ] {
            assert_eq!(
                refusal(aggregate(&format!("{line} ISOLATION FUZZY"))),
                format!("ERR {text}"),
                "{line}"
            );
        }
        let many: String = (0..=LISTED_MAX).map(|at| format!(" REDUCE COUNT 0 AS n{at}")).collect();
        let text = refusal(aggregate(&format!("* ISOLATION FUZZY{many}")));
        assert_eq!(text, "ERR COMPUTE takes at most 256 reducers");
    }

    #[test]
    fn variables_imply_the_type_of_key() {
        let kind =
            |line: &str| aggregate(&format!("* ISOLATION FUZZY {line}")).map(|plan| plan.options().kind);
        assert_eq!(kind("REDUCE COUNT 0 AS n"), Ok(None));
        assert_eq!(kind("REDUCE SUM 1 len AS n REDUCE MIN 1 ttl AS m REDUCE COUNT 1 key AS k"), Ok(None));
        assert_eq!(kind("REDUCE SUM 1 v AS n"), Ok(Some(Kind::String)));
        assert_eq!(kind("TYPE hash REDUCE SUM 1 h.a AS n"), Ok(Some(Kind::Hash)));
        assert_eq!(
            kind("REDUCE SUM 1 v AS n REDUCE SUM 1 h.a AS m").unwrap_err().to_string(),
            "BADEXPR 1: h.a needs keys of type hash, but the plan is for type string"
        );
        assert_eq!(
            kind("REDUCE SUM 1 v AS n TYPE list").unwrap_err().to_string(),
            "BADEXPR 1: v needs keys of type string, but the plan is for type list"
        );
    }

    #[test]
    fn text_cannot_be_summed() {
        for (line, text) in [
            ("REDUCE SUM 1 key AS n", "SUM needs a number, key is text"),
            ("REDUCE AVG 1 type AS n", "AVG needs a number, type is text"),
            ("TYPES 1 h.a bytes REDUCE SUM 1 h.a AS n", "SUM needs a number, h.a is text"),
            ("TYPES 1 len int REDUCE SUM 1 len AS n", "len has its type already"),
        ] {
            let error = refusal(aggregate(&format!("* ISOLATION FUZZY {line}")));
            assert_eq!(error, format!("BADEXPR 1: {text}"), "{line}");
        }
    }

    #[test]
    fn a_field_is_brought_once_and_read_as_its_reducers_need() {
        let reducers =
            "REDUCE COUNT 1 h.a AS n REDUCE SUM 1 h.a AS s REDUCE AVG 1 h['a'] AS m REDUCE MIN 1 h.a AS l";
        let plan = aggregate(&format!("* ISOLATION FUZZY ONERROR NULL {reducers}")).unwrap();
        assert_eq!(plan.columns(), [Column { source: Source::Field(b"a".to_vec()), reading: Reading::Any }]);
        assert_eq!(readings(&plan), [Reading::Presence, Reading::Number, Reading::Any]);
        let plan = aggregate("* ISOLATION FUZZY REDUCE COUNT 1 v AS n REDUCE MAX 1 v AS m TYPES 1 v string")
            .unwrap();
        assert_eq!(readings(&plan), [Reading::String]);
    }

    #[test]
    fn a_field_that_must_be_a_number_is_read_as_one_by_all_reducers() {
        let reducers =
            "REDUCE MIN 1 h.a AS l REDUCE COUNT 1 h.a AS n REDUCE SUM 1 h.a AS s REDUCE MIN 1 h.b AS b";
        let plan = aggregate(&format!("* ISOLATION FUZZY {reducers}")).unwrap();
        assert_eq!(readings(&plan), [Reading::Number, Reading::Any]);
    }

    fn readings(plan: &Plan) -> Vec<Reading> {
        plan.inputs().iter().map(|input| input.reading).collect()
    }
}

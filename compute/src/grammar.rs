//! The words of a command, read into a draft of a plan: clauses in any order, each at most once, declared in
//! one table. Not here: what the clauses mean together, and whether the expressions in them can be (`plan`).

use std::borrow::Cow;
use std::num::NonZeroUsize;

use crate::error::{PlanError, repeated};
use crate::number;
use crate::plan::{Isolation, Kind, LISTED_MAX, OnError, OnTimeout, Options, Reading};
use crate::reducer::Function;

/// Which command the words belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Count,
    Aggregate,
}

/// What the words say, with the expressions still as text.
#[derive(Debug, Default)]
pub(crate) struct Draft<'w> {
    pub(crate) options: Options,
    pub(crate) pins: Vec<(&'w [u8], Reading)>,
    pub(crate) reducers: Vec<DraftReducer<'w>>,
}

/// `REDUCE function n argument AS name`.
#[derive(Debug)]
pub(crate) struct DraftReducer<'w> {
    pub(crate) function: Function,
    pub(crate) argument: Option<&'w [u8]>,
    pub(crate) name: &'w [u8],
}

/// Reads everything behind the pattern.
pub(crate) fn parse<'w>(form: Form, words: &'w [&'w [u8]]) -> Result<Draft<'w>, PlanError> {
    let mut words = Words { words: words.iter(), place: Cow::default() };
    let mut draft = Draft::default();
    let mut seen = [false; CLAUSES.len()];
    while let Some(word) = words.next() {
        let at = CLAUSES
            .iter()
            .position(|clause| is(word, clause.name) && clause.forms.contains(&form))
            .ok_or(PlanError::Syntax)?;
        let clause = &CLAUSES[at];
        let read = clause.read.ok_or(PlanError::Unavailable(clause.name.into()))?;
        if std::mem::replace(&mut seen[at], true) && !clause.repeats {
            return Err(PlanError::Syntax);
        }
        words.place = clause.name.into();
        read(&mut draft, &mut words)?;
    }
    Ok(draft)
}

/// One clause of the grammar.
struct Clause {
    name: &'static str,
    forms: &'static [Form],
    repeats: bool,
    /// `None`: specified, but not built.
    read: Option<Read>,
}

type Read = for<'w> fn(&mut Draft<'w>, &mut Words<'w>) -> Result<(), PlanError>;

const BOTH: &[Form] = &[Form::Count, Form::Aggregate];
const AGGREGATE: &[Form] = &[Form::Aggregate];

const fn clause(name: &'static str, forms: &'static [Form], read: Read) -> Clause {
    Clause { name, forms, repeats: false, read: Some(read) }
}

const fn later(name: &'static str, forms: &'static [Form]) -> Clause {
    Clause { name, forms, repeats: false, read: None }
}

/// Every clause of both commands. What is not built stays in the table, so that it is refused by name.
const CLAUSES: &[Clause] = &[
    clause("TYPE", BOTH, kind),
    later("AUTHORIZED", BOTH),
    clause("TYPES", AGGREGATE, pins),
    later("WHERE", BOTH),
    later("LET", AGGREGATE),
    later("GROUPBY", AGGREGATE),
    Clause { repeats: true, ..clause("REDUCE", AGGREGATE, reducer) },
    later("HAVING", AGGREGATE),
    later("SORTBY", AGGREGATE),
    later("LIMIT", AGGREGATE),
    clause("SCALAR", AGGREGATE, scalar),
    later("INTO", AGGREGATE),
    later("CURSOR", AGGREGATE),
    later("PARAMS", BOTH),
    clause("ISOLATION", BOTH, isolation),
    clause("TIMEOUT", BOTH, timeout),
    clause("ONTIMEOUT", BOTH, on_timeout),
    clause("ONERROR", BOTH, on_error),
    later("MAXMEM", BOTH),
    later("MAXGROUPS", BOTH),
    later("MAXOUT", BOTH),
    clause("THREADS", BOTH, threads),
    later("PROFILE", BOTH),
    later("ASYNC", BOTH),
];

fn kind<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.kind = Some(words.choice(&Kind::ALL.map(|kind| (kind.name(), kind)))?);
    Ok(())
}

fn pins<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    const PINS: &[(&str, Reading)] = &[
        ("INT", Reading::Int),
        ("DOUBLE", Reading::Double),
        ("STRING", Reading::String),
        ("BYTES", Reading::Bytes),
    ];
    for _ in 0..words.count(1, "the number of its fields")? {
        draft.pins.push((words.word("a field")?, words.choice(PINS)?));
    }
    Ok(())
}

fn reducer<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    let function = Function::named(words.word("the name of a reducer")?)?;
    words.place = format!("REDUCE {}", function.name()).into();
    let count = words.count(0, "the number of its arguments")?;
    if !function.arguments().contains(&count) {
        let takes = if function == Function::Count { "0 or 1 arguments" } else { "1 argument" };
        return Err(PlanError::Refused(format!("REDUCE {} takes {takes}", function.name()).into()));
    }
    let argument = (count == 1).then(|| words.word("its argument")).transpose()?;
    let name = match (words.next(), words.next()) {
        (Some(word), Some(name)) if is(word, "AS") => name,
        _ => return Err(PlanError::Grammar(format!("{} needs AS <name> behind its arguments", words.place))),
    };
    draft.reducers.push(DraftReducer { function, argument, name });
    Ok(())
}

fn scalar<'w>(draft: &mut Draft<'w>, _: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.scalar = true;
    Ok(())
}

fn isolation<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.isolation = words.choice(&[
        ("SNAPSHOT", Isolation::Snapshot),
        ("ATOMIC", Isolation::Atomic),
        ("FUZZY", Isolation::Fuzzy),
    ])?;
    Ok(())
}

fn timeout<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.timeout_ms = Some(words.number(0, i64::MAX as u64)?);
    Ok(())
}

fn on_timeout<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.on_timeout = words.choice(&[("FAIL", OnTimeout::Fail), ("PARTIAL", OnTimeout::Partial)])?;
    Ok(())
}

fn on_error<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.on_error =
        words.choice(&[("SKIP", OnError::Skip), ("FAIL", OnError::Fail), ("NULL", OnError::Null)])?;
    Ok(())
}

fn threads<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.threads = NonZeroUsize::new(words.number(1, u64::from(u16::MAX))? as usize);
    Ok(())
}

/// The words not read yet.
struct Words<'w> {
    words: std::slice::Iter<'w, &'w [u8]>,
    /// What is being read, for errors.
    place: Cow<'static, str>,
}

impl<'w> Words<'w> {
    fn next(&mut self) -> Option<&'w [u8]> {
        self.words.next().copied()
    }

    fn word(&mut self, what: &str) -> Result<&'w [u8], PlanError> {
        self.next().ok_or_else(|| self.expected(what, None))
    }

    fn number(&mut self, min: u64, max: u64) -> Result<u64, PlanError> {
        integer(self.word("an integer")?, min, max).ok_or(PlanError::NotInteger)
    }

    /// How many words follow. What stands there instead is most often the first of them.
    fn count(&mut self, min: u64, what: &str) -> Result<u64, PlanError> {
        let word = self.word(what)?;
        integer(word, min, LISTED_MAX as u64).ok_or_else(|| self.expected(what, Some(word)))
    }

    fn choice<T: Copy>(&mut self, choices: &[(&str, T)]) -> Result<T, PlanError> {
        let word = self.next();
        let choice = choices.iter().find(|(name, _)| word.is_some_and(|word| is(word, name)));
        choice.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.expected(&format!("one of {}", names.join(", ")), word)
        })
    }

    fn expected(&self, what: &str, got: Option<&[u8]>) -> PlanError {
        let got = got.map_or("but the command ends".into(), |word| format!("got '{}'", repeated(word)));
        PlanError::Grammar(format!("{}: expected {what}, {got}", self.place))
    }
}

fn integer(word: &[u8], min: u64, max: u64) -> Option<u64> {
    number::integer(word)
        .and_then(|value| u64::try_from(value).ok())
        .filter(|value| (min..=max).contains(value))
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clause_names_are_unique_and_upper_case() {
        for (at, clause) in CLAUSES.iter().enumerate() {
            assert_eq!(clause.name, clause.name.to_ascii_uppercase());
            assert!(CLAUSES[..at].iter().all(|other| other.name != clause.name), "{}", clause.name);
        }
    }

    #[test]
    fn no_clause_repeats_but_reduce() {
        let repeating: Vec<_> =
            CLAUSES.iter().filter(|clause| clause.repeats).map(|clause| clause.name).collect();
        assert_eq!(repeating, ["REDUCE"]);
    }
}

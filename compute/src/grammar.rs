//! The words of a command, read into a draft of a plan: clauses in any order, each at most once, declared in
//! one table. Not here: what the clauses mean together, and whether the expressions in them can be (`plan`).

use std::borrow::Cow;
use std::num::NonZeroUsize;

use crate::error::{PlanError, repeated};
use crate::kind::Kind;
use crate::number;
use crate::options::{Async, Cursor, Into, IntoForm, Isolation, OnError, OnTimeout, Options};
use crate::reading::Reading;
use crate::reducer::Function;

/// Most of what one plan may list in a clause: reducers, groups, LETs, pins, parameters, columns, words of an action.
pub(crate) const LISTED_MAX: usize = 256;

/// Which command the words belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Form {
    Count,
    Aggregate,
    KAggregate,
    MAggregate,
    Select,
    KSelect,
    Apply,
    KApply,
}

/// What the words say, with the expressions still as text.
#[derive(Debug, Default)]
pub(crate) struct Draft<'w> {
    pub(crate) options: Options,
    pub(crate) kind: Option<Kind>,
    pub(crate) pins: Vec<(&'w [u8], Reading)>,
    pub(crate) parameters: Vec<(&'w [u8], &'w [u8])>,
    pub(crate) filter: Option<&'w [u8]>,
    pub(crate) lets: Vec<(&'w [u8], &'w [u8])>,
    /// Expressions and their names.
    pub(crate) groups: Vec<(&'w [u8], &'w [u8])>,
    pub(crate) reducers: Vec<DraftReducer<'w>>,
    pub(crate) having: Option<&'w [u8]>,
    /// Names, and whether each descends.
    pub(crate) sort: Vec<(&'w [u8], bool)>,
    /// Rows to leave out, and how many to give.
    pub(crate) limit: Option<(usize, usize)>,
    pub(crate) returns: Vec<&'w [u8]>,
    /// Where some words stand that are keys or channels.
    pub(crate) places: Vec<(Place, usize)>,
    /// What follows DO.
    pub(crate) action: Option<&'w [&'w [u8]]>,
}

/// `REDUCE function n argument .. AS name`.
#[derive(Debug)]
pub(crate) struct DraftReducer<'w> {
    pub(crate) function: Function,
    pub(crate) words: &'w [&'w [u8]],
    pub(crate) name: &'w [u8],
}

/// A word that is a key or a channel, and stands where only the grammar tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key of INTO.
    Destination,
    /// The key of ID.
    Job,
    /// The channel of NOTIFY.
    Channel,
}

impl Place {
    /// The word before it.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Place::Destination => "INTO",
            Place::Job => "ID",
            Place::Channel => "NOTIFY",
        }
    }
}

/// Reads everything behind the pattern or the keys.
pub(crate) fn parse<'w>(form: Form, words: &'w [&'w [u8]]) -> Result<Draft<'w>, PlanError> {
    let mut words = Words { words, total: words.len(), place: Cow::default(), form };
    let mut draft = Draft::default();
    let mut seen = [false; CLAUSES.len()];
    while let Some(word) = words.next() {
        let at = CLAUSES
            .iter()
            .position(|clause| is(word, clause.name) && clause.forms.contains(&form))
            .ok_or(PlanError::Syntax)?;
        let clause = &CLAUSES[at];
        if std::mem::replace(&mut seen[at], true) && !clause.repeats {
            return Err(PlanError::Syntax);
        }
        words.place = clause.name.into();
        (clause.read)(&mut draft, &mut words)?;
    }
    Ok(draft)
}

/// Whether a word, as it is written, is a clause that a form has.
pub fn is_clause(form: Form, word: &[u8]) -> bool {
    CLAUSES.iter().any(|clause| clause.forms.contains(&form) && clause.name.as_bytes() == word)
}

/// One clause of the grammar.
struct Clause {
    name: &'static str,
    forms: &'static [Form],
    repeats: bool,
    read: Read,
}

type Read = for<'w> fn(&mut Draft<'w>, &mut Words<'w>) -> Result<(), PlanError>;

use Form::{Aggregate, Apply, Count, KAggregate, KApply, KSelect, MAggregate, Select};

const ALL: &[Form] = &[Count, Aggregate, KAggregate, MAggregate, Select, KSelect, Apply, KApply];
const KEYSPACE: &[Form] = &[Count, Aggregate, Select, Apply];
const REDUCING: &[Form] = &[Aggregate, KAggregate, MAggregate];
const SELECTING: &[Form] = &[Select, KSelect];
const APPLYING: &[Form] = &[Apply, KApply];
const SHOWING: &[Form] = &[Aggregate, KAggregate, MAggregate, Select, KSelect];
const LIMITED: &[Form] = &[Aggregate, KAggregate, MAggregate, Select, KSelect, Apply, KApply];

const fn clause(name: &'static str, forms: &'static [Form], read: Read) -> Clause {
    Clause { name, forms, repeats: false, read }
}

/// Every clause of all commands.
const CLAUSES: &[Clause] = &[
    clause("TYPE", KEYSPACE, kind),
    clause("AUTHORIZED", KEYSPACE, |draft, _| {
        draft.options.authorized = true;
        Ok(())
    }),
    clause("TYPES", LIMITED, pins),
    clause("WHERE", ALL, |draft, words| {
        draft.filter = Some(words.word("an expression")?);
        Ok(())
    }),
    Clause {
        repeats: true,
        ..clause("LET", SHOWING, |draft, words| {
            draft.lets.push((words.word("a name")?, words.word("an expression")?));
            Ok(())
        })
    },
    clause("GROUPBY", REDUCING, groups),
    Clause { repeats: true, ..clause("REDUCE", REDUCING, reducer) },
    clause("HAVING", REDUCING, |draft, words| {
        draft.having = Some(words.word("an expression")?);
        Ok(())
    }),
    clause("SORTBY", SHOWING, sort),
    clause("LIMIT", LIMITED, limit),
    clause("SCALAR", REDUCING, |draft, _| {
        draft.options.scalar = true;
        Ok(())
    }),
    clause("INTO", REDUCING, into),
    clause("RETURN", SELECTING, returns),
    clause("CURSOR", SELECTING, cursor),
    clause("DRYRUN", APPLYING, |draft, _| {
        draft.options.dry_run = true;
        Ok(())
    }),
    clause("PARAMS", ALL, parameters),
    clause("ISOLATION", ALL, isolation),
    clause("TIMEOUT", ALL, |draft, words| {
        draft.options.timeout_ms = Some(words.number(0, i64::MAX as u64)?);
        Ok(())
    }),
    clause("ONTIMEOUT", ALL, on_timeout),
    clause("ONERROR", ALL, on_error),
    clause("MAXMEM", ALL, |draft, words| {
        draft.options.memory_bytes_max = Some(words.number(1, i64::MAX as u64)?);
        Ok(())
    }),
    clause("MAXGROUPS", ALL, |draft, words| {
        draft.options.groups_max = Some(words.number(1, i64::MAX as u64)?);
        Ok(())
    }),
    clause("MAXOUT", ALL, |draft, words| {
        draft.options.output_bytes_max = Some(words.number(1, i64::MAX as u64)?);
        Ok(())
    }),
    clause("THREADS", ALL, |draft, words| {
        draft.options.threads = NonZeroUsize::new(words.number(1, u64::from(u16::MAX))? as usize);
        Ok(())
    }),
    clause("PROFILE", ALL, |draft, _| {
        draft.options.profile = true;
        Ok(())
    }),
    clause("ASYNC", ALL, asynchronous),
    clause("DO", APPLYING, |draft, words| {
        draft.action = Some(std::mem::take(&mut words.words));
        Ok(())
    }),
];

fn kind<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.kind = Some(words.choice(&Kind::ALL.map(|kind| (kind.name(), kind)))?);
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

fn parameters<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    for _ in 0..words.count(1, "the number of its pairs")? {
        draft.parameters.push((words.word("a name")?, words.word("a value")?));
    }
    Ok(())
}

fn groups<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    for _ in 0..words.count(1, "the number of its expressions")? {
        let expression = words.word("an expression")?;
        draft.groups.push((expression, words.name()?));
    }
    Ok(())
}

fn reducer<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    let function = Function::named(words.word("the name of a reducer")?)?;
    words.place = format!("REDUCE {}", function.name()).into();
    let count = words.count(0, "the number of its arguments")?;
    function.check_count(count)?;
    let arguments = words.several(count, "its arguments")?;
    let name = words.name()?;
    draft.reducers.push(DraftReducer { function, words: arguments, name });
    Ok(())
}

fn sort<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    const ORDERS: [(&str, bool); 2] = [("ASC", false), ("DESC", true)];
    loop {
        let name = words.word("a name")?;
        draft.sort.push((name, words.choice(&ORDERS)?));
        let goes_on = words.words.get(1).is_some_and(|word| ORDERS.iter().any(|(order, _)| is(word, order)));
        if !goes_on || draft.sort.len() >= LISTED_MAX {
            return Ok(());
        }
    }
}

fn limit<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    let max = i64::MAX as u64;
    let first = words.number(0, max)? as usize;
    draft.limit = Some(match words.form {
        Apply | KApply => (0, first),
        _ => (first, words.number(0, max)? as usize),
    });
    Ok(())
}

fn into<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.places.push((Place::Destination, words.at()));
    let key = words.word("a key")?.to_vec();
    let form =
        words.optional(&[("HASH", IntoForm::Hash), ("ZSET", IntoForm::Zset), ("LIST", IntoForm::List)]);
    draft.options.into = Some(Into { key, form });
    Ok(())
}

fn returns<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    let count = words.count(1, "the number of its columns")?;
    draft.returns = words.several(count, "its columns")?.to_vec();
    Ok(())
}

fn cursor<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    let mut cursor = Cursor::default();
    let mut seen = [false; 2];
    while let Some(option) = words.optional(&[("COUNT", 0), ("MAXIDLE", 1)]) {
        if std::mem::replace(&mut seen[option], true) {
            return Err(PlanError::Syntax);
        }
        match option {
            0 => cursor.count = NonZeroUsize::new(words.number(1, u64::from(u32::MAX))? as usize),
            _ => cursor.idle_ms_max = Some(words.number(1, u64::from(u32::MAX))?),
        }
    }
    draft.options.cursor = Some(cursor);
    Ok(())
}

fn asynchronous<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    let mut wanted = Async::default();
    let mut seen = [false; 2];
    while let Some(option) = words.optional(&[("ID", 0), ("NOTIFY", 1)]) {
        if std::mem::replace(&mut seen[option], true) {
            return Err(PlanError::Syntax);
        }
        match option {
            0 => {
                draft.places.push((Place::Job, words.at()));
                wanted.id = Some(words.word("a key")?.to_vec());
            }
            _ => {
                draft.places.push((Place::Channel, words.at()));
                wanted.notify = Some(words.word("a channel")?.to_vec());
            }
        }
    }
    draft.options.asynchronous = Some(wanted);
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

fn on_timeout<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.on_timeout = words.choice(&[("FAIL", OnTimeout::Fail), ("PARTIAL", OnTimeout::Partial)])?;
    Ok(())
}

fn on_error<'w>(draft: &mut Draft<'w>, words: &mut Words<'w>) -> Result<(), PlanError> {
    draft.options.on_error =
        words.choice(&[("SKIP", OnError::Skip), ("FAIL", OnError::Fail), ("NULL", OnError::Null)])?;
    Ok(())
}

/// The words not read yet.
struct Words<'w> {
    words: &'w [&'w [u8]],
    /// How many there were.
    total: usize,
    /// What is being read, for errors.
    place: Cow<'static, str>,
    form: Form,
}

impl<'w> Words<'w> {
    /// The place of the next word.
    fn at(&self) -> usize {
        self.total - self.words.len()
    }

    fn next(&mut self) -> Option<&'w [u8]> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn word(&mut self, what: &str) -> Result<&'w [u8], PlanError> {
        self.next().ok_or_else(|| self.expected(what, None))
    }

    fn number(&mut self, min: u64, max: u64) -> Result<u64, PlanError> {
        integer(self.word("an integer")?, min, max).ok_or(PlanError::NotInteger)
    }

    /// How many words follow. What stands there instead is most often the first of them.
    fn count(&mut self, min: u64, what: &str) -> Result<usize, PlanError> {
        let word = self.word(what)?;
        let count = integer(word, min, LISTED_MAX as u64).ok_or_else(|| self.expected(what, Some(word)))?;
        Ok(count as usize)
    }

    /// That many words.
    fn several(&mut self, count: usize, what: &str) -> Result<&'w [&'w [u8]], PlanError> {
        let (several, rest) = self.words.split_at_checked(count).ok_or_else(|| self.expected(what, None))?;
        self.words = rest;
        Ok(several)
    }

    /// `AS name`.
    fn name(&mut self) -> Result<&'w [u8], PlanError> {
        match self.words {
            [word, name, rest @ ..] if is(word, "AS") => {
                self.words = rest;
                Ok(name)
            }
            _ => Err(PlanError::Grammar(format!("{} needs AS <name> behind its arguments", self.place))),
        }
    }

    /// One of these words, if it is next.
    fn optional<T: Copy>(&mut self, choices: &[(&str, T)]) -> Option<T> {
        let (word, rest) = self.words.split_first()?;
        let (_, choice) = choices.iter().find(|(name, _)| is(word, name))?;
        self.words = rest;
        Some(*choice)
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

pub(crate) fn is(word: &[u8], name: &str) -> bool {
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
    fn no_clause_repeats_but_reduce_and_let() {
        let repeating: Vec<_> =
            CLAUSES.iter().filter(|clause| clause.repeats).map(|clause| clause.name).collect();
        assert_eq!(repeating, ["LET", "REDUCE"]);
    }
}

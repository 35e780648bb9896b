//! `Application`: what an APPLY command asks for: which rows are to be changed, and how. Its words become two plans. The
//! first finds candidates, as a selection of what names a row; the second judges a row once more, right before it is
//! changed, and gives the values of the change. Which actions there are, and what they do, is the caller's: he gives
//! their grammar as a table.

use std::sync::Arc;

use bumpalo::Bump;

use super::bind::{Binding, bind_as, is_number_or_open};
use super::{Computed, Demand, Plan, Selection, Shape, target};
use crate::batch::Batch;
use crate::error::{PlanError, RowError, repeated};
use crate::expr::{Evaluated, Expression, Failure, Fault, Frame, Source};
use crate::grammar::{self, Form, LISTED_MAX};
use crate::kind::Kinds;
use crate::options::{Bounds, OnError};
use crate::partial::{computed, conform, told};
use crate::reading::Reading;
use crate::value::Value;
use crate::vector::Scalar;

/// An argument of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A word as it stands.
    Word,
    /// An expression whose value is written as text.
    Text,
    /// An expression that gives a number.
    Number,
    /// An expression that gives an integer.
    Integer,
}

/// An action: its name and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// In upper case.
    pub name: &'static str,
    /// What follows it.
    pub arguments: &'static [Argument],
    /// Whether all of that may be repeated.
    pub repeats: bool,
    /// The types of key that it can change.
    pub kinds: Kinds,
}

/// What a command wants to be changed, checked.
#[derive(Debug)]
pub struct Application {
    candidates: Arc<Plan>,
    change: Plan,
    action: usize,
    arguments: Vec<Argument>,
    words: Vec<Vec<u8>>,
    changes_max: Option<u64>,
}

/// What is to be done with a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is changed, with these values for the arguments of the action.
    Change(Vec<Value>),
    /// WHERE does not hold of it.
    Pass,
    /// An expression has failed.
    Failed(RowError),
}

/// The words behind DO, if these are the words of such a command.
pub fn action_words<'w>(form: Form, words: &'w [&'w [u8]]) -> Option<&'w [&'w [u8]]> {
    let (_, words) = target(form, words).ok()?;
    grammar::parse(form, words).ok()?.action
}

impl Application {
    /// The application of a command, from the words after its name.
    pub fn new(
        form: Form,
        words: &[&[u8]],
        actions: &[Action],
        bounds: &Bounds,
    ) -> Result<Application, PlanError> {
        let (target, words) = target(form, words)?;
        let mut draft = grammar::parse(form, words)?;
        if draft.filter.is_none() {
            return Err(PlanError::Refused("COMPUTE needs WHERE".into()));
        }
        let Some([name, given @ ..]) = draft.action else {
            return Err(PlanError::Refused("COMPUTE needs DO and an action".into()));
        };
        let action = actions
            .iter()
            .position(|action| name.eq_ignore_ascii_case(action.name.as_bytes()))
            .ok_or_else(|| unknown(name, actions))?;
        let declared = &actions[action];
        if let Some(clause) = misplaced(form, declared, given) {
            let text =
                format!("DO {}: {} is a clause, and these stand before DO", declared.name, repeated(clause));
            return Err(PlanError::Grammar(text));
        }
        let arguments = arguments(declared, given.len())?;
        let changes_max = draft.limit.take().map(|(_, changes)| changes as u64);
        let of_element = matches!(form, Form::KApply);
        let candidates = bind_as(target.clone(), &draft, bounds, |binding, _| {
            binding.restrict(declared.kinds, declared.name)?;
            // Bound only so that both plans are about the same types of key: what names a candidate needs none of the
            // columns of its change.
            let inputs = binding.inputs.clone();
            binding.change(&arguments, given)?;
            binding.inputs = inputs;
            let sources: &[Source] =
                if of_element { &[Source::Element, Source::Place] } else { &[Source::Key] };
            let values: Vec<Computed> =
                sources.iter().map(|source| binding.identity(source.clone())).collect();
            let shape = selection(values.len());
            Ok((values, shape))
        })?;
        let change = bind_as(target, &draft, bounds, |binding, _| {
            binding.restrict(declared.kinds, declared.name)?;
            Ok((binding.change(&arguments, given)?, selection(0)))
        })?;
        let words = given.iter().map(|word| word.to_vec()).collect();
        let candidates = Arc::new(candidates.without_output_limit());
        Ok(Application { candidates, change, action, arguments, words, changes_max })
    }

    /// Selects the candidates: their keys, or their elements and the places of these.
    pub fn candidates(&self) -> &Arc<Plan> {
        &self.candidates
    }

    /// What a row must bring to be judged.
    pub fn change(&self) -> &Plan {
        &self.change
    }

    /// Which of the actions of the table it is.
    pub fn action(&self) -> usize {
        self.action
    }

    /// The words behind the name of the action.
    pub fn words(&self) -> &[Vec<u8>] {
        &self.words
    }

    /// After how many changes it ends.
    pub fn changes_max(&self) -> Option<u64> {
        self.changes_max
    }

    /// Judges the only row of a batch of [`Application::change`].
    pub fn judge(&self, batch: &Batch, name: &[u8]) -> Verdict {
        let arena = Bump::new();
        let plan = &self.change;
        arena.set_allocation_limit(usize::try_from(plan.limits().memory_bytes_max).ok());
        let frame = Frame::of_batch(batch, plan.inputs(), &arena);
        let failed = |failure: Failure<'_>| {
            Verdict::Failed(RowError { key: name.to_vec(), text: told(plan, failure) })
        };
        if let Some(filter) = plan.filter() {
            let mut made = frame.evaluate(&filter.node, &[0]);
            conform(&mut made, Demand::Truth);
            match made.failure_at(0) {
                Some(_) if plan.options().on_error == OnError::Null => return Verdict::Pass,
                Some(failure) => return failed(failure),
                None if made.vector.at(0) != Scalar::Bool(true) => return Verdict::Pass,
                None => {}
            }
        }
        let mut values = plan.values().iter();
        let mut made = Vec::with_capacity(self.arguments.len());
        for (argument, word) in self.arguments.iter().zip(&self.words) {
            if *argument == Argument::Word {
                made.push(Value::Bytes(word.clone()));
                continue;
            }
            let Some(value) = values.next() else { break };
            match fitting(&computed(&frame, value, &[0]), *argument) {
                Ok(value) => made.push(value),
                Err(failure) => return failed(failure),
            }
        }
        Verdict::Change(made)
    }
}

/// The value of an argument, if it is one.
fn fitting<'b>(made: &Evaluated<'b>, argument: Argument) -> Result<Value, Failure<'b>> {
    if let Some(failure) = made.failure_at(0) {
        return Err(failure);
    }
    match (made.vector.at(0), argument) {
        (Scalar::Null, _) => Err(Fault::Result("gives null").into()),
        (value @ Scalar::Int(_), _) => Ok(value.into()),
        (_, Argument::Integer) => Err(Fault::Result("gives no integer").into()),
        (value, _) => Ok(value.into()),
    }
}

fn selection(columns: usize) -> Shape {
    Shape::Select(Selection { columns: vec![Vec::new(); columns], clause: "DO" })
}

fn unknown(name: &[u8], actions: &[Action]) -> PlanError {
    let names: Vec<&str> = actions.iter().map(|action| action.name).collect();
    PlanError::Grammar(format!("DO: expected one of {}, got '{}'", names.join(", "), repeated(name)))
}

/// A clause in capital letters where the action would take it as a name, or has no word any more. A field of that name is
/// changed by other commands: that what was to be tried out, or bounded, is done to all keys would be worse.
fn misplaced<'w>(form: Form, action: &Action, given: &[&'w [u8]]) -> Option<&'w [u8]> {
    let wanted = action.arguments.len();
    let is_name = |at: usize| match action.repeats {
        true => action.arguments[at % wanted] == Argument::Word,
        false => at >= wanted,
    };
    let words = given.iter().enumerate().filter(|(at, _)| is_name(*at));
    words.map(|(_, word)| *word).find(|word| grammar::is_clause(form, word))
}

/// What the words of an action are.
fn arguments(action: &Action, given: usize) -> Result<Vec<Argument>, PlanError> {
    let wanted = action.arguments.len();
    let fits = match action.repeats {
        true => given > 0 && given.is_multiple_of(wanted) && given <= LISTED_MAX,
        false => given == wanted,
    };
    if !fits {
        let text = format!("DO {} has a wrong number of arguments", action.name);
        return Err(PlanError::Grammar(text));
    }
    Ok(action.arguments.iter().copied().cycle().take(given).collect())
}

impl Binding<'_> {
    /// Leaves only types of key that an action can change.
    fn restrict(&mut self, kinds: Kinds, action: &str) -> Result<(), PlanError> {
        self.kinds = self.kinds.and(kinds);
        if self.kinds.is_empty() {
            let text =
                format!("DO {action}: no key of the types that the command is about can be changed so");
            return Err(PlanError::Refused(text.into()));
        }
        Ok(())
    }

    /// What is computed for a change.
    fn change(&mut self, arguments: &[Argument], given: &[&[u8]]) -> Result<Vec<Computed>, PlanError> {
        let mut values = Vec::new();
        for (argument, text) in arguments.iter().zip(given) {
            let (reading, demand) = match argument {
                Argument::Word => continue,
                Argument::Text => (Reading::Raw, Demand::Anything),
                Argument::Number | Argument::Integer => (Reading::Number, Demand::Number),
            };
            let expression = self.expression(text, reading)?;
            if demand == Demand::Number && !is_number_or_open(&expression) {
                let text = format!("DO needs a number, {} is none", expression.text);
                return Err(PlanError::expression(1, text));
            }
            values.push(Computed { expression, demand });
        }
        Ok(values)
    }

    /// What names a row.
    fn identity(&mut self, source: Source) -> Computed {
        let reading = if source == Source::Place { Reading::Int } else { Reading::Bytes };
        let input = self.inputs.add(source, reading);
        Computed { expression: Expression::of_input(input as u16), demand: Demand::Anything }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Field, Row};

    const ACTIONS: [Action; 3] = [
        Action { name: "GO", arguments: &[], repeats: false, kinds: Kinds::ALL },
        Action { name: "ADD", arguments: &[Argument::Integer], repeats: false, kinds: Kinds::ALL },
        Action {
            name: "FILL",
            arguments: &[Argument::Word, Argument::Text],
            repeats: true,
            kinds: Kinds::of(&[crate::kind::Kind::Hash]),
        },
    ];
    fn application(words: &[&str]) -> Result<Application, String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        Application::new(Form::Apply, &words, &ACTIONS, &Bounds::NONE).map_err(|error| error.to_string())
    }

    fn judge(application: &Application, field: Field<'_>) -> Verdict {
        let mut batch = Batch::new(application.change());
        batch.push_row(Row { key: b"k", ..Row::default() }, |_| field);
        application.judge(&batch, b"k")
    }

    #[test]
    fn actions_are_read_by_their_table() {
        let adds = application(&["a*", "LIMIT", "3", "WHERE", "v > 1", "DO", "add", "v * 2"]).unwrap();
        assert_eq!((adds.action(), adds.changes_max()), (1, Some(3)));
        assert_eq!(adds.change().kinds().names(), "string");
        assert_eq!(adds.candidates().kinds().names(), "string");
        let fills = application(&["*", "WHERE", "has(h.a)", "DO", "FILL", "b", "h.c + h.d"]).unwrap();
        let sources = |plan: &Plan| plan.sources().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(sources(fills.candidates()), ["h.a", "key"]);
        assert_eq!(sources(fills.change()), ["h.a", "h.c", "h.d"]);
        for (words, error) in [
            (&["*", "DO", "GO"][..], "ERR COMPUTE needs WHERE"),
            (&["*", "WHERE", "true"], "ERR COMPUTE needs DO and an action"),
            (&["*", "WHERE", "true", "DO"], "ERR COMPUTE needs DO and an action"),
            (
                &["*", "WHERE", "true", "DO", "FLY"],
                "ERR COMPUTE: DO: expected one of GO, ADD, FILL, got 'FLY'",
            ),
            (&["*", "WHERE", "true", "DO", "GO", "1"], "ERR COMPUTE: DO GO has a wrong number of arguments"),
            (
                &["*", "WHERE", "true", "DO", "GO", "DRYRUN"],
                "ERR COMPUTE: DO GO: DRYRUN is a clause, and these stand before DO",
            ),
            (
                &["*", "WHERE", "true", "DO", "FILL", "f", "1", "LIMIT", "1"],
                "ERR COMPUTE: DO FILL: LIMIT is a clause, and these stand before DO",
            ),
            (
                &["*", "WHERE", "true", "DO", "FILL", "f", "1", "g"],
                "ERR COMPUTE: DO FILL has a wrong number of arguments",
            ),
            (
                &["*", "WHERE", "v == '1'", "DO", "FILL", "f", "1"],
                "ERR DO FILL: no key of the types that the command is about can be changed so",
            ),
            (&["*", "WHERE", "true", "DO", "ADD", "key"], "BADEXPR 1: DO needs a number, key is none"),
        ] {
            assert_eq!(application(words).unwrap_err(), error);
        }
    }

    #[test]
    fn a_row_is_judged_by_what_it_is_now() {
        let adds = application(&["*", "WHERE", "v > 1", "DO", "ADD", "v / 2"]).unwrap();
        assert_eq!(judge(&adds, Field::Int(6)), Verdict::Change(vec![Value::Int(3)]));
        assert_eq!(judge(&adds, Field::Int(1)), Verdict::Pass);
        let failed = |text: &str| Verdict::Failed(RowError { key: b"k".to_vec(), text: text.into() });
        assert_eq!(judge(&adds, Field::Bytes(b"x")), failed("v is not a number"));
        assert_eq!(judge(&adds, Field::Bytes(b"2.5")), failed("an expression gives no integer"));
        let fills = application(&["*", "WHERE", "has(h.a)", "DO", "FILL", "b", "h.a + '!'"]).unwrap();
        let values = vec![Value::Bytes(b"b".to_vec()), Value::Text("x!".into())];
        assert_eq!(judge(&fills, Field::Bytes(b"x")), Verdict::Change(values));
        assert_eq!(judge(&fills, Field::Missing), Verdict::Pass);
    }

    #[test]
    fn the_words_of_an_action_are_found_where_they_stand() {
        let words: Vec<&[u8]> =
            vec![b"*", b"PARAMS", b"1", b"do", b"DO", b"WHERE", b"true", b"DO", b"A", b"k"];
        assert_eq!(action_words(Form::Apply, &words), Some(&words[8..]));
        assert_eq!(action_words(Form::Apply, &words[..7]), None);
    }
}

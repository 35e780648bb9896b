//! What INTO makes of a result, and where in the words of a command the keys and channels stand that only the grammar finds. Not
//! the storing itself, which is the server's.

use super::{Plan, target};
use crate::error::PlanError;
use crate::grammar::{self, Draft, Form, Place};
use crate::options::{IntoForm, OnTimeout};

impl Plan {
    /// Where the result is stored, and as what.
    pub fn storing(&self) -> Option<(&[u8], IntoForm)> {
        let into = self.options.into.as_ref()?;
        Some((&into.key, into.form.expect("invariant: a plan has chosen the form")))
    }

    /// A word that is a key or a channel, counted from the first behind the name of the command; `None` if there is none of that
    /// kind. Where the words are no plan, and the command is refused, it is the one behind the last such keyword.
    pub fn place(form: Form, words: &[&[u8]], place: Place) -> Option<usize> {
        let is_keyword = |word: &&[u8]| grammar::is(word, place.keyword());
        if !words.iter().any(is_keyword) {
            return None;
        }
        let (_, clauses) = target(form, words).ok()?;
        let found = match grammar::parse(form, clauses) {
            Ok(draft) => draft.places.iter().find(|(of, _)| *of == place).map(|(_, at)| *at),
            Err(_) => clauses.iter().rposition(is_keyword).map(|at| at + 1),
        };
        found.filter(|at| *at < clauses.len()).map(|at| words.len() - clauses.len() + at)
    }
}

/// The form of what is stored: the one that is asked for, or a hash if it fits, else a list.
pub(super) fn form(draft: &Draft<'_>) -> Result<Option<IntoForm>, PlanError> {
    let Some(into) = &draft.options.into else { return Ok(None) };
    let refuse = |text: &'static str| Err(PlanError::Refused(text.into()));
    if draft.options.on_timeout == OnTimeout::Partial {
        return refuse("ONTIMEOUT PARTIAL does not go with INTO: what is stored could not be labelled");
    }
    let is_pairs = draft.groups.len() == 1 && draft.reducers.len() == 1;
    match into.form {
        None if is_pairs => Ok(Some(IntoForm::Hash)),
        None => Ok(Some(IntoForm::List)),
        Some(IntoForm::Hash) if !is_pairs => refuse("INTO HASH needs exactly one group and one REDUCE"),
        Some(IntoForm::Zset) if !is_pairs => refuse("INTO ZSET needs exactly one group and one REDUCE"),
        chosen => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Bounds;

    fn words(text: &str) -> Vec<&[u8]> {
        text.split(' ').map(str::as_bytes).collect()
    }

    fn planned(text: &str) -> Result<Option<IntoForm>, String> {
        let plan = Plan::new(Form::KAggregate, &words(text), &Bounds::NONE);
        plan.map(|plan| plan.storing().map(|(_, form)| form)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_result_of_pairs_becomes_a_hash_and_any_other_a_list() {
        let pairs = "k GROUPBY 1 f AS f REDUCE COUNT 0 AS n";
        assert_eq!(planned(pairs), Ok(None));
        assert_eq!(planned(&format!("{pairs} INTO d")), Ok(Some(IntoForm::Hash)));
        assert_eq!(planned(&format!("{pairs} INTO d ZSET")), Ok(Some(IntoForm::Zset)));
        assert_eq!(planned(&format!("{pairs} INTO d list")), Ok(Some(IntoForm::List)));
        assert_eq!(planned("k REDUCE COUNT 0 AS n INTO d"), Ok(Some(IntoForm::List)));
        for (form, text) in [("HASH", "INTO HASH"), ("ZSET", "INTO ZSET")] {
            let refused = format!("ERR {text} needs exactly one group and one REDUCE");
            assert_eq!(planned(&format!("k REDUCE COUNT 0 AS n INTO d {form}")), Err(refused));
        }
        let refused =
            "ERR ONTIMEOUT PARTIAL does not go with INTO: what is stored could not be labelled".to_owned();
        assert_eq!(planned(&format!("{pairs} INTO d ONTIMEOUT PARTIAL")), Err(refused));
    }

    #[test]
    fn the_key_of_into_is_found_by_the_grammar() {
        let found = |form, text| Plan::place(form, &words(text), Place::Destination);
        assert_eq!(found(Form::KAggregate, "k REDUCE COUNT 0 AS n"), None);
        assert_eq!(found(Form::KAggregate, "INTO REDUCE COUNT 0 AS INTO INTO d"), Some(7));
        assert_eq!(found(Form::KAggregate, "k WHERE INTO INTO d HASH REDUCE COUNT 0 AS n"), Some(4));
        assert_eq!(found(Form::MAggregate, "2 INTO x INTO d REDUCE COUNT 0 AS n"), Some(4));
        assert_eq!(found(Form::Aggregate, "* PARAMS 1 INTO x REDUCE COUNT 0 AS n INTO d"), Some(11));
        assert_eq!(found(Form::KAggregate, "k REDUCE COUNT 0 AS n INTO"), None);
        assert_eq!(found(Form::KAggregate, "k INTO d INTO e REDUCE COUNT 0 AS n"), Some(4));
        assert_eq!(found(Form::KAggregate, "k REDUCE none 0 AS n INTO d"), Some(7));
    }

    #[test]
    fn so_are_the_key_and_the_channel_of_a_job() {
        let text = words("k WHERE ID ASYNC NOTIFY c ID j REDUCE COUNT 0 AS ID");
        let found = |place| Plan::place(Form::KAggregate, &text, place);
        assert_eq!([Place::Job, Place::Channel, Place::Destination].map(found), [Some(7), Some(5), None]);
        assert_eq!(Plan::place(Form::Count, &words("ID WHERE NOTIFY"), Place::Job), None);
    }
}

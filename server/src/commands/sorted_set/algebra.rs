//! Unions, intersections and differences of collections whose members have scores. Nothing here knows commands, and all
//! sums are made in the order of the real servers: floating point numbers depend on it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use shardis_storage::types::packed::Element;
use shardis_storage::types::set::Set;
use shardis_storage::types::sorted_set::SortedSet;
use shardis_storage::{EntryRef, ObjectRef};

use crate::command::Error;

/// What is combined.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// There is no such key.
    Missing,
    /// Members, each as good as a score of one.
    Set(&'a Set),
    /// Members with scores of their own.
    SortedSet(&'a SortedSet),
}

impl<'a> Input<'a> {
    /// What is behind a key; other types cannot be combined.
    pub fn of(entry: Option<EntryRef<'a>>) -> Result<Input<'a>, Error> {
        let Some(entry) = entry else { return Ok(Input::Missing) };
        match entry.any_object() {
            Some(ObjectRef::Set(set)) => Ok(Input::Set(set)),
            Some(ObjectRef::SortedSet(set)) => Ok(Input::SortedSet(set)),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    pub fn len(self) -> usize {
        match self {
            Input::Missing => 0,
            Input::Set(set) => set.len(),
            Input::SortedSet(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Input::Missing => None,
            Input::Set(set) => set.contains(Element::stored(member)).then_some(1.0),
            Input::SortedSet(set) => set.score(member),
        }
    }

    fn elements(self) -> impl Iterator<Item = (Cow<'a, [u8]>, f64)> {
        let (plain, scored) = match self {
            Input::Missing => (None, None),
            Input::Set(set) => (Some(set), None),
            Input::SortedSet(set) => (None, Some(set)),
        };
        let plain = plain.into_iter().flat_map(Set::iter).map(|member| (member, 1.0));
        let elements = plain.chain(scored.into_iter().flat_map(SortedSet::iter));
        elements.map(|(member, score)| (owned_if_integer(member), score))
    }
}

fn owned_if_integer(member: Element<'_>) -> Cow<'_, [u8]> {
    match member {
        Element::Bytes(bytes) => Cow::Borrowed(bytes),
        Element::Int(_) => Cow::Owned(member.to_vec()),
    }
}

/// What becomes of the scores that a member has in several inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// They are added.
    Sum,
    /// The smallest remains.
    Min,
    /// The largest remains.
    Max,
}

impl Aggregate {
    /// Opposite infinities make zero together; whatever is not a number is never smaller or larger.
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(one + other),
            Aggregate::Min if other < one => other,
            Aggregate::Max if other > one => other,
            Aggregate::Min | Aggregate::Max => one,
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Members with scores, in order.
pub type Elements<'a> = Vec<(Cow<'a, [u8]>, f64)>;

/// What is in any of the inputs, each with its weight.
pub fn union<'a>(inputs: &[(Input<'a>, f64)], aggregate: Aggregate) -> Elements<'a> {
    let mut scores = HashMap::<Cow<'a, [u8]>, f64>::new();
    for (input, weight) in by_len(inputs) {
        for (member, score) in input.elements() {
            let score = number_or_zero(weight * score);
            match scores.entry(member) {
                Entry::Occupied(mut present) => {
                    let score = aggregate.of(*present.get(), score);
                    present.insert(score);
                }
                Entry::Vacant(absent) => drop(absent.insert(score)),
            }
        }
    }
    sorted(scores.into_iter().collect())
}

/// What is in all of the inputs, each with its weight.
pub fn intersection<'a>(inputs: &[(Input<'a>, f64)], aggregate: Aggregate) -> Elements<'a> {
    let inputs = by_len(inputs);
    let Some(((smallest, weight), others)) = inputs.split_first() else { return Elements::new() };
    let common = smallest.elements().filter_map(|(member, score)| {
        let first = number_or_zero(weight * score);
        let score = others.iter().try_fold(first, |sum, (input, weight)| {
            input.score(&member).map(|score| aggregate.of(sum, weight * score))
        })?;
        Some((member, score))
    });
    sorted(common.collect())
}

/// How many members are in all of the inputs; no more than `limit` are counted.
pub fn intersection_len(inputs: &[(Input<'_>, f64)], limit: usize) -> usize {
    let inputs = by_len(inputs);
    let Some(((smallest, _), others)) = inputs.split_first() else { return 0 };
    let is_common = |member: &[u8]| others.iter().all(|(input, _)| input.score(member).is_some());
    smallest.elements().filter(|(member, _)| is_common(member)).take(limit).count()
}

/// What is in the first of the inputs only.
pub fn difference<'a>(inputs: &[(Input<'a>, f64)]) -> Elements<'a> {
    let Some(((first, _), others)) = inputs.split_first() else { return Elements::new() };
    let is_elsewhere = |member: &[u8]| others.iter().any(|(input, _)| input.score(member).is_some());
    sorted(first.elements().filter(|(member, _)| !is_elsewhere(member)).collect())
}

/// The smallest input first.
fn by_len<'a>(inputs: &[(Input<'a>, f64)]) -> Vec<(Input<'a>, f64)> {
    let mut inputs = inputs.to_vec();
    inputs.sort_by_key(|(input, _)| input.len());
    inputs
}

fn sorted(mut elements: Elements<'_>) -> Elements<'_> {
    // Adding a zero takes the sign from another one: both are equal.
    let score = |(_, score): &(_, f64)| score + 0.0;
    elements
        .sort_unstable_by(|one, other| score(one).total_cmp(&score(other)).then_with(|| one.0.cmp(&other.0)));
    elements
}

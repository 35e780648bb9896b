//! Unions, intersections and differences: replied, counted, or stored under another key. How they are made is told in
//! `algebra`.

use shardis_storage::types::sorted_set::SortedSet;
use shardis_storage::{Key, Transaction, View};

use super::algebra::{self, Aggregate, Elements, Input};
use super::{context, parse_score, reply_elements};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key, numbered};

const KEYS: &[KeySpec] = &[numbered(1, 1).read_only().accesses()];
const STORE_KEYS: &[KeySpec] = &[key(1).overwrites().updates(), numbered(2, 1).read_only().accesses()];

const UNION_COMPLEXITY: &str = "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M \
    being the number of elements in the resulting sorted set.";
const INTER_COMPLEXITY: &str = "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the \
    number of input sorted sets and M being the number of elements in the resulting sorted set.";
const DIFF_COMPLEXITY: &str = "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N \
    is the size of the first set, and K is the size of the result set.";

/// What is made of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Replied,
    Stored,
    Counted,
}

pub static ZUNION: Command = Command::read("ZUNION", zunion)
    .syntax(
        "numkeys key [key ...] [WEIGHTS weight:integer [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    )
    .arity(AtLeast(3))
    .keys(KEYS)
    .since("6.2.0")
    .complexity(UNION_COMPLEXITY)
    .summary("Returns the union of multiple sorted sets.");

fn zunion(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply(call, view, Operation::Union)
}

pub static ZINTER: Command = Command::read("ZINTER", zinter)
    .syntax(
        "numkeys key [key ...] [WEIGHTS weight:integer [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    )
    .arity(AtLeast(3))
    .keys(KEYS)
    .since("6.2.0")
    .complexity(INTER_COMPLEXITY)
    .summary("Returns the intersect of multiple sorted sets.");

fn zinter(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply(call, view, Operation::Intersection)
}

pub static ZDIFF: Command = Command::read("ZDIFF", zdiff)
    .syntax("numkeys key [key ...] [WITHSCORES]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .since("6.2.0")
    .complexity(DIFF_COMPLEXITY)
    .summary("Returns the difference between multiple sorted sets.");

fn zdiff(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply(call, view, Operation::Difference)
}

pub static ZUNIONSTORE: Command = Command::write("ZUNIONSTORE", zunionstore)
    .syntax(
        "destination:key numkeys key [key ...] [WEIGHTS weight:integer [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    )
    .arity(AtLeast(4))
    .keys(STORE_KEYS)
    .flags(Flags::DENY_OOM)
    .since("2.0.0")
    .complexity(
        "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of \
         elements in the resulting sorted set.",
    )
    .summary("Stores the union of multiple sorted sets in a key.");

fn zunionstore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store(call, txn, Operation::Union)
}

pub static ZINTERSTORE: Command = Command::write("ZINTERSTORE", zinterstore)
    .syntax(
        "destination:key numkeys key [key ...] [WEIGHTS weight:integer [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    )
    .arity(AtLeast(4))
    .keys(STORE_KEYS)
    .flags(Flags::DENY_OOM)
    .since("2.0.0")
    .complexity(INTER_COMPLEXITY)
    .summary("Stores the intersect of multiple sorted sets in a key.");

fn zinterstore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store(call, txn, Operation::Intersection)
}

pub static ZDIFFSTORE: Command = Command::write("ZDIFFSTORE", zdiffstore)
    .syntax("destination:key numkeys key [key ...]")
    .arity(AtLeast(4))
    .keys(STORE_KEYS)
    .flags(Flags::DENY_OOM)
    .since("6.2.0")
    .complexity(DIFF_COMPLEXITY)
    .summary("Stores the difference of multiple sorted sets in a key.");

fn zdiffstore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store(call, txn, Operation::Difference)
}

pub static ZINTERCARD: Command = Command::read("ZINTERCARD", zintercard)
    .syntax("numkeys key [key ...] [LIMIT limit:integer]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .since("7.0.0")
    .complexity(
        "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
    )
    .summary("Returns the number of members of the intersect of multiple sorted sets.");

fn zintercard(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let query = Query::parse(call, view, Operation::Intersection, Outcome::Counted)?;
    if query.is_offloaded(call, view) {
        return Ok(Flow::Offload);
    }
    call.integer(algebra::intersection_len(&query.inputs(view), query.limit))
}

fn reply(call: &mut Call<'_>, view: &mut View<'_>, operation: Operation) -> Done {
    let query = Query::parse(call, view, operation, Outcome::Replied)?;
    if query.is_offloaded(call, view) {
        return Ok(Flow::Offload);
    }
    let elements = query.combine(&query.inputs(view));
    let count = elements.len();
    let elements = elements.iter().map(|(member, score)| (member.as_ref().into(), *score));
    reply_elements(call, count, elements, query.with_scores)
}

fn store(call: &mut Call<'_>, txn: &mut Transaction<'_>, operation: Operation) -> Done {
    let destination = call.next_key()?;
    let query = Query::parse(call, txn, operation, Outcome::Stored)?;
    if query.is_offloaded(call, txn) {
        return Ok(Flow::Offload);
    }
    let context = context(call, &destination);
    let mut stored = SortedSet::new();
    let elements = query.combine(&query.inputs(txn));
    // A large one is made as such: it keeps the signs of zeros.
    let longest = elements.iter().map(|(member, _)| member.len()).max().unwrap_or(0);
    stored.expect_members(elements.len(), longest, &context);
    for (member, score) in elements {
        stored.set(&member, score, &context);
    }
    super::store(call, txn, &destination, stored)
}

/// What is to be combined, and how.
struct Query<'a> {
    operation: Operation,
    /// Each with its weight.
    keys: Vec<(Key<'a>, f64)>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

impl<'a> Query<'a> {
    /// Takes all arguments. Keys of another type are refused before the options are looked at.
    fn parse(
        call: &mut Call<'a>,
        view: &mut View<'_>,
        operation: Operation,
        outcome: Outcome,
    ) -> Result<Query<'a>, Error> {
        let numkeys = call.args.integer()?;
        if numkeys < 1 {
            return Err(Error::no_input_keys(call.command.name));
        }
        let numkeys = usize::try_from(numkeys).unwrap_or(usize::MAX);
        call.args.behind(numkeys)?;
        let mut keys = Vec::with_capacity(numkeys);
        for _ in 0..numkeys {
            let key = call.next_key()?;
            Input::of(view.lookup(&key))?;
            keys.push((key, 1.0));
        }
        let mut query =
            Query { operation, keys, aggregate: Aggregate::Sum, with_scores: false, limit: usize::MAX };
        query.take_options(call, outcome)?;
        Ok(query)
    }

    fn take_options(&mut self, call: &mut Call<'a>, outcome: Outcome) -> Result<(), Error> {
        let are_scores_combined = self.operation != Operation::Difference && outcome != Outcome::Counted;
        while !call.args.is_empty() {
            let behind = call.args.len() - 1;
            if are_scores_combined && behind >= self.keys.len() && call.args.take_word("WEIGHTS") {
                for (_, weight) in &mut self.keys {
                    let word = call.args.take()?;
                    *weight = parse_score(call, word).ok_or(Error::WEIGHT_NOT_FLOAT)?;
                }
            } else if are_scores_combined && behind >= 1 && call.args.take_word("AGGREGATE") {
                self.aggregate = match () {
                    () if call.args.take_word("SUM") => Aggregate::Sum,
                    () if call.args.take_word("MIN") => Aggregate::Min,
                    () if call.args.take_word("MAX") => Aggregate::Max,
                    () => return Err(Error::SYNTAX),
                };
            } else if outcome == Outcome::Replied && call.args.take_word("WITHSCORES") {
                self.with_scores = true;
            } else if outcome == Outcome::Counted && behind >= 1 && call.args.take_word("LIMIT") {
                let limit = call.args.positive().map_err(|_| Error::LIMIT_NEGATIVE)?;
                self.limit = if limit == 0 { usize::MAX } else { limit };
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(())
    }

    /// Whether this is work for somebody else; then the keys are looked up once more.
    fn is_offloaded(&self, call: &Call<'_>, view: &mut View<'_>) -> bool {
        let is_large = call.should_offload(self.work(view));
        if is_large {
            self.keys.iter().for_each(|(key, _)| view.uncount(key));
        }
        is_large
    }

    /// How many members are looked at.
    fn work(&self, view: &View<'_>) -> usize {
        let mut lens = self.keys.iter().map(|(key, _)| input(view, key).len());
        match self.operation {
            Operation::Union => lens.sum(),
            Operation::Intersection => lens.min().unwrap_or(0).saturating_mul(self.keys.len()),
            Operation::Difference => lens.next().unwrap_or(0).saturating_mul(self.keys.len()),
        }
    }

    /// What is behind the keys, with their weights.
    fn inputs<'v>(&self, view: &'v View<'_>) -> Vec<(Input<'v>, f64)> {
        self.keys.iter().map(|(key, weight)| (input(view, key), *weight)).collect()
    }

    fn combine<'v>(&self, inputs: &[(Input<'v>, f64)]) -> Elements<'v> {
        match self.operation {
            Operation::Union => algebra::union(inputs, self.aggregate),
            Operation::Intersection => algebra::intersection(inputs, self.aggregate),
            Operation::Difference => algebra::difference(inputs),
        }
    }
}

/// What is behind a key that has been looked up, and whose type was found to be right.
fn input<'v>(view: &'v View<'_>, key: &Key<'_>) -> Input<'v> {
    Input::of(view.looked_up(key)).unwrap_or(Input::Missing)
}

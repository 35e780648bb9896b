//! Adding members, and giving them other scores.

use shardis_storage::types::sorted_set::{SortedSet, SortedSetContext};
use shardis_storage::{Key, Notice, Transaction};
use smallvec::SmallVec;

use super::{context, parse_score};
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::event;
use crate::command::{Args, Call, Command, Done, Error, Flags, Flow, key};
use crate::config::Dialect;

pub static ZADD: Command = Command::write("ZADD", zadd)
    .syntax(
        "key condition=[NX | XX]@3.0.2 comparison=[GT | LT]@6.2.0 change=[CH]@3.0.2 increment=[INCR]@3.0.2 \
         score:double member [score:double member ...]",
    )
    .arity(AtLeast(4))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("1.2.0")
    .complexity("O(log(N)) for each item added, where N is the number of elements in the sorted set.")
    .summary(
        "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
    )
    .history(&[
        ("2.4.0", "Accepts multiple elements."),
        ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
        ("6.2.0", "Added the `GT` and `LT` options."),
    ]);

fn zadd(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    add(call, txn, Options::default())
}

pub static ZINCRBY: Command = Command::write("ZINCRBY", zincrby)
    .syntax("key increment:integer member")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().accesses().updates()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .event("zincr")
    .since("1.2.0")
    .complexity("O(log(N)) where N is the number of elements in the sorted set.")
    .summary("Increments the score of a member in a sorted set.");

/// ZADD INCR by another name: the real servers take its options here, too.
fn zincrby(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    add(call, txn, Options { is_increment: true, ..Options::default() })
}

/// What ZADD does, and to which members.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub only_new: bool,
    pub only_present: bool,
    pub only_greater: bool,
    pub only_less: bool,
    pub counts_changes: bool,
    pub is_increment: bool,
}

impl Options {
    /// Takes all words that are options.
    fn parse(mut self, args: &mut Args<'_>) -> Options {
        loop {
            let option = match () {
                () if args.take_word("NX") => &mut self.only_new,
                () if args.take_word("XX") => &mut self.only_present,
                () if args.take_word("GT") => &mut self.only_greater,
                () if args.take_word("LT") => &mut self.only_less,
                () if args.take_word("CH") => &mut self.counts_changes,
                () if args.take_word("INCR") => &mut self.is_increment,
                () => return self,
            };
            *option = true;
        }
    }

    fn check(self, pairs: usize) -> Result<(), Error> {
        if self.only_new && self.only_present {
            return Err(Error::NX_AND_XX);
        }
        let conditions = [self.only_new, self.only_greater, self.only_less];
        if conditions.into_iter().filter(|&is_set| is_set).count() > 1 {
            return Err(Error::NX_GT_LT);
        }
        if self.is_increment && pairs > 1 { Err(Error::INCR_OF_MANY) } else { Ok(()) }
    }

    /// The score that a member gets, if it gets one.
    fn new_score(self, old: Option<f64>, score: f64) -> Result<Option<f64>, Error> {
        let Some(old) = old else { return Ok((!self.only_present).then_some(score)) };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.is_increment { old + score } else { score };
        if score.is_nan() {
            return Err(Error::SCORE_NAN);
        }
        let is_unwanted = self.only_greater && score <= old || self.only_less && score >= old;
        Ok((!is_unwanted).then_some(score))
    }
}

fn add(call: &mut Call<'_>, txn: &mut Transaction<'_>, options: Options) -> Done {
    let key = call.next_key()?;
    let options = options.parse(&mut call.args);
    if call.args.is_empty() || !call.args.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let pairs = call.args.len() / 2;
    options.check(pairs)?;
    if call.should_offload(pairs) {
        return Ok(Flow::Offload);
    }
    let read = |score| parse_score(call, score).ok_or(Error::NOT_FLOAT);
    let scores: Scores = call.args.rest().step_by(2).map(read).collect::<Result<_, Error>>()?;
    let members = call.args.rest().skip(1).step_by(2);
    add_members(call, txn, &key, options, scores, members)
}

/// Gives each member its score, as far as the options have it, and replies how many are new or have changed.
pub fn add_members<'a>(
    call: &mut Call<'_>,
    txn: &mut Transaction<'_>,
    key: &Key<'_>,
    options: Options,
    scores: Scores,
    members: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) -> Done {
    if options.is_increment {
        txn.announce(Notice::Event(&event::SCORE_ADDED));
    }
    let context = context(call, key);
    let set = match options.only_present {
        true => txn.edit::<SortedSet>(key)?,
        false => Some(txn.upsert::<SortedSet>(key)?),
    };
    let Some(mut set) = set else {
        return if options.is_increment { call.null() } else { call.integer(0) };
    };
    let (mut added, mut changed, mut last) = (0, 0, None);
    set.change(|set| {
        expect_members(call, set, members.clone(), &context);
        let given = scores.into_iter().zip(members).try_for_each(|(score, member)| {
            last = set.update(member, &context, |old| {
                let new = options.new_score(old, score)?;
                added += usize::from(old.is_none() && new.is_some());
                changed += usize::from(new.is_some_and(|new| old != Some(new)));
                Ok::<_, Error>(new)
            })?;
            Ok::<(), Error>(())
        });
        (changed > 0, given)
    })?;
    match (options.is_increment, last) {
        (true, Some(score)) => call.double(score),
        (true, None) => call.null(),
        (false, _) => call.integer(if options.counts_changes { changed } else { added }),
    }
}

/// Makes a sorted set ready for members as the imitated server does, whatever becomes of them.
fn expect_members<'a>(
    call: &Call<'_>,
    set: &mut SortedSet,
    members: impl ExactSizeIterator<Item = &'a [u8]>,
    context: &SortedSetContext,
) {
    let Dialect { zadd_counts_first, zadd_measures_first, .. } = *call.dialect();
    let count = if zadd_counts_first { members.len() } else { 0 };
    let longest = if zadd_measures_first { members.map(<[u8]>::len).max() } else { None };
    set.expect_members(count, longest.unwrap_or(0), context);
}

/// The scores of a call; of most, there are few.
pub type Scores = SmallVec<[f64; 8]>;

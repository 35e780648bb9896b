//! Ranges of members: replied, or stored under another key.

use std::ops::Range;

use shardis_storage::types::packed::{Element, Side};
use shardis_storage::types::sorted_set::{SortedSet, SortedSetEncoding};
use shardis_storage::{Transaction, View};

use super::bounds::{Bounds, By};
use super::{context, reply_elements, store};
use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, Error, Flags, Flow, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_only().accesses()];
const COMPLEXITY: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
    elements returned.";
const PART_COMPLEXITY: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
    elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can \
    consider it O(log(N)).";

/// What a command says of its ranges by its name, and what it leaves to its options.
#[derive(Clone, Copy)]
struct Form {
    by: Option<By>,
    reversed: Option<bool>,
    is_stored: bool,
}

/// A command for one kind of range.
const fn fixed(by: By, reversed: bool) -> Form {
    Form { by: Some(by), reversed: Some(reversed), is_stored: false }
}

pub static ZRANGE: Command = Command::read("ZRANGE", zrange)
    .syntax(
        "key start:string stop:string sortby=[BYSCORE | BYLEX]@6.2.0 [REV]@6.2.0 [LIMIT offset:integer count]@6.2.0 [WITHSCORES]",
    )
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("1.2.0")
    .complexity(COMPLEXITY)
    .summary("Returns members in a sorted set within a range of indexes.")
    .history(&[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")]);

fn zrange(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_range(call, view, Form { by: None, reversed: None, is_stored: false })
}

pub static ZREVRANGE: Command = Command::read("ZREVRANGE", zrevrange)
    .syntax("key start:integer stop:integer [WITHSCORES]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("1.2.0")
    .complexity(COMPLEXITY)
    .summary("Returns members in a sorted set within a range of indexes in reverse order.")
    .deprecated("6.2.0", "`ZRANGE` with the `REV` argument");

fn zrevrange(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_range(call, view, fixed(By::Rank, true))
}

pub static ZRANGEBYSCORE: Command = Command::read("ZRANGEBYSCORE", zrangebyscore)
    .syntax("key min:double max:double [WITHSCORES]@2.0.0 [LIMIT offset:integer count]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("1.0.5")
    .complexity(PART_COMPLEXITY)
    .summary("Returns members in a sorted set within a range of scores.")
    .history(&[("2.0.0", "Added the `WITHSCORES` modifier.")])
    .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument");

fn zrangebyscore(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_range(call, view, fixed(By::Score, false))
}

pub static ZREVRANGEBYSCORE: Command = Command::read("ZREVRANGEBYSCORE", zrevrangebyscore)
    .syntax("key max:double min:double [WITHSCORES] [LIMIT offset:integer count]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("2.2.0")
    .complexity(PART_COMPLEXITY)
    .summary("Returns members in a sorted set within a range of scores in reverse order.")
    .history(&[("2.1.6", "`min` and `max` can be exclusive.")])
    .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments");

fn zrevrangebyscore(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_range(call, view, fixed(By::Score, true))
}

pub static ZRANGEBYLEX: Command = Command::read("ZRANGEBYLEX", zrangebylex)
    .syntax("key min:string max:string [LIMIT offset:integer count]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("2.8.9")
    .complexity(PART_COMPLEXITY)
    .summary("Returns members in a sorted set within a lexicographical range.")
    .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument");

fn zrangebylex(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_range(call, view, fixed(By::Lex, false))
}

pub static ZREVRANGEBYLEX: Command = Command::read("ZREVRANGEBYLEX", zrevrangebylex)
    .syntax("key max:string min:string [LIMIT offset:integer count]")
    .arity(AtLeast(4))
    .keys(KEYS)
    .since("2.8.9")
    .complexity(PART_COMPLEXITY)
    .summary("Returns members in a sorted set within a lexicographical range in reverse order.")
    .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments");

fn zrevrangebylex(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_range(call, view, fixed(By::Lex, true))
}

pub static ZRANGESTORE: Command = Command::write("ZRANGESTORE", zrangestore)
    .syntax("dst:key src:key min:string max:string sortby=[BYSCORE | BYLEX] [REV] [LIMIT offset:integer count]")
    .arity(AtLeast(5))
    .keys(&[key(1).overwrites().updates(), key(2).read_only().accesses()])
    .flags(Flags::DENY_OOM)
    .since("6.2.0")
    .complexity(
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into \
         the destination key.",
    )
    .summary("Stores a range of members from sorted set in a key.");

fn zrangestore(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let (destination, source) = (call.next_key()?, call.next_key()?);
    let query = Query::parse(call, Form { by: None, reversed: None, is_stored: true })?;
    let Some(set) = txn.read::<SortedSet>(&source)? else {
        return store(call, txn, &destination, SortedSet::new());
    };
    let ranks = query.ranks(set);
    if call.should_offload(ranks.len()) {
        txn.uncount(&source);
        return Ok(Flow::Offload);
    }
    let context = context(call, &destination);
    let mut stored = SortedSet::new();
    // Of ranks it is known how many there will be.
    stored.expect_members(if query.by == By::Rank { ranks.len() } else { 0 }, 0, &context);
    let mut buffer = itoa::Buffer::new();
    for (member, score) in query.elements(set, ranks) {
        stored.set(member.text(&mut buffer), score, &context);
    }
    store(call, txn, &destination, stored)
}

/// Which part of a sorted set is wanted, and how.
struct Query<'a> {
    by: By,
    bounds: Bounds<'a>,
    is_reversed: bool,
    with_scores: bool,
    /// Elements left out.
    offset: i64,
    /// Elements wanted, none for all.
    count: Option<usize>,
    /// Whether a negative offset in a large sorted set counts from the other end; else nothing is there.
    counts_back: bool,
}

impl<'a> Query<'a> {
    fn parse(call: &mut Call<'a>, form: Form) -> Result<Query<'a>, Error> {
        let mut ends = [call.args.take()?, call.args.take()?];
        let Form { mut by, mut reversed, is_stored } = form;
        let (mut with_scores, mut offset, mut count) = (false, 0, ALL);
        while !call.args.is_empty() {
            if !is_stored && call.args.take_word("WITHSCORES") {
                with_scores = true;
            } else if call.args.len() > 2 && call.args.take_word("LIMIT") {
                (offset, count) = (call.args.integer()?, call.args.integer()?);
            } else if reversed.is_none() && call.args.take_word("REV") {
                reversed = Some(true);
            } else if by.is_none() && call.args.take_word("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && call.args.take_word("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let (by, is_reversed) = (by.unwrap_or(By::Rank), reversed.unwrap_or(false));
        if count != ALL && by == By::Rank {
            return Err(Error::LIMIT_OF_RANKS);
        }
        if with_scores && by == By::Lex {
            return Err(Error::WITHSCORES_BY_LEX);
        }
        if is_reversed && by != By::Rank {
            ends.reverse();
        }
        let (offset, count) = match by {
            By::Rank => (0, None),
            By::Score | By::Lex => (offset, usize::try_from(count).ok()),
        };
        let counts_back = call.dialect().negative_offset_counts_back;
        let bounds = Bounds::parse(call, by, ends)?;
        Ok(Query { by, bounds, is_reversed, with_scores, offset, count, counts_back })
    }

    /// The ranks of what is wanted.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let Range { start, end } = self.bounds.ranks(set, self.is_reversed);
        let len = end - start;
        let skipped = match usize::try_from(self.offset) {
            Ok(offset) => offset.min(len),
            Err(_) if self.counts_back && set.encoding() == SortedSetEncoding::Tree => {
                usize::try_from(self.offset.unsigned_abs())
                    .map_or(len, |back| len.checked_sub(back).unwrap_or(len))
            }
            Err(_) => len,
        };
        let count = self.count.unwrap_or(usize::MAX).min(len - skipped);
        match self.is_reversed {
            true => end - skipped - count..end - skipped,
            false => start + skipped..start + skipped + count,
        }
    }

    /// What is wanted, in the order in which it is.
    fn elements<'s>(
        &self,
        set: &'s SortedSet,
        ranks: Range<usize>,
    ) -> impl Iterator<Item = (Element<'s>, f64)> + use<'s> {
        let elements = match self.is_reversed {
            true => set.iter_from(ranks.end.saturating_sub(1), Side::Front),
            false => set.iter_from(ranks.start, Side::Back),
        };
        elements.take(ranks.len())
    }
}

/// What LIMIT says where it says nothing.
const ALL: i64 = -1;

fn reply_range(call: &mut Call<'_>, view: &mut View<'_>, form: Form) -> Done {
    let key = call.next_key()?;
    let query = Query::parse(call, form)?;
    let Some(set) = view.read::<SortedSet>(&key)? else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    let ranks = query.ranks(set);
    let count = ranks.len();
    if call.should_offload(count) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let elements = query.elements(set, ranks);
    reply_elements(call, count, elements, query.with_scores)
}

//! Finding elements by what they are.

use shardis_storage::View;
use shardis_storage::types::list::{List, Side};
use shardis_storage::types::packed::Element;

use super::directed;
use crate::command::Arity::AtLeast;
use crate::command::{Args, Call, Command, Done, Error, Flow, key};

pub static LPOS: Command = Command::read("LPOS", lpos)
    .syntax("key element [RANK rank] [COUNT num-matches] [MAXLEN len]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses()])
    .since("6.0.6")
    .complexity(
        "O(N) where N is the number of elements in the list, for the average case. When searching for elements \
         near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in \
         constant time.",
    )
    .summary("Returns the index of matching elements in a list.");

fn lpos(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let wanted = Element::stored(call.args.take()?);
    let search = Search::parse(call)?;
    let list = view.read::<List>(&key)?;
    let compared = list.map_or(0, List::len).min(search.compared_max);
    if call.should_offload(compared) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let mut found = list.into_iter().flat_map(|list| search.run(list, wanted));
    let Some(count) = search.count else {
        return match found.next() {
            Some(index) => call.integer(index),
            None => call.null(),
        };
    };
    let (start, mut len) = (call.reply.mark(), 0);
    for index in found.take(count) {
        call.integer(index)?;
        len += 1;
    }
    call.reply.insert_array_header(start, len);
    Ok(Flow::Done)
}

/// Which of the elements that are wanted are to be found.
struct Search {
    /// Where it begins.
    from: Side,
    /// How many of them are passed over.
    skipped: usize,
    /// How many of them are replied; without it one, and not in an array.
    count: Option<usize>,
    /// How many elements are looked at.
    compared_max: usize,
}

impl Search {
    fn parse(call: &mut Call<'_>) -> Result<Search, Error> {
        let mut search = Search { from: Side::Front, skipped: 0, count: None, compared_max: usize::MAX };
        let mut is_endless = false;
        while !call.args.is_empty() {
            // The last word is no option: its number is missing.
            let has_number = call.args.len() > 1;
            if has_number && call.args.take_word("RANK") {
                let (from, rank) = directed(call)?;
                is_endless = rank.is_none();
                search.from = from;
                search.skipped = rank.unwrap_or(1).checked_sub(1).ok_or(Error::RANK_ZERO)?;
            } else if has_number && call.args.take_word("COUNT") {
                search.count = Some(number(&mut call.args, Error::COUNT_NEGATIVE)?);
            } else if has_number && call.args.take_word("MAXLEN") {
                search.compared_max = number(&mut call.args, Error::MAXLEN_NEGATIVE)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if is_endless {
            search.count = search.count.map(|_| usize::MAX);
        }
        Ok(search)
    }

    /// The indexes of what is found, from where the search begins.
    fn run(&self, list: &List, wanted: Element<'_>) -> impl Iterator<Item = usize> {
        let last = list.len().saturating_sub(1);
        let (first, towards) = match self.from {
            Side::Front => (0, Side::Back),
            Side::Back => (last, Side::Front),
        };
        let from_front = move |distance| if towards == Side::Back { distance } else { last - distance };
        let compared = list.iter_from(first, towards).take(self.compared_max).enumerate();
        let found = compared.filter(move |(_, element)| *element == wanted);
        found.skip(self.skipped).map(move |(distance, _)| from_front(distance))
    }
}

/// Takes a number of which zero is no limit.
fn number(args: &mut Args<'_>, error: Error) -> Result<usize, Error> {
    let number = args.positive().map_err(|_| error)?;
    Ok(if number == 0 { usize::MAX } else { number })
}

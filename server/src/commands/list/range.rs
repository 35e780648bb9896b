//! Looking at elements by their position.

use shardis_storage::View;
use shardis_storage::types::list::{List, Side};

use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Flags, Flow, key};

pub static LLEN: Command = Command::read("LLEN", llen)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("1.0.0")
    .complexity("O(1)")
    .summary("Returns the length of a list.");

fn llen(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let len = view.read::<List>(&key)?.map_or(0, List::len);
    call.integer(len)
}

pub static LRANGE: Command = Command::read("LRANGE", lrange)
    .syntax("key start stop")
    .arity(Exactly(4))
    .keys(&[key(1).read_only().accesses()])
    .since("1.0.0")
    .complexity(
        "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or \
         TAIL) for large lists; and N is the number of elements in the specified range.",
    )
    .summary("Returns a range of elements from a list.");

fn lrange(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let (start, stop) = (call.args.integer()?, call.args.integer()?);
    let list = view.read::<List>(&key)?;
    let range = range(start, stop, list.map_or(0, List::len));
    let (Some(list), Some((first, count))) = (list, range) else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    if call.should_offload(count) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    call.reply.array(count);
    for element in list.iter_from(first, Side::Back).take(count) {
        call.element(element)?;
    }
    Ok(Flow::Done)
}

/// The first index and the number of elements from `start` to `stop`, both inclusive and negative from the
/// end.
pub(super) fn range(start: i64, stop: i64, len: usize) -> Option<(usize, usize)> {
    let len = i64::try_from(len).ok()?;
    let from_start = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let (first, last) = (from_start(start).max(0), from_start(stop).min(len - 1));
    if first > last {
        None
    } else {
        Some((usize::try_from(first).ok()?, usize::try_from(last - first + 1).ok()?))
    }
}

pub static LINDEX: Command = Command::read("LINDEX", lindex)
    .syntax("key index")
    .arity(Exactly(3))
    .keys(&[key(1).read_only().accesses()])
    .since("1.0.0")
    .complexity(
        "O(N) where N is the number of elements to traverse to get to the element at index. This makes \
         asking for the first or the last element of the list O(1).",
    )
    .summary("Returns an element from a list by its index.");

fn lindex(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    // A missing key is reported before an index that is no number.
    let Some(list) = view.read::<List>(&key)? else { return call.null() };
    let index = call.args.integer()?;
    match place(index, list.len()).and_then(|index| list.nth(index)) {
        Some(element) => call.element(element),
        None => call.null(),
    }
}

/// The index from the front, of one that counts from the end if it is negative. It may be beyond the end, never before
/// the front.
pub(super) fn place(index: i64, len: usize) -> Option<usize> {
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    if index < 0 { len.checked_sub(distance) } else { Some(distance) }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_range_is_cut_to_the_list() {
        assert_eq!(range(0, -1, 5), Some((0, 5)));
        assert_eq!(range(-100, 100, 5), Some((0, 5)));
        assert_eq!(range(1, 2, 5), Some((1, 2)));
        assert_eq!(range(-2, -1, 5), Some((3, 2)));
        assert_eq!(range(i64::MIN, i64::MAX, 5), Some((0, 5)));
    }

    #[test]
    fn a_range_outside_or_in_the_wrong_order_is_empty() {
        assert_eq!(range(3, 1, 5), None);
        assert_eq!(range(5, 10, 5), None);
        assert_eq!(range(-10, -6, 5), None);
        assert_eq!(range(0, -1, 0), None);
    }
}

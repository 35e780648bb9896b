//! Parts of strings: lengths, ranges, appending, overwriting in place.

use shardis_storage::{IntBuffer, Transaction, View};

use super::string_bytes_max;
use crate::command::Arity::Exactly;
use crate::command::{Call, Command, Done, Error, Flags, key};

pub static STRLEN: Command = Command::read("STRLEN", strlen)
    .syntax("key")
    .arity(Exactly(2))
    .keys(&[key(1).read_only()])
    .flags(Flags::FAST)
    .since("2.2.0")
    .complexity("O(1)")
    .summary("Returns the length of a string value.");

fn strlen(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let len = view.string(&key)?.map_or(0, |value| value.len());
    call.integer(len)
}

pub static APPEND: Command = Command::write("APPEND", append)
    .syntax("key value")
    .arity(Exactly(3))
    .keys(&[key(1).read_write().inserts()])
    .flags(Flags::DENY_OOM.union(Flags::FAST))
    .since("2.0.0")
    .complexity(
        "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already \
         present value is of any size, since the dynamic string library used by Redis will double the free \
         space available on every reallocation.",
    )
    .summary("Appends a string to the value of a key. Creates the key if it doesn't exist.");

fn append(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let tail = call.args.take()?;
    let len = txn.append(&key, tail, string_bytes_max(call))??;
    call.integer(len)
}

pub static GETRANGE: Command = Command::read("GETRANGE", getrange)
    .syntax("key start end")
    .arity(Exactly(4))
    .keys(&[key(1).read_only().accesses()])
    .since("2.4.0")
    .complexity(RANGE_COMPLEXITY)
    .summary("Returns a substring of the string stored at a key.");

const RANGE_COMPLEXITY: &str = "O(N) where N is the length of the returned string. The complexity is \
    ultimately determined by the returned length, but because creating a substring from an existing string \
    is very cheap, it can be considered O(1) for small strings.";

fn getrange(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let (start, end) = (call.args.integer()?, call.args.integer()?);
    let Some(value) = view.string(&key)? else { return call.bulk(b"") };
    let mut buffer = IntBuffer::new();
    let bytes = value.bytes(&mut buffer);
    call.bulk(range(start, end, bytes.len()).and_then(|range| bytes.get(range)).unwrap_or_default())
}

/// The bytes from `start` to `end`, both inclusive and negative from the end of the string. An end before the
/// string counts as its first byte, unless both indexes are negative and in the wrong order.
fn range(start: i64, end: i64, len: usize) -> Option<std::ops::RangeInclusive<usize>> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let len = i64::try_from(len).ok()?;
    let from_start = |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
    let (start, end) = (from_start(start), from_start(end).min(len - 1));
    if start > end { None } else { Some(usize::try_from(start).ok()?..=usize::try_from(end).ok()?) }
}

pub static SUBSTR: Command = Command::read("SUBSTR", getrange)
    .syntax("key start end")
    .arity(Exactly(4))
    .keys(&[key(1).read_only().accesses()])
    .since("1.0.0")
    .complexity(RANGE_COMPLEXITY)
    .summary("Returns a substring from a string value.")
    .deprecated("2.0.0", "`GETRANGE`");

pub static SETRANGE: Command = Command::write("SETRANGE", setrange)
    .syntax("key offset value")
    .arity(Exactly(4))
    .keys(&[key(1).read_write().updates()])
    .flags(Flags::DENY_OOM)
    .since("2.2.0")
    .complexity(
        "O(1), not counting the time taken to copy the new string in place. Usually, this string is very \
         small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of \
         the value argument.",
    )
    .summary(
        "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't \
        exist.",
    );

fn setrange(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let key = call.next_key()?;
    let offset = usize::try_from(call.args.integer()?).map_err(|_| Error::OFFSET_OUT_OF_RANGE)?;
    let bytes = call.args.take()?;
    let len = txn.write_range(&key, offset, bytes, string_bytes_max(call))??;
    call.integer(len)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn indexes_beyond_the_ends_are_moved_to_them() {
        assert_eq!(range(2, 100, 6), Some(2..=5));
        assert_eq!(range(-3, -1, 6), Some(3..=5));
        assert_eq!(range(-50, -40, 6), Some(0..=0), "an end before the string is its first byte");
        assert_eq!(range(i64::MIN, i64::MAX, 6), Some(0..=5));
    }

    #[test]
    fn a_range_in_the_wrong_order_is_empty() {
        assert_eq!(range(4, 2, 6), None);
        assert_eq!(range(-1, -3, 6), None);
        assert_eq!(range(i64::MAX, i64::MIN, 6), None);
        assert_eq!(range(0, -1, 0), None);
    }
}

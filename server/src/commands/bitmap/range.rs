//! BITCOUNT and BITPOS: the bits of a string, or of a range of its bytes or bits.

use std::ops::Range;

use shardis_protocol::number;
use shardis_storage::{IntBuffer, View, bits};

use super::BYTES_PER_WORK_UNIT;
use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Args, Call, Command, Done, Error, Flow, KeySpec, key};

const KEYS: &[KeySpec] = &[key(1).read_only().accesses()];
const HISTORY: &[(&str, &str)] = &[("7.0.0", "Added the `BYTE|BIT` option.")];

pub static BITCOUNT: Command = Command::read("BITCOUNT", bitcount)
    .syntax("key [range=<start end:integer [BYTE | BIT]@7.0.0>]")
    .arity(AtLeast(2))
    .keys(KEYS)
    .since("2.6.0")
    .complexity("O(N)")
    .summary("Counts the number of set bits (population counting) in a string.")
    .history(HISTORY);

fn bitcount(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let ends = if call.dialect().bit_ranges_checked_first { Some(Ends::of_count(call)?) } else { None };
    let Some(value) = view.string(&key)? else { return call.integer(0) };
    let mut digits = IntBuffer::new();
    let bytes = value.bytes(&mut digits);
    let ends = ends.map_or_else(|| Ends::of_count(call), Ok)?;
    let range = if ends.are_swapped() { 0..0 } else { ends.bits(bytes.len()) };
    if call.should_offload(range.len() / 8 / BYTES_PER_WORK_UNIT) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    let count = bits::count(bytes, range);
    call.integer(count)
}

pub static BITPOS: Command = Command::read("BITPOS", bitpos)
    .syntax("key bit [range=<start [end-unit-block=<end:integer [BYTE | BIT]@7.0.0>]>]")
    .arity(AtLeast(3))
    .keys(KEYS)
    .since("2.8.7")
    .complexity("O(N)")
    .summary("Finds the first set (1) or clear (0) bit in a string.")
    .history(HISTORY);

fn bitpos(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let key = call.next_key()?;
    let is_set = match call.args.integer()? {
        0 => false,
        1 => true,
        _ => return Err(Error::BIT_ARGUMENT),
    };
    let ends = if call.dialect().bit_ranges_checked_first { Some(Ends::of_search(call.args)?) } else { None };
    // Where there is no string, there are zeros without end.
    let Some(value) = view.string(&key)? else { return call.integer(if is_set { -1 } else { 0 }) };
    let mut digits = IntBuffer::new();
    let bytes = value.bytes(&mut digits);
    let ends = ends.map_or_else(|| Ends::of_search(call.args), Ok)?;
    let range = ends.bits(bytes.len());
    if call.should_offload(range.len() / 8 / BYTES_PER_WORK_UNIT) {
        view.uncount(&key);
        return Ok(Flow::Offload);
    }
    match bits::position(bytes, is_set, range.clone()) {
        Some(at) => call.integer(at),
        // So there are behind a string whose end is not given.
        None if !is_set && ends.end.is_none() && !range.is_empty() => call.integer(range.end),
        None => call.integer(-1),
    }
}

/// The ends of a range as they are given: both belong to it, and a negative one counts from the end of the string.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    start: i64,
    /// The end of the string if there is none.
    end: Option<i64>,
    are_bits: bool,
}

impl Ends {
    /// What BITCOUNT is given, in the order in which the imitated server looks at it.
    fn of_count(call: &Call<'_>) -> Result<Ends, Error> {
        let mut args = call.args;
        if call.dialect().bit_ranges_checked_first {
            return Ends::of_search(args);
        }
        if ![0, 2, 3].contains(&args.len()) {
            return Err(Error::SYNTAX);
        }
        if args.is_empty() {
            return Ok(Ends::default());
        }
        let ends = Ends { start: args.integer()?, end: Some(args.integer()?), are_bits: false };
        match args.next() {
            Some(word) if !ends.are_swapped() => Ok(Ends { are_bits: is_bits(word)?, ..ends }),
            _ => Ok(ends),
        }
    }

    /// What BITPOS is given.
    fn of_search(mut args: Args<'_>) -> Result<Ends, Error> {
        let words = args.len();
        if words > 3 {
            return Err(Error::SYNTAX);
        }
        if words == 0 {
            return Ok(Ends::default());
        }
        let start = args.integer()?;
        let end = args.next();
        let are_bits = args.next().map_or(Ok(false), is_bits)?;
        let integer = |word| number::parse_i64(word).ok_or(Error::NOT_INTEGER);
        Ok(Ends { start, end: end.map(integer).transpose()?, are_bits })
    }

    /// Whether both count from the end of the string, in the wrong order.
    fn are_swapped(self) -> bool {
        self.start < 0 && self.end.is_some_and(|end| end < 0 && self.start > end)
    }

    /// The bits of a string of this length. An end before the string counts as its beginning.
    fn bits(self, len: usize) -> Range<usize> {
        let unit = if self.are_bits { 1 } else { 8 };
        let total = i64::try_from(len * 8 / unit).unwrap_or(i64::MAX);
        let from_start = |end: i64| if end < 0 { (total + end).max(0) } else { end };
        let (start, end) = (from_start(self.start), from_start(self.end.unwrap_or(i64::MAX)).min(total - 1));
        match (usize::try_from(start), usize::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end => start * unit..(end + 1) * unit,
            _ => 0..0,
        }
    }
}

/// Whether a unit is that of bits.
fn is_bits(word: &[u8]) -> Result<bool, Error> {
    match word {
        _ if is_word(word, "BIT") => Ok(true),
        _ if is_word(word, "BYTE") => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(start: i64, end: i64, are_bits: bool) -> Range<usize> {
        Ends { start, end: Some(end), are_bits }.bits(6)
    }

    #[test]
    fn ends_are_moved_into_the_string() {
        assert_eq!(bits(1, 1, false), 8..16);
        assert_eq!(bits(5, 30, true), 5..31);
        assert_eq!(bits(-2, -1, false), 32..48);
        assert_eq!(bits(i64::MIN, i64::MAX, true), 0..48);
        assert_eq!(bits(-50, -100, false), 0..8, "an end before the string is its first byte");
        assert_eq!(Ends { start: 3, end: None, are_bits: false }.bits(6), 24..48);
    }

    #[test]
    fn nothing_is_in_a_range_in_the_wrong_order_or_behind_the_string() {
        assert!(
            bits(3, 2, false).is_empty() && bits(6, 9, false).is_empty() && bits(-1, -2, true).is_empty()
        );
        assert!(Ends::default().bits(0).is_empty());
    }
}

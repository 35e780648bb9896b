//! LCS: the longest common subsequence of two strings, its length, or where it lies in them. Of several
//! longest ones the reply is the one that Redis finds, so ties are broken as it breaks them.

use std::ops::RangeInclusive;

use shardis_protocol::Reply;
use shardis_storage::{EntryRef, IntBuffer, View};

use super::string_bytes_max;
use crate::command::Arity::AtLeast;
use crate::command::{Args, Call, Command, Done, Error, Flow, keys};

pub static LCS: Command = Command::read("LCS", lcs)
    .syntax("key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]")
    .arity(AtLeast(3))
    .keys(&[keys(1, 1, 1).read_only().accesses()])
    .since("7.0.0")
    .complexity("O(N*M) where N and M are the lengths of s1 and s2, respectively")
    .summary("Finds the longest common substring.");

fn lcs(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let (first_key, second_key) = (call.next_key()?, call.next_key()?);
    // Both reads are counted before either value is borrowed.
    view.lookup(&first_key);
    view.lookup(&second_key);
    let (mut first_digits, mut second_digits) = (IntBuffer::new(), IntBuffer::new());
    let first = bytes_of(view.looked_up(&first_key), &mut first_digits)?;
    let second = bytes_of(view.looked_up(&second_key), &mut second_digits)?;
    let options = Options::parse(&mut call.args)?;
    // The limit is that of the table Redis makes, though ours is a fraction of it.
    let table_bytes = (first.len() + 1).saturating_mul(second.len() + 1).saturating_mul(REDIS_CELL_BYTES);
    if table_bytes > string_bytes_max(call) {
        return Err(Error::LCS_TOO_LARGE);
    }
    if call.should_offload(first.len().saturating_mul(second.len()) / CELLS_PER_WORK_UNIT) {
        view.uncount(&first_key);
        view.uncount(&second_key);
        return Ok(Flow::Offload);
    }
    let table = Table::new(first, second);
    if options.positions {
        write_matches(call.reply, &table, options);
        Ok(Flow::Done)
    } else if options.length {
        call.integer(table.length)
    } else {
        call.bulk(&table.subsequence())
    }
}

/// The bytes of a string; a missing key is the empty one.
fn bytes_of<'b>(entry: Option<EntryRef<'b>>, digits: &'b mut IntBuffer) -> Result<&'b [u8], Error> {
    match entry {
        Some(entry) => Ok(entry.string().ok_or(Error::LCS_NEEDS_STRINGS)?.bytes(digits)),
        None => Ok(b""),
    }
}

/// What to reply.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    length: bool,
    positions: bool,
    with_lengths: bool,
    run_length_min: usize,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        while !args.is_empty() {
            if args.take_word("LEN") {
                options.length = true;
            } else if args.take_word("IDX") {
                options.positions = true;
            } else if args.take_word("WITHMATCHLEN") {
                options.with_lengths = true;
            } else if args.take_word("MINMATCHLEN") {
                options.run_length_min = usize::try_from(args.integer()?).unwrap_or(0);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if options.length && options.positions { Err(Error::LCS_LENGTH_AND_POSITIONS) } else { Ok(options) }
    }
}

/// Which way the longest common subsequence goes from every pair of prefixes. One bit a pair tells all: where
/// the last bytes differ, whether the first string is the one to shorten.
struct Table<'a> {
    first: &'a [u8],
    second: &'a [u8],
    shorten_first: Vec<u64>,
    length: usize,
}

impl<'a> Table<'a> {
    fn new(first: &'a [u8], second: &'a [u8]) -> Table<'a> {
        let mut shorten_first = vec![0_u64; (first.len() * second.len()).div_ceil(64)];
        // Lengths for the previous and the current prefix of `first`, by the length of the prefix of
        // `second`.
        let mut above = vec![0_u32; second.len() + 1];
        let mut row = above.clone();
        let mut cell = 0;
        for a in first {
            for (j, b) in second.iter().enumerate() {
                if a == b {
                    row[j + 1] = above[j] + 1;
                } else if above[j + 1] > row[j] {
                    row[j + 1] = above[j + 1];
                    shorten_first[cell / 64] |= 1 << (cell % 64);
                } else {
                    row[j + 1] = row[j];
                }
                cell += 1;
            }
            std::mem::swap(&mut above, &mut row);
        }
        let length = above[second.len()] as usize;
        Table { first, second, shorten_first, length }
    }

    /// The positions of common bytes, from the end to the beginning.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut i, mut j) = (self.first.len(), self.second.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                if self.first[i - 1] == self.second[j - 1] {
                    (i, j) = (i - 1, j - 1);
                    return Some((i, j));
                }
                let cell = (i - 1) * self.second.len() + j - 1;
                if self.shorten_first[cell / 64] >> (cell % 64) & 1 == 1 { i -= 1 } else { j -= 1 }
            }
            None
        })
    }

    fn subsequence(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.pairs().map(|(i, _)| self.first[i]).collect();
        bytes.reverse();
        bytes
    }

    /// The same as runs of neighbours: the range in each string, from the end to the beginning.
    fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (i, j) in self.pairs() {
            match runs.last_mut() {
                Some(run) if run.first == i + 1 && run.second == j + 1 => {
                    *run = Run { first: i, second: j, length: run.length + 1 };
                }
                _ => runs.push(Run { first: i, second: j, length: 1 }),
            }
        }
        runs
    }
}

/// A stretch that both strings have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: usize,
    second: usize,
    length: usize,
}

fn write_matches(reply: &mut Reply, table: &Table<'_>, options: Options) {
    let mut runs = table.runs();
    runs.retain(|run| run.length >= options.run_length_min);
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(runs.len());
    for run in runs {
        reply.array(2 + usize::from(options.with_lengths));
        for start in [run.first, run.second] {
            write_range(reply, start..=start + run.length - 1);
        }
        if options.with_lengths {
            reply.integer(run.length as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(table.length as i64);
}

fn write_range(reply: &mut Reply, range: RangeInclusive<usize>) {
    reply.array(2);
    reply.integer(*range.start() as i64);
    reply.integer(*range.end() as i64);
}

/// Pairs of prefixes that cost as much as one unit of [`Call::should_offload`].
const CELLS_PER_WORK_UNIT: usize = 64;
/// What Redis spends on a pair.
const REDIS_CELL_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn table<'a>(first: &'a str, second: &'a str) -> Table<'a> {
        Table::new(first.as_bytes(), second.as_bytes())
    }

    #[test]
    fn the_subsequence_and_its_runs_are_those_of_the_documentation() {
        let table = table("ohmytext", "mynewtext");
        assert_eq!(table.length, 6);
        assert_eq!(table.subsequence(), b"mytext");
        let runs = [Run { first: 4, second: 5, length: 4 }, Run { first: 2, second: 0, length: 2 }];
        assert_eq!(table.runs(), runs);
    }

    #[test]
    fn empty_and_different_strings_have_nothing_in_common() {
        for (first, second) in [("", ""), ("", "abc"), ("abc", ""), ("abc", "xyz")] {
            let table = table(first, second);
            assert_eq!((table.length, table.subsequence(), table.runs()), (0, Vec::new(), Vec::new()));
        }
    }
}

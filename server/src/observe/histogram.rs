//! How often a command took how long: counters whose ranges grow with the time they stand for, so that a few hundred of them
//! tell a nanosecond from a second within a sixteenth. One thread counts, anybody reads; a report adds threads up.
//!
//! ```text
//! times     0 .. 15   16 .. 31   32, 33 .. 62, 63   64..67 ...   each power of two has SUB_RANGES ranges
//! counters  0 .. 15   16 .. 31   32     .. 47       48     ...
//! ```

use super::stats::Counter;

/// Ranges of one power of two: a sixteenth is finer than what two runs differ by.
const SUB_RANGES: u64 = 1 << SUB_RANGE_BITS;
const SUB_RANGE_BITS: u32 = 4;
/// Longer times count as this: a second, as in Redis.
const NANOSECONDS_MAX: u64 = 1_000_000_000;
/// Where the longest time is counted, and one more.
const RANGES: usize = range_of(NANOSECONDS_MAX) + 1;

/// Times that are not told from one another.
#[derive(Clone, Copy, Debug)]
pub struct Range(u16);

impl Range {
    /// That of a time.
    pub fn of(nanoseconds: u64) -> Range {
        Range(range_of(nanoseconds.min(NANOSECONDS_MAX)) as u16)
    }
}

/// The times of one command on one thread.
#[derive(Debug)]
pub struct Histogram([Counter; RANGES]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram([const { Counter::new() }; RANGES])
    }
}

impl Histogram {
    /// Counts a call whose time lies in this range.
    #[inline]
    pub fn count(&self, range: Range) {
        self.0[usize::from(range.0)].add(1);
    }

    /// Forgets all calls.
    pub fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }
}

/// The times of one command on all threads.
#[derive(Clone, Debug)]
pub struct Distribution {
    counts: [u64; RANGES],
    /// How many calls were counted.
    pub calls: u64,
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution { counts: [0; RANGES], calls: 0 }
    }
}

impl Distribution {
    /// Adds what a thread has counted.
    pub fn add(&mut self, histogram: &Histogram) {
        for (count, counter) in self.counts.iter_mut().zip(&histogram.0) {
            *count += counter.value();
            self.calls += counter.value();
        }
    }

    /// For each power of two in which there is a call: its upper end in microseconds, and how many calls took no longer.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut rows = Vec::new();
        let (mut seen, mut told, mut at) = (0, 0, 0);
        let mut end_ns = FIRST_ROW_NS;
        while seen < self.calls {
            // A call of exactly the upper end is the first one of the next range, which begins there.
            let end = range_of(end_ns);
            seen += self.counts[at.min(RANGES)..end.min(RANGES)].iter().sum::<u64>();
            at = end;
            if seen > told {
                rows.push(((end_ns + end_ns / ROW_SLACK - 1) / 1000, seen));
                told = seen;
            }
            end_ns *= 2;
        }
        rows
    }

    /// The time in nanoseconds that `percent` of the calls do not exceed, as the upper end of its range.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((percent / 100.0 * self.calls as f64).round() as u64).max(1);
        let mut seen = 0;
        let range = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        range.map_or(0, |range| start_of(range + 1) - 1)
    }
}

/// The end of the first row of a report: about a microsecond.
const FIRST_ROW_NS: u64 = 1024;
/// Redis's rows end a 128th behind the power of two, which shows from 32 microseconds on: they are called 33, 66, 132.
const ROW_SLACK: u64 = 128;

/// The counter of a time.
const fn range_of(nanoseconds: u64) -> usize {
    if nanoseconds < SUB_RANGES {
        return nanoseconds as usize;
    }
    let power = nanoseconds.ilog2() - SUB_RANGE_BITS;
    power as usize * SUB_RANGES as usize + (nanoseconds >> power) as usize
}

/// The least time of a counter.
const fn start_of(range: usize) -> u64 {
    let range = range as u64;
    if range < SUB_RANGES {
        return range;
    }
    let power = range / SUB_RANGES - 1;
    (SUB_RANGES + range % SUB_RANGES) << power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(times: &[u64]) -> Distribution {
        let histogram = Histogram::default();
        times.iter().for_each(|&time| histogram.count(Range::of(time)));
        let mut distribution = Distribution::default();
        distribution.add(&histogram);
        distribution
    }

    #[test]
    fn every_time_lies_in_its_range_and_ranges_follow_each_other() {
        for time in (0..100_000).chain([NANOSECONDS_MAX - 1, NANOSECONDS_MAX]) {
            let range = range_of(time);
            assert!((start_of(range)..start_of(range + 1)).contains(&time), "{time}");
        }
        assert!((1..RANGES).all(|range| range_of(start_of(range)) == range));
    }

    #[test]
    fn rows_end_where_those_of_redis_do() {
        let times: Vec<u64> = (0..20).map(|power| 1000 << power).chain([u64::MAX]).collect();
        let rows = distribution(&times).cumulative();
        let ends: Vec<u64> = rows.iter().map(|row| row.0).collect();
        let redis = [1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633];
        assert_eq!(ends[..redis.len()], redis);
        assert_eq!(rows.last().map(|row| row.1), Some(21));
    }

    #[test]
    fn rows_without_a_new_call_are_left_out() {
        assert_eq!(distribution(&[]).cumulative(), []);
        assert_eq!(distribution(&[100, 500, 9_000_000]).cumulative(), [(1, 2), (16908, 3)]);
    }

    #[test]
    fn percentiles_are_within_a_sixteenth() {
        let times: Vec<u64> = (1..=1000).map(|time| time * 1000).collect();
        let distribution = distribution(&times);
        for (percent, time) in [(0.0, 1000), (50.0, 500_000), (99.0, 990_000), (100.0, 1_000_000)] {
            let found = distribution.percentile(percent);
            assert!(found >= time && found <= time + time / 16 + 1, "{percent}: {found}");
        }
    }
}

//! The latency monitor: what has held clients up for longer than `latency-monitor-threshold`, second by second. LATENCY shows
//! it; an event that is never measured here does not exist. How often each command took how long is another matter
//! (`histogram`), which needs no threshold.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::Config;

/// What can hold clients up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command.
    Command,
    /// The opening of a cut for a computation.
    ComputeCut,
    /// A visit of a computation to a shard, which is locked meanwhile.
    ComputeSlice,
    /// The making of room for a command.
    EvictionCycle,
    /// The choice and removal of one key for it.
    EvictionDel,
    /// A period of active expiry.
    ExpireCycle,
    /// A command that is flagged as fast.
    FastCommand,
}

impl Event {
    /// All events with their names, in the order of reports.
    pub const NAMES: [(Event, &'static str); 7] = [
        (Event::Command, "command"),
        (Event::ComputeCut, "compute-cut"),
        (Event::ComputeSlice, "compute-slice"),
        (Event::EvictionCycle, "eviction-cycle"),
        (Event::EvictionDel, "eviction-del"),
        (Event::ExpireCycle, "expire-cycle"),
        (Event::FastCommand, "fast-command"),
    ];
}

/// What has been observed of every event.
#[derive(Debug, Default)]
pub struct LatencyMonitor([Mutex<Series>; Event::NAMES.len()]);

/// What has been observed of one event.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The worst of each second in which there was one, the oldest first: Unix seconds and milliseconds.
    pub samples: VecDeque<(i64, i64)>,
    /// The worst since the last reset.
    pub max_ms: i64,
    /// All together since the last reset.
    pub sum_ms: i64,
    /// How many since the last reset.
    pub count: i64,
}

impl LatencyMonitor {
    /// Remembers that something took so long, if that is long enough to be remembered.
    pub fn note(&self, event: Event, took: Duration, config: &Config, at_seconds: i64) {
        let threshold_ms = config.latency_monitor_threshold.value();
        let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        if threshold_ms > 0 && took_ms >= threshold_ms {
            self.0[event as usize].lock().add(took_ms, at_seconds);
        }
    }

    /// The events that have been observed, in the order of reports.
    pub fn observed(&self) -> Vec<(&'static str, Series)> {
        let all = Event::NAMES.iter().zip(&self.0).map(|((_, name), series)| (*name, series.lock().clone()));
        all.filter(|(_, series)| !series.samples.is_empty()).collect()
    }

    /// What has been observed of the event of this name; nothing if there is no such event.
    pub fn series(&self, name: &[u8]) -> Series {
        let index = Event::NAMES.iter().position(|(_, known)| known.as_bytes() == name);
        index.map(|index| self.0[index].lock().clone()).unwrap_or_default()
    }

    /// Forgets the events that are wanted: how many there were.
    pub fn reset(&self, is_wanted: impl Fn(&str) -> bool) -> usize {
        let wanted = Event::NAMES.iter().zip(&self.0).filter(|((_, name), _)| is_wanted(name));
        wanted.filter(|(_, series)| !std::mem::take(&mut *series.lock()).samples.is_empty()).count()
    }
}

impl Series {
    fn add(&mut self, took_ms: i64, at_seconds: i64) {
        self.max_ms = self.max_ms.max(took_ms);
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
        self.count += 1;
        match self.samples.back_mut() {
            Some((second, worst_ms)) if *second == at_seconds => *worst_ms = took_ms.max(*worst_ms),
            _ => {
                if self.samples.len() == SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back((at_seconds, took_ms));
            }
        }
    }

    /// A picture of the samples with their ages, at most `GRAPH_COLUMNS` beside each other.
    pub fn graph(&self, event: &str, now_seconds: i64) -> String {
        let times = || self.samples.iter().map(|&(_, ms)| ms);
        let (high, low) = (times().max().unwrap_or(0), times().min().unwrap_or(0));
        let mut text = format!("{event} - high {high} ms, low {low} ms (all time high {} ms)\n", self.max_ms);
        text.push_str(&"-".repeat(GRAPH_COLUMNS));
        text.push('\n');
        let samples: Vec<_> = self.samples.iter().copied().collect();
        for (index, chunk) in samples.chunks(GRAPH_COLUMNS).enumerate() {
            text.push_str(if index > 0 { "\n" } else { "" });
            let columns: Vec<Vec<u8>> = chunk
                .iter()
                .map(|&(at, ms)| column((ms - low) * STEPS / (high - low).max(1), &age(now_seconds - at)))
                .collect();
            let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
            for row in 0..rows {
                let characters = columns.iter().map(|column| column.get(row).copied().unwrap_or(b' '));
                text.extend(characters.map(char::from));
                text.push('\n');
            }
        }
        text
    }
}

/// A bar of the graph, from its top down to the last letter of its label.
fn column(step: i64, label: &str) -> Vec<u8> {
    let step = step.min(STEPS - 1);
    let bar = (0..GRAPH_ROWS).rev().map(|row| match step - row * GRAPH_LEVELS {
        level @ 0..GRAPH_LEVELS => b"_o#"[level as usize],
        GRAPH_LEVELS.. => b'|',
        _ => b' ',
    });
    bar.chain([b' ']).chain(label.bytes()).collect()
}

fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Seconds of an event that are remembered.
const SAMPLES_MAX: usize = 160;
const GRAPH_COLUMNS: usize = 80;
const GRAPH_ROWS: i64 = 4;
/// Heights that a character can show.
const GRAPH_LEVELS: i64 = 3;
const STEPS: i64 = GRAPH_ROWS * GRAPH_LEVELS;

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(samples: &[(i64, u64)]) -> LatencyMonitor {
        let (monitor, config) = (LatencyMonitor::default(), Config::default());
        config.latency_monitor_threshold.set(2);
        for &(at_seconds, ms) in samples {
            monitor.note(Event::Command, Duration::from_millis(ms), &config, at_seconds);
        }
        monitor
    }

    #[test]
    fn a_second_is_remembered_by_its_worst() {
        let monitor = monitor(&[(10, 5), (10, 9), (10, 3), (11, 1), (12, 4)]);
        let series = monitor.series(b"command");
        assert_eq!(series.samples, [(10, 9), (12, 4)]);
        assert_eq!((series.max_ms, series.sum_ms, series.count), (9, 21, 4));
        assert_eq!(monitor.observed().len(), 1);
        assert_eq!(monitor.reset(|name| name == "fast-command"), 0);
        assert_eq!(monitor.reset(|_| true), 1);
        assert!(monitor.observed().is_empty() && monitor.series(b"nosuch").samples.is_empty());
    }

    #[test]
    fn only_so_many_seconds_are_remembered() {
        let samples: Vec<_> = (0..200).map(|second| (second, 2)).collect();
        let series = monitor(&samples).series(b"command");
        assert_eq!((series.samples.len(), series.samples.front()), (SAMPLES_MAX, Some(&(40, 2))));
    }

    /// The picture that redis-server 7.0.15 drew of these three, and of one alone.
    #[test]
    fn the_graph_is_drawn_as_redis_does() {
        let graph = |samples: &[(i64, u64)]| {
            let text = monitor(samples).series(b"command").graph("command", 103);
            text.split_once(&format!("{}\n", "-".repeat(80))).map(|(_, graph)| graph.to_owned())
        };
        assert_eq!(
            graph(&[(100, 20), (102, 300), (103, 3)]).as_deref(),
            Some(" # \n | \n | \n_|_\n   \n310\nsss\n")
        );
        assert_eq!(graph(&[(43, 7)]).as_deref(), Some(" \n \n \n_\n \n1\nm\n"));
        let wide: Vec<_> = (0..81).map(|second| (second, 2)).collect();
        assert_eq!(graph(&wide).map(|graph| graph.matches("\n\n").count()), Some(1));
    }

    #[test]
    fn nothing_is_remembered_without_a_threshold() {
        let monitor = LatencyMonitor::default();
        monitor.note(Event::ExpireCycle, Duration::from_secs(9), &Config::default(), 1);
        assert!(monitor.observed().is_empty());
    }

    #[test]
    fn every_event_stands_where_its_number_says() {
        for (index, (event, _)) in Event::NAMES.iter().enumerate() {
            assert_eq!(*event as usize, index);
        }
        assert!(Event::NAMES.is_sorted_by_key(|(_, name)| name));
    }
}

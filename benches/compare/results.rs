//! Every measured value, long and flat, and what follows from it: medians, ratios, verdicts.
//!
//! A figure is one row of the report; a sample is one value of it, from one server in one round. Neither texts
//! nor plots are made here.

use crate::failure::{Failure, system};
use shardis_benches::target::{Against, Bound, Target};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Our server's name.
pub const OURS: &str = "ours";
/// Our server measured a second time in the same round: its ratio to the first time is the noise.
pub const OURS_AGAIN: &str = "ours again";

/// The part of the report to which a figure belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Cpu,
    Throughput,
    Latency,
    Memory,
    Resident,
    Start,
    InProcess,
    Compute,
    Scripts,
    Waiting,
    Locks,
}

/// One row of the report.
#[derive(Debug)]
pub struct Figure {
    pub section: Section,
    pub name: String,
    pub target: Target,
    samples: Vec<Sample>,
}

/// One measured value.
#[derive(Debug)]
struct Sample {
    server: String,
    round: usize,
    value: f64,
}

/// How a figure stands to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Met,
    Missed,
    /// The peer that the limit speaks of was not measured.
    Unmeasured,
}

/// Everything a run has found out.
#[derive(Default)]
pub struct Results {
    figures: Vec<Figure>,
    /// Figures that our server cannot be asked for yet.
    pub not_yet: Vec<String>,
}

impl Results {
    /// Adds one value of the figure `name`, which is created with its first value.
    pub fn record(&mut self, key: (Section, &str, Target), server: &str, round: usize, value: f64) {
        let (section, name, target) = key;
        let known = self.figures.iter().position(|figure| figure.section == section && figure.name == name);
        let index = known.unwrap_or_else(|| {
            self.figures.push(Figure { section, name: name.to_owned(), target, samples: Vec::new() });
            self.figures.len() - 1
        });
        self.figures[index].samples.push(Sample { server: server.to_owned(), round, value });
    }

    /// Whether no figure was so much as tried.
    pub fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.not_yet.is_empty()
    }

    /// The figures of a section, in the order in which they were measured.
    pub fn figures(&self, section: Section) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(move |figure| figure.section == section)
    }

    /// The figure called `name`.
    pub fn figure(&self, section: Section, name: &str) -> Option<&Figure> {
        self.figures(section).find(|figure| figure.name == name)
    }

    /// One sentence for each first target that was not reached.
    pub fn missed_targets(&self) -> Vec<String> {
        let judged = self.figures.iter().filter_map(|figure| {
            let limit = figure.target.first?;
            let verdict = figure.judge(limit)?;
            let what = format!("{:?}: {}", figure.section, figure.name);
            match verdict {
                Verdict::Met => None,
                Verdict::Missed => {
                    let side = match figure.target.bound {
                        Bound::AtMost => "above",
                        Bound::AtLeast => "below",
                    };
                    Some(format!("{what}: {:.3} is {side} {limit:.2}", figure.judged_value()?))
                }
                Verdict::Unmeasured => Some(format!("{what}: nobody to compare with")),
            }
        });
        judged.collect()
    }

    /// Writes every sample as JSON.
    pub fn write_json(&self, path: &Path) -> Result<(), Failure> {
        let samples = self.figures.iter().flat_map(|figure| {
            figure.samples.iter().map(move |sample| {
                format!(
                    r#"{{"section":"{:?}","figure":"{}","server":"{}","round":{},"value":{}}}"#,
                    figure.section,
                    json_text(&figure.name),
                    json_text(&sample.server),
                    sample.round,
                    sample.value
                )
            })
        });
        let text = format!("[\n{}\n]\n", samples.collect::<Vec<_>>().join(",\n"));
        fs::write(path, text).map_err(system(format!("cannot write {}", path.display())))
    }
}

impl Figure {
    /// The median of a server's values.
    pub fn value(&self, server: &str) -> Option<f64> {
        median(self.of(server).map(|sample| sample.value).collect())
    }

    /// The median over the rounds of ours divided by the peer's value of the same round.
    pub fn ratio(&self, peer: &str) -> Option<f64> {
        let pairs = self.of(OURS).filter_map(|ours| {
            let theirs = self.of(peer).find(|sample| sample.round == ours.round)?;
            (theirs.value > 0.0).then(|| ours.value / theirs.value)
        });
        median(pairs.collect())
    }

    /// How our figure stands to `limit`; nothing when ours was not measured.
    pub fn judge(&self, limit: f64) -> Option<Verdict> {
        self.value(OURS)?;
        Some(match self.judged_value() {
            Some(value) if self.target.is_met(value, limit) => Verdict::Met,
            Some(_) => Verdict::Missed,
            None => Verdict::Unmeasured,
        })
    }

    /// What limits apply to: the value or the ratio.
    fn judged_value(&self) -> Option<f64> {
        match self.target.against {
            Against::Itself => self.value(OURS),
            Against::Peer(name) => self.ratio(name),
            Against::BestPeer => {
                let peers = self.samples.iter().map(|sample| sample.server.as_str());
                let peers = peers.filter(|server| ![OURS, OURS_AGAIN].contains(server));
                let ratios = peers.filter_map(|peer| self.ratio(peer));
                // The best peer is the one to which our ratio is the worst.
                match self.target.bound {
                    Bound::AtMost => ratios.max_by(f64::total_cmp),
                    Bound::AtLeast => ratios.min_by(f64::total_cmp),
                }
            }
        }
    }

    fn of(&self, server: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.server == server)
    }
}

/// The middle value; of an even number the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => {
                write!(out, "\\u{:04x}", control as u32).expect("invariant: writing to a String cannot fail");
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(against: Against, samples: &[(&str, usize, f64)]) -> Results {
        let mut results = Results::default();
        let target = Target { goal: None, ..Target::ratio(against, 0.75, 0.75) };
        for (server, round, value) in samples {
            results.record((Section::Cpu, "GET", target), server, *round, *value);
        }
        results
    }

    #[test]
    fn medians_of_odd_even_and_no_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn ratios_pair_the_values_of_one_round() {
        // The machine was three times as slow in round 1: the ratios do not notice.
        let samples = [(OURS, 0, 1.0), ("peer", 0, 2.0), (OURS, 1, 3.0), ("peer", 1, 6.0), (OURS, 2, 1.0)];
        let results = results(Against::Peer("peer"), &samples);
        assert_eq!(results.figure(Section::Cpu, "GET").and_then(|figure| figure.ratio("peer")), Some(0.5));
        assert!(results.missed_targets().is_empty());
    }

    #[test]
    fn the_best_peer_is_the_judge() {
        let samples = [(OURS, 0, 1.0), (OURS_AGAIN, 0, 0.9), ("slow", 0, 4.0), ("fast", 0, 1.25)];
        let missed = results(Against::BestPeer, &samples).missed_targets();
        assert_eq!(missed, ["Cpu: GET: 0.800 is above 0.75"]);
    }

    #[test]
    fn where_more_is_better_the_worst_ratio_is_the_least() {
        let mut results = Results::default();
        let target = Target::at_least(Against::BestPeer, 5.0);
        for (server, value) in [(OURS, 12.0), ("slow", 1.0), ("fast", 3.0)] {
            results.record((Section::Locks, "pairs", target), server, 0, value);
        }
        assert_eq!(results.missed_targets(), ["Locks: pairs: 4.000 is below 5.00"]);
    }

    #[test]
    fn a_target_without_its_peer_is_not_reached() {
        let missed = results(Against::Peer("valkey"), &[(OURS, 0, 1.0)]).missed_targets();
        assert_eq!(missed, ["Cpu: GET: nobody to compare with"]);
        assert!(results(Against::Peer("valkey"), &[("redis", 0, 1.0)]).missed_targets().is_empty());
    }

    #[test]
    fn json_strings_are_escaped() {
        assert_eq!(json_text("a\"b\\c\n"), "a\\\"b\\\\c\\u000a");
    }
}

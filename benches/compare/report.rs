//! The report: one Markdown table per section, ratios beside the values, targets with their verdicts.
//!
//! Only text from results; measuring and judging are done elsewhere.

use crate::results::{Figure, OURS, OURS_AGAIN, Results, Section, Verdict};
use shardis_benches::target::Bound;
use std::fmt::Write;

/// What a reader must know to place the figures.
pub struct Circumstances {
    /// Each server's name with what it says it is.
    pub servers: Vec<(String, String)>,
    /// Sizes, durations, the machine: one line each.
    pub lines: Vec<String>,
}

/// The whole report.
pub fn markdown(results: &Results, circumstances: &Circumstances) -> String {
    let mut out = String::from("# The comparison\n\n");
    for (name, identity) in &circumstances.servers {
        line(&mut out, &format!("- {name}: {identity}"));
    }
    for text in &circumstances.lines {
        line(&mut out, &format!("- {text}"));
    }
    let servers: Vec<&str> = circumstances.servers.iter().map(|(name, _)| name.as_str()).collect();
    for (section, title, explanation) in SECTIONS {
        let figures: Vec<&Figure> = results.figures(section).collect();
        if !figures.is_empty() {
            line(&mut out, &format!("\n## {title}\n\n{explanation}\n"));
            let render = if section == Section::Latency { percentile_table } else { table };
            out.push_str(&render(&figures, &servers));
        }
    }
    if !results.not_yet.is_empty() {
        line(&mut out, &format!("\n## Not yet\n\nOurs has no command for: {}.", results.not_yet.join(", ")));
    }
    let missed = results.missed_targets();
    if !missed.is_empty() {
        line(&mut out, "\n## First targets that were not reached\n");
        missed.iter().for_each(|sentence| line(&mut out, &format!("- {sentence}")));
    }
    out
}

/// A value in three significant digits or a few more.
pub fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The figures that are plotted and told, with their titles.
pub const SECTIONS: [(Section, &str, &str); 11] = [
    (
        Section::Cpu,
        "Server CPU per request, µs",
        "P is the number of requests in a batch. A/A is ours measured twice in a round: the noise.",
    ),
    (
        Section::Throughput,
        "Throughput, thousand requests a second",
        "With one core for the load, often the load generator's limit.",
    ),
    (
        Section::Latency,
        "Latency, µs",
        "p50 / p99 / p99.9 / max, sent by the clock at half of what the slowest server can do, from the intended time.",
    ),
    (Section::Memory, "Bytes per item, by used_memory", "Growth over a fresh process divided by the items."),
    (Section::Resident, "Bytes per item, resident", "Growth of resident memory over a fresh process."),
    (Section::Start, "Starting and idling", "Medians over several starts."),
    (
        Section::InProcess,
        "In process",
        "Calls of `Session::execute` from one thread, without a socket, replies checked and decoded.",
    ),
    (
        Section::Compute,
        "Computing",
        "A sum over one field of every hash; the peers run a Lua loop of SCAN and HGET.",
    ),
    (
        Section::Scripts,
        "Long scripts",
        "Two at once on two cores; and GET of keys in other shards than a script's, while that runs for two seconds on the same core.",
    ),
    (
        Section::Waiting,
        "Waiting for others",
        "How long after a push a blocked client is served, and GET beside the freeing of a huge set; the quietest windows.",
    ),
    (
        Section::Locks,
        "Locks",
        "LOCK.ACQUIRE and LOCK.RELEASE; the peers get what the Lock of redis-py sends, which waits by trying again, every 100 ms \
         unless it is told otherwise. A pair is taking a lock and giving it back. 64 waiters: somebody holds the lock while all of \
         them wait, and the time counts from its release until each has had it once. Coming back at once: each of 64 tries again as \
         soon as it has given the lock back, so one of those who poll can keep it from the others, which the longest wait shows.",
    ),
];

fn table(figures: &[&Figure], servers: &[&str]) -> String {
    let measured = |server: &str| figures.iter().any(|figure| figure.value(server).is_some());
    let present: Vec<&str> = servers.iter().copied().filter(|server| measured(server)).collect();
    // A ratio is told where both sides were measured; ours measured again is a peer like the others.
    let rivals = present.iter().copied().chain([OURS_AGAIN]).filter(|server| *server != OURS);
    let rivals: Vec<&str> =
        rivals.filter(|rival| figures.iter().any(|figure| figure.ratio(rival).is_some())).collect();
    let first = figures.iter().any(|figure| figure.target.first.is_some());
    let goal = figures.iter().any(|figure| figure.target.goal.is_some());

    let mut titles = vec!["figure".to_owned()];
    titles.extend(present.iter().map(|server| (*server).to_owned()));
    titles.extend(rivals.iter().map(|rival| match *rival {
        OURS_AGAIN => "A/A".to_owned(),
        peer => format!("{OURS} / {peer}"),
    }));
    titles.extend(first.then(|| "first target".to_owned()));
    titles.extend(goal.then(|| "goal".to_owned()));

    let rows = figures.iter().map(|figure| {
        let mut cells = vec![figure.name.clone()];
        cells.extend(present.iter().map(|server| figure.value(server).map_or_else(String::new, shown)));
        cells.extend(
            rivals.iter().map(|rival| figure.ratio(rival).map_or_else(String::new, |r| format!("{r:.2}"))),
        );
        cells.extend(first.then(|| judged(figure, figure.target.first)));
        cells.extend(goal.then(|| judged(figure, figure.target.goal)));
        cells
    });
    rows_of_cells(titles, rows)
}

/// One row per load instead of one per percentile: its figures share the name up to the last comma.
fn percentile_table(figures: &[&Figure], servers: &[&str]) -> String {
    let load = |figure: &Figure| figure.name.rsplit_once(", ").map_or("", |(load, _)| load).to_owned();
    let titles = ["figure"].into_iter().chain(servers.iter().copied()).map(str::to_owned).collect();
    let rows = figures.chunk_by(|one, next| load(one) == load(next)).map(|percentiles| {
        let cell = |server: &&str| {
            let values = percentiles.iter().filter_map(|figure| figure.value(server).map(shown));
            values.collect::<Vec<_>>().join(" / ")
        };
        [load(percentiles[0])].into_iter().chain(servers.iter().map(cell)).collect()
    });
    rows_of_cells(titles, rows)
}

fn rows_of_cells(titles: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rule = (0..titles.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned()).collect();
    let mut out = String::new();
    for cells in [titles, rule].into_iter().chain(rows) {
        line(&mut out, &format!("| {} |", cells.join(" | ")));
    }
    out
}

fn judged(figure: &Figure, limit: Option<f64>) -> String {
    let Some(limit) = limit else { return String::new() };
    let mark = match figure.judge(limit) {
        Some(Verdict::Met) => " ✓",
        Some(Verdict::Missed) => " ✗",
        Some(Verdict::Unmeasured) => " ?",
        None => "",
    };
    let sign = match figure.target.bound {
        Bound::AtMost => '≤',
        Bound::AtLeast => '≥',
    };
    format!("{sign} {}{mark}", (limit * 100.0).round() / 100.0)
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("invariant: writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardis_benches::target::{Against, Target};

    fn measured() -> Results {
        let mut results = Results::default();
        let target = Target::ratio(Against::Peer("valkey"), 0.75, 0.60);
        for (server, value) in [(OURS, 0.7), ("valkey", 1.0), (OURS_AGAIN, 0.7)] {
            results.record((Section::Cpu, "GET P16", target), server, 0, value);
        }
        results
    }

    #[test]
    fn tables_show_values_ratios_noise_and_verdicts() {
        let results = measured();
        let figures: Vec<&Figure> = results.figures(Section::Cpu).collect();
        assert_eq!(
            table(&figures, &[OURS, "redis", "valkey"]),
            "| figure | ours | valkey | ours / valkey | A/A | first target | goal |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n\
             | GET P16 | 0.700 | 1.00 | 0.70 | 1.00 | ≤ 0.75 ✓ | ≤ 0.6 ✗ |\n"
        );
    }

    #[test]
    fn percentiles_of_one_load_share_a_row() {
        let mut results = Results::default();
        for (name, value) in [("GET P1 at 2k/s, p50", 10.0), ("GET P1 at 2k/s, p99", 200.0)] {
            results.record((Section::Latency, name, Target::NONE), OURS, 0, value);
        }
        let figures: Vec<&Figure> = results.figures(Section::Latency).collect();
        assert_eq!(
            percentile_table(&figures, &[OURS]),
            "| figure | ours |\n| --- | ---: |\n| GET P1 at 2k/s | 10.0 / 200 |\n"
        );
    }

    #[test]
    fn reports_name_what_is_missing() {
        let mut results = measured();
        results.not_yet.push("ZADD".to_owned());
        let circumstances =
            Circumstances { servers: vec![(OURS.to_owned(), "0.1".to_owned())], lines: Vec::new() };
        let text = markdown(&results, &circumstances);
        assert!(text.contains("no command for: ZADD."));
        assert!(!text.contains("Latency"));
    }

    #[test]
    fn values_keep_three_digits() {
        assert_eq!([1234.5, 12.345, 1.2345, 0.18765].map(shown), ["1234", "12.3", "1.23", "0.188"]);
    }
}

//! The report of INFO: sections of fields, in the order and under the names that tools parse. It is written once for all
//! personalities: each leaves out what its server does not tell (`Dialect::without`), the order is the same for all. What
//! this server has none of is reported as by a server that does not use it.

mod activity;
mod memory;
mod server;
pub mod system;

use std::fmt::Display;

use shardis_storage::ShardTotals;

use crate::config::Dialect;
use crate::state::State;

/// A section of the report.
pub struct Section {
    /// What a call may ask for, in any case; the first is the title.
    pub names: &'static [&'static str],
    /// Whether it is part of the report when nothing is asked for.
    pub is_default: bool,
    write: fn(&mut Report<'_>),
}

const fn section(names: &'static [&'static str], is_default: bool, write: fn(&mut Report<'_>)) -> Section {
    Section { names, is_default, write }
}

const SECTIONS: [Section; 18] = [
    section(&["Server"], true, |report| report.server()),
    section(&["TLS"], false, |report| report.tls()),
    section(&["Clients"], true, |report| report.clients()),
    section(&["Memory"], true, |report| report.memory()),
    section(&["Persistence"], true, |report| report.persistence()),
    section(&["Stats"], true, |report| report.stats()),
    section(&["Replication"], true, |report| report.replication()),
    section(&["CPU"], true, |report| report.cpu()),
    section(&["Modules", "module_list"], true, |report| report.modules()),
    section(&["Commandstats"], false, |report| report.command_stats()),
    section(&["Errorstats"], true, |report| report.error_stats()),
    section(&["Latencystats"], false, |report| report.latency_stats()),
    section(&["Cluster"], true, |report| report.field("cluster_enabled", 0)),
    section(&["Cluster Info", "cluster_info"], false, |_| {}),
    section(&["Scripting Engines", "scriptingengines"], false, |report| report.scripting_engines()),
    section(&["Keyspace"], true, |report| report.keyspace()),
    section(&["Compute"], false, |report| report.compute()),
    section(&["Locks"], false, |report| report.locks()),
];

/// The sections that are wanted. Reads files of the system, so it is nothing for a network thread.
pub fn report(state: &State, totals: ShardTotals, is_wanted: impl Fn(&Section) -> bool) -> String {
    let dialect = state.config.dialect();
    let mut report = Report { state, dialect, totals, text: String::new() };
    let has = |section: &&Section| dialect.tells(section.names[0]) && is_wanted(section);
    for section in SECTIONS.iter().filter(has) {
        if !report.text.is_empty() {
            report.text.push_str("\r\n");
        }
        report.text.push_str(&format!("# {}\r\n", section.names[0]));
        (section.write)(&mut report);
    }
    report.text
}

/// A report under construction.
struct Report<'s> {
    state: &'s State,
    dialect: &'static Dialect,
    totals: ShardTotals,
    text: String,
}

impl Report<'_> {
    /// A field, if the imitated server tells it.
    fn field(&mut self, name: &str, value: impl Display) {
        if self.dialect.tells(name) {
            self.text.push_str(&format!("{name}:{value}\r\n"));
        }
    }

    /// Several fields with one value.
    fn fields(&mut self, names: &[&str], value: impl Display) {
        for name in names {
            self.field(name, &value);
        }
    }

    /// Several fields of what there is none of.
    fn none(&mut self, names: &[&str]) {
        self.fields(names, 0);
    }

    /// A number of bytes, and the same for humans.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.human(name, bytes);
    }

    fn human(&mut self, name: &str, bytes: u64) {
        self.field(&format!("{name}_human"), human(bytes));
    }

    /// A parameter as CONFIG GET shows it.
    fn setting(&self, name: &str) -> Option<String> {
        String::from_utf8(self.state.config.get(name)?).ok()
    }
}

/// As Redis writes bytes for humans.
fn human(bytes: u64) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    let mut value = bytes as f64;
    let mut unit = None;
    for larger in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(larger);
    }
    unit.map_or_else(|| format!("{bytes}B"), |unit| format!("{value:.2}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_humans_have_two_decimals_and_the_largest_unit_that_fits() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (965_792, "943.16K"),
            (1_048_576, "1.00M"),
            (25_276_502_016, "23.54G"),
            (1 << 40, "1.00T"),
            (u64::MAX, "16384.00P"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
    }
}

//! The report of LATENCY DOCTOR: what has been observed, and what can be done about it. Redis's doctor talks like HAL 9000,
//! Valkey's like an engineer; both mean the same.

use super::latency::{LatencyMonitor, Series};
use crate::config::Config;

/// The report.
pub fn report(monitor: &LatencyMonitor, config: &Config, now_seconds: i64) -> String {
    let voice = &config.dialect().doctor;
    let observed = monitor.observed();
    if observed.is_empty() {
        let is_off = config.latency_monitor_threshold.value() == 0;
        return if is_off { voice.is_off } else { voice.all_is_well }.to_owned();
    }
    let mut text = format!("{}\n\n", voice.greeting);
    for (index, (name, series)) in observed.iter().enumerate() {
        let spikes = Spikes::of(series, now_seconds);
        text.push_str(&format!(
            "{}. {name}: {} latency spikes (average {}ms, mean deviation {}ms, period {:.2} sec). Worst all time event \
             {}ms.\n",
            index + 1,
            series.samples.len(),
            spikes.average_ms,
            spikes.deviation_ms,
            spikes.period_seconds,
            series.max_ms,
        ));
    }
    text.push_str(&format!("\n{}\n\n", voice.before_advice));
    for (advice, _) in
        ADVICE.iter().filter(|(_, applies)| observed.iter().any(|(name, _)| applies(name, config)))
    {
        let threshold_us = config.latency_monitor_threshold.value().saturating_mul(1000);
        let advice = advice
            .replace("{threshold}", &threshold_us.to_string())
            .replace("{Server}", voice.server)
            .replace("{server}", config.dialect().server_name);
        text.push_str(&format!("- {advice}\n"));
    }
    text
}

/// What there is to say about the samples of an event.
struct Spikes {
    average_ms: i64,
    deviation_ms: i64,
    period_seconds: f64,
}

impl Spikes {
    fn of(series: &Series, now_seconds: i64) -> Spikes {
        let count = series.samples.len().max(1) as i64;
        let average = |times: &mut dyn Iterator<Item = i64>| times.fold(0_i64, i64::saturating_add) / count;
        let average_ms = average(&mut series.samples.iter().map(|&(_, ms)| ms));
        let deviation_ms = average(&mut series.samples.iter().map(|&(_, ms)| (ms - average_ms).abs()));
        let oldest = series.samples.front().map_or(now_seconds, |&(at, _)| at);
        let period_seconds = (now_seconds - oldest).max(1) as f64 / count as f64;
        Spikes { average_ms, deviation_ms, period_seconds }
    }
}

/// A piece of advice, and whether it helps against an event.
type Advice = (&'static str, fn(&str, &Config) -> bool);

const ADVICE: [Advice; 7] = [
    (
        "There are latency issues with potentially slow commands you are using. Try to enable the Slow Log {Server} \
         feature using the command 'CONFIG SET slowlog-log-slower-than {threshold}'. If the Slow log is disabled {Server} \
         is not able to log slow commands execution for you.",
        |event, config| event == "command" && is_slow_log_off(config),
    ),
    (
        "Your current Slow Log configuration only logs events that are slower than your configured latency monitor \
         threshold. Please use 'CONFIG SET slowlog-log-slower-than {threshold}'.",
        |event, config| {
            let slow_ms = config.logged.slower_than_us.value() / 1000;
            let is_higher = slow_ms > config.latency_monitor_threshold.value();
            event == "command" && !is_slow_log_off(config) && is_higher
        },
    ),
    (
        "Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please \
         check https://{server}.io/commands/slowlog for more information.",
        |event, _| event == "command",
    ),
    (
        "The system is slow to execute {Server} code paths not containing system calls. This usually means the system \
         does not provide {Server} CPU time to run for long periods. You should try to:\n  \
         1) Lower the system load.\n  \
         2) Use a computer / VM just for {Server} if you are running other software in the same system.\n  \
         3) Check if you have a \"noisy neighbour\" problem.\n  \
         4) Check with '{server}-cli --intrinsic-latency 100' what is the intrinsic latency in your system.\n  \
         5) Check if the problem is allocator-related by recompiling {Server} with MALLOC=libc, if you are using \
         Jemalloc. However this may create fragmentation problems.",
        |event, _| event == "fast-command",
    ),
    (
        "In order to make the {Server} keys expiring process more incremental, try to set the 'hz' configuration \
         parameter to 100 using 'CONFIG SET hz 100'.",
        |event, config| event == "expire-cycle" && config.hz.value() < 100,
    ),
    (
        "Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you have \
         very large objects that are often deleted, expired, or evicted, try to fragment those objects into multiple \
         smaller objects.",
        |event, _| matches!(event, "command" | "expire-cycle" | "eviction-del"),
    ),
    (
        "Sudden changes to the 'maxmemory' setting via 'CONFIG SET', or allocation of large objects via sets or sorted \
         sets intersections, STORE option of SORT, {Server} Cluster large keys migrations (RESTORE command), may create \
         sudden memory pressure forcing the server to block trying to evict keys. ",
        |event, _| event == "eviction-cycle",
    ),
];

fn is_slow_log_off(config: &Config) -> bool {
    config.logged.slower_than_us.value() < 0 || config.logged.slow_max_len.value() == 0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::latency::Event;
    use super::*;

    #[test]
    fn each_event_has_its_figures_and_brings_its_advice_once() {
        let (monitor, config) = (LatencyMonitor::default(), Config::default());
        assert!(report(&monitor, &config, 0).starts_with("I'm sorry, Dave"));
        config.latency_monitor_threshold.set(1);
        assert!(report(&monitor, &config, 0).starts_with("Dave, no latency spike"));
        for (at, ms) in [(100, 20), (101, 300), (102, 3)] {
            monitor.note(Event::Command, Duration::from_millis(ms), &config, at);
        }
        monitor.note(Event::ExpireCycle, Duration::from_millis(30), &config, 103);
        let text = report(&monitor, &config, 103);
        let figures = "1. command: 3 latency spikes (average 107ms, mean deviation 128ms, period 1.00 sec). Worst all time \
                       event 300ms.\n2. expire-cycle: 1 latency spikes (average 30ms, mean deviation 0ms, period 1.00 sec). \
                       Worst all time event 30ms.\n\n";
        assert!(text.contains(figures), "{text}");
        assert_eq!(text.matches("\n- ").count(), 4, "{text}");
        assert!(text.contains("'CONFIG SET slowlog-log-slower-than 1000'"));
        monitor.note(Event::EvictionCycle, Duration::from_millis(3), &config, 104);
        assert_eq!(report(&monitor, &config, 104).matches("\n- ").count(), 5);
        config.logged.slower_than_us.set(-1);
        assert!(report(&monitor, &config, 103).contains("Try to enable the Slow Log Redis feature"));
    }
}

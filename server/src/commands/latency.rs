//! LATENCY: what has held clients up, and how long each command takes. What is measured is told in `observe::latency` and
//! `observe::histogram`.

use shardis_protocol::Aggregate;

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::table::Entry;
use crate::command::{Call, Command, Done, Error, Flags, Flow, Told};
use crate::config::Personality;
use crate::observe::doctor;

pub static LATENCY: Command =
    Command::container("LATENCY", &[&DOCTOR, &GRAPH, &HELP, &HISTOGRAM, &HISTORY, &LATEST, &RESET])
        .since("2.8.13")
        .complexity("Depends on subcommand.")
        .summary("A container for latency diagnostics commands.");

const HARMLESS: Flags = Flags::LOADING.union(Flags::STALE);
const FLAGS: Flags = Flags::ADMIN.union(Flags::NO_SCRIPT).union(HARMLESS);
const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

static DOCTOR: Command = Command::client("DOCTOR", doctor)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("2.8.13")
    .complexity("O(1)")
    .summary("Returns a human-readable latency analysis report.")
    .tips(TIPS);

fn doctor(call: &mut Call<'_>, _: &mut Client) -> Done {
    let state = call.state;
    let report = doctor::report(&state.latency, &state.config, now_seconds(call));
    call.reply.verbatim(b"txt", report.as_bytes());
    Ok(Flow::Done)
}

static GRAPH: Command = Command::client("GRAPH", graph)
    .syntax("event")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("2.8.13")
    .complexity("O(1)")
    .summary("Returns a latency graph for an event.")
    .tips(TIPS);

fn graph(call: &mut Call<'_>, _: &mut Client) -> Done {
    let event = call.args.take()?;
    let series = call.state.latency.series(event);
    if series.samples.is_empty() {
        return Err(Error::no_samples(event));
    }
    let graph = series.graph(&String::from_utf8_lossy(event), now_seconds(call));
    call.reply.verbatim(b"txt", graph.as_bytes());
    Ok(Flow::Done)
}

static HISTOGRAM: Command = Command::client("HISTOGRAM", histogram)
    .syntax("[command [command ...]]")
    .arity(AtLeast(2))
    .flags(FLAGS)
    .since("7.0.0")
    .complexity("O(N) where N is the number of commands with latency information being retrieved.")
    .summary("Returns the cumulative distribution of latencies of a subset or all commands.")
    .tips(TIPS);

/// A container stands for its subcommands; what is no command, or was not called, is left out.
fn histogram(call: &mut Call<'_>, _: &mut Client) -> Done {
    let table = &call.state.commands;
    let wanted: Vec<&Entry> = if call.args.is_empty() {
        table.entries().iter().collect()
    } else {
        let named = call.args.rest().filter_map(|name| table.lookup_full_name(name));
        named.flat_map(|entry| [entry].into_iter().chain(table.subcommands(entry))).collect()
    };
    let mark = call.reply.mark();
    let mut commands = 0;
    for entry in wanted {
        let Some(distribution) = call.state.stats.distribution(entry.id) else { continue };
        commands += 1;
        call.reply.bulk(entry.full_name.as_bytes());
        call.reply.map(2);
        call.reply.bulk(b"calls");
        call.reply.integer(distribution.calls as i64);
        call.reply.bulk(b"histogram_usec");
        let rows = distribution.cumulative();
        call.reply.map(rows.len());
        for (microseconds, calls) in rows {
            call.reply.integer(microseconds as i64);
            call.reply.integer(calls as i64);
        }
    }
    call.reply.insert_header(mark, Aggregate::Map, commands);
    Ok(Flow::Done)
}

static HISTORY: Command = Command::client("HISTORY", history)
    .syntax("event")
    .arity(Exactly(3))
    .flags(FLAGS)
    .since("2.8.13")
    .complexity("O(1)")
    .summary("Returns timestamp-latency samples for an event.")
    .tips(TIPS);

fn history(call: &mut Call<'_>, _: &mut Client) -> Done {
    let series = call.state.latency.series(call.args.take()?);
    call.reply.array(series.samples.len());
    for (at_seconds, ms) in series.samples {
        call.reply.array(2);
        call.reply.integer(at_seconds);
        call.reply.integer(ms);
    }
    Ok(Flow::Done)
}

static LATEST: Command = Command::client("LATEST", latest)
    .arity(Exactly(2))
    .flags(FLAGS)
    .since("2.8.13")
    .complexity("O(1)")
    .summary("Returns the latest latency samples for all events.")
    .tips(TIPS);

fn latest(call: &mut Call<'_>, _: &mut Client) -> Done {
    let observed = call.state.latency.observed();
    let has_totals = call.dialect().latest_has_totals;
    call.reply.array(observed.len());
    for (event, series) in observed {
        let (at_seconds, ms) = series.samples.back().copied().unwrap_or_default();
        let numbers = [at_seconds, ms, series.max_ms, series.sum_ms, series.count];
        let numbers = &numbers[..if has_totals { 5 } else { 3 }];
        call.reply.array(1 + numbers.len());
        call.reply.bulk(event.as_bytes());
        numbers.iter().for_each(|&number| call.reply.integer(number));
    }
    Ok(Flow::Done)
}

static RESET: Command = Command::client("RESET", reset)
    .syntax("[event [event ...]]")
    .arity(AtLeast(2))
    .flags(FLAGS)
    .since("2.8.13")
    .complexity("O(1)")
    .summary("Resets the latency data for one or more events.")
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
    .elsewhere(&[(
        Personality::Valkey91,
        Told::Tips(&["request_policy:all_nodes", "response_policy:agg_sum"]),
    )]);

fn reset(call: &mut Call<'_>, _: &mut Client) -> Done {
    let wanted = call.args;
    let is_wanted = |name: &str| wanted.is_empty() || wanted.rest().any(|word| word == name.as_bytes());
    call.integer(call.state.latency.reset(is_wanted))
}

static HELP: Command = Command::help(help).since("2.8.13");

fn help(call: &mut Call<'_>, _: &mut Client) -> Done {
    call.help("LATENCY", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
    "    If no commands are specified then all histograms are replied.",
];

fn now_seconds(call: &Call<'_>) -> i64 {
    call.now_ms.div_euclid(1000)
}

//! `compare`: the same workloads on ours and on real servers, side by side, as ratios.
//!
//! It starts every server itself, pins servers and load to different cores, checks every reply, and prints a
//! Markdown report. It is no profiler and looks into no server: it sees what a client and `/proc` can see.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the real clock and waits for real time")]

mod connection;
mod failure;
mod generator;
mod options;
mod plot;
mod report;
mod results;
mod sections;
mod server;

use failure::{Failure, system};
use options::{HELP, Options};
use report::Circumstances;
use results::Results;
use sections::{
    Comparison, compute, crowd, in_process, kernels, load, locks, memory, pubsub, scripts, start, waiting,
};
use server::{Program, RunningServer};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

// As the program has it: what is measured in this process is to be what the server does, not what another allocator does.
#[global_allocator]
static ALLOCATOR: shardis_storage::allocator::Allocator = shardis_storage::allocator::Allocator;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("compare: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let executable = std::env::current_exe().map_err(system("cannot find this program's own path"))?;
    // The program lies in target/PROFILE.
    let profile = executable.parent().unwrap_or(Path::new("."));
    let target = profile.parent().unwrap_or(Path::new("."));
    let Some(options) = Options::parse(std::env::args().skip(1), target, profile)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(&options.out).map_err(system(format!("cannot create {}", options.out.display())))?;
    let circumstances = circumstances(&options)?;
    let mut comparison = Comparison { options, results: Results::default(), begun: Instant::now() };
    let parts = [
        start::run,
        crowd::run,
        in_process::run,
        load::run,
        pubsub::run,
        memory::run,
        compute::run,
        kernels::run,
        scripts::run,
        waiting::run,
        locks::run,
    ];
    for part in parts {
        part(&mut comparison)?;
    }
    if comparison.results.is_empty() {
        return Err(Failure::Usage("--only selects nothing".to_owned()));
    }
    publish(&comparison, &circumstances)?;
    let missed = comparison.results.missed_targets();
    missed.iter().for_each(|target| comparison.progress(target));
    Ok(if comparison.options.gate && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the report and writes the files that were asked for.
fn publish(comparison: &Comparison, circumstances: &Circumstances) -> Result<(), Failure> {
    let Comparison { options, results, .. } = comparison;
    let text = report::markdown(results, circumstances);
    print!("{text}");
    let path = options.out.join("report.md");
    fs::write(&path, &text).map_err(system(format!("cannot write {}", path.display())))?;
    if let Some(path) = &options.json {
        results.write_json(path)?;
    }
    if options.plots {
        let servers: Vec<&str> = circumstances.servers.iter().map(|(name, _)| name.as_str()).collect();
        plot::write_all(results, &servers, &options.out)?;
    }
    comparison.progress(&format!("report and plots are in {}", options.out.display()));
    Ok(())
}

/// Starts every server once, which also shows early that each one can be started.
fn circumstances(options: &Options) -> Result<Circumstances, Failure> {
    let apart = server::cores_are_apart();
    let identify = |program: &Program| -> Result<(String, String), Failure> {
        let server = RunningServer::start(program, &options.out)?;
        let mut connection = server.connect()?;
        for name in VERSION_FIELDS {
            if let Some(version) = connection.info("server", name)? {
                return Ok((server.name.clone(), format!("{name} {version}")));
            }
        }
        Ok((server.name.clone(), "version unknown".to_owned()))
    };
    let servers = options.programs.iter().map(identify).collect::<Result<_, _>>()?;
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let lines = vec![
        format!(
            "processor {}; {}",
            model.map_or("unknown", |(_, name)| name),
            if apart { "servers on core 0, load on core 1" } else { "not pinned" }
        ),
        format!("{} keys, {} rounds of {:?}", options.keys, options.rounds, options.duration),
    ];
    Ok(Circumstances { servers, lines })
}

/// Fields of INFO in which servers say what they are, the most telling first.
const VERSION_FIELDS: [&str; 3] = ["shardis_version", "valkey_version", "redis_version"];

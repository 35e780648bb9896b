//! What thousands of silent connections cost those who work.

use super::Comparison;
use super::reads::Reads;
use crate::connection::dial;
use crate::failure::{Failure, lost, system};
use crate::results::Section;
use crate::server::RunningServer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shardis_benches::target::Target;
use std::net::TcpStream;

/// Measures our server alone, with and without the crowd in turns.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    if !comparison.options.selects(SECTION, FIGURE) {
        return Ok(());
    }
    let crowd = comparison.options.crowd;
    allow_files(crowd as u64 + FILES_BESIDE)?;
    let server = RunningServer::start(&comparison.options.programs[0], &comparison.options.out)?;
    let reads = Reads::prepare(&server, comparison.options.keys)?;
    let window = comparison.options.busy / WINDOW_SHARE;
    let turns = comparison.options.rounds * TURNS_PER_ROUND;
    let (mut alone_us, mut crowded_us) = (f64::INFINITY, f64::INFINITY);
    for turn in 1..=turns {
        comparison.progress(&format!("GET beside {crowd} idle connections: turn {turn} of {turns}"));
        for (p99_us, crowd) in [(&mut alone_us, 0), (&mut crowded_us, crowd)] {
            let idle = gather(&server, crowd)?;
            for _ in 0..WINDOWS {
                *p99_us = p99_us.min(reads.p99_us(window)?);
            }
            drop(idle);
            server.connect()?.demand(&["PING"])?;
        }
    }
    comparison.results.record((Section::Start, FIGURE, TARGET), &server.name, 0, crowded_us / alone_us);
    Ok(())
}

/// So many connections that say nothing.
fn gather(server: &RunningServer, crowd: usize) -> Result<Vec<TcpStream>, Failure> {
    let idle = (0..crowd).map(|_| dial(server.port)).collect::<Result<_, _>>().map_err(lost(&server.name))?;
    // An answer shows that those before it have been taken over from the kernel.
    server.connect()?.demand(&["PING"])?;
    Ok(idle)
}

/// Raises the limit of open files as far as it goes.
fn allow_files(wanted: u64) -> Result<(), Failure> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    setrlimit(Resource::Nofile, Rlimit { current, maximum })
        .map_err(|error| system("cannot raise the limit of open files")(error.into()))
}

const SECTION: &str = "start";
const FIGURE: &str = "GET p99 at 10k/s, beside thousands of idle connections / alone, quietest windows";
const TARGET: Target = Target { goal: None, ..Target::absolute(1.2, 1.2) };
/// Whatever takes the machine for a millisecond in a hundred decides over a 99th percentile, and only ever adds: of many short
/// windows the quietest tells what the server does.
const WINDOWS: usize = 8;
const TURNS_PER_ROUND: usize = 3;
/// Of the time that is taken to watch latency elsewhere.
const WINDOW_SHARE: u32 = 40;
const FILES_BESIDE: u64 = 500;

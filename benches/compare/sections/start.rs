//! Starting and idling: the time to the first PONG, the memory of a server without data, of a silent connection.

use super::Comparison;
use crate::failure::Failure;
use crate::results::Section;
use crate::server::RunningServer;
use shardis_benches::target::Target;
use std::thread;

/// Measures every server, interleaved, a few times.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let wanted = FIGURES.map(|(name, _)| comparison.options.selects(SECTION, name));
    if !wanted.contains(&true) {
        return Ok(());
    }
    let programs = comparison.options.programs.clone();
    let rounds = comparison.options.rounds * STARTS_PER_ROUND;
    for round in 0..rounds {
        for program in &programs {
            comparison.progress(&format!("start {} of {rounds}: {}", round + 1, program.name));
            let server = RunningServer::start(program, &comparison.options.out)?;
            let values = measure(comparison, &server)?;
            for ((name, target), value) in FIGURES.into_iter().zip(values) {
                comparison.results.record((Section::Start, name, target), &program.name, round, value);
            }
        }
    }
    Ok(())
}

/// The values of `FIGURES`.
fn measure(comparison: &Comparison, server: &RunningServer) -> Result<[f64; 3], Failure> {
    thread::sleep(comparison.options.settle);
    let idle = server.resident_bytes()?;
    let mut connections = Vec::new();
    for _ in 0..comparison.options.idle_connections {
        // An answer shows that the server has taken the connection over from the kernel.
        let mut connection = server.connect()?;
        connection.demand(&["PING"])?;
        connections.push(connection);
    }
    thread::sleep(comparison.options.settle);
    let connected = server.resident_bytes()?;
    let per_connection = (connected as f64 - idle as f64) / connections.len() as f64;
    Ok([server.ready_after.as_secs_f64() * 1e3, idle as f64 / 1e6, per_connection])
}

const SECTION: &str = "start";
const FIGURES: [(&str, Target); 3] = [
    ("binary to first PONG, ms", Target::absolute(20.0, 5.0)),
    ("idle server, resident MB", Target::absolute(10.0, 5.0)),
    ("idle connection, resident bytes", Target::absolute(4096.0, 1024.0)),
];
/// A start takes milliseconds, so it is repeated more often than a load.
const STARTS_PER_ROUND: usize = 3;

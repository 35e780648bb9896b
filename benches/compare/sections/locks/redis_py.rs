//! The same through redis-py: its own `Lock` where the server has no locks, LOCK.ACQUIRE and LOCK.RELEASE through
//! `execute_command` on ours. One Python program does both; it checks what it is answered, and prints its figures.

use super::crowd::CLIENTS;
use super::taker::Way;
use crate::failure::{Failure, system};
use crate::options::Options;
use crate::server::RunningServer;
use std::process::Command;

/// What the program prints, in its order: pairs a second of one client, hand-offs a second with the default pause and with a
/// short one, pairs a second of clients that come back at once, and their longest wait in milliseconds.
pub const FIGURES: usize = 5;

/// Runs the program against `server`; nothing where there is no redis-py.
pub fn measure(server: &RunningServer, way: Way, options: &Options) -> Result<Vec<f64>, Failure> {
    let Some(python) = &options.python else { return Ok(Vec::new()) };
    let kind = match way {
        Way::Queue => "queue",
        Way::Polling(_) => "polling",
    };
    let (port, seconds) = (server.port.to_string(), options.duration.as_secs_f64().to_string());
    let mut command = Command::new(python);
    command.args(["-c", PROGRAM, kind, &port, &CLIENTS.to_string(), &seconds]);
    let output = command.output().map_err(system(format!("cannot start {}", python.display())))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let values: Vec<f64> = printed.lines().filter_map(|line| line.parse().ok()).collect();
    if output.status.success() && values.len() == FIGURES {
        return Ok(values);
    }
    Err(Failure::WrongReply {
        server: server.name.clone(),
        command: "locks through redis-py".to_owned(),
        expected: format!("{FIGURES} figures"),
        received: format!("{printed}{}", String::from_utf8_lossy(&output.stderr)),
    })
}

const PROGRAM: &str = include_str!("redis_py.py");

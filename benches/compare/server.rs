//! A server under test: started on core 0, ended with its handle, and read through `/proc`.
//!
//! Knows processes and ports, not what is measured with them.

use crate::connection::Connection;
use crate::failure::{Failure, lost, system};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// An executable that takes Redis's options.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
}

/// Where a server runs.
#[derive(Clone, Copy, Debug)]
pub enum Cores {
    /// On one core, with the load on another.
    One,
    /// On that of the load, too.
    All,
}

/// A process that answers, until this is dropped.
pub struct RunningServer {
    pub name: String,
    pub port: u16,
    /// From the order to start until the first PONG.
    pub ready_after: Duration,
    child: Child,
}

impl RunningServer {
    /// Starts `program` on its core and waits for its first PONG. Its output goes to a log file in `out`.
    pub fn start(program: &Program, out: &Path) -> Result<Self, Failure> {
        Self::start_on(program, out, Cores::One)
    }

    /// The same on other cores.
    pub fn start_on(program: &Program, out: &Path, cores: Cores) -> Result<Self, Failure> {
        let log_path = out.join(format!("{}.log", program.name));
        let log = File::create(&log_path).map_err(system(format!("cannot write {}", log_path.display())))?;
        let errors = log.try_clone().map_err(system("cannot share a log file"))?;
        let port = free_port().map_err(system("no free port"))?;
        let mut command = Command::new(&program.path);
        command.args(["--port", &port.to_string()]).args(FIXED_OPTIONS).arg("--dir").arg(out);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let begun = Instant::now();
        // A child inherits the affinity of the thread that starts it.
        match cores {
            Cores::One => pin_to(&[SERVER_CORE]),
            Cores::All => pin_to(&[SERVER_CORE, LOAD_CORE]),
        };
        let child = command.spawn();
        pin_to(&[LOAD_CORE]);
        let child = child.map_err(system(format!("cannot start {}", program.path.display())))?;
        let name = program.name.clone();
        let mut server = Self { name, port, ready_after: Duration::ZERO, child };
        server.await_pong(begun, &log_path)?;
        Ok(server)
    }

    /// Opens a connection.
    pub fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.name, self.port).map_err(lost(&self.name))
    }

    /// Processor time that the server's threads have used so far, in nanoseconds.
    pub fn cpu_ns(&self) -> Result<u64, Failure> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let sum = || -> io::Result<u64> {
            let mut sum = 0;
            for task in fs::read_dir(&tasks)? {
                // A thread that ends between listing and reading takes its time with it: nothing to add.
                let line = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
                sum += line.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
            }
            Ok(sum)
        };
        sum().map_err(lost(&self.name))
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64, Failure> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = fs::read_to_string(path).map_err(lost(&self.name))?;
        let kilobytes = text.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
        let kilobytes = kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0);
        Ok(kilobytes * 1024)
    }

    fn await_pong(&mut self, begun: Instant, log: &Path) -> Result<(), Failure> {
        loop {
            let answer =
                Connection::open(&self.name, self.port).map(|mut connection| connection.call(&["PING"]));
            if let Ok(Ok(_)) = answer {
                self.ready_after = begun.elapsed();
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(system("cannot ask for a child's status"))?;
            let reason = match ended {
                Some(status) => format!("it ended with {status}"),
                None if begun.elapsed() > START_TIMEOUT => "no answer to PING".to_owned(),
                None => {
                    thread::sleep(START_POLL);
                    continue;
                }
            };
            let said = fs::read_to_string(log).unwrap_or_default();
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
            return Err(Failure::Start {
                server: self.name.clone(),
                reason: format!("{reason}; last said: {last}"),
            });
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // Both fail only when the process has ended and been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this machine has a core for the server and another for the load.
pub fn cores_are_apart() -> bool {
    pin_to(&[SERVER_CORE]) && pin_to(&[LOAD_CORE])
}

/// Moves the calling thread; on a machine without that core it stays where it is.
fn pin_to(cores: &[usize]) -> bool {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).is_ok()
}

fn free_port() -> io::Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|address| address.port())
}

const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;
const FIXED_OPTIONS: [&str; 6] = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
const START_TIMEOUT: Duration = Duration::from_secs(20);
const START_POLL: Duration = Duration::from_micros(100);

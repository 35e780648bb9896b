//! What becomes of a lock when a client of it is killed: how long until the next one in turn has it.
//!
//! The client that dies is a process of its own which has nothing but the connection: this program sends the request on a
//! socket, hands that to the child as its standard input, and closes its own copy. SIGKILL then closes the connection as it
//! would that of any program.

use super::taker::{Taker, Way};
use crate::connection::{Connection, Value};
use crate::failure::{Failure, system};
use crate::options::Options;
use crate::results::median;
use crate::server::RunningServer;
use shardis_benches::workload::words;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Milliseconds from the death of the holder to the next grant. Where no lock lasts as long as a connection, its lease ends.
pub fn of_the_holder(server: &RunningServer, way: Way, _: &Options) -> Result<Vec<f64>, Failure> {
    several(|round| {
        let key = format!("holder:{round}");
        let mut connection = server.connect()?;
        let request = match way {
            Way::Queue => words(["LOCK.ACQUIRE", &key, "dying", "SESSION"]),
            Way::Polling(_) => words(["SET", &key, "dying", "NX", "PX", LEASE_MS]),
        };
        let reply = connection.call(&request)?;
        if matches!(reply, Value::Null | Value::Error(_)) {
            return Err(connection.wrong(request.join(" ").as_bytes(), "a grant", &reply));
        }
        let dying = Bystander::with(connection)?;
        let mut next = Taker::connect(server, way, &key, 0)?;
        until_granted(&mut next, || {
            drop(dying);
            Ok(())
        })
    })
}

/// Milliseconds from the release of a lock to its grant to the second who waits, when the first has just been killed.
pub fn of_a_waiter(server: &RunningServer, way: Way, _: &Options) -> Result<Vec<f64>, Failure> {
    several(|round| {
        let key = format!("waiter:{round}");
        let mut holder = Taker::connect(server, way, &key, 0)?;
        holder.take()?;
        let mut connection = server.connect()?;
        connection.ask(&match way {
            Way::Queue => words(["LOCK.ACQUIRE", &key, "dying", "WAIT", "0"]),
            Way::Polling(_) => words(["SET", &key, "dying", "NX", "PX", LEASE_MS]),
        })?;
        let dying = Bystander::with(connection)?;
        thread::sleep(SETTLING);
        let mut next = Taker::connect(server, way, &key, 1)?;
        until_granted(&mut next, || {
            drop(dying);
            holder.give_back()
        })
    })
}

/// The time from what `end` does, while `next` waits, to the grant of `next`.
fn until_granted(next: &mut Taker, end: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            next.take()?;
            let granted = Instant::now();
            next.give_back()?;
            Ok::<_, Failure>(granted)
        });
        thread::sleep(SETTLING);
        let begun = Instant::now();
        end()?;
        let granted = waiting.join().expect("invariant: a client does not panic")?;
        Ok(granted.saturating_duration_since(begun))
    })
}

/// The median of several deaths.
fn several(death: impl FnMut(u32) -> Result<Duration, Failure>) -> Result<Vec<f64>, Failure> {
    let times = (0..DEATHS).map(death).collect::<Result<Vec<_>, _>>()?;
    Ok(median(times.iter().map(|time| time.as_secs_f64() * 1e3).collect()).into_iter().collect())
}

/// A process that keeps a connection open until it is killed, which happens when this is dropped.
struct Bystander(Child);

impl Bystander {
    fn with(connection: Connection) -> Result<Self, Failure> {
        let socket = OwnedFd::from(connection.into_stream());
        let mut command = Command::new("sleep");
        command.arg(LIFE_SECONDS).stdin(socket).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(system("cannot start sleep"))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        // Both fail only when the process has ended and been waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const DEATHS: u32 = 3;
/// The lease of a lock that ends by that alone. Programs that renew theirs use longer ones.
const LEASE_MS: &str = "1000";
/// Until a client waits.
const SETTLING: Duration = Duration::from_millis(20);
/// A bystander that nobody kills ends by itself.
const LIFE_SECONDS: &str = "60";

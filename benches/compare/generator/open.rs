//! The open loop: batches leave by the clock, answered or not, and a request's latency counts from the instant at
//! which it should have left.
//!
//! A server that pauses is charged for every request that the pause delayed. Sockets do not block here; the
//! thread looks at those with batches under way again and again, so it needs a core of its own.

use super::Bounds;
use super::pool::Pool;
use crate::failure::{Failure, lost};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

/// Sends `rate` requests a second in batches of `pipeline`, taking turns among `connections`, and records
/// nanoseconds per request.
pub fn run(
    server: &str,
    connections: &[TcpStream],
    pool: &Pool,
    pipeline: usize,
    rate: f64,
    bounds: Bounds,
) -> Result<Histogram<u64>, Failure> {
    let mut lines: Vec<Line<'_>> = connections.iter().map(|stream| Line::new(server, stream, pool)).collect();
    for connection in connections {
        connection.set_nonblocking(true).map_err(lost(server))?;
    }
    let histogram = drive(&mut lines, pool, pipeline, rate, bounds);
    for connection in connections {
        connection.set_nonblocking(false).map_err(lost(server))?;
    }
    histogram
}

fn drive(
    lines: &mut [Line<'_>],
    pool: &Pool,
    pipeline: usize,
    rate: f64,
    bounds: Bounds,
) -> Result<Histogram<u64>, Failure> {
    let mut histogram =
        Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS).expect("invariant: fixed bounds");
    let interval_ns = (1e9 * pipeline as f64 / rate).max(1.0) as u64;
    let mut batches = bounds.batches(pipeline, pool.len());
    let mut next = batches.next();
    let mut turn = 0;
    let begun = Instant::now();
    let mut due = begun;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let now = Instant::now();
        // Reading must not starve while the clock is behind: at most one batch a connection goes out in between.
        for _ in 0..lines.len() {
            if due > now || due - begun >= bounds.duration {
                break;
            }
            let Some(batch) = next.take() else { break };
            lines[turn].send(batch, due)?;
            next = batches.next();
            turn = (turn + 1) % lines.len();
            due += Duration::from_nanos(interval_ns);
        }
        let mut under_way = false;
        for line in lines.iter_mut().filter(|line| !line.under_way.is_empty()) {
            line.poll(&mut chunk, &mut histogram)?;
            under_way = true;
        }
        if !under_way {
            if next.is_none() || due - begun >= bounds.duration {
                return Ok(histogram);
            }
            thread::yield_now();
        }
        if now - begun > bounds.duration + OVERTIME_MAX {
            return Err(lost(lines[0].server)(io::ErrorKind::TimedOut.into()));
        }
    }
}

/// One connection and what is under way on it.
struct Line<'a> {
    server: &'a str,
    stream: &'a TcpStream,
    pool: &'a Pool,
    under_way: VecDeque<(Range<usize>, Instant)>,
    unsent: Vec<u8>,
    received: Vec<u8>,
}

impl<'a> Line<'a> {
    fn new(server: &'a str, stream: &'a TcpStream, pool: &'a Pool) -> Self {
        Self { server, stream, pool, under_way: VecDeque::new(), unsent: Vec::new(), received: Vec::new() }
    }

    /// Sends `batch`, which should have left at `due`.
    fn send(&mut self, batch: Range<usize>, due: Instant) -> Result<(), Failure> {
        self.unsent.extend_from_slice(self.pool.requests(&batch));
        self.under_way.push_back((batch, due));
        self.flush()
    }

    /// Sends what the socket did not take before and checks what has arrived.
    fn poll(&mut self, chunk: &mut [u8], histogram: &mut Histogram<u64>) -> Result<(), Failure> {
        self.flush()?;
        let count = match self.stream.read(chunk) {
            Ok(0) => return Err(lost(self.server)(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(lost(self.server)(error)),
        };
        let now = Instant::now();
        self.received.extend_from_slice(&chunk[..count]);
        while let Some((batch, due)) = self.under_way.front() {
            let Some(length) = self.pool.check(self.server, batch, &self.received)? else { return Ok(()) };
            let latency_ns = u64::try_from((now - *due).as_nanos()).unwrap_or(LATENCY_NS_MAX);
            histogram.saturating_record_n(latency_ns, batch.len() as u64);
            self.received.drain(..length);
            let answered = self.under_way.pop_front();
            if let (Some((batch, _)), true, false) =
                (answered, self.under_way.is_empty(), self.received.is_empty())
            {
                return Err(self.pool.surplus(self.server, &batch, &self.received));
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(lost(self.server)(error)),
            }
        }
        Ok(())
    }
}

const CHUNK_BYTES: usize = 64 * 1024;
/// Latencies beyond a minute count as a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// How long after the last batch the answers may take.
const OVERTIME_MAX: Duration = Duration::from_secs(30);

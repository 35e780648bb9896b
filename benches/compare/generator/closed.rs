//! The closed loop: each connection has one batch under way and sends the next one when it is answered.
//!
//! While one connection is read, the batches of all others wait at the server, so the server is never idle for
//! want of requests. The loop says how much was verified and how long it took, nothing about latency.

use super::Bounds;
use super::pool::Pool;
use crate::failure::{Failure, lost};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

/// What a measurement saw.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Requests whose replies were right.
    pub requests: usize,
    pub elapsed: Duration,
}

/// Sends batches of `pipeline` requests over all `connections` to `server` until `bounds` are reached.
pub fn run(
    server: &str,
    connections: &mut [TcpStream],
    pool: &Pool,
    pipeline: usize,
    bounds: Bounds,
) -> Result<Seen, Failure> {
    let mut batches = bounds.batches(pipeline, pool.len());
    let mut under_way: Vec<Option<Range<usize>>> = vec![None; connections.len()];
    let mut received = vec![0; RECEIVE_BYTES];
    let mut requests = 0;
    let begun = Instant::now();
    for (connection, slot) in connections.iter_mut().zip(&mut under_way) {
        *slot = send_next(connection, pool, &mut batches).map_err(lost(server))?;
    }
    while under_way.iter().any(Option::is_some) {
        let go_on = begun.elapsed() < bounds.duration;
        for (connection, slot) in connections.iter_mut().zip(&mut under_way) {
            let Some(batch) = slot.take() else { continue };
            receive(server, connection, pool, &batch, &mut received)?;
            requests += batch.len();
            if go_on {
                *slot = send_next(connection, pool, &mut batches).map_err(lost(server))?;
            }
        }
    }
    Ok(Seen { requests, elapsed: begun.elapsed() })
}

fn send_next(
    connection: &mut TcpStream,
    pool: &Pool,
    batches: &mut impl Iterator<Item = Range<usize>>,
) -> io::Result<Option<Range<usize>>> {
    let batch = batches.next();
    if let Some(batch) = &batch {
        connection.write_all(pool.requests(batch))?;
    }
    Ok(batch)
}

fn receive(
    server: &str,
    connection: &mut TcpStream,
    pool: &Pool,
    batch: &Range<usize>,
    received: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut filled = 0;
    loop {
        if filled == received.len() {
            received.resize(2 * filled, 0);
        }
        match connection.read(&mut received[filled..]).map_err(lost(server))? {
            0 => return Err(lost(server)(io::ErrorKind::UnexpectedEof.into())),
            count => filled += count,
        }
        match pool.check(server, batch, &received[..filled])? {
            None => {}
            Some(length) if length == filled => return Ok(()),
            // Only one batch is under way: nobody asked for the rest.
            Some(length) => return Err(pool.surplus(server, batch, &received[length..filled])),
        }
    }
}

const RECEIVE_BYTES: usize = 256 * 1024;

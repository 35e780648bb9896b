//! A steady stream of GET on one server: what other things do to the latency of others is read from it.

use crate::connection::dial;
use crate::failure::{Failure, lost};
use crate::generator::{Bounds, open, pool::Pool};
use crate::server::RunningServer;
use shardis_benches::workload::WORKLOADS;
use std::net::TcpStream;
use std::time::Duration;

/// Connections that read keys which have been loaded.
pub struct Reads<'s> {
    server: &'s RunningServer,
    connections: Vec<TcpStream>,
    pool: Pool,
}

impl<'s> Reads<'s> {
    /// Loads a share of the keys of a run and connects.
    pub fn prepare(server: &'s RunningServer, keys: u64) -> Result<Reads<'s>, Failure> {
        Reads::of(server, (keys / KEYS_SHARE).max(KEYS_MIN))
    }

    /// The same with exactly so many keys.
    pub fn of(server: &'s RunningServer, keys: u64) -> Result<Reads<'s>, Failure> {
        let reads =
            WORKLOADS.iter().find(|workload| workload.name == "GET").expect("invariant: GET is a workload");
        server.connect()?.load((0..keys).map(reads.dataset.load))?;
        let pool = Pool::build(reads, keys);
        let connections = (0..CONNECTIONS).map(|_| dial(server.port)).collect::<Result<Vec<_>, _>>();
        Ok(Reads { server, connections: connections.map_err(lost(&server.name))?, pool })
    }

    /// The 99th percentile of the latency at a fixed rate, in microseconds.
    pub fn p99_us(&self, duration: Duration) -> Result<f64, Failure> {
        self.quantile_us(duration, 0.99)
    }

    /// Another quantile of it.
    pub fn quantile_us(&self, duration: Duration, quantile: f64) -> Result<f64, Failure> {
        let bounds = Bounds { start: 0, duration, requests: usize::MAX };
        let histogram = open::run(&self.server.name, &self.connections, &self.pool, 1, RATE, bounds)?;
        Ok(histogram.value_at_quantile(quantile) as f64 / 1e3)
    }
}

/// Requests a second.
const RATE: f64 = 10_000.0;
const CONNECTIONS: usize = 50;
const KEYS_SHARE: u64 = 10;
const KEYS_MIN: u64 = 100;

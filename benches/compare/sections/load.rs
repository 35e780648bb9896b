//! The load workloads: CPU per request, throughput and latency, interleaved ours, peer, peer, ours again.
//!
//! All servers run during the whole section and hold the same data; those that are not being measured wait.

use super::Comparison;
use crate::connection::{Connection, dial};
use crate::failure::{Failure, lost};
use crate::generator::{Bounds, closed, open, pool::Pool};
use crate::results::{OURS, OURS_AGAIN, Section};
use crate::server::RunningServer;
use shardis_benches::target::Target;
use shardis_benches::workload::{Dataset, Depth, Pick, Setting, WORKLOADS, Workload};
use std::net::TcpStream;

/// Measures every selected workload at each of its depths.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let selected = |workload: &Workload| {
        workload.depths.iter().any(|depth| comparison.options.selects(SECTION, &case(workload, depth)))
    };
    let wanted: Vec<&Workload> = WORKLOADS.iter().filter(|workload| selected(workload)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut lanes = Vec::new();
    for program in &comparison.options.programs {
        lanes.push(Lane::open(RunningServer::start(program, &comparison.options.out)?)?);
    }
    for sharing in wanted.chunk_by(|one, next| one.dataset.name == next.dataset.name) {
        let dataset = sharing[0].dataset;
        let items = dataset.items(comparison.options.keys);
        for lane in &mut lanes {
            comparison.progress(&format!("{}: loading {items} {}", lane.server.name, dataset.name));
            lane.load(dataset, items)?;
        }
        for workload in sharing {
            measure_workload(comparison, &mut lanes, workload, items)?;
        }
    }
    Ok(())
}

/// One server and the connections over which it is loaded.
struct Lane {
    server: RunningServer,
    control: Connection,
    connections: Vec<TcpStream>,
    /// Whether the server has the commands that the current dataset is made with.
    loaded: bool,
}

impl Lane {
    fn open(server: RunningServer) -> Result<Self, Failure> {
        let control = server.connect()?;
        let connections = (0..CONNECTIONS).map(|_| dial(server.port)).collect::<Result<_, _>>();
        let connections = connections.map_err(lost(&server.name))?;
        Ok(Self { server, control, connections, loaded: false })
    }

    /// Replaces all data by the dataset, if the server has the command for it.
    fn load(&mut self, dataset: &Dataset, items: u64) -> Result<(), Failure> {
        self.control.demand(&["FLUSHALL", "SYNC"])?;
        self.loaded = self.control.knows(&(dataset.load)(0))?;
        if self.loaded {
            self.control.demand(&["FLUSHALL", "SYNC"])?;
            self.control.load((0..items).map(dataset.load))?;
        }
        Ok(())
    }

    fn can_run(&mut self, workload: &Workload, items: u64) -> Result<bool, Failure> {
        if let Setting::Script(text) = workload.setting
            && self.loaded
        {
            self.control.demand(&["SCRIPT", "LOAD", text])?;
        }
        let mut knows_all = self.loaded;
        for command in workload.commands(Pick { item: 0, visit: 0, items }) {
            knows_all = knows_all && self.control.knows(&command)?;
        }
        Ok(knows_all)
    }
}

/// One workload at one depth with everything a measurement needs.
struct Case<'a> {
    name: String,
    workload: &'a Workload,
    depth: &'a Depth,
    pool: &'a Pool,
    items: u64,
    rounds: usize,
}

impl Case<'_> {
    /// Makes the data fit for the next measurement and says where it begins and ends.
    fn prepare(&self, comparison: &Comparison, lane: &mut Lane, round: usize) -> Result<Bounds, Failure> {
        let duration = comparison.options.duration;
        if self.workload.dataset.consumed {
            lane.load(self.workload.dataset, self.items)?;
            return Ok(Bounds { start: 0, duration, requests: self.pool.len() });
        }
        // Each round begins elsewhere, lest a short one always meets the same keys, which are then cached.
        let start = self.pool.len() / self.rounds * round;
        Ok(Bounds { start, duration, requests: usize::MAX })
    }
}

fn measure_workload(
    comparison: &mut Comparison,
    lanes: &mut [Lane],
    workload: &Workload,
    items: u64,
) -> Result<(), Failure> {
    let mut able: Vec<&mut Lane> = Vec::new();
    for lane in lanes {
        match lane.can_run(workload, items)? {
            true => able.push(lane),
            false if lane.server.name == OURS => {
                comparison.not_yet(workload.name);
                return Ok(());
            }
            false => comparison.progress(&format!("{}: {} does not exist", lane.server.name, workload.name)),
        }
    }
    let pool = Pool::build(workload, items);
    for depth in workload.depths {
        let name = case(workload, depth);
        if comparison.options.selects(SECTION, &name) {
            let turns = if depth.pipeline == 1 { UNPIPELINED_TURNS } else { 1 };
            let rounds = comparison.options.rounds * turns;
            let case = Case { name, workload, depth, pool: &pool, items, rounds };
            let rate = measure_closed(comparison, &mut able, &case)? / 2.0;
            measure_open(comparison, &mut able, &case, rate)?;
        }
    }
    Ok(())
}

/// Measures CPU and throughput in interleaved rounds; gives the requests per second of the slowest server.
fn measure_closed(
    comparison: &mut Comparison,
    lanes: &mut [&mut Lane],
    case: &Case<'_>,
) -> Result<f64, Failure> {
    let mut order: Vec<(usize, String)> =
        lanes.iter().map(|lane| lane.server.name.clone()).enumerate().collect();
    // Ours stands first, or the workload would not be measured.
    order.push((0, OURS_AGAIN.to_owned()));
    let rounds = case.rounds;
    for round in 0..rounds {
        for (index, label) in &order {
            let lane = &mut *lanes[*index];
            comparison.progress(&format!("{}: round {} of {rounds}: {label}", case.name, round + 1));
            let bounds = case.prepare(comparison, lane, round)?;
            let before = lane.server.cpu_ns()?;
            let seen = closed::run(label, &mut lane.connections, case.pool, case.depth.pipeline, bounds)?;
            let cpu_us = lane.server.cpu_ns()?.saturating_sub(before) as f64 / 1e3 / seen.requests as f64;
            let thousands = seen.requests as f64 / seen.elapsed.as_secs_f64() / 1e3;
            comparison.results.record((Section::Cpu, &case.name, case.depth.cpu), label, round, cpu_us);
            comparison.results.record(
                (Section::Throughput, &case.name, Target::NONE),
                label,
                round,
                thousands,
            );
        }
    }
    let throughput = comparison.results.figure(Section::Throughput, &case.name);
    let slowest = lanes.iter().filter_map(|lane| throughput?.value(&lane.server.name)).min_by(f64::total_cmp);
    Ok(slowest.map_or(0.0, |thousands| thousands * 1e3))
}

/// Measures latency at `rate` requests a second, the same for every server.
fn measure_open(
    comparison: &mut Comparison,
    lanes: &mut [&mut Lane],
    case: &Case<'_>,
    rate: f64,
) -> Result<(), Failure> {
    for lane in lanes {
        let name = lane.server.name.clone();
        comparison.progress(&format!("{}: {:.0} requests a second: {name}", case.name, rate));
        let bounds = case.prepare(comparison, lane, 0)?;
        let histogram = open::run(&name, &lane.connections, case.pool, case.depth.pipeline, rate, bounds)?;
        for (label, quantile) in QUANTILES {
            let figure = format!("{} at {:.0}k/s, {label}", case.name, rate / 1e3);
            let latency_us = histogram.value_at_quantile(quantile) as f64 / 1e3;
            comparison.results.record((Section::Latency, &figure, Target::NONE), &name, 0, latency_us);
        }
    }
    Ok(())
}

fn case(workload: &Workload, depth: &Depth) -> String {
    format!("{} P{}", workload.name, depth.pipeline)
}

const SECTION: &str = "load";
const CONNECTIONS: usize = 50;
/// Without a pipeline nearly all is the kernel's work, which moves more from second to second than the servers differ.
const UNPIPELINED_TURNS: usize = 3;
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

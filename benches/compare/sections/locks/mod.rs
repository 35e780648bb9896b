//! Taking locks and giving them back: LOCK.ACQUIRE and LOCK.RELEASE on ours, on the others what the `Lock` of redis-py sends,
//! by the load generator and through redis-py itself; and what becomes of the lock of a client that is killed.

mod crowd;
mod death;
mod redis_py;
mod taker;

use super::Comparison;
use crate::failure::Failure;
use crate::options::Options;
use crate::results::{OURS, Section};
use crate::server::RunningServer;
use shardis_benches::target::{Against, Target};
use std::time::Duration;
use taker::Way;

/// One measurement: the figures that come of it, and how the others wait.
struct Shape {
    figures: &'static [(&'static str, Target)],
    pause: Duration,
    measure: fn(&RunningServer, Way, &Options) -> Result<Vec<f64>, Failure>,
}

/// Measures each shape on every server in turn.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let is_wanted =
        |shape: &&Shape| shape.figures.iter().any(|(name, _)| comparison.options.selects(SECTION, name));
    let wanted: Vec<&Shape> = SHAPES.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    if comparison.options.python.is_none() {
        comparison.progress("redis-py is not installed; ./tests/run installs it");
    }
    let programs = comparison.options.programs.clone();
    let servers = programs.iter().map(|program| RunningServer::start(program, &comparison.options.out));
    let servers = servers.collect::<Result<Vec<_>, _>>()?;
    for shape in wanted {
        for round in 0..comparison.options.rounds {
            for server in &servers {
                comparison.progress(&format!("{}, round {}: {}", shape.figures[0].0, round + 1, server.name));
                let way = if server.name == OURS { Way::Queue } else { Way::Polling(shape.pause) };
                let values = (shape.measure)(server, way, &comparison.options)?;
                for ((name, target), value) in shape.figures.iter().zip(values) {
                    comparison.results.record((Section::Locks, name, *target), &server.name, round, value);
                }
            }
        }
    }
    Ok(())
}

const SECTION: &str = "locks";
const SHAPES: [Shape; 8] = [
    Shape { figures: &[("one client, pairs/s", ALONE)], pause: DEFAULT_PAUSE, measure: crowd::alone },
    Shape {
        figures: &[
            ("64 clients with a lock each, pairs/s", ALONE),
            ("64 clients with a lock each, server CPU a pair, µs", Target::NONE),
        ],
        pause: DEFAULT_PAUSE,
        measure: crowd::apart,
    },
    Shape {
        figures: &[("64 waiters, tries every 100 ms, hand-offs/s", CONTENDED)],
        pause: DEFAULT_PAUSE,
        measure: crowd::hand_offs,
    },
    Shape {
        figures: &[("64 waiters, tries every 1 ms, hand-offs/s", Target::NONE)],
        pause: SHORT_PAUSE,
        measure: crowd::hand_offs,
    },
    Shape {
        figures: &[
            ("64 coming back at once, pairs/s", Target::NONE),
            ("64 coming back at once, longest wait, ms", Target::NONE),
        ],
        pause: DEFAULT_PAUSE,
        measure: crowd::back_at_once,
    },
    Shape { figures: &REDIS_PY, pause: DEFAULT_PAUSE, measure: redis_py::measure },
    Shape {
        figures: &[("kill -9 of the holder (peers: lease of 1 s), next grant, ms", DEATH)],
        pause: DEFAULT_PAUSE,
        measure: death::of_the_holder,
    },
    Shape {
        figures: &[("kill -9 of the first waiter and release, next grant, ms", DEATH)],
        pause: DEFAULT_PAUSE,
        measure: death::of_a_waiter,
    },
];
const REDIS_PY: [(&str, Target); redis_py::FIGURES] = [
    ("redis-py: one client, pairs/s", ALONE),
    ("redis-py: 64 waiters, tries every 100 ms, hand-offs/s", CONTENDED),
    ("redis-py: 64 waiters, tries every 1 ms, hand-offs/s", Target::NONE),
    ("redis-py: 64 coming back at once, pairs/s", Target::NONE),
    ("redis-py: 64 coming back at once, longest wait, ms", Target::NONE),
];
/// What redis-py does unless it is told otherwise.
const DEFAULT_PAUSE: Duration = Duration::from_millis(100);
const SHORT_PAUSE: Duration = Duration::from_millis(1);
const ALONE: Target = Target::at_least(Against::Peer("redis"), 1.2);
const CONTENDED: Target = Target::at_least(Against::Peer("redis"), 5.0);
const DEATH: Target = Target { goal: None, ..Target::absolute(10.0, 10.0) };

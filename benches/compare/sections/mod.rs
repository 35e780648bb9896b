//! The parts of a comparison; each starts its own servers, measures, records and ends them.

pub mod compute;
pub mod crowd;
pub mod in_process;
pub mod kernels;
pub mod load;
pub mod locks;
pub mod memory;
pub mod pubsub;
mod reads;
pub mod scripts;
pub mod start;
pub mod waiting;

use crate::options::Options;
use crate::results::Results;
use std::time::Instant;

/// What every part is given.
pub struct Comparison {
    pub options: Options,
    pub results: Results,
    pub begun: Instant,
}

impl Comparison {
    /// Says on standard error what is going on.
    pub fn progress(&self, text: &str) {
        eprintln!("[{:7.1} s] {text}", self.begun.elapsed().as_secs_f64());
    }

    /// Notes that our server does not have what `name` needs.
    pub fn not_yet(&mut self, name: &str) {
        self.progress(&format!("{name}: not yet"));
        self.results.not_yet.push(name.to_owned());
    }
}

//! The load generator: one thread, many connections, requests encoded beforehand, every reply checked.
//!
//! `pool` holds the requests and their answers; `closed` sends the next batch when the last one is answered and
//! shows what a server can do; `open` sends by the clock and shows how long a request waits. Nothing here knows
//! which process is at the other end.

pub mod closed;
pub mod open;
pub mod pool;

use std::time::Duration;

/// Where a measurement begins in its pool, and what ends it, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The first request.
    pub start: usize,
    pub duration: Duration,
    pub requests: usize,
}

impl Bounds {
    /// The batches of `pipeline` requests from a pool of `length`, round and round.
    fn batches(
        &self,
        pipeline: usize,
        length: usize,
    ) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        assert!(pipeline <= length, "a batch is cut from one pass over the pool");
        assert!(pipeline <= self.requests, "a measurement has at least one batch");
        // A batch does not wrap: what is left at the end of the pool is passed over.
        let whole = length / pipeline;
        (self.start / pipeline..).take(self.requests / pipeline).map(move |index| {
            let start = index % whole * pipeline;
            start..start + pipeline
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_go_round_without_repeating_before_the_end() {
        let bounds = Bounds { start: 3, duration: Duration::ZERO, requests: 8 };
        let batches: Vec<_> = bounds.batches(2, 7).collect();
        assert_eq!(batches, [2..4, 4..6, 0..2, 2..4]);
        let endless = Bounds { requests: usize::MAX, ..bounds };
        assert_eq!(endless.batches(1, 7).nth(4), Some(0..1));
    }
}

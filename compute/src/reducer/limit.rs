//! `Limit`: what a reducer refuses to keep, in the words a client reads. Not here: the memory of a whole run, which its
//! caller measures between slices.

use std::fmt;

use super::histogram::BUCKETS_MAX;

/// Why a run ends: one of its reducers has more than it may give. Which rows came first does not matter, since what
/// is counted here only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// HIST has more buckets than it may.
    Buckets,
    /// CONCAT joins to more bytes than a reply may have.
    OutputBytes {
        /// How many those are.
        bytes_max: usize,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Buckets => {
                write!(f, "MEMLIMIT REDUCE HIST has more than {BUCKETS_MAX} buckets, give it a larger width")
            }
            Limit::OutputBytes { bytes_max } => write!(
                f,
                "MEMLIMIT REDUCE CONCAT joins to more than {bytes_max} bytes, raise MAXOUT or select fewer rows"
            ),
        }
    }
}

impl std::error::Error for Limit {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_say_what_to_do() {
        let text = "MEMLIMIT REDUCE HIST has more than 10000 buckets, give it a larger width";
        assert_eq!(Limit::Buckets.to_string(), text);
        let text = "MEMLIMIT REDUCE CONCAT joins to more than 5 bytes, raise MAXOUT or select fewer rows";
        assert_eq!(Limit::OutputBytes { bytes_max: 5 }.to_string(), text);
    }
}

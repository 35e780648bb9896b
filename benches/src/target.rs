//! What a figure should reach: the first target, the goal, and what it is compared with.
//!
//! Only the vocabulary; the numbers stand beside the workloads they belong to, and the judging is done by
//! `compare`, which has the measurements.

/// Whom a figure is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Against {
    /// Nobody: the figure itself is limited.
    Itself,
    /// The server of this name.
    Peer(&'static str),
    /// Whichever peer did best.
    BestPeer,
}

/// On which side of its limits a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Less is better, as of times.
    AtMost,
    /// More is better, as of what is done in a second.
    AtLeast,
}

/// Limits of a figure, or of its ratio to a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// What the limits apply to.
    pub against: Against,
    /// On which side of them it should be.
    pub bound: Bound,
    /// The limit to be reached first.
    pub first: Option<f64>,
    /// The limit to work towards.
    pub goal: Option<f64>,
}

impl Target {
    /// A figure that is shown and not judged.
    pub const NONE: Self = Self { against: Against::Itself, bound: Bound::AtMost, first: None, goal: None };

    /// Limits on the figure itself.
    pub const fn absolute(first: f64, goal: f64) -> Self {
        Self { first: Some(first), goal: Some(goal), ..Self::NONE }
    }

    /// Limits on the ratio to a peer.
    pub const fn ratio(against: Against, first: f64, goal: f64) -> Self {
        Self { against, first: Some(first), goal: Some(goal), ..Self::NONE }
    }

    /// A lower limit on the ratio to a peer.
    pub const fn at_least(against: Against, first: f64) -> Self {
        Self { against, bound: Bound::AtLeast, first: Some(first), goal: None }
    }

    /// Whether a value is on the right side of a limit.
    pub fn is_met(&self, value: f64, limit: f64) -> bool {
        match self.bound {
            Bound::AtMost => value <= limit,
            Bound::AtLeast => value >= limit,
        }
    }
}

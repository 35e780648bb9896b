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

/// Upper limits of a figure, or of its ratio to a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// What the limits apply to.
    pub against: Against,
    /// The limit to be reached first.
    pub first: Option<f64>,
    /// The limit to work towards.
    pub goal: Option<f64>,
}

impl Target {
    /// A figure that is shown and not judged.
    pub const NONE: Self = Self { against: Against::Itself, first: None, goal: None };

    /// Limits on the figure itself.
    pub const fn absolute(first: f64, goal: f64) -> Self {
        Self { against: Against::Itself, first: Some(first), goal: Some(goal) }
    }

    /// Limits on the ratio to a peer.
    pub const fn ratio(against: Against, first: f64, goal: f64) -> Self {
        Self { against, first: Some(first), goal: Some(goal) }
    }
}

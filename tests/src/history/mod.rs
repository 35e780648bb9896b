//! Histories: what many clients did to one server at the same time, and whether that is as if they had done it one after
//! another.
//!
//! # What is proven
//!
//! A history is strictly serialisable if its operations have an order in which each sees what the ones before it have left,
//! and in which whoever had ended before another began comes first. `check` finds such an order or shows that there is none.
//! It never guesses, because the clients only do what tells them which version of an object they met:
//!
//! 1. The versions of an object are numbered in the order in which they follow each other, 0 being the absent object. The number
//!    is the length of what only grows, the value of what only counts up, or what its only writer or a writer that watches it
//!    has put there. What is copied or computed from what only grows has the number of what it was made of: in whatever order
//!    the copies are made, it must be that of these numbers. So a version has one writer; two of them are a fault, and so is
//!    one that is met and has none.
//! 2. For each object, the writer of a version comes before those who met it, and these come before the writer of the next;
//!    writers come in the order of their versions. In every valid order this must hold.
//! 3. Whoever had ended before another began comes before it. Not a line for each pair, but a chain of moments, one for each
//!    end: an operation comes before the moment of its end, and after the last moment before its start.
//! 4. If these demands have no cycle, any order that obeys them is valid: all who met a version stand behind its writer and in
//!    front of the next one, whatever stands between. If they have one, no order is valid, and the cycle shows why.
//!
//! Where a reply names no version (a queue was empty; what the balance of one account is), nothing is noted: then less is
//! demanded, never too much.
//!
//! All of it takes time and memory in proportion to the history. `run` cuts a long run into rounds that start from an empty
//! server, because what is checked must be in memory.
//!
//! # Reading order
//!
//! `check` (versions, and what they demand), `cycle` (of a graph), `deeds` (what clients do, one function for each kind), `run`
//! (who does it and how commands become one operation). `deeds` alone knows commands' replies.

mod check;
mod cycle;
mod deeds;
mod run;

use std::sync::Arc;

pub use check::{Fault, Kind, check};
pub use run::{Carrier, Report, Settings, run};

/// What a client did at once, or should have.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose it is.
    pub client: usize,
    /// Before it was sent.
    pub start_ns: u64,
    /// After its reply had come.
    pub end_ns: u64,
    /// What it met and made, in the order of its commands.
    pub seen: Vec<Seen>,
    /// Its commands, for people.
    pub text: String,
}

/// What an operation learnt of one object.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub object: Arc<str>,
    /// What was learnt.
    pub what: What,
}

/// The version of an object that an operation met or made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// It met this version.
    Met(u64),
    /// It met the version with this mark.
    MetMark(u64),
    /// There was this version, and perhaps later ones.
    Passed(u64),
    /// It made this version of the one right before it.
    Made(u64),
    /// The same, and gave it a mark.
    MadeMarked(u64, u64),
    /// It made this version of whatever was there before.
    Put(u64),
}

impl Seen {
    /// Something about an object.
    pub fn new(object: impl Into<Arc<str>>, what: What) -> Self {
        Self { object: object.into(), what }
    }
}

//! Counters and the reports made of them. Whoever counts is told what happened; nothing here calls back.

pub mod info;
pub mod memory;
pub mod metrics;
pub mod stats;

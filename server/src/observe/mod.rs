//! Counters and the reports made of them. Whoever counts is told what happened; nothing here calls back.

pub mod command_log;
pub mod doctor;
pub mod histogram;
pub mod info;
pub mod latency;
pub mod memory;
pub mod metrics;
pub mod stats;
pub mod thresholds;

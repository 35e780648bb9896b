//! What is measured, as data: workloads, memory rows, their expected answers and their targets.
//!
//! The criterion benches and the `compare` program run the same tables, so that a figure of one layer and a
//! figure of the whole server speak of the same commands, keys and values. Nothing here opens a socket, starts a
//! server or reads a clock.

#![forbid(unsafe_code)]

pub mod memory;
pub mod places;
pub mod resp;
pub mod target;
pub mod workload;

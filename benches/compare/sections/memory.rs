//! Bytes per item: by the server's own account and by the growth of its resident memory, each on a fresh process.

use super::Comparison;
use crate::failure::Failure;
use crate::results::{OURS, Section};
use crate::server::{Program, RunningServer};
use shardis_benches::memory::{MemoryRow, ROWS};
use shardis_benches::target::Target;
use std::thread;

/// Measures every selected row.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let programs = comparison.options.programs.clone();
    for row in ROWS.iter().filter(|row| comparison.options.selects(SECTION, row.name)).collect::<Vec<_>>() {
        for program in &programs {
            let items = row.scaled_items(comparison.options.keys);
            comparison.progress(&format!("memory of {items} times {}: {}", row.name, program.name));
            let known = measure(comparison, row, program, items)?;
            if !known && program.name == OURS {
                comparison.not_yet(row.name);
                break;
            }
        }
    }
    Ok(())
}

/// Measures one row on one server; false when it does not have the command.
fn measure(
    comparison: &mut Comparison,
    row: &MemoryRow,
    program: &Program,
    items: u64,
) -> Result<bool, Failure> {
    let server = RunningServer::start(program, &comparison.options.out)?;
    // The code that stores the data is paged in first, so that it does not count as data.
    if !server.connect()?.knows(&(row.load)(0))? {
        return Ok(false);
    }
    server.connect()?.load((0..WARM_UP_ITEMS).map(row.load))?;
    server.connect()?.demand(&["FLUSHALL", "SYNC"])?;
    let before = settled(comparison, &server)?;
    server.connect()?.load((0..items).map(row.load))?;
    let full = settled(comparison, &server)?;
    server.connect()?.demand(&["FLUSHALL", "SYNC"])?;
    let empty = settled(comparison, &server)?;
    let growth = |from: u64, to: u64| (to as f64 - from as f64) / items as f64;
    let values = [
        (Section::Memory, row.name.to_owned(), row.used, growth(before.used, full.used)),
        (Section::Resident, row.name.to_owned(), row.resident(), growth(before.resident, full.resident)),
        (
            Section::Resident,
            format!("{}, after FLUSHALL", row.name),
            Target::NONE,
            growth(before.resident, empty.resident),
        ),
    ];
    for (section, name, target, bytes) in values {
        comparison.results.record((section, &name, target), &program.name, 0, bytes);
    }
    Ok(true)
}

/// Both accounts of a server's memory, in bytes.
struct Weight {
    used: u64,
    resident: u64,
}

/// Waits until buffers of closed connections and freed pages are gone, then reads.
fn settled(comparison: &Comparison, server: &RunningServer) -> Result<Weight, Failure> {
    thread::sleep(comparison.options.settle);
    Ok(Weight { used: server.connect()?.used_memory()?, resident: server.resident_bytes()? })
}

const SECTION: &str = "memory";
const WARM_UP_ITEMS: u64 = 1_000;

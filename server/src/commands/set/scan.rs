//! Stepping through the members of a set while it changes.

use shardis_storage::View;
use shardis_storage::types::set::Set;

use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, key};
use crate::commands::scan::{Scanned, Steps, scan_collection};

pub static SSCAN: Command = Command::read("SSCAN", sscan)
    .syntax("key cursor [MATCH pattern] [COUNT count]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses()])
    .since("2.8.0")
    .complexity(
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection.",
    )
    .summary("Iterates over members of a set.")
    .tips(&["nondeterministic_output"]);

fn sscan(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    scan_collection(call, view, &STEPS)
}

const STEPS: Steps<Set> = Steps {
    scanned: Scanned::Members,
    work: Set::scan_len,
    step: |set, cursor, options, page| {
        set.scan(cursor, options.count, &mut |member| {
            if options.admits(member) {
                page.push(member);
            }
        })
    },
};

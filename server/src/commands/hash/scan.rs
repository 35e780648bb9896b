//! Stepping through the fields of a hash while it changes.

use shardis_storage::View;
use shardis_storage::types::hash::Hash;

use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, key};
use crate::commands::scan::{Scanned, Steps, scan_collection};

pub static HSCAN: Command = Command::read("HSCAN", hscan)
    .syntax("key cursor [MATCH pattern] [COUNT count] [NOVALUES]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses()])
    .since("2.8.0")
    .complexity(
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection.",
    )
    .summary("Iterates over fields and values of a hash.")
    .tips(&["nondeterministic_output"]);

fn hscan(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    scan_collection(call, view, &STEPS)
}

const STEPS: Steps<Hash> = Steps {
    scanned: Scanned::Fields,
    work: Hash::scan_len,
    step: |hash, cursor, options, page| {
        hash.scan(cursor, options.count, options.now_ms, &mut |field, value| {
            if options.admits(field) {
                page.push(field);
                if !options.only_fields {
                    page.push(value);
                }
            }
        })
    },
};

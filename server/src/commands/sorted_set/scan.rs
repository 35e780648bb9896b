//! Stepping through the members of a sorted set while it changes.

use shardis_protocol::DoubleStyle;
use shardis_storage::View;
use shardis_storage::types::packed::Element;
use shardis_storage::types::sorted_set::{SortedSet, SortedSetEncoding};

use crate::command::Arity::AtLeast;
use crate::command::{Call, Command, Done, key};
use crate::commands::scan::{Page, ScanOptions, Scanned, Steps, scan_collection};

pub static ZSCAN: Command = Command::read("ZSCAN", zscan)
    .syntax("key cursor:integer [MATCH pattern] [COUNT count] [NOSCORES]")
    .arity(AtLeast(3))
    .keys(&[key(1).read_only().accesses()])
    .since("2.8.0")
    .complexity(
        "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return \
         back to 0. N is the number of elements inside the collection.",
    )
    .summary("Iterates over members and scores of a sorted set.")
    .tips(&["nondeterministic_output"])
    .history(&[("8.0.0", "Added noscores option.")]);

fn zscan(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    let steps = match call.dialect().doubles {
        DoubleStyle::Shortest => &SHORTEST,
        DoubleStyle::SeventeenDigits => &SEVENTEEN_DIGITS,
    };
    scan_collection(call, view, steps)
}

static SHORTEST: Steps<SortedSet> = Steps {
    scanned: Scanned::Scores,
    work: SortedSet::scan_len,
    step: |set, cursor, options, page| step(set, cursor, options, page, DoubleStyle::Shortest),
};

static SEVENTEEN_DIGITS: Steps<SortedSet> = Steps {
    step: |set, cursor, options, page| step(set, cursor, options, page, DoubleStyle::SeventeenDigits),
    ..SHORTEST
};

fn step(
    set: &SortedSet,
    cursor: u64,
    options: &ScanOptions<'_>,
    page: &mut Page,
    doubles: DoubleStyle,
) -> u64 {
    let encoding = set.encoding();
    let mut digits = Vec::new();
    set.scan(cursor, options.count, &mut |member, score| {
        if !options.admits(member) {
            return;
        }
        page.push(member);
        if !options.only_fields {
            digits.clear();
            format_score(score, encoding, doubles, &mut digits);
            page.push(Element::Bytes(&digits));
        }
    })
}

/// The real servers show a score as it is kept: that of a listpack as an integer where it is one, that of a skiplist with all
/// digits of the double.
fn format_score(score: f64, encoding: SortedSetEncoding, doubles: DoubleStyle, out: &mut Vec<u8>) {
    match encoding {
        SortedSetEncoding::Packed if score.trunc() == score && score.abs() <= INTEGER_MAX => {
            out.extend_from_slice(itoa::Buffer::new().format(score as i64).as_bytes());
        }
        SortedSetEncoding::Packed => doubles.format(score, out),
        SortedSetEncoding::Tree => DoubleStyle::SeventeenDigits.format(score, out),
    }
}

/// Half the range of integers: up to here a listpack keeps a score as one.
const INTEGER_MAX: f64 = (1_u64 << 62) as f64;

//! Searching in circles, as before there was GEOSEARCH.

use shardis_protocol::Request;
use shardis_storage::{Transaction, View};

use super::query::{Form, From};
use super::search::{reply_search, store_or_reply};
use crate::command::Arity::AtLeast;
use crate::command::args::is_word;
use crate::command::{Call, Command, Done, Flags, KeySpec, behind_word, key};

const COMPLEXITY: &str = "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by \
    center and radius and M is the number of items inside the index.";
const SOURCE: KeySpec = key(1).read_only().accesses();
const STORED_BEHIND_PLACE: [KeySpec; 3] = [
    SOURCE,
    behind_word("STORE", 6, |request| destination(request, 6, "STORE")).overwrites().updates(),
    behind_word("STOREDIST", 6, |request| destination(request, 6, "STOREDIST")).overwrites().updates(),
];
const STORED_BEHIND_MEMBER: [KeySpec; 3] = [
    SOURCE,
    behind_word("STORE", 5, |request| destination(request, 5, "STORE")).overwrites().updates(),
    behind_word("STOREDIST", 5, |request| destination(request, 5, "STOREDIST")).overwrites().updates(),
];
const ANY_AND_UNITS: &[(&str, &str)] =
    &[("6.2.0", "Added the `ANY` option for `COUNT`."), ("7.0.0", "Added support for uppercase unit names.")];

pub static GEORADIUS: Command = Command::write("GEORADIUS", georadius)
    .syntax(
        "key longitude latitude radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
         [COUNT count [ANY]@6.2.0] [ASC | DESC] store=[STORE storekey:key | STOREDIST storedistkey:key]",
    )
    .arity(AtLeast(6))
    .keys(&STORED_BEHIND_PLACE)
    .flags(Flags::DENY_OOM)
    .event("georadiusstore")
    .since("3.2.0")
    .complexity(COMPLEXITY)
    .summary(
        "Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.",
    )
    .history(ANY_AND_UNITS)
    .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument");

fn georadius(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store_or_reply(call, txn, Form::Circle { from: From::Place, may_store: true })
}

pub static GEORADIUSBYMEMBER: Command = Command::write("GEORADIUSBYMEMBER", georadiusbymember)
    .syntax(
        "key member radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] \
         store=[STORE storekey:key | STOREDIST storedistkey:key]",
    )
    .arity(AtLeast(5))
    .keys(&STORED_BEHIND_MEMBER)
    .flags(Flags::DENY_OOM)
    .event("georadiusstore")
    .since("3.2.0")
    .complexity(COMPLEXITY)
    .summary(
        "Queries a geospatial index for members within a distance from a member, optionally stores the result.",
    )
    .history(&[("7.0.0", "Added support for uppercase unit names.")])
    .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments");

fn georadiusbymember(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    store_or_reply(call, txn, Form::Circle { from: From::Member, may_store: true })
}

pub static GEORADIUS_RO: Command = Command::read("GEORADIUS_RO", georadius_ro)
    .syntax(
        "key longitude latitude radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
         [COUNT count [ANY]@6.2.0] [ASC | DESC]",
    )
    .arity(AtLeast(6))
    .keys(&[SOURCE])
    .since("3.2.10")
    .complexity(COMPLEXITY)
    .summary("Returns members from a geospatial index that are within a distance from a coordinate.")
    .history(ANY_AND_UNITS)
    .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument");

fn georadius_ro(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_search(call, view, Form::Circle { from: From::Place, may_store: false })
}

pub static GEORADIUSBYMEMBER_RO: Command = Command::read("GEORADIUSBYMEMBER_RO", georadiusbymember_ro)
    .syntax(
        "key member radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    )
    .arity(AtLeast(5))
    .keys(&[SOURCE])
    .since("3.2.10")
    .complexity(COMPLEXITY)
    .summary("Returns members from a geospatial index that are within a distance from a member.")
    .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments");

fn georadiusbymember_ro(call: &mut Call<'_>, view: &mut View<'_>) -> Done {
    reply_search(call, view, Form::Circle { from: From::Member, may_store: false })
}

/// The destination of a call, if this is the word that it stands behind: of several the last one counts.
fn destination(request: Request<'_>, from: usize, wanted: &str) -> Option<usize> {
    let (mut at, mut found) = (from, None);
    while at + 1 < request.len() {
        let word = request.arg(at)?;
        let is_leading = is_word(word, "STORE") || is_word(word, "STOREDIST");
        if is_leading {
            found = Some(at);
        }
        at += 1 + usize::from(is_leading);
    }
    found.filter(|&at| request.arg(at).is_some_and(|word| is_word(word, wanted))).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use shardis_protocol::OwnedRequest;

    use super::*;

    #[test]
    fn the_last_destination_counts() {
        for (text, store, distances) in [
            ("GEORADIUS g 1 1 1 m", None, None),
            ("GEORADIUS g 1 1 1 m STORE a", Some(7), None),
            ("GEORADIUS g 1 1 1 m store a COUNT 1 storedist b", None, Some(11)),
            ("GEORADIUS g 1 1 1 m STORE a STORE b", Some(9), None),
            ("GEORADIUS g 1 1 1 m STORE STOREDIST x", Some(7), None),
            ("GEORADIUS g 1 1 1 m STORE", None, None),
        ] {
            let request = OwnedRequest::from_args(&text.split(' ').collect::<Vec<_>>());
            let found = |word| destination(request.as_request(), 6, word);
            assert_eq!((found("STORE"), found("STOREDIST")), (store, distances), "{text}");
        }
    }
}

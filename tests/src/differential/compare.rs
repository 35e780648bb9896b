//! When two replies to the same command are the same: byte for byte, but for what is random by nature and for
//! the listed exceptions.
//!
//! What is random by nature is named per command in `RULES`; its errors are compared byte for byte all the
//! same.

use std::time::Duration;

use super::generate::Step;
use crate::reference::Reference;
use crate::reply::Reply;

/// A reply and its bytes.
pub type Frame = (Vec<u8>, Reply);

/// How replies are compared that are not the same bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rule {
    /// The same elements in any order, `width` of which belong together.
    Unordered { width: usize },
    /// The same, where the hash is a table.
    UnorderedInTable { width: usize },
    /// A complete SCAN: the same keys. A page has nothing to compare, neither order nor cursor.
    Scan,
    /// A moment or a span in units of so many milliseconds: as far apart as the two servers' clocks may have been read.
    Near(u64),
    /// Addresses, ids, counters: the same kind of reply.
    Kind,
    /// The reply of HELLO: all but the client's id.
    Hello,
}

/// Commands whose replies are random by nature, or depend on the moment; a subcommand where only that one
/// does.
const RULES: [(&str, &str, Rule); 18] = [
    ("KEYS", "", Rule::Unordered { width: 1 }),
    ("CONFIG", "GET", Rule::Unordered { width: 2 }),
    ("SCAN", "", Rule::Scan),
    ("HGETALL", "", Rule::UnorderedInTable { width: 2 }),
    ("HKEYS", "", Rule::UnorderedInTable { width: 1 }),
    ("HVALS", "", Rule::UnorderedInTable { width: 1 }),
    ("TTL", "", Rule::Near(1000)),
    ("EXPIRETIME", "", Rule::Near(1000)),
    ("PTTL", "", Rule::Near(1)),
    ("PEXPIRETIME", "", Rule::Near(1)),
    // Redis shares small integers, and with them their idle time.
    ("OBJECT", "IDLETIME", Rule::Kind),
    ("RANDOMKEY", "", Rule::Kind),
    ("TIME", "", Rule::Kind),
    ("INFO", "", Rule::Kind),
    ("CLIENT", "ID", Rule::Kind),
    ("CLIENT", "INFO", Rule::Kind),
    ("CLIENT", "LIST", Rule::Kind),
    ("DEBUG", "OBJECT", Rule::Kind),
];

/// A difference that we accept, in full.
pub struct Exception {
    /// Of which server.
    pub reference: Reference,
    /// To which command.
    pub command: &'static str,
    /// When; what the condition is, is its name.
    pub condition: fn(&Step) -> bool,
    /// Our bytes.
    pub ours: &'static [u8],
    /// The reference's.
    pub theirs: &'static [u8],
    /// Why.
    pub reason: &'static str,
}

/// All that we accept.
pub static EXCEPTIONS: &[Exception] = &[];

/// What two replies are compared by, beside the command.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Who gave the other reply.
    pub reference: Reference,
    /// The encoding of the command's key, where it was asked for.
    pub encoding: Option<&'a Frame>,
    /// How far apart in time the two servers may have run the same command, now or earlier.
    pub apart: Duration,
}

/// Whether two replies to `step` are the same.
pub fn same(step: &Step, ours: &Frame, theirs: &Frame, circumstances: Circumstances<'_>) -> bool {
    let reference = circumstances.reference;
    ours.0 == theirs.0
        || is_same_by_rule(step, &ours.1, &theirs.1, circumstances)
        || EXCEPTIONS.iter().any(|exception| {
            exception.reference == reference
                && exception.command == step.name()
                && (exception.condition)(step)
                && (exception.ours, exception.theirs) == (&ours.0, &theirs.0)
        })
}

/// The command that must be asked right behind `step` so that its replies can be compared.
pub fn probe(step: &Step) -> Option<Step> {
    let depends = matches!(rule(step), Some(Rule::UnorderedInTable { .. }));
    let key = step.words.get(1).filter(|_| depends)?;
    Some(Step { words: vec![b"OBJECT".to_vec(), b"ENCODING".to_vec(), key.clone()] })
}

fn rule(step: &Step) -> Option<Rule> {
    let (name, subcommand) = (step.name(), step.upper(1));
    if name == "HELLO" {
        return Some(Rule::Hello);
    }
    let row = RULES.iter().find(|row| row.0 == name && (row.1.is_empty() || row.1 == subcommand));
    row.map(|row| row.2)
}

fn is_same_by_rule(step: &Step, ours: &Reply, theirs: &Reply, circumstances: Circumstances<'_>) -> bool {
    match (rule(step), ours, theirs) {
        (None, _, _) | (_, Reply::Error(_), _) | (_, _, Reply::Error(_)) => false,
        (Some(Rule::Unordered { width }), Reply::Items(..), Reply::Items(..)) => {
            same_groups(ours, theirs, width)
        }
        (Some(Rule::UnorderedInTable { width }), Reply::Items(..), Reply::Items(..)) => {
            circumstances.encoding.is_some_and(|(bytes, _)| bytes.ends_with(b"hashtable\r\n"))
                && same_groups(ours, theirs, width)
        }
        (Some(Rule::Scan), _, _) => match (ours.items(), theirs.items()) {
            ([our_cursor, ours], [their_cursor, theirs]) => {
                let complete = |cursor: &Reply| step.words[1] == b"0" && cursor.text() == Some(b"0");
                !complete(our_cursor) || !complete(their_cursor) || same_set(ours, theirs)
            }
            _ => false,
        },
        (Some(Rule::Near(unit)), Reply::Integer(ours), Reply::Integer(theirs)) => {
            // Once when the deadline was set, once when it was asked for, each rounded down to a unit.
            let apart = 2 * (circumstances.apart.as_millis() as u64 / unit + 1);
            *ours >= 0 && *theirs >= 0 && ours.abs_diff(*theirs) <= apart
        }
        (Some(Rule::Kind), _, _) => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
        (Some(Rule::Hello), Reply::Items(our_kind, ours), Reply::Items(their_kind, theirs)) => {
            our_kind == their_kind && without_id(ours) == without_id(theirs)
        }
        _ => false,
    }
}

/// The same groups of `width` elements, in any order, as often.
fn same_groups(ours: &Reply, theirs: &Reply, width: usize) -> bool {
    let kinds = |reply: &Reply| match reply {
        Reply::Items(kind, items) => (Some(*kind), items.len()),
        _ => (None, 0),
    };
    let sorted = |reply: &Reply| {
        let mut groups: Vec<Vec<Reply>> = reply.items().chunks(width).map(<[Reply]>::to_vec).collect();
        groups.sort();
        groups
    };
    kinds(ours) == kinds(theirs) && sorted(ours) == sorted(theirs)
}

/// The same elements; SCAN may return one twice.
fn same_set(ours: &Reply, theirs: &Reply) -> bool {
    let set = |reply: &Reply| reply.items().iter().cloned().collect::<std::collections::BTreeSet<_>>();
    set(ours) == set(theirs)
}

/// The fields of a HELLO reply, the id left out.
fn without_id(fields: &[Reply]) -> Vec<Reply> {
    fields.chunks(2).filter(|field| field[0].text() != Some(b"id")).flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Step {
        Step { words: text.split(' ').map(Into::into).collect() }
    }

    fn frame(bytes: &[u8]) -> Frame {
        (bytes.to_vec(), Reply::parse(bytes).expect("well formed").expect("complete").0)
    }

    fn holds(command: &str, ours: &[u8], theirs: &[u8], encoding: &[u8]) -> bool {
        let (encoding, apart) = (&frame(encoding), Duration::from_millis(25));
        let circumstances = Circumstances { reference: Reference::Redis, encoding: Some(encoding), apart };
        same(&step(command), &frame(ours), &frame(theirs), circumstances)
    }

    const AB: &[u8] = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n";
    const BA: &[u8] = b"*2\r\n$1\r\nb\r\n$1\r\na\r\n";

    #[test]
    fn order_counts_unless_it_is_random() {
        let (packed, table) = (b"$8\r\nlistpack\r\n", b"$9\r\nhashtable\r\n");
        assert!(holds("keys *", AB, BA, packed));
        assert!(!holds("MGET a b", AB, BA, table));
        assert!(holds("HKEYS h", AB, BA, table) && !holds("HKEYS h", AB, BA, packed));
        assert!(!holds("HGETALL h", AB, BA, table), "a field and its value do not change places");
        assert!(!holds("KEYS *", AB, b"*1\r\n$1\r\na\r\n", packed));
    }

    #[test]
    fn times_may_differ_a_little_and_their_absence_not_at_all() {
        assert!(holds("PTTL k", b":1052\r\n", b":1000\r\n", b"_\r\n"));
        assert!(!holds("PTTL k", b":1053\r\n", b":1000\r\n", b"_\r\n"));
        assert!(holds("TTL k", b":3\r\n", b":1\r\n", b"_\r\n"));
        assert!(!holds("TTL k", b":4\r\n", b":1\r\n", b"_\r\n"));
        assert!(
            !holds("TTL k", b":-1\r\n", b":-2\r\n", b"_\r\n")
                && !holds("TTL k", b":0\r\n", b":-1\r\n", b"_\r\n")
        );
    }

    #[test]
    fn errors_are_compared_even_where_replies_are_random() {
        assert!(holds("RANDOMKEY", b"$1\r\na\r\n", b"$1\r\nb\r\n", b"_\r\n"));
        assert!(!holds("RANDOMKEY", b"$1\r\na\r\n", b"$-1\r\n", b"_\r\n"));
        assert!(!holds("RANDOMKEY x", b"-ERR a\r\n", b"-ERR b\r\n", b"_\r\n"));
    }

    #[test]
    fn a_complete_scan_returns_the_same_keys() {
        let page =
            |cursor: &str, key: &str| format!("*2\r\n$1\r\n{cursor}\r\n*1\r\n$1\r\n{key}\r\n").into_bytes();
        assert!(!holds("SCAN 0", &page("0", "a"), &page("0", "b"), b"_\r\n"));
        assert!(holds("SCAN 0", &page("0", "a"), &page("7", "b"), b"_\r\n"));
        assert!(holds("SCAN 1", &page("0", "a"), &page("0", "b"), b"_\r\n"));
    }

    #[test]
    fn hello_differs_in_the_id_only() {
        let map = |id: u8, version: u8| {
            format!("%2\r\n$2\r\nid\r\n:{id}\r\n$7\r\nversion\r\n:{version}\r\n").into_bytes()
        };
        assert!(holds("HELLO 3", &map(1, 7), &map(2, 7), b"_\r\n"));
        assert!(!holds("HELLO 3", &map(1, 7), &map(1, 8), b"_\r\n"));
    }
}

//! When two replies to the same command are the same: byte for byte, but for what is random by nature and for
//! the listed exceptions.
//!
//! What is random by nature is named per command in `RULES`; its errors are compared byte for byte all the
//! same.

use std::time::Duration;

use super::generate::Step;
use crate::reply::Reply;

/// A reply and its bytes.
pub type Frame = (Vec<u8>, Reply);

/// How replies are compared that are not the same bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rule {
    /// The same elements in any order, `width` of which belong together.
    Unordered { width: usize },
    /// The same, where the value has one of these encodings.
    UnorderedIn { encodings: &'static [&'static str], width: usize },
    /// A complete SCAN, whose cursor is this word: the same groups of `width` elements. A page has nothing to compare,
    /// neither order nor cursor.
    Scan { cursor: usize, width: usize },
    /// Elements by chance: as many of them.
    Length,
    /// A moment or a span in milliseconds: as far apart as the two servers' clocks may have been read.
    Near,
    /// Several moments or spans in such units.
    NearItems { unit_ms: u64 },
    /// Moments or spans in milliseconds among other things, however deep.
    NearWithin,
    /// The same in seconds, rounded from what `exact` answers; a `span` may have passed in part when that is asked.
    Rounded { exact: &'static str, span: bool },
    /// Addresses, ids, counters: the same kind of reply.
    Kind,
    /// The reply of HELLO: all but the client's id.
    Hello,
}

/// Commands whose replies are random by nature, or depend on the moment; a subcommand where only that one
/// does.
const RULES: [(&str, &str, Rule); 41] = [
    ("KEYS", "", Rule::Unordered { width: 1 }),
    ("CONFIG", "GET", Rule::Unordered { width: 2 }),
    ("SCAN", "", Rule::Scan { cursor: 1, width: 1 }),
    ("HSCAN", "", Rule::Scan { cursor: 2, width: 2 }),
    ("SSCAN", "", Rule::Scan { cursor: 2, width: 1 }),
    ("ZSCAN", "", Rule::Scan { cursor: 2, width: 2 }),
    ("HGETALL", "", Rule::UnorderedIn { encodings: TABLE, width: 2 }),
    ("HKEYS", "", Rule::UnorderedIn { encodings: TABLE, width: 1 }),
    ("HVALS", "", Rule::UnorderedIn { encodings: TABLE, width: 1 }),
    ("SMEMBERS", "", Rule::UnorderedIn { encodings: NOT_INTEGERS, width: 1 }),
    ("SINTER", "", Rule::Unordered { width: 1 }),
    ("SUNION", "", Rule::Unordered { width: 1 }),
    ("SDIFF", "", Rule::Unordered { width: 1 }),
    ("SPOP", "", Rule::Unordered { width: 1 }),
    ("SRANDMEMBER", "", Rule::Length),
    ("ZRANDMEMBER", "", Rule::Length),
    ("HRANDFIELD", "", Rule::Length),
    ("TTL", "", Rule::Rounded { exact: "PTTL", span: true }),
    ("EXPIRETIME", "", Rule::Rounded { exact: "PEXPIRETIME", span: false }),
    ("PTTL", "", Rule::Near),
    ("PEXPIRETIME", "", Rule::Near),
    ("HPTTL", "", Rule::NearItems { unit_ms: 1 }),
    ("HPEXPIRETIME", "", Rule::NearItems { unit_ms: 1 }),
    ("HTTL", "", Rule::NearItems { unit_ms: 1000 }),
    ("HEXPIRETIME", "", Rule::NearItems { unit_ms: 1000 }),
    ("XPENDING", "", Rule::NearWithin),
    ("XINFO", "STREAM", Rule::NearWithin),
    ("XINFO", "CONSUMERS", Rule::NearWithin),
    // Redis shares small integers, and with them their idle time.
    ("OBJECT", "IDLETIME", Rule::Kind),
    ("RANDOMKEY", "", Rule::Kind),
    ("TIME", "", Rule::Kind),
    ("INFO", "", Rule::Kind),
    ("CLIENT", "ID", Rule::Kind),
    ("CLIENT", "INFO", Rule::Kind),
    ("CLIENT", "LIST", Rule::Kind),
    ("DEBUG", "OBJECT", Rule::Kind),
    // How long something takes, and how many bytes an address and a time have.
    ("SLOWLOG", "GET", Rule::Kind),
    ("SLOWLOG", "LEN", Rule::Kind),
    ("COMMANDLOG", "GET", Rule::Kind),
    ("COMMANDLOG", "LEN", Rule::Kind),
    ("LATENCY", "HISTOGRAM", Rule::Kind),
];

const TABLE: &[&str] = &["hashtable"];
/// A short set may have been made of a long one, in the order of its table.
const NOT_INTEGERS: &[&str] = &["listpack", "hashtable"];

/// A difference that we accept.
pub struct Exception {
    /// To which command.
    pub command: &'static str,
    /// Whether our bytes are what they should be where these are the reference's.
    pub is_meant: fn(&[u8], &[u8]) -> bool,
    /// Why.
    pub reason: &'static str,
}

/// All that we accept.
pub static EXCEPTIONS: &[Exception] = &[
    Exception {
        command: "FUNCTION",
        is_meant: spaces_for_line_breaks,
        reason: "a line break that an error repeats would end the reply",
    },
    Exception {
        command: "XAUTOCLAIM",
        is_meant: |_, theirs| theirs.starts_with(b"-ERR Insufficient memory"),
        reason: "no room is taken in advance for all ids that there may be",
    },
];

fn spaces_for_line_breaks(ours: &[u8], theirs: &[u8]) -> bool {
    let Some((text, _)) = theirs.split_last_chunk::<2>() else { return false };
    let spaced = text.iter().map(|byte| if b"\r\n".contains(byte) { &b' ' } else { byte });
    theirs.starts_with(b"-") && spaced.chain(b"\r\n").eq(ours)
}

/// What two replies are compared by, beside the command.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// What ours and the other answered to the command's `probe`, where it has one.
    pub probed: Option<(&'a Frame, &'a Frame)>,
    /// How far apart in time the two servers may have run the same command, now or earlier.
    pub apart: Duration,
}

/// Whether two replies to `step` are the same.
pub fn same(step: &Step, ours: &Frame, theirs: &Frame, circumstances: Circumstances<'_>) -> bool {
    ours.0 == theirs.0
        || is_same_by_rule(step, &ours.1, &theirs.1, circumstances)
        || EXCEPTIONS
            .iter()
            .any(|exception| exception.command == step.name() && (exception.is_meant)(&ours.0, &theirs.0))
}

/// The command that must be asked right behind `step` so that its replies can be compared.
pub fn probe(step: &Step) -> Option<Step> {
    let question: &[&str] = match rule(step)? {
        Rule::UnorderedIn { .. } => &["OBJECT", "ENCODING"],
        Rule::Rounded { exact, .. } => &[exact],
        _ => return None,
    };
    let key = step.words.get(1)?;
    let words = question.iter().map(|word| word.as_bytes().to_vec());
    Some(Step { words: words.chain([key.clone()]).collect() })
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
        (Some(Rule::UnorderedIn { encodings, width }), Reply::Items(..), Reply::Items(..)) => {
            let encoding = circumstances.probed.and_then(|(_, (_, encoding))| encoding.text());
            encodings.iter().any(|one| encoding == Some(one.as_bytes())) && same_groups(ours, theirs, width)
        }
        (Some(Rule::Scan { cursor, width }), _, _) => match (ours.items(), theirs.items()) {
            ([our_cursor, ours], [their_cursor, theirs]) => {
                let complete = |next: &Reply| step.words[cursor] == b"0" && next.text() == Some(b"0");
                let is_half = |word: &Vec<u8>| {
                    ["NOVALUES", "NOSCORES"].iter().any(|half| word.eq_ignore_ascii_case(half.as_bytes()))
                };
                let width = if step.words.iter().any(is_half) { 1 } else { width };
                !complete(our_cursor) || !complete(their_cursor) || same_set(ours, theirs, width)
            }
            _ => false,
        },
        (
            Some(Rule::NearItems { unit_ms }),
            Reply::Items(our_kind, ours),
            Reply::Items(their_kind, theirs),
        ) => {
            let apart = near_ms(circumstances.apart).div_ceil(unit_ms);
            let are_near = |(ours, theirs)| ours == theirs || are_within(ours, theirs, apart);
            (our_kind, ours.len()) == (their_kind, theirs.len()) && ours.iter().zip(theirs).all(are_near)
        }
        (Some(Rule::NearWithin), _, _) => are_near_within(ours, theirs, near_ms(circumstances.apart)),
        (Some(Rule::Length), Reply::Items(our_kind, ours), Reply::Items(their_kind, theirs)) => {
            our_kind == their_kind && ours.len() == theirs.len()
        }
        (Some(Rule::Length), Reply::Bulk(_), Reply::Bulk(_)) => true,
        (Some(Rule::Near), _, _) => are_near(ours, theirs, circumstances.apart),
        (Some(Rule::Rounded { span, .. }), _, _) => {
            let passed = if span { circumstances.apart } else { Duration::ZERO };
            circumstances.probed.is_some_and(|((_, our_exact), (_, their_exact))| {
                are_near(our_exact, their_exact, circumstances.apart)
                    && is_rounded(ours, our_exact, passed)
                    && is_rounded(theirs, their_exact, passed)
            })
        }
        (Some(Rule::Kind), _, _) => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
        (Some(Rule::Hello), Reply::Items(our_kind, ours), Reply::Items(their_kind, theirs)) => {
            our_kind == their_kind && without_id(ours) == without_id(theirs)
        }
        _ => false,
    }
}

/// Whether two times in milliseconds are the same, for servers that did something at most `apart` one after the other.
fn are_near(ours: &Reply, theirs: &Reply, apart: Duration) -> bool {
    are_within(ours, theirs, near_ms(apart))
}

/// Whether two replies differ in nothing but such times.
fn are_near_within(ours: &Reply, theirs: &Reply, apart: u64) -> bool {
    match (ours, theirs) {
        (Reply::Items(our_kind, ours), Reply::Items(their_kind, theirs)) => {
            let are_near = |(ours, theirs)| are_near_within(ours, theirs, apart);
            (our_kind, ours.len()) == (their_kind, theirs.len()) && ours.iter().zip(theirs).all(are_near)
        }
        _ => ours == theirs || are_within(ours, theirs, apart),
    }
}

/// How far apart two times may be: once when the deadline was set, once when it was asked for, each rounded down.
fn near_ms(apart: Duration) -> u64 {
    2 * (apart.as_millis() as u64 + 1)
}

fn are_within(ours: &Reply, theirs: &Reply, apart: u64) -> bool {
    let (Reply::Integer(ours), Reply::Integer(theirs)) = (ours, theirs) else { return false };
    *ours >= 0 && *theirs >= 0 && ours.abs_diff(*theirs) <= apart
}

/// Whether these are the seconds of a time that the same server told in milliseconds at most `passed` later.
fn is_rounded(seconds: &Reply, exact: &Reply, passed: Duration) -> bool {
    let (Reply::Integer(seconds), Reply::Integer(exact)) = (seconds, exact) else { return false };
    let rounded = |milliseconds: i64| milliseconds.saturating_add(500) / 1000;
    let before = exact.saturating_add(passed.as_millis() as i64);
    *exact >= 0 && (rounded(*exact)..=rounded(before)).contains(seconds)
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

/// The same groups of `width` elements; SCAN may return one twice.
fn same_set(ours: &Reply, theirs: &Reply, width: usize) -> bool {
    let set = |reply: &Reply| {
        reply.items().chunks(width).map(<[Reply]>::to_vec).collect::<std::collections::BTreeSet<_>>()
    };
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

    fn holds(command: &str, ours: &[u8], theirs: &[u8], probed: &[u8]) -> bool {
        holds_if(command, ours, theirs, (probed, probed))
    }

    fn holds_if(command: &str, ours: &[u8], theirs: &[u8], probed: (&[u8], &[u8])) -> bool {
        let (probed, apart) = ((frame(probed.0), frame(probed.1)), Duration::from_millis(25));
        let probed = Some((&probed.0, &probed.1));
        let circumstances = Circumstances { probed, apart };
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
        assert!(holds("SMEMBERS e", AB, BA, packed) && !holds("SMEMBERS e", AB, BA, b"$6\r\nintset\r\n"));
        assert!(!holds("HGETALL h", AB, BA, table), "a field and its value do not change places");
        assert!(!holds("KEYS *", AB, b"*1\r\n$1\r\na\r\n", packed));
    }

    #[test]
    fn an_error_may_have_spaces_where_the_other_has_line_breaks() {
        let theirs = b"-ERR Unknown argument a\rb\r\n";
        assert!(holds("FUNCTION LIST a", b"-ERR Unknown argument a b\r\n", theirs, b"_\r\n"));
        assert!(!holds("FUNCTION LIST a", b"-ERR Unknown argument ab\r\n", theirs, b"_\r\n"));
        assert!(!holds("SET a", b"-ERR Unknown argument a b\r\n", theirs, b"_\r\n"));
    }

    #[test]
    fn times_may_differ_a_little_and_their_absence_not_at_all() {
        assert!(holds("PTTL k", b":1052\r\n", b":1000\r\n", b"_\r\n"));
        assert!(!holds("PTTL k", b":1053\r\n", b":1000\r\n", b"_\r\n"));
        assert!(
            !holds("TTL k", b":-1\r\n", b":-2\r\n", b"_\r\n")
                && !holds("TTL k", b":0\r\n", b":-1\r\n", b"_\r\n")
        );
    }

    #[test]
    fn seconds_are_rounded_from_the_milliseconds_of_the_same_server() {
        let (ours, theirs) = (b":2499\r\n".as_slice(), b":2501\r\n".as_slice());
        assert!(holds_if("EXPIRETIME k", b":2\r\n", b":3\r\n", (ours, theirs)));
        assert!(!holds_if("EXPIRETIME k", b":3\r\n", b":2\r\n", (ours, theirs)));
        assert!(!holds_if("EXPIRETIME k", b":2\r\n", b":3\r\n", (ours, b":2999\r\n")), "far from each other");
        assert!(holds_if("TTL k", b":2\r\n", b":3\r\n", (ours, ours)), "some of the time has passed");
        assert!(!holds_if("TTL k", b":4\r\n", b":3\r\n", (theirs, theirs)));
        assert!(!holds_if("TTL k", b":2\r\n", b":3\r\n", (theirs, theirs)));
        assert!(!holds_if("TTL k", b":-1\r\n", b":3\r\n", (b":-1\r\n", theirs)));
    }

    #[test]
    fn errors_are_compared_even_where_replies_are_random() {
        assert!(holds("RANDOMKEY", b"$1\r\na\r\n", b"$1\r\nb\r\n", b"_\r\n"));
        assert!(!holds("RANDOMKEY", b"$1\r\na\r\n", b"$-1\r\n", b"_\r\n"));
        assert!(!holds("RANDOMKEY x", b"-ERR a\r\n", b"-ERR b\r\n", b"_\r\n"));
    }

    #[test]
    fn each_of_several_times_may_differ_a_little() {
        assert!(holds(
            "HPTTL h FIELDS 2 a b",
            b"*2\r\n:1052\r\n:-1\r\n",
            b"*2\r\n:1000\r\n:-1\r\n",
            b"_\r\n"
        ));
        assert!(!holds("HPTTL h FIELDS 2 a b", b"*2\r\n:1053\r\n:5\r\n", b"*2\r\n:1000\r\n:5\r\n", b"_\r\n"));
        assert!(!holds("HPTTL h FIELDS 1 a", b"*1\r\n:0\r\n", b"*1\r\n:-1\r\n", b"_\r\n"));
        assert!(holds("HTTL h FIELDS 1 a", b"*1\r\n:11\r\n", b"*1\r\n:10\r\n", b"_\r\n"));
        assert!(!holds("HTTL h FIELDS 1 a", b"*1\r\n:12\r\n", b"*1\r\n:10\r\n", b"_\r\n"));
    }

    #[test]
    fn what_comes_by_chance_is_as_much() {
        assert!(holds("HRANDFIELD h -2", AB, b"*2\r\n$1\r\na\r\n$1\r\na\r\n", b"_\r\n"));
        assert!(!holds("HRANDFIELD h 2", AB, b"*1\r\n$1\r\na\r\n", b"_\r\n"));
        assert!(holds("HRANDFIELD h", b"$1\r\na\r\n", b"$1\r\nb\r\n", b"_\r\n"));
        assert!(!holds("HRANDFIELD h", b"$1\r\na\r\n", b"$-1\r\n", b"_\r\n"));
    }

    #[test]
    fn a_complete_scan_returns_the_same_keys() {
        let page =
            |cursor: &str, key: &str| format!("*2\r\n$1\r\n{cursor}\r\n*1\r\n$1\r\n{key}\r\n").into_bytes();
        assert!(!holds("SCAN 0", &page("0", "a"), &page("0", "b"), b"_\r\n"));
        assert!(holds("SCAN 0", &page("0", "a"), &page("7", "b"), b"_\r\n"));
        assert!(holds("SCAN 1", &page("0", "a"), &page("0", "b"), b"_\r\n"));
        assert!(!holds("SSCAN e 0", &page("0", "a"), &page("0", "b"), b"_\r\n"));
        assert!(holds("SSCAN e 1", &page("0", "a"), &page("0", "b"), b"_\r\n"));
    }

    #[test]
    fn as_many_elements_are_drawn() {
        assert!(holds("SRANDMEMBER e 2", AB, BA, b"_\r\n"));
        assert!(holds("SRANDMEMBER e -2", AB, b"*2\r\n$1\r\na\r\n$1\r\na\r\n", b"_\r\n"));
        assert!(!holds("SRANDMEMBER e 2", AB, b"*1\r\n$1\r\na\r\n", b"_\r\n"));
        assert!(!holds("SRANDMEMBER e", b"$1\r\na\r\n", b"$-1\r\n", b"_\r\n"));
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

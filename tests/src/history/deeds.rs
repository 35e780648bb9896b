//! What clients do, one function for each kind, and what each reply tells of the versions that it met. A new kind is a
//! function and its line in one of the three lists at the end.
//!
//! Every kind of object is one whose versions its readers can name:
//!
//! | object | changed by | its version is |
//! | --- | --- | --- |
//! | `counter:`, fields of `hash:` | adding 1 | its value |
//! | `log:`, `text:`, `set:` | appending or adding something new | its length |
//! | `both:` | intersecting two sets, to each of which the same new member was added | its length |
//! | `copy:` | copying or renaming a log that has just grown | its length |
//! | `register:` | setting it, while watching it, to one more than was read | its value |
//! | `own:` | only its owner, who counts: so it may be overwritten blindly | its value |
//! | `from:`, `to:` | its owner appends numbers to the one, anybody moves them to the other | the last number |
//! | `pair:` | setting both of its keys, if there are none | whether it is there |
//! | the sum of `account:` | nothing: money only moves | its difference from what it should be |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use super::{Seen, What};
use crate::reply::Reply;

/// Of each kind of object there are so many, so that everybody meets everybody.
const OBJECTS: usize = 4;
/// Fields of a hash.
const FIELDS: usize = 3;
/// Clients that have objects of their own.
pub const OWNERS: usize = 4;
/// Keys of each of them.
const OWNED: usize = 3;
const ACCOUNTS: usize = 6;
/// What each account has at first.
const BALANCE: u64 = 1000;
/// Bytes by which a text grows.
const PIECE: usize = 8;
/// Elements of one list that is so long that reading it is left to other threads.
const LONG_LIST: usize = 20_000;
/// Looks at each element of it.
const SLOW: &str = "LPOS long: none";
const SLOW_CALLS: usize = 5;

/// Commands that are done at once, and what their replies tell.
pub struct Deed {
    /// One command or several.
    pub calls: Vec<Call>,
    /// Given a reply for each.
    pub learn: Learn,
}

/// A command's words.
pub type Call = Vec<String>;
type Learn = Box<dyn Fn(&[Reply]) -> Vec<Seen> + Send>;

/// A source of deeds for one client.
pub struct Deeds {
    /// Its choices.
    pub random: Rng,
    client: usize,
    /// The last version of what it owns.
    own: u64,
    pushed: u64,
    marks: u64,
    /// The next pair that is not there yet, perhaps.
    pairs: Arc<AtomicU64>,
}

/// Something that clients do. Deeds that must not be done apart are one.
pub type Kind = fn(&mut Deeds) -> Vec<Deed>;

/// What every round begins with.
pub fn beginning() -> Vec<Call> {
    let accounts = (0..ACCOUNTS).map(|number| words(&format!("SET account:{number} {BALANCE}")));
    let element = "0 ".repeat(LONG_LIST / 20);
    let long = (0..20).map(|_| words(&format!("RPUSH long: {}", element.trim_end())));
    [words("FLUSHALL")].into_iter().chain(accounts).chain(long).collect()
}

impl Deeds {
    /// The same seed gives the same choices.
    pub fn new(seed: u64, client: usize, pairs: Arc<AtomicU64>) -> Self {
        let random = Rng::with_seed(seed.wrapping_add(client as u64));
        Self { random, client, own: 0, pushed: 0, marks: 0, pairs }
    }

    /// Forgets what was in a server that is empty now.
    pub fn begin(&mut self) {
        (self.own, self.pushed, self.marks) = (0, 0, 0);
    }

    /// Deeds of one of these kinds.
    pub fn one_of(&mut self, kinds: &[Kind]) -> Vec<Deed> {
        kinds[self.random.usize(..kinds.len())](self)
    }

    /// Something that any client may do and that may as well not happen.
    pub fn anything(&mut self) -> Vec<Deed> {
        if self.random.bool() { self.one_of(LOOKS) } else { self.one_of(CHANGES) }
    }

    /// The same, or something that its owner alone does and that does happen.
    pub fn anything_own(&mut self) -> Vec<Deed> {
        if self.client < OWNERS && self.random.u32(..3) == 0 {
            self.one_of(OWN_CHANGES)
        } else {
            self.anything()
        }
    }

    /// Different registers, up to so many.
    pub fn registers(&mut self, most: usize) -> Vec<String> {
        self.some("register", OBJECTS, most)
    }

    /// Commands that set registers to these versions.
    pub fn set_registers(&mut self, versions: &[(String, u64)]) -> Vec<Call> {
        let staging = format!("staging:{}", self.client);
        let set = |key: &str, version: u64| words(&format!("SET {key} {version}"));
        match self.random.u32(..4) {
            0 => vec![assignments("MSET", versions)],
            1 => versions
                .iter()
                .flat_map(|(key, version)| {
                    [set(&staging, *version), words(&format!("RENAME {staging} {key}"))]
                })
                .collect(),
            2 => versions
                .iter()
                .flat_map(|(key, version)| {
                    [set(&staging, *version), words(&format!("COPY {staging} {key} REPLACE"))]
                })
                .collect(),
            _ => versions.iter().map(|(key, version)| set(key, *version)).collect(),
        }
    }

    /// Commands that take long, now and then: what goes wrong between the first and the last of a transaction then does.
    pub fn pause(&mut self) -> Vec<Call> {
        let count = if self.random.u32(..4) == 0 { SLOW_CALLS } else { 0 };
        vec![words(SLOW); count]
    }

    /// Two different accounts, and how much to move from the first to the second.
    pub fn transfer(&mut self) -> ([String; 2], u64) {
        let from = self.random.usize(..ACCOUNTS);
        let to = (from + self.random.usize(1..ACCOUNTS)) % ACCOUNTS;
        ([format!("account:{from}"), format!("account:{to}")], self.random.u64(1..10))
    }

    fn name(&mut self, kind: &str) -> String {
        format!("{kind}:{}", self.random.usize(..OBJECTS))
    }

    fn some(&mut self, kind: &str, of: usize, most: usize) -> Vec<String> {
        let mut names: Vec<String> = (0..of).map(|number| format!("{kind}:{number}")).collect();
        self.random.shuffle(&mut names);
        names.truncate(self.random.usize(1..=most.min(of)));
        names
    }

    /// Something that nobody else has.
    fn mark(&mut self) -> u64 {
        self.marks += 1;
        self.marks * 1000 + self.client as u64
    }

    fn next_own(&mut self) -> u64 {
        self.own += 1;
        self.own
    }

    /// A key of an owner.
    fn owned(&mut self, kind: &str) -> String {
        format!("{kind}:{}", self.random.usize(..OWNERS))
    }

    /// Two sets and the key of what they have in common.
    fn sets(&mut self) -> [String; 3] {
        let first = self.random.usize(..OBJECTS / 2);
        [format!("both:{first}"), format!("set:{first}:a"), format!("set:{first}:b")]
    }
}

// What everybody changes.

fn count_up(deeds: &mut Deeds) -> Vec<Deed> {
    let key = deeds.name("counter");
    let call = format!("INCR {key}");
    vec![one(&call, move |reply| vec![Seen::new(&*key, What::Made(number(reply)))])]
}

fn count_up_a_field(deeds: &mut Deeds) -> Vec<Deed> {
    let (key, field) = (deeds.name("hash"), deeds.random.usize(..FIELDS));
    let call = format!("HINCRBY {key} {field} 1");
    vec![one(&call, move |reply| vec![Seen::new(format!("{key} {field}"), What::Made(number(reply)))])]
}

fn append_to_a_log(deeds: &mut Deeds) -> Vec<Deed> {
    let (key, mark) = (deeds.name("log"), deeds.mark());
    let call = format!("RPUSH {key} {mark}");
    vec![one(&call, move |reply| vec![Seen::new(&*key, What::MadeMarked(number(reply), mark))])]
}

fn append_to_a_text(deeds: &mut Deeds) -> Vec<Deed> {
    let (key, mark) = (deeds.name("text"), deeds.mark());
    let call = format!("APPEND {key} {mark:0PIECE$}");
    vec![one(&call, move |reply| vec![Seen::new(&*key, What::MadeMarked(pieces(reply), mark))])]
}

fn add_to_a_set(deeds: &mut Deeds) -> Vec<Deed> {
    let [_, key, _] = deeds.sets();
    let calls = [format!("SADD {key} {}", deeds.mark()), format!("SCARD {key}")];
    vec![several(&calls, move |replies| vec![Seen::new(&*key, What::Made(number(&replies[1])))])]
}

fn intersect(deeds: &mut Deeds) -> Vec<Deed> {
    let ([both, a, b], mark) = (deeds.sets(), deeds.mark());
    let calls = [
        format!("SADD {a} {mark}"),
        format!("SADD {b} {mark}"),
        format!("SINTERSTORE {both} {a} {b}"),
        format!("SCARD {a}"),
        format!("SCARD {b}"),
    ];
    let learn = move |replies: &[Reply]| {
        let made = [&both, &a, &b].into_iter().zip(&replies[2..]);
        made.map(|(key, reply)| Seen::new(&**key, What::Made(number(reply)))).collect()
    };
    vec![several(&calls, learn)]
}

fn copy_a_log(deeds: &mut Deeds) -> Vec<Deed> {
    let (number_of_log, mark, spare) =
        (deeds.random.usize(..OBJECTS), deeds.mark(), format!("spare:{}", deeds.client));
    let (log, copy) = (format!("log:{number_of_log}"), format!("copy:{number_of_log}"));
    let append = format!("RPUSH {log} {mark}");
    let calls = match deeds.random.bool() {
        true => vec![append, format!("COPY {log} {copy} REPLACE")],
        false => vec![append, format!("COPY {log} {spare}"), format!("RENAME {spare} {copy}")],
    };
    let learn = move |replies: &[Reply]| {
        let version = number(&replies[0]);
        vec![Seen::new(&*log, What::MadeMarked(version, mark)), Seen::new(&*copy, What::Put(version))]
    };
    vec![several(&calls, learn)]
}

fn move_along(deeds: &mut Deeds) -> Vec<Deed> {
    let from = deeds.owned("from");
    let to = from.replace("from", "to");
    let call = format!("LMOVE {from} {to} LEFT RIGHT");
    let learn = move |reply: &Reply| match number(reply) {
        0 => Vec::new(),
        moved => vec![Seen::new(&*from, What::Passed(moved)), Seen::new(&*to, What::Made(moved))],
    };
    vec![one(&call, learn)]
}

fn set_a_pair(deeds: &mut Deeds) -> Vec<Deed> {
    let pairs = deeds.pairs.clone();
    let pair = pairs.load(Ordering::Relaxed);
    let keys = [format!("pair:{pair}:a"), format!("pair:{pair}:b")];
    let call = format!("MSETNX {} 1 {} 1", keys[0], keys[1]);
    let learn = move |reply: &Reply| {
        pairs.fetch_max(pair + 1, Ordering::Relaxed);
        let what = if number(reply) == 1 { What::Made(1) } else { What::Met(1) };
        keys.iter().map(|key| Seen::new(&**key, what)).collect()
    };
    vec![one(&call, learn)]
}

fn move_money(deeds: &mut Deeds) -> Vec<Deed> {
    let ([from, to], sum) = deeds.transfer();
    vec![several(&[format!("DECRBY {from} {sum}"), format!("INCRBY {to} {sum}")], |_| Vec::new())]
}

// What only owners change.

fn set_all(deeds: &mut Deeds) -> Vec<Deed> {
    let version = deeds.next_own();
    let keys: Vec<String> = (0..OWNED).map(|number| format!("own:{}:{number}", deeds.client)).collect();
    let versions: Vec<(String, u64)> = keys.iter().map(|key| (key.clone(), version)).collect();
    let learn = move |_: &Reply| keys.iter().map(|key| Seen::new(&**key, What::Put(version))).collect();
    vec![Deed::one(assignments("MSET", &versions), learn)]
}

fn set_by_renaming(deeds: &mut Deeds) -> Vec<Deed> {
    let (version, staging) = (deeds.next_own(), format!("staging:{}", deeds.client));
    let key = format!("own:{}:{}", deeds.client, deeds.random.usize(..OWNED));
    let rename = format!("RENAME {staging} {key}");
    vec![
        one(&format!("SET {staging} {version}"), |_| Vec::new()),
        one(&rename, move |_| vec![Seen::new(&*key, What::Put(version))]),
    ]
}

fn set_by_copying(deeds: &mut Deeds) -> Vec<Deed> {
    let (version, first) = (deeds.next_own(), deeds.random.usize(..OWNED));
    let [key, other] = [first, (first + 1) % OWNED].map(|number| format!("own:{}:{number}", deeds.client));
    let calls = [format!("SET {key} {version}"), format!("COPY {key} {other} REPLACE")];
    vec![
        one(&calls[0], move |_| vec![Seen::new(&*key, What::Put(version))]),
        one(&calls[1], move |_| vec![Seen::new(&*other, What::Put(version))]),
    ]
}

fn push(deeds: &mut Deeds) -> Vec<Deed> {
    let key = format!("from:{}", deeds.client);
    let pushed = deeds.pushed + 1..=deeds.pushed + deeds.random.u64(1..4);
    deeds.pushed = *pushed.end();
    let numbers: Vec<String> = pushed.clone().map(|number| number.to_string()).collect();
    let call = format!("RPUSH {key} {}", numbers.join(" "));
    vec![one(&call, move |_| pushed.clone().map(|number| Seen::new(&*key, What::Made(number))).collect())]
}

// What everybody looks at.

fn look_at_strings(deeds: &mut Deeds) -> Vec<Deed> {
    let pair = deeds.pairs.load(Ordering::Relaxed).saturating_sub(deeds.random.u64(..2));
    let owner = deeds.random.usize(..OWNERS);
    let mut keys = match deeds.random.u32(..5) {
        0 => vec![format!("pair:{pair}:a"), format!("pair:{pair}:b")],
        1 => deeds.some(&format!("own:{owner}"), OWNED, OWNED),
        2 => deeds.some("counter", OBJECTS, OBJECTS),
        3 => deeds.registers(OBJECTS),
        _ => vec![
            deeds.name("counter"),
            deeds.name("register"),
            format!("own:{owner}:0"),
            format!("own:{owner}:1"),
            format!("pair:{pair}:b"),
        ],
    };
    deeds.random.shuffle(&mut keys);
    let call = format!("MGET {}", keys.join(" "));
    let learn = move |reply: &Reply| {
        let values = keys.iter().zip(reply.items());
        values.map(|(key, value)| Seen::new(&**key, What::Met(number(value)))).collect()
    };
    vec![one(&call, learn)]
}

fn look_at_a_string(deeds: &mut Deeds) -> Vec<Deed> {
    let kind = ["counter", "register"][deeds.random.usize(..2)];
    count("GET", deeds.name(kind))
}

fn look_at_a_hash(deeds: &mut Deeds) -> Vec<Deed> {
    let key = deeds.name("hash");
    let call =
        format!("HMGET {key} {}", (0..FIELDS).map(|field| field.to_string()).collect::<Vec<_>>().join(" "));
    let learn = move |reply: &Reply| {
        let values = reply.items().iter().enumerate();
        values.map(|(field, value)| Seen::new(format!("{key} {field}"), What::Met(number(value)))).collect()
    };
    vec![one(&call, learn)]
}

fn look_at_a_whole_hash(deeds: &mut Deeds) -> Vec<Deed> {
    let key = deeds.name("hash");
    let call = format!("HGETALL {key}");
    let learn = move |reply: &Reply| {
        let field =
            |pair: &[Reply]| Seen::new(format!("{key} {}", number(&pair[0])), What::Met(number(&pair[1])));
        reply.items().chunks(2).map(field).collect()
    };
    vec![one(&call, learn)]
}

fn look_at_the_end_of_a_log(deeds: &mut Deeds) -> Vec<Deed> {
    let key = deeds.name("log");
    let call = format!("LRANGE {key} -3 -1");
    let learn = move |reply: &Reply| {
        let what = reply.items().last().map_or(What::Met(0), |mark| What::MetMark(number(mark)));
        vec![Seen::new(&*key, what)]
    };
    vec![one(&call, learn)]
}

fn look_at_the_end_of_a_text(deeds: &mut Deeds) -> Vec<Deed> {
    let key = deeds.name("text");
    let call = format!("GETRANGE {key} -{PIECE} -1");
    let learn = move |reply: &Reply| {
        let what = match number(reply) {
            0 => What::Met(0),
            mark => What::MetMark(mark),
        };
        vec![Seen::new(&*key, what)]
    };
    vec![one(&call, learn)]
}

fn look_at_the_length_of_a_text(deeds: &mut Deeds) -> Vec<Deed> {
    let key = deeds.name("text");
    let call = format!("STRLEN {key}");
    vec![one(&call, move |reply| vec![Seen::new(&*key, What::Met(pieces(reply)))])]
}

fn look_at_a_length(deeds: &mut Deeds) -> Vec<Deed> {
    let [both, a, b] = deeds.sets();
    match deeds.random.u32(..6) {
        0 => count("LLEN", deeds.name("log")),
        1 => count("LLEN", deeds.name("copy")),
        2 => count("LLEN", deeds.owned("to")),
        3 => count("SCARD", a),
        4 => count("SCARD", b),
        _ => count("SCARD", both),
    }
}

fn look_at_what_is_common(deeds: &mut Deeds) -> Vec<Deed> {
    let [both, a, b] = deeds.sets();
    let call = match deeds.random.u32(..3) {
        0 => format!("SMEMBERS {both}"),
        1 => format!("SINTER {a} {b}"),
        _ => format!("SINTERCARD 2 {a} {b}"),
    };
    let learn = move |reply: &Reply| {
        let length = if let Reply::Items(_, items) = reply { items.len() as u64 } else { number(reply) };
        vec![Seen::new(&*both, What::Met(length))]
    };
    vec![one(&call, learn)]
}

/// What is left of a queue begins behind what was moved last and ends with what was pushed last.
fn look_at_a_queue(deeds: &mut Deeds) -> Vec<Deed> {
    let from = deeds.owned("from");
    let to = from.replace("from", "to");
    let call = format!("LRANGE {from} 0 -1");
    let learn = move |reply: &Reply| {
        let left: Vec<u64> = reply.items().iter().map(number).collect();
        let (Some(first), Some(last)) = (left.first(), left.last()) else { return Vec::new() };
        assert!((*first..=*last).eq(left.iter().copied()), "{from} has a gap: {left:?}");
        vec![Seen::new(&*to, What::Met(first - 1)), Seen::new(&*from, What::Met(*last))]
    };
    vec![one(&call, learn)]
}

fn look_at_all_accounts(deeds: &mut Deeds) -> Vec<Deed> {
    let keys: Vec<String> = (0..ACCOUNTS).map(|number| format!("account:{number}")).collect();
    if deeds.random.bool() {
        return vec![one(&format!("MGET {}", keys.join(" ")), |reply| sum(reply.items()))];
    }
    let calls: Vec<String> = keys.iter().map(|key| format!("GET {key}")).collect();
    vec![several(&calls, sum)]
}

/// What needs all shards, or another thread.
fn look_at_much(deeds: &mut Deeds) -> Vec<Deed> {
    let calls = ["DBSIZE", "KEYS none*", "LRANGE long: 0 1", SLOW];
    vec![one(calls[deeds.random.usize(..calls.len())], |_| Vec::new())]
}

const CHANGES: &[Kind] = &[
    count_up,
    count_up_a_field,
    append_to_a_log,
    append_to_a_text,
    add_to_a_set,
    intersect,
    copy_a_log,
    move_along,
    move_along,
    set_a_pair,
    move_money,
];

const OWN_CHANGES: &[Kind] = &[set_all, set_by_renaming, set_by_copying, push, push];

const LOOKS: &[Kind] = &[
    look_at_strings,
    look_at_strings,
    look_at_a_string,
    look_at_a_hash,
    look_at_a_whole_hash,
    look_at_the_end_of_a_log,
    look_at_the_end_of_a_text,
    look_at_the_length_of_a_text,
    look_at_a_length,
    look_at_what_is_common,
    look_at_a_queue,
    look_at_all_accounts,
    look_at_much,
];

impl Deed {
    fn one(call: Call, learn: impl Fn(&Reply) -> Vec<Seen> + Send + 'static) -> Self {
        Self { calls: vec![call], learn: Box::new(move |replies| learn(&replies[0])) }
    }
}

fn one(call: &str, learn: impl Fn(&Reply) -> Vec<Seen> + Send + 'static) -> Deed {
    Deed::one(words(call), learn)
}

fn several(calls: &[String], learn: impl Fn(&[Reply]) -> Vec<Seen> + Send + 'static) -> Deed {
    Deed { calls: calls.iter().map(|call| words(call)).collect(), learn: Box::new(learn) }
}

/// Asks for the number that is an object's version.
fn count(command: &str, key: String) -> Vec<Deed> {
    let call = format!("{command} {key}");
    vec![one(&call, move |reply| vec![Seen::new(&*key, What::Met(number(reply)))])]
}

/// The number of a reply, which is 0 where there is nothing.
pub fn number(reply: &Reply) -> u64 {
    u64::try_from(integer(reply)).unwrap_or_else(|_| panic!("below zero: {reply:?}"))
}

/// The same, for what may be below zero.
pub fn integer(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(value) => *value,
        Reply::Nil | Reply::Null => 0,
        Reply::Bulk(text) if text.is_empty() => 0,
        Reply::Bulk(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("no number: {reply:?}")),
        _ => panic!("no number: {reply:?}"),
    }
}

fn pieces(reply: &Reply) -> u64 {
    assert_eq!(number(reply) % PIECE as u64, 0, "a text has lost a part of a piece");
    number(reply) / PIECE as u64
}

/// How far the sum of all accounts is from what it should be.
fn sum(balances: &[Reply]) -> Vec<Seen> {
    let sum: i64 = balances.iter().map(integer).sum();
    vec![Seen::new("the sum of all accounts", What::Met(sum.abs_diff(ACCOUNTS as i64 * BALANCE as i64)))]
}

fn words(call: &str) -> Call {
    call.split(' ').map(str::to_owned).collect()
}

fn assignments(command: &str, values: &[(String, u64)]) -> Call {
    let pairs = values.iter().flat_map(|(key, value)| [key.clone(), value.to_string()]);
    [command.to_owned()].into_iter().chain(pairs).collect()
}

//! Runs clients on a server, round after round, and checks what they have seen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::deeds::{Call, Deed, Deeds, beginning, integer, number};
use super::{Fault, Operation, Seen, What, check};
use crate::client::{Client, encode};
use crate::reply::Reply;

/// So many operations are kept and checked at a time.
const ROUND_OPERATIONS: usize = 20_000;
/// Groups of deeds in most transactions, and in one of a hundred, which then is so long that it is left to other threads.
const GROUPS_MAX: usize = 5;
const GROUPS_MANY: usize = 100;
/// Gives back the replies of commands, each of which is preceded by the number of its words.
const SCRIPT: &str = "local replies, at = {}, 1 \
    while at <= #ARGV do \
        local words = tonumber(ARGV[at]) \
        replies[#replies + 1] = redis.call(unpack(ARGV, at + 1, at + words)) \
        at = at + words + 1 \
    end \
    return replies";

/// How several commands become one operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// As a transaction.
    Exec,
    /// As a script.
    Script,
    /// Not at all: one after another, as if nothing held them together.
    Nothing,
    /// Only the commands of each deed, as transactions; one deed after another.
    Deeds,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of all choices, though not of the interleaving.
    pub seed: u64,
    /// For how long.
    pub time: Duration,
    /// How many at the same time.
    pub clients: usize,
    /// The ways in which they hold commands together; one of them is chosen each time.
    pub carriers: Vec<Carrier>,
    /// Whether they watch what they read before they change it.
    pub watches: bool,
}

/// What was run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// All operations, each of them checked.
    pub operations: usize,
    /// Parts of the run, each from an empty server.
    pub rounds: usize,
    /// Transactions that watched keys and ran.
    pub committed: usize,
    /// Transactions that watched keys and did not run.
    pub aborted: usize,
}

/// Runs clients until the time is over or something is wrong.
pub fn run(address: SocketAddr, settings: &Settings) -> Result<Report, Fault> {
    let start = Instant::now();
    let pairs = Arc::new(AtomicU64::new(0));
    let mut workers: Vec<Worker<'_>> =
        (0..settings.clients).map(|number| Worker::new(address, settings, start, number, &pairs)).collect();
    let mut report = Report::default();
    while report.rounds == 0 || start.elapsed() < settings.time {
        let mut control = connect(address, 2);
        for call in beginning() {
            let reply = control.call(&call).expect("a reply");
            assert!(!reply.is_error(), "{reply:?}");
        }
        let left = AtomicUsize::new(ROUND_OPERATIONS);
        thread::scope(|scope| {
            let left = &left;
            workers.iter_mut().for_each(|worker| drop(scope.spawn(move || worker.round(left))));
        });
        let history: Vec<Operation> =
            workers.iter_mut().flat_map(|worker| worker.history.drain(..)).collect();
        check(&history)?;
        report.operations += history.len();
        report.rounds += 1;
    }
    report.committed = workers.iter().map(|worker| worker.committed).sum();
    report.aborted = workers.iter().map(|worker| worker.aborted).sum();
    Ok(report)
}

fn connect(address: SocketAddr, protocol: u8) -> Client {
    Client::connect_speaking(address, protocol).expect("it accepts")
}

/// A client.
struct Worker<'a> {
    settings: &'a Settings,
    /// When all times are zero.
    start: Instant,
    number: usize,
    client: Client,
    deeds: Deeds,
    history: Vec<Operation>,
    committed: usize,
    aborted: usize,
}

impl<'a> Worker<'a> {
    fn new(
        address: SocketAddr,
        settings: &'a Settings,
        start: Instant,
        number: usize,
        pairs: &Arc<AtomicU64>,
    ) -> Self {
        let client = connect(address, 2 + (number % 2) as u8);
        let deeds = Deeds::new(settings.seed, number, pairs.clone());
        Self { settings, start, number, client, deeds, history: Vec::new(), committed: 0, aborted: 0 }
    }

    fn round(&mut self, left: &AtomicUsize) {
        self.deeds.begin();
        let take_one = |left: usize| left.checked_sub(1);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take_one).is_ok()
            && self.start.elapsed() < self.settings.time
        {
            match self.deeds.random.u32(..20) {
                0..7 => self.alone(),
                7..13 => self.together(),
                13..17 => self.set_watched_registers(),
                17..19 => self.move_watched_money(),
                _ => self.discard(),
            }
        }
    }

    /// Deeds one by one.
    fn alone(&mut self) {
        for deed in self.deeds.anything_own() {
            self.act(vec![deed]);
        }
    }

    /// Several as one operation.
    fn together(&mut self) {
        let many = self.deeds.random.u32(..100) == 0;
        let groups = if many { GROUPS_MANY } else { self.deeds.random.usize(1..=GROUPS_MAX) };
        let deeds = (0..groups).flat_map(|_| self.deeds.anything_own()).collect();
        self.act(deeds);
    }

    fn act(&mut self, deeds: Vec<Deed>) {
        let calls: Vec<Call> = deeds.iter().flat_map(|deed| deed.calls.iter().cloned()).collect();
        let choice = self.deeds.random.usize(..self.settings.carriers.len());
        let carrier = if calls.len() == 1 { Carrier::Nothing } else { self.settings.carriers[choice] };
        let (start_ns, replies) = match carrier {
            Carrier::Deeds => self.carry_each(&deeds),
            _ => self.carry(carrier, &calls),
        };
        let replies = replies.expect("what watches nothing runs");
        self.note(start_ns, learn(&deeds, &replies), format!("{carrier:?}: {}", described(&calls)));
    }

    /// Reads registers and sets some of them to what comes next.
    fn set_watched_registers(&mut self) {
        let keys = self.deeds.registers(3);
        self.watch(&keys);
        let mut versions = Vec::new();
        for some in keys.chunks(self.deeds.random.usize(1..=keys.len())) {
            let (start_ns, reply) = self.call(&call("MGET", some));
            versions.extend(some.iter().cloned().zip(reply.items().iter().map(number)));
            let met = some.iter().zip(reply.items());
            let seen = met.map(|(key, value)| Seen::new(&**key, What::Met(number(value)))).collect();
            self.note(start_ns, seen, format!("MGET {}", some.join(" ")));
        }
        if self.deeds.random.u32(..20) == 0 {
            return drop(self.call(&call("UNWATCH", &[])));
        }
        let mut seen: Vec<Seen> =
            versions.iter().map(|(key, version)| Seen::new(&**key, What::Met(*version))).collect();
        let set = self.deeds.random.usize(1..=keys.len());
        let next: Vec<(String, u64)> =
            versions[..set].iter().map(|(key, version)| (key.clone(), version + 1)).collect();
        seen.extend(next.iter().map(|(key, version)| Seen::new(&**key, What::Made(*version))));
        let deeds: Vec<Deed> =
            (0..self.deeds.random.usize(..3)).flat_map(|_| self.deeds.anything()).collect();
        let mut calls = self.deeds.pause();
        calls.extend(self.deeds.set_registers(&next));
        calls.extend(self.deeds.pause());
        let own = calls.len();
        calls.extend(deeds.iter().flat_map(|deed| deed.calls.iter().cloned()));
        let (start_ns, replies) = self.commit(&calls);
        if let Some(replies) = replies {
            seen.extend(learn(&deeds, &replies[own..]));
            self.note(start_ns, seen, format!("WATCH {}; {}", keys.join(" "), described(&calls)));
        }
    }

    fn move_watched_money(&mut self) {
        let (keys, sum) = self.deeds.transfer();
        self.watch(&keys);
        let (_, reply) = self.call(&call("MGET", &keys));
        let [from, to] = [0, 1].map(|place| integer(&reply.items()[place]));
        let after = [from - sum as i64, to + sum as i64].map(|balance| balance.to_string());
        let set = |place: usize| call("SET", &[keys[place].clone(), after[place].clone()]);
        self.commit(&[set(0), set(1)]);
    }

    /// What is discarded has no effect, so nothing is noted.
    fn discard(&mut self) {
        if self.settings.carriers.contains(&Carrier::Exec) {
            self.call(&call("MULTI", &[]));
            for deed in self.deeds.anything() {
                deed.calls.iter().for_each(|call| drop(self.call(call)));
            }
            self.call(&call("DISCARD", &[]));
        }
    }

    fn watch(&mut self, keys: &[String]) {
        if self.settings.watches {
            self.call(&call("WATCH", keys));
        }
    }

    /// Runs what depends on what was watched.
    fn commit(&mut self, calls: &[Call]) -> (u64, Option<Vec<Reply>>) {
        let is_held = !self.settings.carriers.contains(&Carrier::Nothing);
        let (start_ns, replies) = self.carry(if is_held { Carrier::Exec } else { Carrier::Nothing }, calls);
        *(if replies.is_some() { &mut self.committed } else { &mut self.aborted }) += 1;
        (start_ns, replies)
    }

    /// When they may have begun to have effect, and their replies; none if it had none.
    fn carry(&mut self, carrier: Carrier, calls: &[Call]) -> (u64, Option<Vec<Reply>>) {
        match carrier {
            Carrier::Exec if self.deeds.random.bool() => self.exec_in_one_piece(calls),
            Carrier::Exec => {
                self.call(&call("MULTI", &[]));
                calls.iter().for_each(|call| drop(self.call(call)));
                let (start_ns, reply) = self.call(&call("EXEC", &[]));
                (start_ns, replies(reply))
            }
            Carrier::Script => {
                let declares_keys = self.deeds.random.bool();
                let (start_ns, reply) = self.call(&script(calls, declares_keys));
                (start_ns, replies(reply))
            }
            Carrier::Nothing | Carrier::Deeds => {
                let start_ns = self.now_ns();
                (start_ns, Some(calls.iter().map(|call| self.call(call).1).collect()))
            }
        }
    }

    fn carry_each(&mut self, deeds: &[Deed]) -> (u64, Option<Vec<Reply>>) {
        let start_ns = self.now_ns();
        let replies = deeds.iter().map(|deed| self.carry(Carrier::Exec, &deed.calls).1);
        (start_ns, replies.collect::<Option<Vec<_>>>().map(|replies| replies.concat()))
    }

    fn exec_in_one_piece(&mut self, calls: &[Call]) -> (u64, Option<Vec<Reply>>) {
        let mut bytes = encode(&["MULTI"]);
        calls.iter().for_each(|call| bytes.extend(encode(call)));
        bytes.extend(encode(&["EXEC"]));
        let start_ns = self.now_ns();
        self.client.send_raw(&bytes).expect("it is read");
        let mut frames = self.client.frames(calls.len() + 2).expect("a reply to each");
        let (_, reply) = frames.pop().expect("invariant: there are some");
        frames.iter().for_each(|(_, reply)| assert!(!reply.is_error(), "{reply:?}"));
        (start_ns, replies(reply))
    }

    fn call(&mut self, call: &Call) -> (u64, Reply) {
        let start_ns = self.now_ns();
        self.client.send_raw(&encode(call)).expect("it is read");
        let (_, reply) = self.client.frames(1).expect("a reply").remove(0);
        assert!(!reply.is_error(), "{call:?}: {reply:?}");
        (start_ns, reply)
    }

    /// What has learnt nothing has its place in any order.
    fn note(&mut self, start_ns: u64, seen: Vec<Seen>, text: String) {
        let end_ns = self.now_ns();
        if !seen.is_empty() {
            self.history.push(Operation { client: self.number, start_ns, end_ns, seen, text });
        }
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

fn learn(deeds: &[Deed], replies: &[Reply]) -> Vec<Seen> {
    let failed = replies.iter().find(|reply| reply.is_error());
    assert!(failed.is_none(), "{failed:?}");
    let mut left = replies;
    let mut seen = Vec::new();
    for deed in deeds {
        let (own, others) = left.split_at(deed.calls.len());
        seen.extend((deed.learn)(own));
        left = others;
    }
    seen
}

/// The replies of a transaction, if it has run.
fn replies(reply: Reply) -> Option<Vec<Reply>> {
    match reply {
        Reply::Items(_, replies) => Some(replies),
        Reply::Null | Reply::NilArray => None,
        other => panic!("no replies: {other:?}"),
    }
}

/// A script that runs these, with all of their keys or without any: keys are those words that have a colon.
fn script(calls: &[Call], declares_keys: bool) -> Call {
    let mut keys: Vec<String> = calls.iter().flatten().filter(|word| word.contains(':')).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|_| declares_keys);
    let mut words = vec!["EVAL".to_owned(), SCRIPT.to_owned(), keys.len().to_string()];
    words.extend(keys);
    for call in calls {
        words.push(call.len().to_string());
        words.extend(call.iter().cloned());
    }
    words
}

fn call(name: &str, arguments: &[String]) -> Call {
    [name.to_owned()].into_iter().chain(arguments.iter().cloned()).collect()
}

fn described(calls: &[Call]) -> String {
    calls.iter().map(|call| call.join(" ")).collect::<Vec<_>>().join("; ")
}

//! Two servers side by side: the same commands to both, then the same questions about what is left.

use std::time::{Duration, Instant};

use super::compare::{Circumstances, Frame, probe};
use super::generate::Step;
use super::queue::Queue;
use crate::client::{Client, encode};
use crate::reference::Reference;
use crate::server::Server;

/// Commands sent before the replies to the first are read.
const WINDOW_COMMANDS: usize = 50;
/// How many databases a server has.
const DATABASES: usize = 16;
/// What a sequence starts from, whatever the one before it did.
const FRESH: [&[&str]; 3] = [
    &["FLUSHALL"],
    &["CONFIG", "SET", "hash-max-listpack-entries", "512", "hash-max-listpack-value", "64"],
    &["CONFIG", "SET", "timeout", "0", "shutdown-timeout", "10", "appendfsync", "everysec"],
];

/// The same for parameters that 7.0 does not have.
const FRESH_SINCE_72: &[&str] =
    &["CONFIG", "SET", "set-max-listpack-entries", "128", "set-max-listpack-value", "64"];

/// Ours and a reference.
pub struct Pair {
    ours: Server,
    theirs: Server,
    /// Whose differences apply.
    pub reference: Reference,
    /// 2 or 3.
    pub protocol: u8,
}

/// The first reply that differs.
#[derive(Debug)]
pub struct Difference {
    /// How many commands of the sequence were sent up to it, itself included.
    pub commands: usize,
    /// The command, which is not one of the sequence when it asks for what is left.
    pub step: Step,
    /// Its name, and that of the command in its transaction whose answers differ.
    pub name: String,
    /// Our bytes, or what became of them.
    pub ours: Vec<u8>,
    /// The reference's.
    pub theirs: Vec<u8>,
}

impl Pair {
    /// Both servers, each as its personality answers.
    pub fn new(ours: Server, theirs: Server, reference: Reference, protocol: u8) -> Self {
        Self { ours, theirs, reference, protocol }
    }

    /// Sends a sequence to both, on new connections and empty databases, and compares every reply and then
    /// the state. Differences of `known` commands do not end it; `seen` is told each reply of ours.
    pub fn run(
        &self,
        steps: &[Step],
        known: &[String],
        mut seen: impl FnMut(&Step, &Frame),
    ) -> Option<Difference> {
        let mut connections = Connections::open(self, known);
        for (window, steps) in steps.chunks(WINDOW_COMMANDS).enumerate() {
            let before = window * WINDOW_COMMANDS;
            if let Err(mut difference) = connections.compare(steps, &mut seen) {
                difference.commands += before;
                return Some(*difference);
            }
        }
        let mut difference = connections.reopen(self).compare_state().err()?;
        difference.commands = steps.len();
        Some(*difference)
    }
}

/// A connection to each.
struct Connections<'a> {
    ours: Client,
    theirs: Client,
    known: &'a [String],
    /// The transaction that is open, if one is.
    queue: Queue,
    /// The longest that a window took: so far apart the servers may have run the same command.
    apart: Duration,
}

impl<'a> Connections<'a> {
    /// Connections that speak the pair's protocol, to servers without data.
    fn open(pair: &Pair, known: &'a [String]) -> Self {
        let mut connections = Self::open_quiet(pair, known);
        let since_72 = (pair.reference == Reference::Valkey).then_some(FRESH_SINCE_72);
        for command in FRESH.into_iter().chain(since_72) {
            for client in [&mut connections.ours, &mut connections.theirs] {
                let reply = client.call(command).unwrap_or_else(|error| panic!("{command:?}: {error}"));
                assert!(!reply.is_error(), "{command:?}: {reply:?}");
            }
        }
        connections
    }

    fn open_quiet(pair: &Pair, known: &'a [String]) -> Self {
        let connect = |server: &Server| {
            let client = Client::connect_speaking(server.address(), pair.protocol);
            client.unwrap_or_else(|error| panic!("{server:?} does not accept: {error}"))
        };
        let (ours, theirs) = (connect(&pair.ours), connect(&pair.theirs));
        Self { ours, theirs, known, queue: Queue::default(), apart: Duration::ZERO }
    }

    /// New connections, without what the old ones had set, that look at the same data.
    fn reopen(&self, pair: &Pair) -> Self {
        Self { apart: self.apart, ..Self::open_quiet(pair, self.known) }
    }

    /// One window: everything is sent, then everything is read.
    fn compare(
        &mut self,
        steps: &[Step],
        seen: &mut impl FnMut(&Step, &Frame),
    ) -> Result<(), Box<Difference>> {
        let probes: Vec<Option<Step>> = steps.iter().map(probe).collect();
        let mut bytes = Vec::new();
        for (step, probe) in steps.iter().zip(&probes) {
            bytes.extend(encode(&step.words));
            bytes.extend(probe.iter().flat_map(|probe| encode(&probe.words)));
        }
        let lost = |(ours, theirs): (&[u8], &[u8])| {
            let step = steps.last().expect("invariant: a window is not empty").clone();
            let name = step.full_name();
            Box::new(Difference {
                commands: steps.len(),
                step,
                name,
                ours: ours.into(),
                theirs: theirs.into(),
            })
        };
        let count = steps.len() + probes.iter().flatten().count();
        let start = Instant::now();
        let sent = (self.ours.send_raw(&bytes), self.theirs.send_raw(&bytes));
        let ours = sent.0.and_then(|()| self.ours.frames(count));
        let theirs = sent.1.and_then(|()| self.theirs.frames(count));
        let (ours, theirs) = match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(error), Ok(_)) => return Err(lost((error.to_string().as_bytes(), b"all replies"))),
            (Ok(_), Err(error)) => return Err(lost((b"all replies", error.to_string().as_bytes()))),
            (Err(error), Err(_)) => panic!("both servers ended the connection: {error}"),
        };
        self.apart = self.apart.max(start.elapsed());
        let mut frames = ours.iter().zip(&theirs);
        for (index, (step, probe)) in steps.iter().zip(&probes).enumerate() {
            let (ours, theirs) = frames.next().expect("invariant: as many replies as commands");
            let probed = probe.as_ref().and_then(|_| frames.next());
            let circumstances = Circumstances { probed, apart: self.apart };
            let name = self.queue.compare(step, (ours, theirs), circumstances, seen);
            if let Some(name) = name.filter(|name| !self.known.contains(name)) {
                let (step, ours, theirs) = (step.clone(), ours.0.clone(), theirs.0.clone());
                return Err(Box::new(Difference { commands: index + 1, step, name, ours, theirs }));
            }
        }
        Ok(())
    }

    /// Every key of every database: its type, encoding, time to live and value.
    fn compare_state(&mut self) -> Result<(), Box<Difference>> {
        for db in 0..DATABASES {
            self.compare(
                &[question(&["SELECT", &db.to_string()]), question(&["KEYS", "*"])],
                &mut |_, _| {},
            )?;
            let keys = self.theirs.call(&["KEYS", "*"]).expect("it just answered");
            let mut keys: Vec<&[u8]> = keys.items().iter().filter_map(|key| key.text()).collect();
            keys.sort_unstable();
            let steps: Vec<Step> = keys.iter().flat_map(|key| self.questions(key)).collect();
            for window in steps.chunks(WINDOW_COMMANDS) {
                self.compare(window, &mut |_, _| {})?;
            }
        }
        Ok(())
    }

    fn questions(&mut self, key: &[u8]) -> Vec<Step> {
        let kind = self.theirs.call(&[b"TYPE", key]).expect("it just answered");
        let value: &[&[u8]] = match kind.text() {
            Some(b"string") => &[b"GET", key],
            Some(b"hash") => &[b"HGETALL", key],
            Some(b"list") => &[b"LRANGE", key, b"0", b"-1"],
            Some(b"set") => &[b"SMEMBERS", key],
            _ => &[b"EXISTS", key],
        };
        let words = |words: &[&[u8]]| Step { words: words.iter().map(|word| word.to_vec()).collect() };
        vec![
            words(&[b"TYPE", key]),
            words(&[b"OBJECT", b"ENCODING", key]),
            words(&[b"PTTL", key]),
            words(value),
        ]
    }
}

fn question(words: &[&str]) -> Step {
    Step { words: words.iter().map(|word| word.as_bytes().to_vec()).collect() }
}

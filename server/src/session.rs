//! A client inside the process: commands in, values out, no stream in between. It runs on the caller's thread, under
//! the same gates and locks as any other client.

use std::sync::Arc;

use shardis_protocol::{OwnedRequest, Reply, Version};

use crate::blocking::{Blocked, Served};
use crate::client::{Client, ClientInfo};
use crate::command::Error;
use crate::dispatch::cost;
use crate::dispatch::{self, Context, Outcome, Plan, Runner};
use crate::observe::stats::ThreadStats;
use crate::observe::thresholds::Cost;
use crate::state::State;
use crate::value;
pub use crate::value::Value;

/// A client of its own, with its own database, protocol and name.
#[derive(Debug)]
pub struct Session {
    state: Arc<State>,
    stats: Arc<ThreadStats>,
    client: Client,
    request: OwnedRequest,
    reply: Reply,
}

/// A second word that is longer is not taken for a key ahead of time.
const GUESSED_KEY_BYTES_MAX: usize = 128;

impl Drop for Session {
    fn drop(&mut self) {
        self.state.stats.retire(&self.stats);
    }
}

impl Session {
    pub(crate) fn new(state: Arc<State>) -> Session {
        let now_ms = state.clock.now_ms();
        let info = ClientInfo::new(state.clients.next_id(), "?:0".into(), "?:0".into(), -1, now_ms);
        // Whoever holds the server in its hands needs no password.
        let mut client = Client::detached(info, true);
        client.reset(true);
        let reply = Reply::new(Version::Resp3);
        Session { stats: state.stats.thread(), client, request: OwnedRequest::default(), reply, state }
    }

    /// The number of its client.
    pub(crate) fn id(&self) -> u64 {
        self.client.id
    }

    /// Runs one command, up to where it has to wait, for a client that is as good as new, whatever it has selected or
    /// switched before.
    pub(crate) fn begin_anew(&mut self, args: &[impl AsRef<[u8]>]) -> Option<Box<Blocked>> {
        self.client.reset(true);
        self.begin(args)
    }

    /// Runs one command and returns its reply. An error reply is a [`Value::Error`]; so is a command without words. A command
    /// that blocks its client blocks the calling thread, at the longest until the server is stopped.
    pub fn execute(&mut self, args: &[impl AsRef<[u8]>]) -> Value {
        match self.begin(args) {
            None => self.value(),
            Some(blocked) => self.wait(*blocked),
        }
    }

    /// Runs a command on a thread that has an engine for scripts, and waits for it. A session has none, as it may be used by
    /// any thread.
    #[cold]
    fn run_elsewhere(&mut self) -> Option<Box<Blocked>> {
        let stand_in = Client::of_script(&self.client);
        let mut client = std::mem::replace(&mut self.client, stand_in);
        let request = std::mem::take(&mut self.request);
        let mut reply = std::mem::take(&mut self.reply);
        let (state, (sender, receiver)) = (self.state.clone(), std::sync::mpsc::channel::<Returned>());
        let task = dispatch::task_of(&state, &client, request.as_request());
        self.state.executor.run_for(task, move |worker| {
            let ctx = Context::of_worker(&state, worker);
            let plan = Plan::new(&state, request.as_request());
            let outcome = dispatch::run(&ctx, &mut client, request.as_request(), plan, &mut reply);
            state.clients.tracking.end_turn(&state);
            client.wakes.wake();
            // An error would mean that the session is gone, and it waits.
            let _ = sender.send((client, request, reply, outcome));
        });
        let Ok((client, request, reply, outcome)) = receiver.recv() else {
            self.reply = Reply::new(Version::Resp3);
            self.reply.error(Error::STOPPING.text());
            return None;
        };
        (self.client, self.request, self.reply) = (client, request, reply);
        match outcome {
            Outcome::Block(blocked) => Some(blocked),
            _ => None,
        }
    }

    /// What the last command replied, if it did not have to wait.
    #[inline]
    pub(crate) fn value(&self) -> Value {
        // It may have asked for no answer.
        if self.reply.is_empty() { Value::Null } else { decode(&self.reply) }
    }

    /// Waits for the reply to a call that has blocked.
    #[cold]
    fn wait(&mut self, blocked: Blocked) -> Value {
        let value = wait(blocked);
        if self.client.is_unanswered() { Value::Null } else { value }
    }

    /// Runs one command. Its reply is there when this returns, unless it has to wait: then what it waits with.
    #[inline(always)]
    fn begin(&mut self, args: &[impl AsRef<[u8]>]) -> Option<Box<Blocked>> {
        let state = &self.state;
        // The first key is nearly always the second word: its bucket is on its way while the call is made ready.
        let second = args.get(1).map(AsRef::as_ref).filter(|word| word.len() <= GUESSED_KEY_BYTES_MAX);
        let second_hash = second.map(|word| state.keyspace.hash(word));
        if let Some(hash) = second_hash {
            state.keyspace.ask(self.client.db, hash);
        }
        self.request.fill(args);
        self.reply.clear();
        let request = self.request.as_request();
        if request.is_empty() {
            self.reply.error(b"ERR a command has at least one word");
            return None;
        }
        let plan = Plan::with_hash(state, request, second_hash);
        let now_ms = state.clock.now_ms();
        let mut ctx = Context { state, stats: &self.stats, runner: Runner::Direct, engine: None, now_ms };
        // Nothing was sent: a call is as long as its words.
        let request_bytes = self.request.words_bytes();
        let entry = plan.entry.filter(|entry| state.thresholds.singles_out(entry, request_bytes));
        let started = entry.map(|_| state.clock.tick());
        let mut outcome = dispatch::run(&ctx, &mut self.client, request, plan, &mut self.reply);
        if matches!(outcome, Outcome::Offload) {
            // The caller waits in any case; but network threads must not, for the shards that this will hold.
            ctx.runner = Runner::Executor;
            outcome = dispatch::run(&ctx, &mut self.client, request, plan, &mut self.reply);
        }
        state.clients.tracking.end_turn(state);
        self.client.wakes.wake();
        if matches!(outcome, Outcome::Offload) {
            return self.run_elsewhere();
        }
        let request = self.request.as_request();
        let mut scanned = None;
        match outcome {
            Outcome::Done => {}
            Outcome::Wait(mut ticket) => {
                if let Err(error) = ticket.block(state.stopping.subscribe(), &mut self.reply) {
                    self.reply.clear();
                    self.stats.count_error(error.code());
                    self.reply.error(error.text());
                }
                scanned = ticket.scanned();
                if self.client.is_unanswered() {
                    self.reply.clear();
                }
            }
            Outcome::Block(blocked) => return Some(blocked),
            Outcome::Offload | Outcome::Contended | Outcome::Paused => {
                unreachable!("the caller's thread takes as long as it needs, and nothing pauses it")
            }
        }
        if let Some(entry) = plan.entry {
            let took = started.map(|started| started.elapsed());
            let cost = Cost { took, request_bytes, reply_bytes: self.reply.len() };
            cost::note_computed(&ctx, &self.client.info, entry, request, cost, scanned);
        }
        None
    }
}

/// What comes back from a thread of the executor.
type Returned = (Client, OwnedRequest, Reply, Outcome);

/// Waits on this thread for the reply to a call that has blocked.
pub(crate) fn wait(mut blocked: Blocked) -> Value {
    let answer = match blocked.wait() {
        Some(end) => blocked.answer(end),
        // Whoever was to serve it has failed.
        None => Err(Error::POISONED),
    };
    match answer {
        Ok(Served { reply, .. }) => decode(&reply),
        Err(error) => Value::Error(String::from_utf8_lossy(error.text()).into_owned()),
    }
}

fn decode(reply: &Reply) -> Value {
    match reply.as_contiguous() {
        Some(bytes) => value::decode(bytes),
        None => value::decode(&reply.to_vec()),
    }
}

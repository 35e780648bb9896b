//! The command window: all complete commands of the input, up to a limit, are parsed and planned before the first one
//! runs, so that the cache misses of their keys overlap. Then they run in order.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use shardis_protocol::{Limits, OwnedRequest, Parsed, ProtocolError, Reply, Request, RequestParser, Span};
use shardis_storage::Ahead;
use smallvec::SmallVec;

use crate::blocking::Blocked;
use crate::client::Client;
use crate::dispatch::cost;
use crate::dispatch::{self, Context, Outcome, Plan};
use crate::jobs::Ticket;
use crate::observe::stats::Took;
use crate::observe::thresholds::Cost;

/// Commands that are planned together: enough to keep the memory busy. More would evict each other's lines from the first-level
/// cache; of 32, 64 and 128 this is the fastest for batches of 100.
pub const WINDOW_COMMANDS_MAX: usize = 64;
/// Keys of one command that are prefetched.
const KEYS_PREFETCH_MAX: usize = 16;
/// Arguments for which the window keeps room; a giant command gives its own back.
const SPANS_RETAINED_MAX: usize = 4096;
/// Reply bytes after which a turn ends, so that what is written can be sent while more is made.
pub const TURN_REPLY_BYTES_MAX: usize = 1024 * 1024;
/// Time after which a turn ends, so that other connections get theirs, and what they hold back is sent.
const TURN_TIME_MAX: Duration = Duration::from_millis(1);

/// The reusable buffers of a window.
#[derive(Debug, Default)]
pub struct Window {
    /// The arguments of its commands.
    spans: Vec<Span>,
    /// Commands whose arguments are not in the input.
    inline: Vec<OwnedRequest>,
    /// Their keys.
    ahead: Ahead,
}

/// The commands of one window, in order.
type Frames<'s> = SmallVec<[Frame<'s>; WINDOW_COMMANDS_MAX]>;

/// A parsed command and what is known of it.
#[derive(Clone, Copy)]
struct Frame<'s> {
    /// Where it ends.
    end: usize,
    /// How long it is.
    len: usize,
    words: Words,
    plan: Plan<'s>,
}

/// Where the words of a command are.
#[derive(Clone, Copy)]
enum Words {
    /// In the input from `start` on, from which their spans count.
    Spans { start: usize, first: u32, last: u32 },
    /// In a copy.
    Inline(usize),
}

/// How a turn over the input ended.
#[derive(Debug)]
pub enum Ended {
    /// All complete commands have run; this many bytes are wanted, counted from the first that was not consumed.
    Incomplete { hint: usize },
    /// There is more to run, but the replies should be sent first.
    Full,
    /// The connection is to be closed after the replies.
    Close,
    /// The last command consumed must run on the executor.
    Offload(OwnedRequest),
    /// The last command consumed must wait until something long is released, or a pause is over.
    Park(OwnedRequest),
    /// The reply of the last command consumed comes later.
    Wait(Ticket, OwnedRequest),
    /// The last command consumed has blocked its client.
    Block(Box<Blocked>),
}

/// Runs the commands at the start of `input`: how many bytes they took, and how it ended.
pub fn run(
    ctx: &Context<'_>,
    client: &mut Client,
    parser: &mut RequestParser,
    window: &mut Window,
    input: &[u8],
    reply: &mut Reply,
) -> (usize, Ended) {
    let mut consumed = 0;
    let mut begun = None;
    loop {
        let mut frames = Frames::new();
        let filled = window.fill(ctx, client, parser, input, consumed, &mut frames);
        if !frames.is_empty() {
            let started = ctx.state.clock.tick();
            let is_long = started - *begun.get_or_insert(started) >= TURN_TIME_MAX;
            let (end, ended) = window.run(ctx, client, input, &frames, started, reply);
            consumed = end;
            if let Some(ended) = ended.or_else(|| is_long.then_some(Ended::Full)) {
                // It may have seen the start of a command behind the ones that will be parsed again.
                *parser = RequestParser::new();
                return (consumed, ended);
            }
        }
        match filled {
            Filled::Incomplete { at, hint } => return (at, Ended::Incomplete { hint }),
            Filled::Broken(error) => {
                dispatch::protocol_error(ctx, client, error, reply);
                return (input.len(), Ended::Close);
            }
            Filled::Whole => {}
        }
    }
}

/// Why a window is filled.
enum Filled {
    /// As many commands as a window takes.
    Whole,
    /// The input ends inside a command, which begins at `at`.
    Incomplete { at: usize, hint: usize },
    /// The input makes no sense any more.
    Broken(ProtocolError),
}

impl Window {
    /// Parses and plans commands from `from` on.
    fn fill<'s>(
        &mut self,
        ctx: &Context<'s>,
        client: &Client,
        parser: &mut RequestParser,
        input: &[u8],
        from: usize,
        frames: &mut Frames<'s>,
    ) -> Filled {
        self.clear();
        let limits = Limits {
            bulk_bytes_max: ctx.state.config.proto_max_bulk_len.value() as u64,
            authenticated: client.is_authenticated || ctx.state.is_open(),
        };
        // What an unauthenticated client may send depends on whether the command before was AUTH.
        let commands_max = if limits.authenticated { WINDOW_COMMANDS_MAX } else { 1 };
        let mut start = from;
        while frames.len() < commands_max {
            let first = self.spans.len() as u32;
            let (consumed, words) = match parser.parse(&input[start..], &limits, &mut self.spans) {
                Ok(Parsed::Command { consumed }) => {
                    (consumed, Words::Spans { start, first, last: self.spans.len() as u32 })
                }
                Ok(Parsed::Inline { consumed, request }) => {
                    self.inline.push(request);
                    (consumed, Words::Inline(self.inline.len() - 1))
                }
                Ok(Parsed::Nothing { consumed }) => {
                    start += consumed;
                    continue;
                }
                Ok(Parsed::Incomplete { hint }) => return Filled::Incomplete { at: start, hint },
                Err(error) => return Filled::Broken(error),
            };
            start += consumed;
            let request = request(input, &self.spans, &self.inline, words);
            let plan = Plan::new(ctx.state, request);
            let is_collection = plan.entry.is_some_and(|entry| entry.is_of_collection);
            plan.hashes(ctx.state, request, KEYS_PREFETCH_MAX, |hash| {
                ctx.state.keyspace.look_ahead(client.db, hash, is_collection, &mut self.ahead);
            });
            frames.push(Frame { end: start, len: consumed, words, plan });
        }
        Filled::Whole
    }

    fn clear(&mut self) {
        self.spans.clear();
        self.spans.shrink_to(SPANS_RETAINED_MAX);
        self.inline.clear();
        self.ahead.clear();
    }

    /// Runs the window, whose time counts from `started`: the end of the last command that ran, and how it ended if before the last one.
    fn run(
        &self,
        ctx: &Context<'_>,
        client: &mut Client,
        input: &[u8],
        frames: &Frames<'_>,
        started: Instant,
        reply: &mut Reply,
    ) -> (usize, Option<Ended>) {
        ctx.state.keyspace.prefetch(client.db, &self.ahead);
        let mut timing = Timing::start(started, frames);
        let mut ran = 0;
        let mut ended = None;
        let mut replied = reply.len();
        for frame in frames {
            let request = request(input, &self.spans, &self.inline, frame.words);
            timing.start_of(ctx, frame.plan, frame.len);
            let outcome = dispatch::run(ctx, client, request, frame.plan, reply);
            let replied_before = std::mem::replace(&mut replied, reply.len());
            let reply_bytes = replied.saturating_sub(replied_before);
            timing.end_of(ctx, client, request, frame.plan, reply_bytes, &outcome);
            ran += 1;
            ended = match outcome {
                Outcome::Done if client.close_after_reply => Some(Ended::Close),
                Outcome::Done if reply.len() >= TURN_REPLY_BYTES_MAX => Some(Ended::Full),
                Outcome::Done => None,
                Outcome::Offload => Some(Ended::Offload(request.to_owned())),
                Outcome::Contended | Outcome::Paused => Some(Ended::Park(request.to_owned())),
                Outcome::Wait(ticket) => Some(Ended::Wait(ticket, request.to_owned())),
                Outcome::Block(blocked) => Some(Ended::Block(blocked)),
            };
            if ended.is_some() {
                break;
            }
        }
        let frames = &frames[..ran];
        timing.finish(ctx, frames);
        let last = frames.last().expect("invariant: a window that runs has a command");
        if let Some(entry) = last.plan.entry {
            client.info.last_command.store(entry.id.index() as u16, Ordering::Relaxed);
        }
        (last.end, ended)
    }
}

#[inline]
fn request<'a>(input: &'a [u8], spans: &'a [Span], inline: &'a [OwnedRequest], words: Words) -> Request<'a> {
    match words {
        Words::Spans { start, first, last } => {
            Request::new(&input[start..], &spans[first as usize..last as usize])
        }
        Words::Inline(index) => inline[index].as_request(),
    }
}

/// The measuring of a window's commands; `cost` tells which of them are timed by themselves.
struct Timing {
    started: Instant,
    /// Whether there is no other command to share the time with.
    is_alone: bool,
    /// Set while a command runs that is timed by itself.
    single: Option<Instant>,
    /// When the last one ended, if no other command has run since: then the next one began.
    last_ended: Option<Instant>,
    request_bytes: usize,
    /// The time of those that were timed by themselves.
    singles: Duration,
    /// A bit for each command that shares the rest.
    shared: u64,
    ran: usize,
}

impl Timing {
    fn start(started: Instant, frames: &Frames<'_>) -> Timing {
        Timing {
            started,
            is_alone: frames.len() == 1,
            single: None,
            last_ended: Some(started),
            request_bytes: 0,
            singles: Duration::ZERO,
            shared: 0,
            ran: 0,
        }
    }

    #[inline]
    fn start_of(&mut self, ctx: &Context<'_>, plan: Plan<'_>, request_bytes: usize) {
        self.request_bytes = request_bytes;
        self.single = match plan.entry {
            Some(entry) if self.is_alone || ctx.state.thresholds.singles_out(entry, request_bytes) => {
                Some(self.last_ended.unwrap_or_else(|| ctx.state.clock.tick()))
            }
            _ => None,
        };
    }

    #[inline]
    fn end_of(
        &mut self,
        ctx: &Context<'_>,
        client: &Client,
        request: Request<'_>,
        plan: Plan<'_>,
        reply_bytes: usize,
        outcome: &Outcome,
    ) {
        let at = self.ran;
        self.ran += 1;
        let Some(started) = self.single else {
            self.shared |= 1 << at;
            self.last_ended = None;
            if ctx.state.thresholds.is_large_reply(reply_bytes) {
                self.note(ctx, client, request, plan, Cost { reply_bytes, ..Cost::default() }, outcome);
            }
            return;
        };
        let now = ctx.state.clock.tick();
        let took = now - started;
        self.last_ended = Some(now);
        self.singles += took;
        let cost = Cost { took: Some(took), request_bytes: self.request_bytes, reply_bytes };
        self.note(ctx, client, request, plan, cost, outcome);
    }

    /// What is run again, or answers later, is noted then.
    fn note(
        &self,
        ctx: &Context<'_>,
        client: &Client,
        request: Request<'_>,
        plan: Plan<'_>,
        cost: Cost,
        outcome: &Outcome,
    ) {
        if let (Some(entry), Outcome::Done) = (plan.entry, outcome) {
            cost::note(ctx, &client.info, entry, request, cost);
        }
    }

    fn finish(self, ctx: &Context<'_>, frames: &[Frame<'_>]) {
        let count = self.shared.count_ones();
        if count == 0 {
            return;
        }
        let took = self.started.elapsed().saturating_sub(self.singles);
        cost::note_shared(ctx, took);
        let share = Took::new(took.as_nanos() as u64 / u64::from(count));
        for (at, frame) in frames.iter().enumerate() {
            if let Some(entry) = frame.plan.entry.filter(|_| self.shared >> at & 1 == 1) {
                ctx.stats.command(entry.id).took(share, ctx.state.thresholds.is_tracked());
            }
        }
    }
}

const _: () = assert!(WINDOW_COMMANDS_MAX <= u64::BITS as usize, "a bit for each command");

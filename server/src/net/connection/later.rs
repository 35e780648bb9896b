//! Commands that are answered later: run elsewhere, run again when they can be, or answered when something has come about. What
//! was parsed behind such a command is run when it has been answered.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use shardis_protocol::{OwnedRequest, Reply, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::Connection;
use crate::blocking::{Blocked, End, Served};
use crate::client::Client;
use crate::client::ClientInfo;
use crate::client::registry::Waiting;
use crate::command::Error;
use crate::dispatch::cost;
use crate::dispatch::{self, Context, Outcome, Plan};
use crate::jobs::Ticket;
use crate::net::thread::Thread;
use crate::observe::thresholds::Cost;
use crate::state::State;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Runs a command on the executor and waits for its reply.
    pub(super) async fn offload(&mut self, request: OwnedRequest) -> io::Result<()> {
        let Some(mut client) = self.client.take() else { return Ok(()) };
        let state = self.thread.state.clone();
        let (sender, mut receiver) = oneshot::channel();
        let task = dispatch::task_of(&state, &client, request.as_request());
        self.thread.state.executor.run_for(task, move |worker| {
            let mut reply = Reply::new(client.version).in_blocks();
            let ctx = Context::of_worker(&state, worker);
            let outcome = run_measured(&ctx, &mut client, request.as_request(), &mut reply);
            // The connection may have been closed meanwhile.
            let _ = sender.send((client, reply, outcome, request));
        });
        // An error means that the server is stopping.
        let returned = self.wait_for(Waiting::Elsewhere, |_, cx| Pin::new(&mut receiver).poll(cx)).await;
        let (client, mut reply, outcome, request) = returned.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        self.client = Some(client);
        self.publish();
        self.follow_grants();
        self.keep_made(&mut reply)?;
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Wait(ticket) => self.wait(ticket, request).await,
            Outcome::Block(blocked) => self.block(blocked).await,
            Outcome::Offload | Outcome::Contended | Outcome::Paused => {
                unreachable!("the executor takes as long as it needs, and what has begun goes on")
            }
        }
    }

    /// Runs a command again whenever a long holder has released its shards or a pause is over, until it is neither without
    /// them nor held back.
    pub(super) async fn park(&mut self, request: OwnedRequest) -> io::Result<()> {
        let thread = self.thread.clone();
        let State { released, pause, clock, .. } = &*thread.state;
        loop {
            let (released, resumed) = (released.notified(), pause.ended.notified());
            let (mut released, mut resumed) = (std::pin::pin!(released), std::pin::pin!(resumed));
            // From here on neither is missed, so that trying once more and then waiting is safe.
            released.as_mut().enable();
            resumed.as_mut().enable();
            match self.run_parked(&thread, request.as_request())? {
                Outcome::Done => return Ok(()),
                Outcome::Offload => return self.offload(request).await,
                Outcome::Wait(ticket) => return self.wait(ticket, request).await,
                Outcome::Block(blocked) => return self.block(blocked).await,
                Outcome::Contended => {
                    self.wait_for(Waiting::Elsewhere, |_, cx| released.as_mut().poll(cx)).await;
                }
                Outcome::Paused => {
                    let mut over = std::pin::pin!(clock.sleep_until(pause.deadline()));
                    self.wait_ahead(Waiting::Blocked, |cx| {
                        let is_over =
                            resumed.as_mut().poll(cx).is_ready() || over.as_mut().poll(cx).is_ready();
                        if is_over { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await?;
                }
            }
        }
    }

    fn run_parked(&mut self, thread: &Thread, request: Request<'_>) -> io::Result<Outcome> {
        let ctx = thread.context();
        let client = self.client.as_mut().expect("invariant: the client is here unless the executor has it");
        let buffers = &mut *thread.buffers.borrow_mut();
        buffers.reply.clear();
        let outcome = run_measured(&ctx, client, request, &mut buffers.reply);
        self.publish();
        self.follow_grants();
        self.keep_made(&mut buffers.reply)?;
        Ok(outcome)
    }

    /// Waits as a blocking command has asked for: until it is served, its time is over, somebody ends it, or the peer leaves.
    pub(super) async fn block(&mut self, mut blocked: Box<Blocked>) -> io::Result<()> {
        let clock = self.thread.state.clock.clone();
        let deadline = blocked.deadline();
        let over = async {
            match deadline {
                Some(deadline) => clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let mut over = std::pin::pin!(over);
        let mut is_over = false;
        let end = self.wait_ahead(Waiting::Blocked, |cx| {
            if !is_over && over.as_mut().poll(cx).is_ready() {
                is_over = true;
                blocked.time_out();
            }
            blocked.poll_end(cx)
        });
        let end = end.await?.ok_or(io::ErrorKind::ConnectionAborted)?;
        // A call that was refused after all has not been one.
        let counts = !matches!(end, End::Refused(_));
        let mut granted = Default::default();
        let (result, reply, pushed, took) = match blocked.answer(end) {
            Ok(Served { reply, pushed, took, granted: granted_with_it }) => {
                granted = granted_with_it;
                (Ok(()), reply, pushed, took)
            }
            Err(error) => (Err(error), Reply::new(self.client().version), None, Duration::ZERO),
        };
        let ctx = self.thread.context();
        let client = self.client.as_mut().expect("invariant: the client is here unless the executor has it");
        if counts {
            dispatch::count_answered(&ctx, client, blocked.id(), result.is_err());
        }
        self.publish();
        // From here on it is the connection that knows of them: should this fail, they are undone with it.
        let end = |this: &Self| this.info.sent.value() + this.pending.len() as u64;
        self.unsent_grants.extend(granted.iter().map(|grant| (u64::MAX, *grant)));
        self.answer_late(blocked.request(), took, None, result, reply)?;
        let end = end(self);
        self.unsent_grants.iter_mut().filter(|(at, _)| *at == u64::MAX).for_each(|(at, _)| *at = end);
        self.forget_sent_grants();
        pushed.map_or(Ok(()), |mut pushed| self.keep_made(&mut pushed))
    }

    /// Waits for the answer of a job; the peer's leaving cancels it.
    pub(super) async fn wait(&mut self, mut ticket: Ticket, request: OwnedRequest) -> io::Result<()> {
        let started = self.thread.state.clock.tick();
        let version = self.client().version;
        let mut reply = Reply::new(version);
        let result = {
            let answer = ticket.wait(&mut reply);
            let mut answer = std::pin::pin!(answer);
            self.wait_ahead(Waiting::Elsewhere, |cx| answer.as_mut().poll(cx)).await?
        };
        let (took, scanned) = (started.elapsed(), ticket.scanned());
        self.answer_late(request.as_request(), took, scanned, result, reply)
    }

    /// Answers a command whose reply came later, if its client wants to hear it.
    fn answer_late(
        &mut self,
        request: Request<'_>,
        took: Duration,
        scanned: Option<u64>,
        result: Result<(), Error>,
        mut reply: Reply,
    ) -> io::Result<()> {
        if let Err(error) = result {
            reply.clear();
            self.thread.stats.count_error(error.code());
            reply.error(error.text());
        }
        note_cost(&self.thread.context(), &self.info, request, took, scanned, reply.len());
        let client = self.client.as_mut().expect("invariant: the client is here unless the executor has it");
        if client.is_unanswered() {
            reply.clear();
        }
        self.keep_late(&mut reply)
    }

    /// Waits for what happens elsewhere while reading ahead, until it has happened or the peer has left.
    async fn wait_ahead<T>(
        &mut self,
        waiting: Waiting,
        mut poll: impl FnMut(&mut TaskContext<'_>) -> Poll<T>,
    ) -> io::Result<T> {
        let happened = self.wait_for(waiting, |this, cx| match poll(cx) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            Poll::Pending => this.poll_ahead(cx).map(Err),
        });
        let happened = happened.await;
        self.has_commands = !self.unread.is_empty();
        happened
    }
}

/// Runs a command outside of a window, and tells what it cost.
fn run_measured(ctx: &Context<'_>, client: &mut Client, request: Request<'_>, reply: &mut Reply) -> Outcome {
    let started = ctx.state.clock.tick();
    client.take_messages_here(reply);
    let outcome = dispatch::run(ctx, client, request, Plan::new(ctx.state, request), reply);
    ctx.state.clients.tracking.end_turn(ctx.state);
    client.wakes.wake();
    if matches!(outcome, Outcome::Done) {
        note_cost(ctx, &client.info, request, started.elapsed(), None, reply.len());
    }
    outcome
}

fn note_cost(
    ctx: &Context<'_>,
    info: &ClientInfo,
    request: Request<'_>,
    took: Duration,
    scanned: Option<u64>,
    reply_bytes: usize,
) {
    let Some(entry) = ctx.state.commands.resolvable(request) else { return };
    let cost = Cost { took: Some(took), request_bytes: cost::request_bytes(request), reply_bytes };
    cost::note_computed(ctx, info, entry, request, cost, scanned);
}

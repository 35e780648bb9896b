//! The loop of one client: read, run, write, all in one poll, so that a request costs one wake-up, one read and one
//! write. The thread's buffers are borrowed only inside a poll; what is left over moves into buffers of its own.

mod later;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, BytesMut};
use shardis_protocol::{Pending, Reply, RequestParser};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::thread::{Buffers, READ_BYTES, Thread};
use super::window::{self, Ended};
use crate::client::registry::Waiting;
use crate::client::{Client, ClientInfo, limits};
use crate::locks::Errand;
use crate::locks::register::GrantRef;
use crate::state::TRAFFIC_BYTES_MIN;

/// How much room is made at once for what a client announces: announcing costs nothing, so it is not trusted further.
const ANNOUNCED_BYTES_MAX: usize = 64 * 1024;
/// Memory that a connection keeps for input although what is in it needs less.
const UNREAD_BYTES_RETAINED_MAX: usize = 256 * 1024;
/// Turns after which others of the thread get theirs, however much a client has sent.
const TURNS_MAX: u32 = 4;
/// Segments of one vectored write.
const SEGMENTS_MAX: usize = 64;

/// One connection, over any stream.
pub struct Connection<S> {
    thread: Rc<Thread>,
    stream: S,
    /// Lent to the executor while it runs a command for this connection.
    client: Option<Box<Client>>,
    /// What others see of the client.
    info: Arc<ClientInfo>,
    parser: RequestParser,
    /// Input that has not run: the beginning of a command, or more than one turn takes.
    unread: BytesMut,
    /// Whether `unread` may hold whole commands.
    has_commands: bool,
    /// How much of `unread` there must be before there can be a whole command.
    wanted: usize,
    pending: Pending,
    /// The replies of a turn that has run but not sent them yet.
    held: Option<Reply>,
    /// Grants whose replies may not have left yet, and how many bytes will have been sent when they have.
    unsent_grants: Vec<(u64, GrantRef)>,
    /// Turns since the connection last waited for its peer.
    turns: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection that has just been accepted.
    pub fn new(thread: Rc<Thread>, stream: S, client: Client) -> Connection<S> {
        Connection {
            thread,
            stream,
            info: client.info.clone(),
            client: Some(Box::new(client)),
            parser: RequestParser::new(),
            unread: BytesMut::new(),
            has_commands: false,
            wanted: 0,
            pending: Pending::new(),
            held: None,
            unsent_grants: Vec::new(),
            turns: 0,
        }
    }

    /// Serves until either side closes.
    pub async fn serve(mut self) {
        poll_fn(|cx| {
            self.info.inbox.attend(cx.waker());
            Poll::Ready(())
        })
        .await;
        loop {
            let ended = match poll_fn(|cx| self.poll_turn(cx)).await {
                Ok(ended) => ended,
                // The peer has gone; there is nobody to tell.
                Err(_) => return,
            };
            let served = match ended {
                Ended::Incomplete { .. } => Ok(()),
                Ended::Full => {
                    self.turns = TURNS_MAX;
                    Ok(())
                }
                Ended::Close => return self.say_goodbye().await,
                Ended::Offload(request) => self.offload(request).await,
                Ended::Park(request) => self.park(request).await,
                Ended::Wait(ticket, request) => self.wait(ticket, request).await,
                Ended::Block(blocked) => self.block(blocked).await,
            };
            if served.is_err() {
                return;
            }
            if self.client().close_after_reply {
                return self.say_goodbye().await;
            }
            self.turns += 1;
            if self.turns >= TURNS_MAX {
                self.turns = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// One turn: sends what is left, reads if nothing is left to run, runs, and sends the replies, at once or when all others
    /// that have input have run. While too much is left to be sent, nothing is run.
    fn poll_turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<Ended>> {
        if let Some(mut held) = self.held.take() {
            let sent = self.send(cx, &mut held);
            self.thread.held.give_back(held);
            sent?;
        }
        if let Poll::Ready(Err(error)) = self.poll_output(cx) {
            return Poll::Ready(Err(error));
        }
        if self.pending.len() >= limits::OUTPUT_BYTES_MAX {
            return Poll::Pending;
        }
        let thread = self.thread.clone();
        let buffers = &mut *thread.buffers.borrow_mut();
        if self.has_commands || !self.unread.is_empty() {
            if !self.has_commands {
                ready!(self.poll_read_more(cx, &thread))?;
            }
            let input = std::mem::take(&mut self.unread);
            let (consumed, ended) = self.run(&thread, &input, buffers);
            self.unread = remainder(input, consumed);
            self.note(&ended);
            return Poll::Ready(self.send(cx, &mut buffers.reply).map(|()| ended));
        }
        let mut read = std::mem::take(&mut buffers.read);
        read.clear();
        read.reserve(READ_BYTES);
        let polled = self.poll_read(cx, &mut read, &thread);
        let result = match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                let (consumed, ended) = self.run(&thread, &read, buffers);
                self.unread.extend_from_slice(&read[consumed..]);
                self.note(&ended);
                if self.hold(&ended, &buffers.reply) {
                    // Behind all that are ready now.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                } else {
                    Poll::Ready(self.send(cx, &mut buffers.reply).map(|()| ended))
                }
            }
        };
        buffers.read = read;
        result
    }

    fn run(&mut self, thread: &Thread, input: &[u8], buffers: &mut Buffers) -> (usize, Ended) {
        let ctx = thread.context();
        // Input is a sign of life, whether it makes a command complete or not.
        self.info.active_ms.store(ctx.now_ms, Ordering::Relaxed);
        let client = self.client.as_mut().expect("invariant: the client is here unless the executor has it");
        // A panic may have left the replies to another client here.
        buffers.reply.clear();
        // What others had for it when the commands came is sent before the replies.
        if self.info.inbox.is_open() {
            self.info.inbox.take(&mut buffers.reply);
        }
        let ran = window::run(&ctx, client, &mut self.parser, &mut buffers.window, input, &mut buffers.reply);
        if !client.granted.is_empty() {
            self.follow_grants();
        }
        ran
    }

    /// Notes when the replies will have left that tell of what has just been granted.
    #[cold]
    fn follow_grants(&mut self) {
        let before = self.info.sent.value() + self.pending.len() as u64;
        if let Some(client) = &mut self.client {
            let granted = client.granted.drain(..);
            self.unsent_grants.extend(granted.map(|(bytes, grant)| (before + bytes as u64, grant)));
        }
        self.forget_sent_grants();
    }

    /// Forgets the grants that their client has been told of.
    fn forget_sent_grants(&mut self) {
        let sent = self.info.sent.value();
        self.unsent_grants.retain(|(end, _)| *end > sent);
    }

    /// Remembers what the next turn has to know.
    fn note(&mut self, ended: &Ended) {
        match ended {
            Ended::Incomplete { hint } => {
                (self.has_commands, self.wanted) = (false, *hint);
            }
            _ => (self.has_commands, self.wanted) = (!self.unread.is_empty(), 0),
        }
        self.wake_others();
        self.publish();
        if matches!(ended, Ended::Close)
            && self.pending.is_empty()
            && let Some(client) = &mut self.client
        {
            // As with Redis, who reads the last reply finds the client gone.
            client.leave();
        }
    }

    /// Lets others see what this connection holds and has done.
    fn publish(&self) {
        let (query_bytes, capacity) = (self.unread.len(), self.unread.capacity());
        self.info.query_bytes.store(query_bytes, Ordering::Relaxed);
        self.info.query_free_bytes.store(capacity - query_bytes, Ordering::Relaxed);
        self.info.commands.store(self.client().commands, Ordering::Relaxed);
    }

    /// Sends what is told once for a turn, and wakes those whom its commands have sent something.
    fn wake_others(&mut self) {
        self.thread.state.clients.tracking.end_turn(&self.thread.state);
        if let Some(client) = &mut self.client {
            client.wakes.wake();
        }
    }

    /// Notes a sign of life.
    fn note_active(&self) {
        self.info.active_ms.store(self.thread.state.clock.now_ms(), Ordering::Relaxed);
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("invariant: the client is here unless the executor has it")
    }

    /// Reads behind the input that is there, making room for what is wanted.
    fn poll_read_more(&mut self, cx: &mut TaskContext<'_>, thread: &Thread) -> Poll<io::Result<()>> {
        let limit = thread.state.config.client_query_buffer_limit.value();
        if self.unread.len() as i64 > limit {
            thread.state.stats.over_query_limit.fetch_add(1, Ordering::Relaxed);
            thread.state.log.warning(format_args!(
                "Closing client that reached max query buffer length: id={}, {} bytes",
                self.info.id,
                self.unread.len()
            ));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let wanted = self.wanted.saturating_sub(self.unread.len()).clamp(1024, ANNOUNCED_BYTES_MAX);
        let mut unread = std::mem::take(&mut self.unread);
        unread.reserve(wanted);
        let polled = self.poll_read(cx, &mut unread, thread);
        self.unread = unread;
        polled
    }

    /// Reads something; the end of the stream is an error.
    fn poll_read(
        &mut self,
        cx: &mut TaskContext<'_>,
        buffer: &mut BytesMut,
        thread: &Thread,
    ) -> Poll<io::Result<()>> {
        let read = self.stream.read_buf(buffer);
        let Poll::Ready(read) = std::pin::pin!(read).poll(cx) else {
            self.turns = 0;
            return Poll::Pending;
        };
        let bytes = read?;
        if bytes == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        let before = thread.stats.input_bytes.value();
        thread.stats.input_bytes.add(bytes as u64);
        if before < TRAFFIC_BYTES_MIN && thread.stats.input_bytes.value() >= TRAFFIC_BYTES_MIN {
            thread.state.traffic.send_replace(true);
        }
        thread.stats.reads.add(1);
        self.info.received.add(bytes as u64);
        Poll::Ready(Ok(()))
    }

    /// Holds the replies of this turn back if there is reason to; then the next one begins by sending them.
    fn hold(&mut self, ended: &Ended, reply: &Reply) -> bool {
        let is_over = matches!(ended, Ended::Incomplete { .. }) && self.pending.is_empty();
        if is_over && self.thread.has_several() {
            self.held = self.thread.held.hold(reply);
        }
        self.held.is_some()
    }

    /// Sends the replies of a turn; what the peer does not take is kept. As in Redis, they count before they are sent.
    fn send(&mut self, cx: &mut TaskContext<'_>, reply: &mut Reply) -> io::Result<()> {
        if reply.is_empty() {
            return Ok(());
        }
        self.check_output(reply.len())?;
        let written = if self.pending.is_empty() { self.poll_write(cx, reply) } else { 0 };
        if written == reply.len() {
            reply.clear();
        } else {
            self.keep(reply, written);
            // Registers for the rest; an error shows up again when the next turn flushes.
            let _ = self.poll_flush(cx);
        }
        Ok(())
    }

    /// Whether so much more output would be too much; then it is an error.
    fn check_output(&self, more_bytes: usize) -> io::Result<()> {
        if limits::is_over_hard_limit(&self.thread.state, &self.info, self.pending.len() + more_bytes) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Keeps a reply that somebody else has made, behind what others had for its client until then.
    fn keep_late(&mut self, reply: &mut Reply) -> io::Result<()> {
        if self.info.inbox.is_open() && !reply.is_empty() {
            let mut messages = Reply::new(reply.version());
            if self.info.inbox.take(&mut messages) {
                self.keep(&mut messages, 0);
            }
        }
        self.keep_made(reply)
    }

    /// Keeps what a call has written that has run by itself. What others have sent since is sent behind it: it may say that the
    /// reply is not to be relied on.
    fn keep_made(&mut self, reply: &mut Reply) -> io::Result<()> {
        self.wake_others();
        self.check_output(reply.len())?;
        self.keep(reply, 0);
        Ok(())
    }

    /// Keeps what is left of a reply after its first `written` bytes, to be sent later.
    fn keep(&mut self, reply: &mut Reply, written: usize) {
        self.pending.absorb(reply, written);
        self.info.output_bytes.store(self.pending.len(), Ordering::Relaxed);
    }

    /// Writes as much as the peer takes now.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>, reply: &Reply) -> usize {
        let stream = Pin::new(&mut self.stream);
        let polled = match reply.as_contiguous() {
            Some(bytes) => stream.poll_write(cx, bytes),
            None => poll_write_segments(stream, cx, reply.segments()),
        };
        // An error shows up again at the next read or flush.
        let written = if let Poll::Ready(Ok(written)) = polled { written } else { 0 };
        self.count_write(written);
        written
    }

    /// Sends what is left, and what others have for this client. Of that nothing is taken before everything else is sent, so
    /// that it waits where its limit is; nor while the executor has the client, whose reply comes before what it sends itself.
    fn poll_output(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.pending.is_empty() {
                ready!(self.poll_flush(cx))?;
            }
            if !self.info.inbox.is_open() || self.client.is_none() {
                return Poll::Ready(Ok(()));
            }
            let thread = self.thread.clone();
            let messages = &mut thread.buffers.borrow_mut().reply;
            messages.clear();
            if !self.info.inbox.take_or_wake(messages, cx.waker()) {
                return Poll::Ready(Ok(()));
            }
            self.send(cx, messages)?;
            self.note_active();
        }
    }

    fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written =
                ready!(poll_write_segments(Pin::new(&mut self.stream), cx, self.pending.segments()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.count_write(written);
            self.pending.advance(written);
            self.info.output_bytes.store(self.pending.len(), Ordering::Relaxed);
            self.note_active();
        }
        Poll::Ready(Ok(()))
    }

    fn count_write(&self, written: usize) {
        self.thread.stats.output_bytes.add(written as u64);
        self.thread.stats.writes.add(1);
        self.info.sent.add(written as u64);
    }

    /// Sends what is left and closes.
    async fn say_goodbye(&mut self) {
        // A peer that has gone does not want it any more.
        let _ = poll_fn(|cx| {
            let polled = self.poll_flush(cx);
            if polled.is_pending() {
                // A peer that does not read may take forever: others must be able to see and close its connection.
                self.client().stay_listed();
            }
            polled
        })
        .await;
        let _ = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
    }

    /// Waits for what happens elsewhere, and sends meanwhile what is left. As in Redis, a command that has come is run
    /// although its client may have left, so that is not looked for here.
    async fn wait_for<T>(
        &mut self,
        waiting: Waiting,
        mut poll: impl FnMut(&mut Connection<S>, &mut TaskContext<'_>) -> Poll<T>,
    ) -> T {
        self.info.waiting.store(waiting as u8, Ordering::Relaxed);
        let happened = poll_fn(|cx| {
            // An error shows up again when the next turn flushes.
            let _ = self.poll_output(cx);
            poll(self, cx)
        })
        .await;
        self.note_active();
        // Whoever sees that the wait is over sees that it has just ended.
        self.info.waiting.store(Waiting::No as u8, Ordering::Release);
        happened
    }

    /// Reads ahead while waiting, until the peer leaves. As with a client that Redis blocks, the limit of what may come
    /// ahead is that of the query buffer: reading only a part would leave the end of the stream unseen.
    fn poll_ahead(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Error> {
        let thread = self.thread.clone();
        loop {
            if let Err(error) = ready!(self.poll_read_more(cx, &thread)) {
                return Poll::Ready(error);
            }
            self.note_active();
            self.publish();
        }
    }
}

impl<S> Drop for Connection<S> {
    /// Takes back what its client was granted and never told.
    fn drop(&mut self) {
        let sent = self.info.sent.value();
        for (_, grant) in self.unsent_grants.drain(..).filter(|(end, _)| *end > sent) {
            self.thread.state.locks.errands.push(Errand::Undo(grant));
        }
    }
}

/// What is left of the input after its first `consumed` bytes, without the memory of a much larger whole.
fn remainder(mut input: BytesMut, consumed: usize) -> BytesMut {
    let capacity = input.capacity();
    input.advance(consumed);
    let is_small = input.len() <= UNREAD_BYTES_RETAINED_MAX;
    if input.is_empty() || (consumed > 0 && is_small && capacity > UNREAD_BYTES_RETAINED_MAX) {
        return BytesMut::from(&input[..]);
    }
    input
}

fn poll_write_segments<'a, S: AsyncWrite>(
    stream: Pin<&mut S>,
    cx: &mut TaskContext<'_>,
    segments: impl Iterator<Item = &'a [u8]>,
) -> Poll<io::Result<usize>> {
    let slices: smallvec::SmallVec<[IoSlice<'_>; SEGMENTS_MAX]> =
        segments.take(SEGMENTS_MAX).map(IoSlice::new).collect();
    stream.poll_write_vectored(cx, &slices)
}

//! The keeper of locks: a task of the first network thread that sleeps until the next lease ends or somebody has left an errand, and
//! sees to it. What that means for a key is `dispatch::upkeep`.

use std::sync::Arc;
use std::time::Duration;

use shardis_protocol::Version;
use shardis_storage::types::lock::NEVER_MS;

use crate::client::inbox::{Refused, Wakes};
use crate::client::{Gate, limits};
use crate::dispatch::upkeep::{self, Deed, Upkeep};
use crate::dispatch::{Context, Runner};
use crate::locks::Errand;
use crate::locks::site::instant_ms;
use crate::observe::stats::ThreadStats;
use crate::state::State;

/// What is done before others of the thread get their turn.
const TURN_MAX: usize = 64;

/// Runs until the server stops.
pub async fn run(state: Arc<State>, stats: Arc<ThreadStats>) {
    let mut keeper = Keeper { state, stats, wakes: Wakes::default() };
    loop {
        let next_ms = keeper.see_to_all().await;
        let (clock, errands) = (keeper.state.clock.clone(), keeper.state.locks.errands.clone());
        let over = async {
            match next_ms {
                NEVER_MS => std::future::pending().await,
                next_ms => clock.sleep_until(Duration::from_millis(next_ms)).await,
            }
        };
        tokio::select! {
            () = over => {}
            () = errands.wait() => {}
        }
    }
}

struct Keeper {
    state: Arc<State>,
    stats: Arc<ThreadStats>,
    wakes: Wakes,
}

impl Keeper {
    /// Does whatever there is; when the next lease ends.
    async fn see_to_all(&mut self) -> u64 {
        let mut done = 0;
        loop {
            let now_ms = instant_ms(&self.state);
            let register = &self.state.locks.register;
            let (due, next_ms) = match register.next_end_ms() {
                next_ms if next_ms > now_ms => (Vec::new(), next_ms),
                _ => register.take_due(now_ms),
            };
            let is_none_due = due.is_empty();
            for granted in due {
                self.see_to(Upkeep { db: granted.db, key: granted.key, deed: Deed::Offer });
                self.rest(&mut done).await;
            }
            while let Some(errand) = self.state.locks.errands.take() {
                self.run(errand);
                self.rest(&mut done).await;
            }
            self.wakes.wake();
            if is_none_due {
                return next_ms;
            }
        }
    }

    async fn rest(&mut self, done: &mut usize) {
        *done += 1;
        if done.is_multiple_of(TURN_MAX) {
            self.wakes.wake();
            tokio::task::yield_now().await;
        }
    }

    fn run(&mut self, errand: Errand) {
        match errand {
            Errand::TellLost { client, key, fence } => self.tell_lost(client, &key, fence),
            Errand::Publish { channel, message } => {
                self.state.pubsub.publish(&self.state, &channel, &message, &mut self.wakes);
            }
            Errand::Offer { db, key } => self.see_to(Upkeep { db, key, deed: Deed::Offer }),
            Errand::Leave { client } => {
                for (grant, granted) in self.state.locks.register.of_session(client) {
                    let deed = Deed::Depart { client, grant };
                    self.see_to(Upkeep { db: granted.db, key: granted.key, deed });
                }
            }
            Errand::Undo(grant) => {
                if let Some(granted) = self.state.locks.register.find(grant) {
                    let deed = Deed::Undo { grant };
                    self.see_to(Upkeep { db: granted.db, key: granted.key, deed });
                }
            }
        }
    }

    /// Does what is to be done at a key, or leaves it to a thread that may wait for its shard.
    fn see_to(&mut self, upkeep: Upkeep) {
        let now_ms = self.state.clock.now_ms();
        let (state, stats) = (&self.state, &self.stats);
        let ctx = Context { state, stats, runner: Runner::Network, engine: None, now_ms };
        if upkeep::carry_out(&ctx, &upkeep, &mut self.wakes).is_ok() {
            return;
        }
        let state = self.state.clone();
        self.state.executor.run(move |worker| {
            let ctx = Context::of_worker(&state, worker);
            // Nobody is contended who waits as long as it takes.
            let _ = upkeep::carry_out(&ctx, &upkeep, &mut Wakes::default());
            state.clients.tracking.end_turn(&state);
        });
    }

    /// Tells a client that it has lost a grant, if it can tell that from a reply.
    fn tell_lost(&mut self, client: u64, key: &[u8], fence: u64) {
        let state = &self.state;
        let Some(info) = state.clients.client(client).filter(|info| info.version() == Version::Resp3) else {
            return;
        };
        if !info.inbox.is_open() {
            info.inbox.open_for_others();
            info.gates.set(Gate::Inbox, true);
        }
        let bytes = FRAME_BYTES_MAX + key.len();
        let pushed = info.inbox.push(
            bytes,
            || limits::inbox_bytes_max(state, &info),
            |inbox| {
                if inbox.version() == Version::Resp3 {
                    inbox.push(3);
                    inbox.bulk(b"lock-lost");
                    inbox.bulk(key);
                    inbox.integer(i64::try_from(fence).unwrap_or(i64::MAX));
                }
            },
        );
        match pushed {
            Ok(waker) => self.wakes.note(waker),
            Err(Refused::Full) => limits::close_for_output(state, &info),
            // It has been closed, and will be gone soon.
            Err(Refused::Closed) => {}
        }
    }
}

/// What stands around the key at most.
const FRAME_BYTES_MAX: usize = 128;

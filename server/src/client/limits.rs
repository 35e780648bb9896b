//! What clients are held to: how long they may be idle, how much may wait to be sent to them, and the memory of all of them
//! together. The periodic task asks for what takes time to come about; a connection asks for what it sees itself.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use super::gates::Gate;
use super::inbox::INBOX_BYTES_MAX;
use super::registry::{ClientInfo, Mode, Waiting};
use crate::config::{ClientClass, OutputLimit};
use crate::state::State;

/// Output that does not count yet: what a reply takes in Redis without memory of its own.
pub const OUTPUT_BYTES_FREE: usize = 16 * 1024;
/// Unsent output from which on a client's commands are not run until it has read some of it, whatever the limits say. The
/// same as the input that it may send ahead by default. Less would stop clients for ever that send everything before they
/// read anything, as the pipelines of libraries do, and Redis lets them; without any bound, one that never reads would
/// take all memory.
pub const OUTPUT_BYTES_MAX: usize = 1 << 30;

/// Whether a client with so much output must be closed at once.
#[inline]
pub fn is_over_hard_limit(state: &State, client: &ClientInfo, output_bytes: usize) -> bool {
    output_bytes > OUTPUT_BYTES_FREE && is_over(state, client, output_bytes)
}

#[cold]
fn is_over(state: &State, client: &ClientInfo, output_bytes: usize) -> bool {
    let OutputLimit { hard_bytes, .. } = state.config.output_limit(class(client));
    let is_over = hard_bytes > 0 && output_bytes as u64 >= hard_bytes;
    if is_over {
        warn_of_output(state, client);
    }
    is_over
}

/// What a client is to the limits of its output.
pub fn class(client: &ClientInfo) -> ClientClass {
    if client.subscriptions.is_any() { ClientClass::PubSub } else { ClientClass::Normal }
}

/// How much the inbox of a client may hold. Where its class has no limit, one that never reads would take all memory.
pub fn inbox_bytes_max(state: &State, client: &ClientInfo) -> usize {
    let class = class(client);
    match (state.config.output_limit(class).hard_bytes, class) {
        (0, ClientClass::PubSub) => OUTPUT_BYTES_MAX,
        (0, ClientClass::Normal | ClientClass::Replica) => INBOX_BYTES_MAX,
        (hard_bytes, _) => {
            let bytes_max = usize::try_from(hard_bytes - 1).unwrap_or(usize::MAX).max(OUTPUT_BYTES_FREE);
            bytes_max.saturating_sub(client.output_bytes.load(Ordering::Relaxed))
        }
    }
}

/// Closes those who have been idle for too long, and those whose output has been over the soft limit for too long. Once a
/// second is often enough: both are told in seconds.
pub fn close_overdue(state: &State) {
    let timeout_ms = state.config.timeout.value().saturating_mul(1000);
    let classes = [ClientClass::Normal, ClientClass::PubSub];
    let limits = classes.map(|class| state.config.output_limit(class));
    let are_listeners_limited = limits[1].soft_bytes > 0 && state.pubsub.client_count() > 0;
    if timeout_ms == 0 && limits[0].soft_bytes == 0 && !are_listeners_limited {
        return;
    }
    let now_ms = state.clock.now_ms();
    for client in state.clients.all() {
        if timeout_ms > 0
            && client.is_waiting(Waiting::No)
            && !client.gates.has(Gate::Monitor)
            && !client.subscriptions.is_any()
            && now_ms - client.active_ms.load(Ordering::Relaxed) > timeout_ms
        {
            state.log.verbose("Closing idle client");
            state.clients.close(&client);
        } else if is_over_soft_limit(&client, limits[usize::from(client.subscriptions.is_any())], now_ms) {
            close_for_output(state, &client);
        }
    }
}

/// Notes since when a client has been over the soft limit; whether that is too long.
fn is_over_soft_limit(client: &ClientInfo, limit: OutputLimit, now_ms: i64) -> bool {
    let output_bytes = client.unsent_bytes() as u64;
    if limit.soft_bytes == 0 || output_bytes < limit.soft_bytes {
        client.over_soft_limit_ms.store(0, Ordering::Relaxed);
        return false;
    }
    let since_ms = client.over_soft_limit_ms.load(Ordering::Relaxed);
    if since_ms == 0 {
        client.over_soft_limit_ms.store(now_ms, Ordering::Relaxed);
        return false;
    }
    now_ms / 1000 - since_ms / 1000 > limit.soft_seconds
}

/// Closes a client for what it has not read.
pub fn close_for_output(state: &State, client: &ClientInfo) {
    warn_of_output(state, client);
    state.clients.close(client);
}

/// Tells the log, and whoever counts, that a client is closed for what it has not read.
fn warn_of_output(state: &State, client: &ClientInfo) {
    state.stats.over_output_limit.fetch_add(1, Ordering::Relaxed);
    state.log.warning(format_args!(
        "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
        client.id, client.addr
    ));
}

/// Closes the clients that take the most memory until all of them together take no more than they may. Those that have asked
/// for it are spared, and count all the same.
pub fn evict(state: &State) {
    let Some(limit_bytes) = state.config.client_memory_max() else { return };
    let clients = state.clients.all();
    let mut sizes: Vec<_> = clients.iter().map(|client| (client.memory_bytes() as u64, client)).collect();
    let mut used_bytes: u64 = sizes.iter().map(|(bytes, _)| bytes).sum();
    if used_bytes <= limit_bytes {
        return;
    }
    sizes.retain(|(_, client)| !client.is_in(Mode::NoEvict));
    sizes.sort_unstable_by_key(|(bytes, client)| (Reverse(*bytes), client.id));
    for (bytes, client) in sizes {
        if used_bytes <= limit_bytes {
            return;
        }
        used_bytes -= bytes;
        if state.clients.close(client) {
            state.stats.clients_evicted.fetch_add(1, Ordering::Relaxed);
            state.log.notice(format_args!("Evicting client: id={} addr={}", client.id, client.addr));
        }
    }
}

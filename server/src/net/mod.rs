//! Network threads. Each has a runtime of its own for one thread, on which its connections are tasks that never move.
//!
//! - `listener`: accepts, checks limits, chooses the thread;
//! - `addresses`: where it accepts, and how that changes;
//! - `thread`: one runtime, its buffers, its connections;
//! - `connection`: the loop of one client, and what it waits for;
//! - `window`: parse, plan, prefetch, run;
//! - `metrics`: the endpoint for Prometheus, which is no client.
//!
//! Everything from the window down is synchronous and knows nothing of tokio. Only `listener`, `addresses` and `metrics` name a socket
//! type; a connection is generic over its stream.

pub mod addresses;
pub mod connection;
mod held;
pub mod listener;
mod metrics;
pub mod thread;
pub mod window;

//! The harness: starts ours and real servers, and holds them against each other.
//!
//! Reading order: `reply` (what came over the wire), `notation` (how people write it), `client` (one
//! connection), `server` and `reference` (whom to ask), `transcript` (recorded conversations), `differential`
//! (random ones), `history` (many clients at once), `foreign` (programs of others),
//! `process` (a client that can be stopped and killed). It knows the server only by its program and its protocol: nothing here links against it.

#![forbid(unsafe_code)]

pub mod client;
pub mod differential;
pub mod foreign;
pub mod history;
pub mod notation;
pub mod process;
pub mod reference;
pub mod reply;
pub mod server;
pub mod transcript;

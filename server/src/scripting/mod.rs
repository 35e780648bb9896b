//! Scripts and functions: engines that run them, what they find in their sandbox, where they are kept, and the pure parts around
//! that. Declaring the commands over them is the catalogue's.
//!
//! In reading order: `sandbox` is a Lua state that runs what clients bring, `api` the server's own table in it, `bridge` what
//! becomes of a call from in there, `convert` how replies become Lua values and the other way round; `watchdog` ends what runs
//! too long. `script` is one script, `outline` what can be said of it before it runs, `cache` keeps them, `engine` runs them;
//! `functions` keeps and runs libraries. `library` is what all of them find beside the server's own table; `shebang` reads the
//! first line of a script or library; `payload` is how libraries are written down, to be taken to another server.

mod api;
mod bridge;
pub mod cache;
mod convert;
pub mod engine;
pub mod functions;
mod hashing;
pub mod library;
pub mod outline;
pub mod payload;
pub mod sandbox;
pub mod script;
pub mod shebang;
pub mod watchdog;

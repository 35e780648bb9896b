//! Scripts: engines that run them, what they find in their sandbox, where they are kept, and the pure parts around that.
//! Declaring the commands over scripts is the catalogue's.
//!
//! In reading order: `script` is one script, `outline` what can be said of it before it runs, `cache` keeps them; `engine` is a Lua state that runs them, `api` the server's own
//! table in it, `bridge` what becomes of a call of a script, `convert` how replies become Lua values and the other way round;
//! `watchdog` ends what runs too long. `library` is what scripts find beside the server's own table; `shebang` reads the
//! first line of a script or library; `payload` is how libraries are written down, to be taken to another server.

mod api;
mod bridge;
pub mod cache;
mod convert;
pub mod engine;
pub mod library;
pub mod outline;
pub mod payload;
pub mod script;
pub mod shebang;
pub mod watchdog;

//! Scripts: what they find in their sandbox, and the pure parts of running and keeping them. Declaring the commands over
//! scripts is the catalogue's.
//!
//! `library` is what scripts find beside the server's own table; `shebang` reads the first line of a script or library;
//! `payload` is how libraries are written down, to be taken to another server.

pub mod library;
pub mod payload;
pub mod shebang;

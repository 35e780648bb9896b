//! RESP, the wire protocol of Redis: bytes in, bytes out.
//!
//! A client sends commands, each an array of byte strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or, typed by
//! hand, one line of words. The server answers with one value per command. RESP2 knows lines, errors,
//! integers, byte strings and arrays; RESP3, chosen by the client, adds maps, sets, doubles, booleans, pushes
//! and a null of its own.
//!
//! There are two entry points. [`RequestParser`] finds the commands in whatever the network delivered and
//! hands them out as [`Request`]s, slices of the read buffer. [`Reply`] is the buffer a turn's answers are
//! written to, one method per type, and the only place where the two versions differ. [`Pending`] keeps what
//! a slow reader left of it. [`number`] and [`LongDouble`] read and print numbers exactly as Redis does,
//! since clients see every digit.
//!
//! ```
//! use shardis_protocol::{Limits, Parsed, Reply, Request, RequestParser, Version};
//!
//! let input = b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nPING\r\n";
//! let (mut parser, mut spans) = (RequestParser::new(), Vec::new());
//! let mut reply = Reply::new(Version::Resp2);
//! let parsed = parser.parse(input, &Limits::default(), &mut spans)?;
//! assert_eq!(parsed, Parsed::Command { consumed: 22 });
//! let request = Request::new(input, &spans);
//! assert_eq!(request.name(), b"ECHO");
//! reply.bulk(request.arg(1).unwrap_or_default());
//! assert_eq!(reply.as_contiguous(), Some(&b"$2\r\nhi\r\n"[..]));
//! # Ok::<(), shardis_protocol::ProtocolError>(())
//! ```
//!
//! This crate deliberately knows no command, no socket and no clock, and it has no opinion on what a reply
//! should be. Whatever the peer sends ends in a command, a wish for more input or a [`ProtocolError`], never
//! in a panic.

#![forbid(unsafe_code)]

mod error;
mod float_text;
mod inline;
pub mod limits;
mod long_double;
pub mod number;
mod parser;
mod pending;
mod reply;
mod request;
mod shortest;

pub use error::ProtocolError;
pub use inline::split_words;
pub use limits::Limits;
pub use long_double::LongDouble;
pub use parser::{Parsed, RequestParser};
pub use pending::Pending;
pub use reply::{Aggregate, DoubleStyle, Mark, Reply, Version};
pub use request::{OwnedRequest, Request, Span};

//! Why a comparison ends early. A missed target is no failure: it is a figure of the report.

use std::fmt;
use std::io;

/// What went wrong, and whose fault it is.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that does not exist.
    Usage(String),
    /// A server did not get as far as answering its first PING.
    Start { server: String, reason: String },
    /// A server closed a connection, died or fell silent.
    Lost { server: String, error: io::Error },
    /// A server answered, and wrongly.
    WrongReply { server: String, command: String, expected: String, received: String },
    /// This machine refused a file, a port or a process.
    System { what: String, error: io::Error },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => write!(f, "{text} (--help lists the options)"),
            Self::Start { server, reason } => write!(f, "{server} did not start: {reason}"),
            Self::Lost { server, error } => write!(f, "{server} died or fell silent: {error}"),
            Self::WrongReply { server, command, expected, received } => {
                write!(f, "{server} answered {command} wrongly: expected {expected}, received {received}")
            }
            Self::System { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

/// Names what this machine was asked for when it refused.
pub fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
    |error| Failure::System { what: what.into(), error }
}

/// Names the server whose connection failed.
pub fn lost(server: &str) -> impl FnOnce(io::Error) -> Failure + '_ {
    |error| Failure::Lost { server: server.to_owned(), error }
}

/// Bytes as a line of text that fits into a message.
pub fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(EXCERPT_BYTES_MAX)];
    let more = if shown.len() < bytes.len() {
        format!(" and {} bytes more", bytes.len() - shown.len())
    } else {
        String::new()
    };
    format!("\"{}\"{more}", shown.escape_ascii())
}

const EXCERPT_BYTES_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt(b":1\r\n\x00"), r#"":1\r\n\x00""#);
        assert!(excerpt(&[b'x'; 500]).ends_with("and 380 bytes more"));
    }
}

//! What a peer sent wrong. Every variant is the peer's fault and ends its connection; errors of commands are
//! replies like others and are not found here.

use std::borrow::Cow;
use std::fmt;

/// A breach of the protocol. The connection is closed, most often after a last line that says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline command of more than 64 KB.
    InlineTooLong,
    /// A `*` line of more than 64 KB.
    CountLineTooLong,
    /// A `$` line of more than 64 KB.
    LengthLineTooLong,
    /// The number of arguments is no number, or too large.
    InvalidCount,
    /// The length of an argument is no number, negative, or above `proto-max-bulk-len`.
    InvalidLength,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedCount,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedLength,
    /// An argument that does not start with `$` but with this byte.
    ExpectedBulk(u8),
    /// An inline command with an open quote, or text right behind a closing one.
    UnbalancedQuotes,
    /// A web browser was tricked into talking to us (`POST`, `Host:`). It gets no answer, and must not have
    /// its next line taken for a command.
    Http,
    /// A command beyond [`COMMAND_BYTES_MAX`](crate::limits::COMMAND_BYTES_MAX). Closed without a word, like
    /// every breach of the query buffer's limit.
    CommandTooLarge,
}

impl ProtocolError {
    /// Whether the peer is told. If not, the connection is closed at once, and replies not yet sent are
    /// dropped.
    pub fn is_answered(self) -> bool {
        !matches!(self, ProtocolError::Http | ProtocolError::CommandTooLarge)
    }

    /// The text of the reply, without its code. Bytes, for a stray byte is quoted as it came.
    pub fn text(self) -> Cow<'static, [u8]> {
        let text: &[u8] = match self {
            ProtocolError::InlineTooLong => b"Protocol error: too big inline request",
            ProtocolError::CountLineTooLong => b"Protocol error: too big mbulk count string",
            ProtocolError::LengthLineTooLong => b"Protocol error: too big bulk count string",
            ProtocolError::InvalidCount => b"Protocol error: invalid multibulk length",
            ProtocolError::InvalidLength => b"Protocol error: invalid bulk length",
            ProtocolError::UnauthenticatedCount => b"Protocol error: unauthenticated multibulk length",
            ProtocolError::UnauthenticatedLength => b"Protocol error: unauthenticated bulk length",
            ProtocolError::ExpectedBulk(byte) => {
                return Cow::Owned([b"Protocol error: expected '$', got '", &[byte][..], b"'"].concat());
            }
            ProtocolError::UnbalancedQuotes => b"Protocol error: unbalanced quotes in request",
            ProtocolError::Http => {
                b"Possible SECURITY ATTACK detected: a web client is talking to this server"
            }
            ProtocolError::CommandTooLarge => b"the command exceeds what a connection may buffer",
        };
        Cow::Borrowed(text)
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

impl std::error::Error for ProtocolError {}

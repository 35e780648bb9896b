//! Every limit of the wire, by name. What a breach is answered with stands in `error.rs`; limits of the
//! server (clients, query buffer, output buffer) are settings and do not belong here.

/// The limits that depend on the server's settings and on who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest byte string a client may send: `proto-max-bulk-len`.
    pub bulk_bytes_max: u64,
    /// A client that still has to authenticate may send little, so that strangers cannot fill the memory.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bulk_bytes_max: BULK_BYTES_MAX_DEFAULT, authenticated: true }
    }
}

/// `proto-max-bulk-len` unless configured otherwise.
pub const BULK_BYTES_MAX_DEFAULT: u64 = 512 * 1024 * 1024;

/// An inline command may hold this many bytes before its newline.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// A header line, `*<count>` or `$<length>`, may hold this many bytes before its carriage return.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The most arguments a command may announce.
pub const ARGUMENTS_MAX: u32 = i32::MAX as u32;

/// The most arguments a command of an unauthenticated client may announce.
pub const UNAUTHENTICATED_ARGUMENTS_MAX: u32 = 10;

/// The longest byte string an unauthenticated client may send.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: u64 = 16 * 1024;

/// The longest command altogether: positions inside one are 32 bits wide. Only settings far beyond the
/// defaults of `proto-max-bulk-len` and `client-query-buffer-limit` let a client come this far.
pub const COMMAND_BYTES_MAX: usize = u32::MAX as usize;

/// The shortest encoding of an argument, `$0\r\n\r\n`: what every announced argument still costs the sender.
pub const ARGUMENT_BYTES_MIN: usize = 6;

/// The longest text of an `i64`, `-9223372036854775808`.
pub const INTEGER_BYTES_MAX: usize = 20;

/// Text of this length or more is no long double, whatever its digits.
pub const LONG_DOUBLE_BYTES_MAX: usize = 5 * 1024;

/// From this length on a shared byte string is sent from where it is; shorter ones are cheaper to copy than
/// to gather.
pub const BULK_SHARED_BYTES_MIN: usize = 16 * 1024;

/// A reply that is made whole before it is sent is made in blocks of this size, each given back when it is sent.
pub const REPLY_BLOCK_BYTES: usize = 256 * 1024;

/// A reply buffer keeps at most this much memory from one turn to the next.
pub const REPLY_BYTES_RETAINED_MAX: usize = 1024 * 1024;

/// Unsent output is copied together into pieces of this size; what is larger is kept as it is.
pub const PENDING_PIECE_BYTES: usize = 64 * 1024;

const _: () = {
    assert!(UNAUTHENTICATED_ARGUMENTS_MAX < ARGUMENTS_MAX);
    assert!(UNAUTHENTICATED_BULK_BYTES_MAX < BULK_BYTES_MAX_DEFAULT);
    assert!(BULK_BYTES_MAX_DEFAULT < COMMAND_BYTES_MAX as u64);
    assert!(INLINE_BYTES_MAX < COMMAND_BYTES_MAX);
    assert!(ARGUMENT_BYTES_MIN == b"$0\r\n\r\n".len());
    assert!(INTEGER_BYTES_MAX < HEADER_BYTES_MAX);
    assert!(BULK_SHARED_BYTES_MIN < PENDING_PIECE_BYTES);
    assert!(PENDING_PIECE_BYTES < REPLY_BYTES_RETAINED_MAX);
};

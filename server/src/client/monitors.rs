//! The clients that see every command, and the lines in which they see them. A line is written by the thread that ran the
//! command, right after it, so that the lines of a client stand in the order in which its commands ran.
//!
//! What is shown is decided by whoever declares a command (its flags and its secrets); how a line reaches its client is
//! the business of `inbox`.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use super::inbox::{INBOX_BYTES_MAX, Refused, Wakes};
use super::{Client, ClientInfo, Mode, limits};
use crate::state::State;

/// The monitors of a server.
#[derive(Debug, Default)]
pub struct Monitors {
    /// Whether there is any: all that a command looks at while there is none.
    is_any: AtomicBool,
    clients: RwLock<Vec<Arc<ClientInfo>>>,
}

impl Monitors {
    /// Whether there is any.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Relaxed)
    }

    /// Shows a command of `client` to all of them.
    pub fn tell<'a>(&self, client: &Client, words: impl Iterator<Item = &'a [u8]>, state: &State) {
        let line = line(client, state.clock.now_us(), words);
        let (mut wakes, mut full) = (Wakes::default(), Vec::new());
        for monitor in self.clients.read().iter().filter(|monitor| !monitor.is_in(Mode::Silent)) {
            let bytes_max = || limits::inbox_bytes_max(state, monitor);
            match monitor.inbox.push(line.len(), bytes_max, |messages| messages.raw(&line)) {
                Ok(waker) => wakes.note(waker),
                Err(Refused::Full) => full.push(monitor.clone()),
                Err(Refused::Closed) => {}
            }
        }
        for monitor in full {
            limits::close_for_output(state, &monitor);
        }
    }

    pub(super) fn add(&self, info: Arc<ClientInfo>) {
        let mut clients = self.clients.write();
        clients.push(info);
        self.is_any.store(true, Ordering::Relaxed);
    }

    /// Lets a client go.
    pub(super) fn remove(&self, info: &ClientInfo) {
        let mut clients = self.clients.write();
        clients.retain(|client| client.id != info.id);
        self.is_any.store(!clients.is_empty(), Ordering::Relaxed);
    }
}

/// A command as a monitor sees it. A line that no inbox has room for is cut: it is not delivered.
fn line<'a>(client: &Client, now_us: i64, words: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (seconds, microseconds) = (now_us.div_euclid(MICROSECONDS), now_us.rem_euclid(MICROSECONDS));
    let mut line = format!("+{seconds}.{microseconds:06} [{} {}]", client.db.0, peer(client)).into_bytes();
    for word in words {
        line.extend(b" \"");
        for &byte in word.iter().take(INBOX_BYTES_MAX) {
            quote(byte, &mut line);
        }
        line.push(b'"');
        if line.len() > INBOX_BYTES_MAX {
            break;
        }
    }
    line.extend(b"\r\n");
    line
}

/// Where a client is: over a UNIX socket that is the path of the socket. A script is nowhere.
fn peer(client: &Client) -> String {
    let info = &client.info;
    if client.is_script {
        return "lua".to_owned();
    }
    match info.laddr.strip_suffix(":0") {
        Some(path) if info.is_unix => format!("unix:{path}"),
        _ => info.addr.clone(),
    }
}

/// A byte as it stands between quotes.
fn quote(byte: u8, line: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => line.extend([b'\\', byte]),
        b'\n' => line.extend(b"\\n"),
        b'\r' => line.extend(b"\\r"),
        b'\t' => line.extend(b"\\t"),
        0x07 => line.extend(b"\\a"),
        0x08 => line.extend(b"\\b"),
        b' '..=b'~' => line.push(byte),
        _ => {
            let written = write!(line, "\\x{byte:02x}");
            debug_assert!(written.is_ok(), "a vector takes everything");
        }
    }
}

const MICROSECONDS: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_time_database_peer_and_every_byte() {
        let info = ClientInfo::new(1, "127.0.0.1:4000".into(), "127.0.0.1:6379".into(), 8, 0);
        let mut client = Client::detached(info, true);
        client.db = shardis_storage::Db(5);
        let words = [&b"set"[..], b"", b"a\"\\\n\r\t\x07\x08\x00\xff~ "];
        assert_eq!(
            line(&client, 12_000_034, words.into_iter()).escape_ascii().to_string(),
            b"+12.000034 [5 127.0.0.1:4000] \"set\" \"\" \"a\\\"\\\\\\n\\r\\t\\a\\b\\x00\\xff~ \"\r\n"
                .escape_ascii()
                .to_string()
        );
    }

    #[test]
    fn a_peer_over_a_unix_socket_is_named_by_the_socket() {
        let info = ClientInfo::new(1, "/run/s.sock:0".into(), "/run/s.sock:0".into(), 8, 0);
        assert_eq!(peer(&Client::detached(info, true)), "unix:/run/s.sock");
    }
}

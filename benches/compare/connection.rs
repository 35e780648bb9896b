//! One blocking connection for everything that is not measured: PING, loading data, INFO, one computation.
//!
//! Tells texts and errors apart; of an array it keeps no more than its length.

use crate::failure::{Failure, excerpt, lost};
use shardis_benches::resp::{self, Words};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A reply.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// Text of a bulk string, a simple string or an integer.
    Text(String),
    /// The text of an error.
    Error(String),
    Null,
    Array(Vec<Value>),
}

/// A connection to the server called `server`.
pub struct Connection {
    server: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(server: &str, port: u16) -> io::Result<Self> {
        Ok(Self { server: server.to_owned(), stream: BufReader::new(dial(port)?) })
    }

    /// Its socket, for somebody else to keep open.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    /// Sends one command and reads its reply.
    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Value, Failure> {
        self.ask(words)?;
        self.answer()
    }

    /// Sends one command.
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<(), Failure> {
        let mut request = Vec::new();
        resp::append_command(&mut request, words);
        self.send(&request)
    }

    /// Reads one reply.
    pub fn answer(&mut self) -> Result<Value, Failure> {
        self.read().map_err(lost(&self.server))
    }

    /// Sends one command whose reply must not be an error.
    pub fn demand<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<String, Failure> {
        match self.call(words)? {
            Value::Text(text) => Ok(text),
            other => {
                let request = words.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(&b' ');
                Err(self.wrong(&request, "no error", &other))
            }
        }
    }

    /// Whether the server has the command of `words`, which are sent.
    pub fn knows(&mut self, words: &Words) -> Result<bool, Failure> {
        Ok(!matches!(self.call(words)?, Value::Error(text) if text.starts_with("ERR unknown command")))
    }

    /// Stores data: sends all commands in batches; none may be answered with an error.
    pub fn load(&mut self, commands: impl Iterator<Item = Words>) -> Result<(), Failure> {
        let mut commands = commands.peekable();
        let mut batch = Vec::new();
        while commands.peek().is_some() {
            batch.clear();
            let mut sent = 0;
            for words in commands.by_ref().take(LOAD_BATCH) {
                resp::append_command(&mut batch, &words);
                sent += 1;
            }
            self.send(&batch)?;
            for _ in 0..sent {
                let value = self.read().map_err(lost(&self.server))?;
                if matches!(value, Value::Error(_)) {
                    return Err(self.wrong(&batch, "no error", &value));
                }
            }
        }
        Ok(())
    }

    /// Sends all commands at once, and gives their replies.
    pub fn call_all(&mut self, commands: impl Iterator<Item = Words>) -> Result<Vec<Value>, Failure> {
        let (mut batch, mut sent) = (Vec::new(), 0);
        for words in commands {
            resp::append_command(&mut batch, &words);
            sent += 1;
        }
        self.send(&batch)?;
        (0..sent).map(|_| self.read().map_err(lost(&self.server))).collect()
    }

    /// The field `name` of an INFO section, when the server has it.
    pub fn info(&mut self, section: &str, name: &str) -> Result<Option<String>, Failure> {
        let text = self.demand(&["INFO", section])?;
        let field = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(field.map(|value| value.trim().to_owned()))
    }

    /// What the server says it uses, in bytes.
    pub fn used_memory(&mut self) -> Result<u64, Failure> {
        let text = self.info("memory", "used_memory")?.unwrap_or_default();
        text.parse().map_err(|_| self.wrong(b"INFO memory", "used_memory in bytes", &Value::Text(text)))
    }

    fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.stream.get_mut().write_all(request).map_err(lost(&self.server))
    }

    fn read(&mut self) -> io::Result<Value> {
        read_value(&mut self.stream)
    }

    /// The failure of a server that has answered this to that.
    pub fn wrong(&self, request: &[u8], expected: &str, received: &Value) -> Failure {
        Failure::WrongReply {
            server: self.server.clone(),
            command: excerpt(request),
            expected: expected.to_owned(),
            received: format!("{received:?}"),
        }
    }
}

/// A socket to `port` on which every wait has a deadline.
pub fn dial(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), WAIT_MAX)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.set_write_timeout(Some(WAIT_MAX))?;
    Ok(stream)
}

/// Reads a reply.
fn read_value(stream: &mut impl BufRead) -> io::Result<Value> {
    let mut line = String::new();
    stream.take(LINE_BYTES_MAX).read_line(&mut line)?;
    let strange = || io::Error::new(io::ErrorKind::InvalidData, format!("not a reply: {line:?}"));
    let text = line.strip_suffix("\r\n").ok_or(if line.is_empty() {
        io::ErrorKind::UnexpectedEof.into()
    } else {
        strange()
    })?;
    match (text.chars().next(), text.get(1..)) {
        (Some('+' | ':'), Some(text)) => Ok(Value::Text(text.to_owned())),
        (Some('-'), Some(text)) => Ok(Value::Error(text.to_owned())),
        (Some('$' | '*'), Some("-1")) => Ok(Value::Null),
        (Some('*'), Some(count)) => {
            let count = count.parse::<u64>().map_err(|_| strange())?;
            (0..count).map(|_| read_value(stream)).collect::<io::Result<Vec<_>>>().map(Value::Array)
        }
        (Some('$'), Some(count)) => {
            let count =
                count.parse::<u64>().ok().filter(|count| *count < BULK_BYTES_MAX).ok_or_else(strange)?;
            let mut bytes = Vec::new();
            let arrived = stream.take(count + 2).read_to_end(&mut bytes)?;
            if (arrived as u64) < count + 2 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let bulk = bytes.strip_suffix(b"\r\n").ok_or_else(strange)?;
            Ok(Value::Text(String::from_utf8_lossy(bulk).into_owned()))
        }
        _ => Err(strange()),
    }
}

/// Commands sent together while loading: enough to be quick, few enough that buffers do not weigh in the figures.
const LOAD_BATCH: usize = 200;
/// No wait for a server is longer.
const WAIT_MAX: Duration = Duration::from_secs(60);
const LINE_BYTES_MAX: u64 = 64 * 1024;
const BULK_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Value> {
        read_value(&mut io::Cursor::new(bytes))
    }

    #[test]
    fn replies_are_read_by_type() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(read(b"+OK\r\n").expect("a line"), text("OK"));
        assert_eq!(read(b":12\r\n").expect("an integer"), text("12"));
        assert_eq!(read(b"$4\r\na\r\nb\r\n").expect("a bulk string"), text("a\r\nb"));
        assert_eq!(read(b"$-1\r\n").expect("null"), Value::Null);
        assert_eq!(read(b"-ERR no\r\n").expect("an error"), Value::Error("ERR no".to_owned()));
    }

    #[test]
    fn broken_replies_are_errors() {
        for broken in
            [&b""[..], b"+OK", b"*x\r\n", b"$5\r\nab\r\n", b"$x\r\n", b"\xff\r\n", b"$99999999999\r\n"]
        {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }
}

//! One blocking connection to a server: commands out, replies in, each as a value and as its exact bytes.
//!
//! Every read has a deadline, so that a server that says nothing fails a test instead of hanging it. It knows
//! no command; `HELLO` is sent like any other.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_protocol::{resp2, resp3};

use crate::reply::Reply;

/// How long a reply may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A connection.
pub struct Client {
    stream: TcpStream,
    /// Read and not yet taken.
    input: Vec<u8>,
}

impl Client {
    /// Connects over TCP.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, input: Vec::new() })
    }

    /// Connects and switches to `protocol`, which is 2 or 3.
    pub fn connect_speaking(address: SocketAddr, protocol: u8) -> Result<Self> {
        let mut client = Self::connect(address)?;
        if protocol != 2 {
            client.call(&[b"HELLO", protocol.to_string().as_bytes()])?;
        }
        Ok(client)
    }

    /// Sends one command and reads one reply.
    pub fn call(&mut self, arguments: &[impl AsRef<[u8]>]) -> Result<Reply> {
        self.send_raw(&encode(arguments))?;
        self.reply()
    }

    /// A figure of INFO.
    ///
    /// # Panics
    ///
    /// If the server does not tell it.
    pub fn figure(&mut self, name: &str) -> u64 {
        let report = self.call(&["INFO", "everything"]).expect("a reply");
        let report = String::from_utf8_lossy(report.text().expect("a text")).into_owned();
        let figure = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        figure.and_then(|figure| figure.parse().ok()).unwrap_or_else(|| panic!("no {name} in {report}"))
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next reply.
    pub fn reply(&mut self) -> Result<Reply> {
        Ok(self.frame(PATIENCE)?.1)
    }

    /// The next reply and its bytes, within `patience`; `UnexpectedEof` when the server has closed the
    /// connection.
    pub fn frame(&mut self, patience: Duration) -> Result<(Vec<u8>, Reply)> {
        let deadline = Instant::now() + patience;
        loop {
            match Reply::parse(&self.input) {
                Ok(Some((reply, length))) => {
                    let frame: Vec<u8> = self.input.drain(..length).collect();
                    if !another_decoder_agrees(&frame) {
                        return Err(invalid("redis-protocol refuses", &frame));
                    }
                    return Ok((frame, reply));
                }
                Ok(None) => self.fill(deadline)?,
                Err(_) => return Err(invalid("no reply", &self.input)),
            }
        }
    }

    /// The next `count` replies, split but neither copied apart nor given to the second decoder: for long
    /// pipelines.
    pub fn frames(&mut self, count: usize) -> Result<Vec<(Vec<u8>, Reply)>> {
        let deadline = Instant::now() + PATIENCE;
        let (mut frames, mut start) = (Vec::with_capacity(count), 0);
        while frames.len() < count {
            match Reply::parse(&self.input[start..]) {
                Ok(Some((reply, length))) => {
                    frames.push((self.input[start..start + length].to_vec(), reply));
                    start += length;
                }
                Ok(None) => self.fill(deadline)?,
                Err(_) => return Err(invalid("no reply", &self.input[start..])),
            }
        }
        self.input.drain(..start);
        Ok(frames)
    }

    /// Whether the server closes the connection, without another byte, within the usual patience.
    pub fn is_closed(&mut self) -> bool {
        let end = self.fill(Instant::now() + PATIENCE);
        let closed = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
        self.input.is_empty() && end.is_err_and(|error| closed.contains(&error.kind()))
    }

    /// The socket itself, for tests of what a connection does at its end.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn fill(&mut self, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(ErrorKind::TimedOut, "no reply in time"));
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut chunk = [0; 65536];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Error::new(ErrorKind::UnexpectedEof, "closed by the server")),
            Ok(length) => {
                self.input.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            // A signal says nothing about the server; the caller comes back for more.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A command as clients send it: an array of bulk strings.
pub fn encode(arguments: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Whether `redis-protocol`, where it takes the bytes at all, sees the same end. It cannot hold everything
/// that servers send (a set of maps, as in `COMMAND INFO`), and has a decoder for each protocol, of which
/// either may apply.
fn another_decoder_agrees(frame: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(frame);
    let whole = |length: usize| length == frame.len();
    let three =
        resp3::decode::complete::decode_bytes(&bytes).map(|decoded| decoded.map(|(_, length)| length));
    let two = resp2::decode::decode_bytes(&bytes).map(|decoded| decoded.map(|(_, length)| length));
    match (two, three) {
        (Ok(Some(length)), _) | (Err(_), Ok(Some(length))) => whole(length),
        (Ok(None), _) | (_, Ok(None)) => false,
        (Err(_), Err(_)) => true,
    }
}

fn invalid(what: &str, bytes: &[u8]) -> Error {
    let start = bytes[..bytes.len().min(200)].escape_ascii();
    Error::new(ErrorKind::InvalidData, format!("{what}: {start}"))
}

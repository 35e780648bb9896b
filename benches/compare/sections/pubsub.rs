//! PUBLISH to many who listen: server CPU per request, interleaved ours, peer, peer, ours again.
//!
//! Each publisher has one batch under way and sends the next one when it is answered; then every listener reads what has been
//! published. Each message names its publisher and its number, and every listener checks that it gets all of each publisher's
//! messages in their order.

use super::Comparison;
use crate::connection::dial;
use crate::failure::{Failure, excerpt, lost};
use crate::results::{OURS, OURS_AGAIN, Section};
use crate::server::RunningServer;
use shardis_benches::resp;
use shardis_benches::target::{Against, Target};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Measures with each number of listeners.
pub fn run(comparison: &mut Comparison) -> Result<(), Failure> {
    let wanted: Vec<usize> = LISTENERS
        .into_iter()
        .filter(|listeners| comparison.options.selects(SECTION, &figure(*listeners)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let programs = comparison.options.programs.clone();
    let servers = programs.iter().map(|program| RunningServer::start(program, &comparison.options.out));
    let servers = servers.collect::<Result<Vec<_>, _>>()?;
    let mut order: Vec<(&RunningServer, &str)> =
        servers.iter().map(|server| (server, server.name.as_str())).collect();
    order.extend(servers.iter().find(|server| server.name == OURS).map(|server| (server, OURS_AGAIN)));
    for listeners in wanted {
        let name = figure(listeners);
        for round in 0..comparison.options.rounds {
            for (server, label) in &order {
                comparison.progress(&format!("{name}, round {}: {label}", round + 1));
                let mut room = Room::open(server, listeners)?;
                let before = server.cpu_ns()?;
                let (requests, elapsed) = room.run(comparison.options.duration)?;
                let cpu_us = server.cpu_ns()?.saturating_sub(before) as f64 / 1e3 / requests as f64;
                let thousands = requests as f64 / elapsed.as_secs_f64() / 1e3;
                comparison.results.record((Section::Cpu, &name, TARGET), label, round, cpu_us);
                comparison.results.record(
                    (Section::Throughput, &name, Target::NONE),
                    label,
                    round,
                    thousands,
                );
            }
        }
    }
    Ok(())
}

/// The connections of one measurement.
struct Room<'s> {
    server: &'s RunningServer,
    publishers: Vec<Publisher>,
    listeners: Vec<Listener>,
    /// What a batch is answered.
    answer: Vec<u8>,
    received: Vec<u8>,
}

struct Publisher {
    stream: TcpStream,
    number: usize,
    /// Messages that it has sent.
    sent: u64,
}

struct Listener {
    stream: TcpStream,
    /// What has come of a message that is not complete.
    partial: Vec<u8>,
    /// How many messages of each publisher have come.
    come: Vec<u64>,
}

impl<'s> Room<'s> {
    fn open(server: &'s RunningServer, listeners: usize) -> Result<Room<'s>, Failure> {
        let open = || dial(server.port).map_err(lost(&server.name));
        let listen = |_| {
            let mut stream = open()?;
            let mut answer = vec![0; CONFIRMED.len()];
            stream.write_all(&command(&["SUBSCRIBE", CHANNEL])).map_err(lost(&server.name))?;
            stream.read_exact(&mut answer).map_err(lost(&server.name))?;
            right(server, "SUBSCRIBE", CONFIRMED, &answer)?;
            Ok(Listener { stream, partial: Vec::new(), come: vec![0; PUBLISHERS] })
        };
        let publish = |number| Ok(Publisher { stream: open()?, number, sent: 0 });
        Ok(Room {
            server,
            listeners: (0..listeners).map(listen).collect::<Result<_, Failure>>()?,
            publishers: (0..PUBLISHERS).map(publish).collect::<Result<_, Failure>>()?,
            answer: resp::integer(listeners as i64).repeat(PIPELINE),
            received: vec![0; RECEIVE_BYTES],
        })
    }

    /// Publishes for so long: how many messages every listener has got, and in what time.
    fn run(&mut self, duration: Duration) -> Result<(usize, Duration), Failure> {
        let begun = Instant::now();
        self.publishers.iter_mut().try_for_each(Publisher::send).map_err(lost(&self.server.name))?;
        loop {
            let go_on = begun.elapsed() < duration;
            for publisher in &mut self.publishers {
                let answer = &mut self.received[..self.answer.len()];
                publisher.stream.read_exact(answer).map_err(lost(&self.server.name))?;
                right(self.server, "PUBLISH", &self.answer, answer)?;
            }
            let answered: u64 = self.publishers.iter().map(|publisher| publisher.sent).sum();
            if go_on {
                self.publishers.iter_mut().try_for_each(Publisher::send).map_err(lost(&self.server.name))?;
            }
            for listener in &mut self.listeners {
                listener.read(self.server, answered, &mut self.received)?;
            }
            if !go_on {
                return Ok((answered as usize, begun.elapsed()));
            }
        }
    }
}

impl Publisher {
    fn send(&mut self) -> io::Result<()> {
        let mut batch = Vec::new();
        for number in self.sent..self.sent + PIPELINE as u64 {
            batch.extend(command(&["PUBLISH", CHANNEL, &message(self.number, number)]));
        }
        self.sent += PIPELINE as u64;
        self.stream.write_all(&batch)
    }
}

impl Listener {
    /// Reads until so many messages have come in all, and checks each.
    fn read(&mut self, server: &RunningServer, wanted: u64, received: &mut [u8]) -> Result<(), Failure> {
        while self.come.iter().sum::<u64>() < wanted {
            let count = self.stream.read(received).map_err(lost(&server.name))?;
            if count == 0 {
                return Err(lost(&server.name)(io::ErrorKind::UnexpectedEof.into()));
            }
            let mut rest = &received[..count];
            let mut whole = std::mem::take(&mut self.partial);
            if !whole.is_empty() {
                let missing = FRAME_BYTES.saturating_sub(whole.len()).min(rest.len());
                whole.extend_from_slice(&rest[..missing]);
                rest = &rest[missing..];
                self.take(server, &whole)?;
            }
            self.take(server, rest)?;
        }
        Ok(())
    }

    /// Checks the messages in `bytes`, and keeps what is left of the last one.
    fn take(&mut self, server: &RunningServer, bytes: &[u8]) -> Result<(), Failure> {
        let (frames, rest) = bytes.split_at(bytes.len() / FRAME_BYTES * FRAME_BYTES);
        for frame in frames.chunks_exact(FRAME_BYTES) {
            let (head, text) = frame.split_at(FRAME_BYTES - MESSAGE_BYTES - 2);
            let publisher =
                usize::from(text[0].wrapping_sub(b'0')) * 10 + usize::from(text[1].wrapping_sub(b'0'));
            let digits = std::str::from_utf8(&text[3..MESSAGE_BYTES]).ok();
            let number = digits.and_then(|digits| digits.parse::<u64>().ok());
            let next = self.come.get_mut(publisher);
            let is_next = next.as_ref().is_some_and(|next| number == Some(**next));
            if head != HEAD || !is_next || text[MESSAGE_BYTES..] != *b"\r\n" {
                let expected = format!("the next message of each publisher, after {:?}", self.come);
                return Err(wrong(server, "a listener", expected, frame));
            }
            next.into_iter().for_each(|next| *next += 1);
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }
}

/// A message of 64 bytes.
fn message(publisher: usize, number: u64) -> String {
    format!("{publisher:02}:{number:061}")
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut request = Vec::new();
    resp::append_command(&mut request, words);
    request
}

fn right(server: &RunningServer, command: &str, expected: &[u8], received: &[u8]) -> Result<(), Failure> {
    if expected == received { Ok(()) } else { Err(wrong(server, command, excerpt(expected), received)) }
}

fn wrong(server: &RunningServer, command: &str, expected: String, received: &[u8]) -> Failure {
    let received = excerpt(received);
    Failure::WrongReply { server: server.name.clone(), command: command.to_owned(), expected, received }
}

fn figure(listeners: usize) -> String {
    format!("PUBLISH to {listeners} P{PIPELINE}")
}

const SECTION: &str = "pubsub";
const TARGET: Target = Target { goal: None, ..Target::ratio(Against::Peer("valkey"), 0.75, 0.75) };
const LISTENERS: [usize; 3] = [1, 10, 100];
const PUBLISHERS: usize = 50;
const PIPELINE: usize = 16;
const CHANNEL: &str = "news";
const CONFIRMED: &[u8] = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
const MESSAGE_BYTES: usize = 64;
/// What stands before a message.
const HEAD: &[u8] = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$64\r\n";
const FRAME_BYTES: usize = HEAD.len() + MESSAGE_BYTES + 2;
const RECEIVE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_is_said_to_be() {
        assert_eq!(message(7, u64::MAX).len(), MESSAGE_BYTES);
        let frame = resp::array(&["message".to_owned(), CHANNEL.to_owned(), message(49, 1)]);
        assert!(frame.starts_with(HEAD) && frame.len() == FRAME_BYTES);
    }
}

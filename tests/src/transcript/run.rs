//! Runs a transcript against one server. It does not stop at the first difference: what follows is usually
//! independent, and whoever mends the server wants the whole list.

use std::collections::HashMap;
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::parse::referred;
use super::{Action, Expected, Outcome, Script, Step};
use crate::client::{Client, PATIENCE, encode};
use crate::notation::write;
use crate::reference::Reference;
use crate::reply::Reply;
use crate::server::{Server, stand_in};

/// Whom to ask.
#[derive(Clone, Debug)]
pub enum Target {
    /// Our program, in this personality.
    Ours(&'static str),
    /// A real server, found at this path.
    Reference(Reference, PathBuf),
}

/// Something that differs from what is written.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a client saw where a reply was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// A reply.
    Reply(Reply),
    /// The end of the connection.
    Closed,
    /// Neither, in time; or bytes that are no reply.
    Nothing(String),
}

impl Target {
    /// Its name in variants.
    pub fn personality(&self) -> String {
        match self {
            Self::Ours(personality) => stand_in().unwrap_or_else(|| (*personality).into()),
            Self::Reference(reference, _) => reference.personality().into(),
        }
    }

    fn start(&self, configuration: &[String]) -> Server {
        let arguments: Vec<&str> = configuration.iter().map(String::as_str).collect();
        match self {
            Self::Ours(personality) => Server::ours(personality, &arguments),
            Self::Reference(_, program) => Server::start(program, &arguments),
        }
    }
}

/// Runs `script` on a fresh server for each of its protocols.
pub fn run(script: &Script, target: &Target) -> Vec<Failure> {
    let mut failures = Vec::new();
    for &protocol in &script.protocols {
        let server = target.start(&script.configuration);
        let mut session = Session::new(&server, protocol);
        for step in &script.steps {
            if step.replies.is_empty() && !script.is_read_later(step) {
                let reason = "no reply is written down (UPDATE=1 asks the references)";
                failures.push(Failure(format!("{}:{}: {}\n  {reason}", script.name(), step.line, step.text)));
                continue;
            }
            let (seen, spoken) = session.play(step, &target.personality());
            for difference in differences(step, &seen, &target.personality(), spoken) {
                let place = format!("{}:{} on {target} in RESP{spoken}", script.name(), step.line);
                failures.push(Failure(format!("{place}\n  {}\n{difference}", step.text)));
            }
        }
    }
    failures
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(personality) => write!(formatter, "ours as {personality}"),
            Self::Reference(reference, _) => formatter.write_str(reference.personality()),
        }
    }
}

fn differences(step: &Step, seen: &[Seen], personality: &str, protocol: u8) -> Vec<String> {
    let one = |(expected, seen): (&Expected, &Seen)| {
        let outcome = expected.select(personality, protocol);
        let same = outcome.is_some_and(|outcome| seen.is(outcome, protocol));
        let text = outcome.map_or("(nothing is written for this server)", |outcome| &outcome.text);
        (!same).then(|| format!("  expected: {text}\n  got:      {seen}"))
    };
    step.replies.iter().zip(seen).filter_map(one).collect()
}

impl Seen {
    /// Whether it is what was expected.
    pub(super) fn is(&self, outcome: &Outcome, protocol: u8) -> bool {
        match (&outcome.reply, self) {
            (Some(pattern), Self::Reply(reply)) => pattern.matches(reply, protocol),
            (None, Self::Closed) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => formatter.write_str(&write(reply)),
            Self::Closed => formatter.write_str("closed"),
            Self::Nothing(reason) => write!(formatter, "no reply: {reason}"),
        }
    }
}

/// The clients of one run.
pub(super) struct Session<'a> {
    server: &'a Server,
    protocol: u8,
    clients: HashMap<String, Speaker>,
}

/// A client and the protocol it speaks.
pub(super) struct Speaker {
    pub(super) client: Client,
    protocol: u8,
}

impl<'a> Session<'a> {
    pub(super) fn new(server: &'a Server, protocol: u8) -> Self {
        Self { server, protocol, clients: HashMap::new() }
    }

    /// Does one step and returns what was seen, one entry for each expected reply, and the protocol it was
    /// said in.
    pub(super) fn play(&mut self, step: &Step, personality: &str) -> (Vec<Seen>, u8) {
        let protocol = self.protocol;
        let Ok(referring) = self.resolved(&step.action) else {
            return (step.replies.iter().map(|_| Seen::Closed).collect(), protocol);
        };
        let Ok(speaker) = self.speaker(&step.client) else {
            return (step.replies.iter().map(|_| Seen::Closed).collect(), protocol);
        };
        let seen = match speaker.attempt(step, referring.as_deref(), personality) {
            Ok(seen) => seen,
            Err(error) => step.replies.iter().map(|_| lost(&error)).collect(),
        };
        if let (Some(protocol), Some(Seen::Reply(reply))) = (step.switches_to, seen.first())
            && !reply.is_error()
        {
            speaker.protocol = protocol;
        }
        (seen, speaker.protocol)
    }

    /// The bytes of a command that names other clients by their numbers.
    fn resolved(&mut self, action: &Action) -> Result<Option<Vec<u8>>> {
        let Action::Refer(words) = action else { return Ok(None) };
        let mut sent = words.clone();
        for word in &mut sent {
            if let Some(name) = referred(word) {
                let reply = self.speaker(name)?.client.call(&["CLIENT", "ID"])?;
                let Reply::Integer(id) = reply else { return Err(ErrorKind::InvalidData.into()) };
                *word = id.to_string().into_bytes();
            }
        }
        Ok(Some(encode(&sent)))
    }

    pub(super) fn speaker(&mut self, name: &str) -> Result<&mut Speaker> {
        if !self.clients.contains_key(name) {
            let client = Client::connect_speaking(self.server.address(), self.protocol)?;
            self.clients.insert(name.into(), Speaker { client, protocol: self.protocol });
        }
        Ok(self.clients.get_mut(name).expect("invariant: inserted above"))
    }
}

impl Speaker {
    fn attempt(&mut self, step: &Step, referring: Option<&[u8]>, personality: &str) -> Result<Vec<Seen>> {
        match &step.action {
            Action::Read => {}
            Action::Send(bytes) => self.client.send_raw(bytes)?,
            Action::Refer(_) => self.client.send_raw(referring.unwrap_or_default())?,
            Action::Repeat(commands) => {
                if let Some(error) = repeat(&mut self.client, commands)? {
                    return Ok(step.replies.iter().map(|_| Seen::Reply(error.clone())).collect());
                }
            }
            Action::Eventually(bytes) => return self.poll(bytes, step, personality),
        }
        Ok(step.replies.iter().map(|_| see(&mut self.client, PATIENCE)).collect())
    }

    fn poll(&mut self, command: &[u8], step: &Step, personality: &str) -> Result<Vec<Seen>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.client.send_raw(command)?;
            let seen = vec![see(&mut self.client, PATIENCE)];
            if differences(step, &seen, personality, self.protocol).is_empty() || Instant::now() > deadline {
                return Ok(seen);
            }
        }
    }
}

/// The next thing a client sees.
pub(super) fn see(client: &mut Client, patience: Duration) -> Seen {
    match client.frame(patience) {
        Ok((_, reply)) => Seen::Reply(reply),
        Err(error) => lost(&error),
    }
}

fn lost(error: &Error) -> Seen {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Seen::Closed,
        _ => Seen::Nothing(error.to_string()),
    }
}

/// Sends all in one go and reads all replies but the last; an error among them is returned.
fn repeat(client: &mut Client, commands: &[Vec<u8>]) -> Result<Option<Reply>> {
    for (number, command) in commands.iter().enumerate() {
        client.send_raw(command)?;
        if number + 1 < commands.len() {
            let reply = client.reply()?;
            if reply.is_error() {
                return Ok(Some(reply));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::Pattern;

    fn step(replies: &[&str]) -> Step {
        let expected = |text: &&str| Expected {
            variants: vec![(vec![], Outcome { text: text.to_string(), reply: Pattern::parse(text).ok() })],
        };
        let replies = replies.iter().map(expected).collect();
        Step {
            line: 1,
            text: "a> X".into(),
            client: "a".into(),
            action: Action::Send(encode(&["X"])),
            replies,
            switches_to: None,
        }
    }

    #[test]
    fn a_difference_names_both_sides() {
        let seen = [Seen::Reply(Reply::Integer(1)), Seen::Closed];
        let found = differences(&step(&[":1", "+OK"]), &seen, "redis-7.2", 2);
        assert_eq!(found, ["  expected: +OK\n  got:      closed"]);
    }

    #[test]
    fn a_matching_reply_is_no_difference() {
        assert_eq!(differences(&step(&[":*"]), &[Seen::Reply(Reply::Integer(9))], "redis-7.2", 3), [""; 0]);
    }
}

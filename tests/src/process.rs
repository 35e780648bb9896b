//! A client that is a process of its own, so that it can be stopped and killed as programs are: `redis-cli`, which reads its
//! commands from a pipe. What it prints is text, not a reply with its type.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::PATIENCE;
use crate::server::eventually;

/// Stands behind each reply, on a line of its own.
const END: &str = ".";

/// The process; it is killed, with SIGKILL, when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a client of the server at `address`.
    pub fn start(address: SocketAddr) -> Self {
        let mut command = Command::new("redis-cli");
        command
            .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
            .args(["-D", &format!("\n{END}\n")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("redis-cli can be started");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { child, output }
    }

    /// Lets it send a command, whose words have neither blanks nor quotes; while it is stopped it does that later.
    pub fn ask(&mut self, words: &[&str]) {
        let input = self.child.stdin.as_mut().expect("its input is piped");
        writeln!(input, "{}", words.join(" ")).expect("it has not ended");
    }

    /// The lines of its next reply: one for each element, and none for null.
    pub fn reply(&mut self) -> Vec<String> {
        let lines = (&mut self.output).lines().map(|line| line.expect("it prints text"));
        lines.take_while(|line| line != END).filter(|line| !line.is_empty()).collect()
    }

    /// Both.
    pub fn call(&mut self, words: &[&str]) -> Vec<String> {
        self.ask(words);
        self.reply()
    }

    /// Stops it by SIGSTOP, and waits until it has been.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        assert!(eventually(PATIENCE, || self.is_stopped()), "{self:?} goes on");
    }

    /// Whether it is stopped.
    pub fn is_stopped(&self) -> bool {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it has not ended");
        // What stands before the state, its name in parentheses, may contain anything.
        text.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
    }

    /// Lets it go on, by SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("it has not ended");
        kill_process(process, signal).expect("it is ours");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both may fail only when there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

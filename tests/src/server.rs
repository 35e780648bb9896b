//! Server programs as child processes: ours and, through `reference`, real ones.
//!
//! A `Server` is ready when its constructor returns and gone when it is dropped. It is driven from outside
//! only: this file knows a command line, two sockets and a process id, and asks nothing of the server's
//! insides.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;

/// How long a start may take.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// A free port may be taken by somebody else before the child binds it.
const START_ATTEMPTS_MAX: u32 = 5;
/// Between two looks at a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A running server.
pub struct Server {
    child: Child,
    /// What it was started with.
    command: Command,
    directory: Directory,
    address: SocketAddr,
}

impl Server {
    /// Starts our own program with these further arguments.
    ///
    /// `SHARDIS_BIN` names the program, else it is the `shardis-server` beside this test. `SHARDIS_STANDS_FOR` says
    /// that `SHARDIS_BIN` is a real server of that personality, which is how the harness itself is tested.
    pub fn ours(personality: &str, arguments: &[&str]) -> Self {
        let mut all = Vec::from(arguments);
        if stand_in().is_none() {
            all.extend(["--personality", personality]);
        }
        Self::start(&our_program(), &all)
    }

    /// Starts `program` with `arguments` on a free port, and waits until it answers.
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        for _ in 1..START_ATTEMPTS_MAX {
            match Self::attempt(program, arguments) {
                Err(reason) if reason.contains("Address already in use") => {}
                result => return result.unwrap_or_else(|reason| panic!("{}: {reason}", program.display())),
            }
        }
        panic!("{}: no free port in {START_ATTEMPTS_MAX} attempts", program.display())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection that speaks RESP2.
    pub fn client(&self) -> Client {
        Client::connect(self.address).expect("a running server accepts")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many files it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    /// Waits until it has ended; its exit code, or none if a signal has ended it.
    pub fn end(&mut self) -> Option<i32> {
        assert!(eventually(START_PATIENCE, || !self.is_running()), "{self:?} does not end");
        self.child.wait().expect("it has ended").code()
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        let kilobytes: u64 = line.trim_end_matches("kB").trim().parse().expect("a number");
        kilobytes * 1024
    }

    /// Kills it and starts it again, with the same arguments at the same address.
    pub fn restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
        self.child = self.command.spawn().expect("it could be started before");
        self.wait_until_ready().unwrap_or_else(|reason| panic!("{self:?}: {reason}"));
    }

    /// Whether its process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn attempt(program: &Path, arguments: &[&str]) -> Result<Self, String> {
        let directory = Directory::new().map_err(|error| error.to_string())?;
        let address = free_address();
        let output = File::create(directory.0.join("output")).map_err(|error| error.to_string())?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--unixsocket"])
            .arg(directory.0.join("socket"))
            .arg("--dir")
            .arg(&directory.0)
            .args(["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        let child = command
            .spawn()
            .map_err(|error| format!("{error}; build it, or name the program in SHARDIS_BIN"))?;
        let mut server = Self { child, command, directory, address };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Asks on the UNIX socket, whose path is this server's alone: on the port another program could answer.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let socket = self.directory.0.join("socket");
        let ready = eventually(START_PATIENCE, || !self.is_running() || answers(&socket));
        if ready && self.is_running() {
            return Ok(());
        }
        let output = fs::read_to_string(self.directory.0.join("output")).unwrap_or_default();
        Err(format!("did not become ready; its output:\n{output}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both may fail only when there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "server {} on {}", self.child.id(), self.address)
    }
}

/// Looks at `condition` again and again; false when it does not come true in time.
pub fn eventually(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::park_timeout(POLL_INTERVAL);
    }
    true
}

/// Tells the other threads of a test to end when it is dropped, also because an assertion has failed: nobody else would.
#[derive(Debug)]
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The personality of the real server that stands in for ours, if one does.
pub fn stand_in() -> Option<String> {
    std::env::var("SHARDIS_STANDS_FOR").ok()
}

/// Our own program.
pub fn our_program() -> PathBuf {
    if let Some(program) = std::env::var_os("SHARDIS_BIN") {
        return program.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in target/<profile>/deps");
    profile.join("shardis-server")
}

fn answers(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let mut answers = Vec::new();
    // With a password set, an error is an answer too. The server closes: no test is to see this client.
    stream.set_read_timeout(Some(START_PATIENCE)).is_ok()
        && stream.write_all(b"PING\r\nQUIT\r\n").is_ok()
        && stream.read_to_end(&mut answers).is_ok()
        && !answers.is_empty()
}

/// An address on loopback that nobody uses, as far as one can know.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// A directory of a server's own, which goes with it.
struct Directory(PathBuf);

impl Directory {
    /// Its path is short, because that of a UNIX socket must fit into 108 bytes.
    fn new() -> std::io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("shardis-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.0);
    }
}

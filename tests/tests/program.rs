//! The program as its user starts it: command line, configuration file, log, sockets, signals, exit codes.
//!
//! What a directive means to a running server is not tested here, but by the transcripts.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shardis_tests::client::{Client, PATIENCE};
use shardis_tests::reply::Reply;
use shardis_tests::server::{eventually, free_address};

const READY: &str = "Ready to accept connections";
/// The last line of its log.
const BYE: &str = "Shardis is now ready to exit, bye bye...";

#[test]
fn version_and_help_are_printed() {
    let place = Place::new();
    for word in ["-v", "--version"] {
        let (code, text) = place.run(&[word]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(" v=7.2.4 ") && text.lines().count() == 1, "{text}");
    }
    for word in ["-h", "--help"] {
        let (code, text) = place.run(&[word]);
        assert_eq!(code, Some(0), "{text}");
        for option in
            ["Usage:", "--port", "--threads", "--shards", "--requirepass", "gone when the server ends"]
        {
            assert!(text.contains(option), "no {option} in {text}");
        }
    }
}

#[test]
fn the_log_says_where_it_listens_and_when_it_is_ready() {
    let place = Place::new();
    let port = free_address().port();
    let program = place.start(&["--port", &port.to_string(), "--unixsocket", "socket"]).ready();
    let log = program.output();
    let socket = place.path("socket");
    for text in [
        "(Redis 7.2.4 compatible)".into(),
        format!("listening on 127.0.0.1:{port} and {}", socket.display()),
        "gone at exit".into(),
        format!("* {READY} tcp"),
        format!("* {READY} unix"),
    ] {
        assert!(log.contains(&text), "no {text:?} in the log:\n{log}");
    }
}

#[test]
fn settings_come_from_file_standard_input_and_options_in_this_order() {
    let place = Place::new();
    let port = free_address().port();
    place.write("more.conf", "hz 11\ntimeout 11\n");
    place.write(
        "redis.conf",
        &format!("# A comment.\n\nport {port}\ninclude more.conf\ntimeout 12\nhz 13\nMAXCLIENTS 14\n"),
    );
    place.write("input", "maxclients 15\nhz 15\n");
    let program = place.start_reading(&["redis.conf", "--hz", "16", "-"], "input").ready();
    let mut client = program.client(port);
    for (name, value) in [("timeout", "12"), ("maxclients", "15"), ("hz", "16")] {
        assert_eq!(texts(&mut client, &["CONFIG", "GET", name]), [name, value]);
    }
    let info = texts(&mut client, &["INFO", "server"]).concat();
    let path = place.path("redis.conf");
    assert!(info.contains(&format!("config_file:{}\r\n", path.display())), "{info}");
}

#[test]
fn a_directive_that_is_wrong_stops_the_start_and_is_shown() {
    let place = Place::new();
    let directives = [
        ("nosuch value", "Bad directive or wrong number of arguments"),
        ("port abc", "argument couldn't be parsed into an integer"),
        ("port 70000", "argument must be between 0 and 65535 inclusive"),
        ("port", "wrong number of arguments"),
        ("shards 3", "power of two"),
        ("loglevel loud", "argument(s) must be one of the following"),
        ("requirepass \"half", "Unbalanced quotes in configuration line"),
        ("appendonly yes", "all data is in memory only"),
        ("save 60 1", "all data is in memory only"),
        ("replicaof 127.0.0.1 6379", "replication is not there yet"),
        ("cluster-enabled yes", "cluster mode is not there yet"),
        ("tls-port 6380", "TLS"),
        ("tls-cert-file redis.crt", "TLS"),
    ];
    for (directive, reason) in directives {
        place.write("redis.conf", &format!("port 0\n# The next one is wrong.\n{directive}\nhz 10\n"));
        let (code, text) = place.run(&["redis.conf"]);
        let at = format!("at line 3 of {}\n>>> '{directive}'\n", place.path("redis.conf").display());
        assert_eq!(code, Some(1), "{directive}: {text}");
        assert!(text.contains(&at), "{text}");
        let (_, told) = text.split_once(&at).expect("it has just been found");
        assert!(told.to_lowercase().contains(&reason.to_lowercase()), "{directive}: {told}");

        let (name, value) = directive.split_once(' ').unwrap_or((directive, ""));
        let option = format!("--{name}");
        let words: Vec<&str> = std::iter::once(option.as_str()).chain(value.split_whitespace()).collect();
        if !value.contains('"') {
            let (code, text) = place.run(&words);
            assert_eq!(code, Some(1), "{words:?}: {text}");
            assert!(text.contains("at line 1 of the command line\n"), "{words:?}: {text}");
        }
    }
}

#[test]
fn one_start_tells_all_that_is_wrong() {
    let place = Place::new();
    place.write("redis.conf", "daemonize yes\nsyslog-enabled yes\nhz 10\nsave 60 1\nsupervised systemd\n");
    let (code, text) = place.run(&["redis.conf", "--save", "", "--nosuch", "1"]);
    assert_eq!(code, Some(1), "{text}");
    let path = place.path("redis.conf").display().to_string();
    let lines = [
        format!("at line 1 of {path}\n>>> 'daemonize yes'\n"),
        format!("\n  line 2 of {path}: 'syslog-enabled yes': "),
        format!("\n  line 5 of {path}: 'supervised systemd': "),
        "\n  line 2 of the command line: 'nosuch \"1\"': Bad directive".to_owned(),
        "--help".to_owned(),
    ];
    for line in lines {
        assert!(text.contains(&line), "no {line:?} in {text}");
    }
    assert!(!text.contains("save 60 1"), "it has been taken back: {text}");
}

#[test]
fn what_promises_nothing_untrue_is_accepted() {
    let place = Place::new();
    let port = free_address().port().to_string();
    place.write("redis.conf", "save 900 1\nappendonly no\ncluster-enabled no\nmaxmemory 0\ndaemonize no\n");
    let words = [
        "redis.conf",
        "--port",
        &port,
        "--save",
        "",
        "--appendonly",
        "no",
        "--databases",
        "4",
        "--loglevel",
        "debug",
    ];
    place.start(&words).ready();
}

#[test]
fn a_configuration_file_that_is_missing_is_named() {
    let place = Place::new();
    let (code, text) = place.run(&["nosuch.conf"]);
    assert_eq!(code, Some(1), "{text}");
    let path = place.path("nosuch.conf");
    assert!(text.contains(&format!("can't open config file '{}': No such file", path.display())), "{text}");
}

#[test]
fn every_address_of_bind_is_listened_on() {
    let place = Place::new();
    let port = free_address().port();
    // 192.0.2.1 belongs to documents, to no machine.
    let words = ["--port", &port.to_string(), "--bind", "127.0.0.1", "127.0.0.2", "-192.0.2.1", "-::1"];
    let program = place.start(&words).ready();
    let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into()];
    if has_ipv6() {
        addresses.push("::1".parse().expect("an address"));
    }
    for address in addresses {
        let mut client =
            Client::connect((address, port).into()).unwrap_or_else(|error| panic!("{address}: {error}"));
        assert_eq!(texts(&mut client, &["PING"]), ["PONG"]);
    }
    assert!(TcpStream::connect((Ipv4Addr::new(127, 0, 0, 3), port)).is_err(), "nobody asked for that one");
    drop(program);
    let (code, text) = place.run(&["--port", &port.to_string(), "--bind", "127.0.0.1", "192.0.2.1"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains(&format!("Could not create server TCP listening socket 192.0.2.1:{port}")),
        "{text}"
    );
}

#[test]
fn a_port_that_is_taken_stops_the_start() {
    let place = Place::new();
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = holder.local_addr().expect("it is bound").port().to_string();
    let (code, text) = place.run(&["--port", &port]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Address already in use"), "{text}");
}

#[test]
fn port_0_means_no_tcp() {
    let place = Place::new();
    let program = place.start(&["--port", "0", "--unixsocket", "socket"]).ready();
    let log = program.output();
    assert!(!log.contains(&format!("{READY} tcp")), "{log}");
    assert!(log.contains(&format!("{READY} unix")), "{log}");
    let mut stream = UnixStream::connect(place.path("socket")).expect("it listens");
    stream.write_all(b"CONFIG GET port\r\nQUIT\r\n").expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it ends");
    assert_eq!(answer, "*2\r\n$4\r\nport\r\n$1\r\n0\r\n+OK\r\n");
}

#[test]
fn a_socket_file_has_its_permissions_and_replaces_that_of_a_dead_server() {
    let place = Place::new();
    let port = free_address().port().to_string();
    let words = ["--port", &port, "--unixsocket", "socket", "--unixsocketperm", "700"];
    let mut program = place.start(&words).ready();
    program.child.kill().expect("it runs");
    program.end();
    let socket = place.path("socket");
    assert!(socket.exists() && UnixStream::connect(&socket).is_err(), "a killed server leaves its file");
    let program = place.start(&words).ready();
    let permissions = fs::metadata(&socket).expect("it is there").permissions();
    assert_eq!(permissions.mode() & 0o777, 0o700);
    UnixStream::connect(&socket).expect("it listens");
    let (code, text) = place.run(&["--port", "0", "--unixsocket", "socket"]);
    assert_eq!(code, Some(1), "a living server keeps its file: {text}");
    UnixStream::connect(&socket).expect("it still listens");
    drop(program);
}

#[test]
fn a_password_is_asked_for() {
    let place = Place::new();
    let port = free_address().port();
    let program = place.start(&["--port", &port.to_string(), "--requirepass", "se cret"]).ready();
    let mut client = program.client(port);
    assert_eq!(texts(&mut client, &["GET", "k"]), ["NOAUTH Authentication required."]);
    assert_eq!(texts(&mut client, &["AUTH", "se cret"]), ["OK"]);
    assert_eq!(texts(&mut client, &["PING"]), ["PONG"]);
}

#[test]
fn protected_mode_keeps_strangers_out_until_it_is_told_otherwise() {
    let Some(address) = own_address() else {
        return eprintln!("SKIPPED: this machine has no address but loopback");
    };
    let place = Place::new();
    let port = free_address().port();
    let program = place.start(&["--port", &port.to_string(), "--bind", "0.0.0.0"]).ready();
    let greeting = || {
        let mut stream = TcpStream::connect((address, port)).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        // One that is refused may find its connection reset.
        let _ = stream.write_all(b"PING\r\nQUIT\r\n");
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => String::from_utf8_lossy(&answer).into_owned(),
        }
    };
    assert!(greeting().starts_with("-DENIED Redis is running in protected mode"), "{}", greeting());
    let mut friend = program.client(port);
    assert_eq!(texts(&mut friend, &["CONFIG", "SET", "protected-mode", "no"]), ["OK"]);
    assert_eq!(greeting(), "+PONG\r\n+OK\r\n");
    assert_eq!(texts(&mut friend, &["CONFIG", "SET", "protected-mode", "yes"]), ["OK"]);
    assert_eq!(texts(&mut friend, &["CONFIG", "SET", "requirepass", "secret"]), ["OK"]);
    assert!(greeting().starts_with("-NOAUTH "), "{}", greeting());
}

#[test]
fn signals_end_it_cleanly_and_free_its_sockets() {
    let place = Place::new();
    let port = free_address().port();
    for signal in ["TERM", "INT"] {
        let words = ["--port", &port.to_string(), "--unixsocket", "socket"];
        let mut program = place.start(&words).ready();
        // Clients that are connected, one in the middle of something long, hold up nothing.
        let mut client = program.client(port);
        assert_eq!(texts(&mut client, &["SET", "k", "v"]), ["OK"]);
        client.send_raw(b"KEYS *\r\nGET").expect("it is read");
        program.signal(signal);
        assert_eq!(program.end(), Some(0), "{signal}: {}", program.output());
        let log = program.output();
        assert!(log.contains(&format!("Received SIG{signal} scheduling shutdown...")), "{log}");
        assert!(log.ends_with(&format!("# {BYE}\n")), "{log}");
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "the port is still open");
        assert!(!place.path("socket").exists(), "the socket file is still there");
    }
}

/// Managers of services may repeat theirs; only somebody who insists by hand is obeyed at once.
#[test]
fn a_repeated_sigterm_does_not_cut_the_end_short() {
    let place = Place::new();
    let port = free_address().port();
    let mut program = place.start(&["--port", &port.to_string()]).ready();
    // Something long holds up the end; it is under way when a read of its key waits.
    let text = "a".repeat(11_000);
    let mut client = program.client(port);
    assert_eq!(texts(&mut client, &["SET", "k", &text]), ["OK"]);
    client.send_raw(b"LCS k k\r\n").expect("it is read");
    let is_under_way = || {
        let mut reading = program.client(port);
        reading.send_raw(b"GET k\r\n").expect("it is read");
        reading.frame(Duration::from_millis(10)).is_err()
    };
    assert!(eventually(PATIENCE, is_under_way), "a read of its key is answered");
    program.signal("TERM");
    let is_told = || program.output().contains("Received SIGTERM");
    assert!(eventually(PATIENCE, is_told), "{}", program.output());
    (0..3).for_each(|_| program.signal("TERM"));
    assert_eq!(program.end(), Some(0), "{}", program.output());
    assert!(program.output().ends_with(&format!("# {BYE}\n")), "{}", program.output());
}

#[test]
fn a_program_that_would_listen_nowhere_does_not_start() {
    let place = Place::new();
    let port = free_address().port().to_string();
    // 192.0.2.1 belongs to documents, to no machine.
    for words in
        [&["--port", "0", "--save", ""][..], &["--port", &port, "--bind", "-192.0.2.1"], &["--bind", ""]]
    {
        let (code, text) = place.run(words);
        assert_eq!(code, Some(1), "{words:?}: {text}");
        assert!(text.contains("Configured to not listen anywhere, exiting."), "{words:?}: {text}");
    }
}

#[test]
fn the_limit_on_open_files_is_raised_as_far_as_it_may_be() {
    let place = Place::new();
    let port = free_address().port();
    let program = place.start_limited("-S -n 64", &["--port", &port.to_string()]).ready();
    let log = program.output();
    assert!(log.contains("Increased maximum number of open files to "), "{log}");
    assert!(log.contains("(it was originally set to 64)"), "{log}");
    let mut clients: Vec<Client> = (0..80).map(|_| program.client(port)).collect();
    clients.iter_mut().for_each(|client| assert_eq!(texts(client, &["PING"]), ["PONG"]));
}

#[test]
fn no_more_clients_are_promised_than_files_may_be_open() {
    let place = Place::new();
    let port = free_address().port();
    let words = ["--port", &port.to_string(), "--threads", "1"];
    let program = place.start_limited("-n 64", &words).ready();
    let log = program.output();
    assert!(log.contains("maxclients has been reduced to 32 to compensate for low ulimit"), "{log}");
    let mut clients: Vec<Client> = (0..40).map(|_| program.client(port)).collect();
    let (served, refused) = clients.split_at_mut(32);
    served.iter_mut().for_each(|client| assert_eq!(texts(client, &["PING"]), ["PONG"]));
    for client in refused {
        let refusal = client.reply().expect("it is told why");
        assert_eq!(refusal.text(), Some(b"ERR max number of clients reached".as_slice()));
    }
    assert_eq!(texts(&mut served[0], &["CONFIG", "GET", "maxclients"]), ["maxclients", "32"]);
    let refusal = "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not \
                   able to handle the specified number of clients, try with 32";
    assert_eq!(texts(&mut served[0], &["CONFIG", "SET", "maxclients", "33", "timeout", "9"]), [refusal]);
    assert_eq!(texts(&mut served[0], &["CONFIG", "GET", "timeout"]), ["timeout", "0"]);
    assert_eq!(texts(&mut served[0], &["CONFIG", "SET", "maxclients", "32"]), ["OK"]);
    assert!(!program.output().contains("Accepting client connection"), "{}", program.output());

    drop(program);
    let mut program = place.start_limited("-n 32", &words);
    assert_eq!(program.end(), Some(1), "{}", program.output());
    assert!(program.output().contains("is not enough for the server to start"), "{}", program.output());
}

#[test]
fn clients_that_come_all_at_once_are_counted_one_by_one() {
    let place = Place::new();
    let port = free_address().port();
    let words = ["--port", &port.to_string(), "--maxclients", "5", "--threads", "2"];
    let program = place.start(&words).ready();
    program.signal("STOP");
    // They wait with the system, and meet the program in one go when it continues.
    let mut clients: Vec<Client> = (0..100).map(|_| program.client(port)).collect();
    program.signal("CONT");
    let mut served = 0;
    for client in &mut clients {
        // One that is refused may find its connection reset.
        let _ = client.send_raw(b"PING\r\n");
        served += usize::from(client.reply().is_ok_and(|reply| reply.text() == Some(b"PONG")));
    }
    assert_eq!(served, 5);
}

#[test]
fn any_keepalive_lets_clients_in() {
    let place = Place::new();
    let port = free_address().port();
    let program = place.start(&["--port", &port.to_string(), "--loglevel", "verbose"]).ready();
    for seconds in ["1", "2", "3", "32768", "2147483647", "0"] {
        let mut client = program.client(port);
        assert_eq!(texts(&mut client, &["CONFIG", "SET", "tcp-keepalive", seconds]), ["OK"]);
        assert_eq!(texts(&mut program.client(port), &["PING"]), ["PONG"], "{seconds}");
    }
    assert!(!program.output().contains("socket option"), "{}", program.output());
}

#[test]
fn a_closed_terminal_does_not_end_it() {
    let place = Place::new();
    let port = free_address().port();
    let program = place.start(&["--port", &port.to_string()]).ready();
    program.signal("HUP");
    assert_eq!(texts(&mut program.client(port), &["PING"]), ["PONG"]);
}

#[test]
fn a_client_can_end_it() {
    let place = Place::new();
    let port = free_address().port();
    let mut program = place.start(&["--port", &port.to_string()]).ready();
    let mut client = program.client(port);
    client.send_raw(b"SHUTDOWN NOSAVE\r\n").expect("it is read");
    assert!(client.is_closed(), "it goes without a word");
    assert_eq!(program.end(), Some(0), "{}", program.output());
    assert!(program.output().ends_with(&format!("# {BYE}\n")), "{}", program.output());
}

#[test]
fn a_log_file_gets_what_would_be_printed() {
    let place = Place::new();
    let port = free_address().port();
    let words = ["--port", &port.to_string(), "--logfile", "server.log", "--loglevel", "warning"];
    let mut program = place.start(&words);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    assert!(eventually(PATIENCE, || TcpStream::connect(address).is_ok()), "it does not listen");
    program.client(port).send_raw(b"SHUTDOWN\r\n").expect("it is read");
    assert_eq!(program.end(), Some(0));
    assert_eq!(program.output(), "");
    let log = fs::read_to_string(place.path("server.log")).expect("it is there");
    assert!(log.ends_with(&format!("# {BYE}\n")) && !log.contains(READY), "{log}");
    let (code, text) = place.run(&["--logfile", "nosuch/server.log"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("log file"), "{text}");
}

/// A directory in which the program is started, and which goes in the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("shardis-program-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        Place(directory.canonicalize().expect("it has just been made"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the directory can be written");
    }

    /// Starts the program with these words, and with nothing to read.
    fn start(&self, words: &[&str]) -> Program {
        self.write("nothing", "");
        self.start_reading(words, "nothing")
    }

    fn start_reading(&self, words: &[&str], input: &str) -> Program {
        self.start_command(Command::new(our_program()).args(words), input)
    }

    /// Starts the program under a limit, in the words of `ulimit`.
    fn start_limited(&self, limit: &str, words: &[&str]) -> Program {
        self.write("nothing", "");
        let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
        self.start_command(Command::new("sh").args(["-c", &script]).arg(our_program()).args(words), "nothing")
    }

    fn start_command(&self, command: &mut Command, input: &str) -> Program {
        let output = self.path("output");
        let file = File::create(&output).expect("the directory can be written");
        let child = command
            .current_dir(&self.0)
            .stdin(File::open(self.path(input)).expect("it has been written"))
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("the program is built");
        Program { child, output }
    }

    /// Starts the program, which is to end by itself: its exit code, and what it has said.
    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut program = self.start(words);
        let code = program.end();
        (code, program.output())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program, while it runs and after.
struct Program {
    child: Child,
    output: PathBuf,
}

impl Program {
    fn ready(mut self) -> Program {
        let is_over = |program: &mut Program| program.output().contains(READY) || program.has_ended();
        assert!(eventually(PATIENCE, || is_over(&mut self)), "it is not ready: {}", self.output());
        assert!(!self.has_ended(), "{}", self.output());
        self
    }

    /// The log, or what it says when it does not start.
    fn output(&self) -> String {
        fs::read_to_string(&self.output).expect("its output goes into a file")
    }

    fn client(&self, port: u16) -> Client {
        Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("it accepts")
    }

    fn signal(&self, name: &str) {
        // The shell's own, since the program of that name is not on every machine.
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(status.is_ok_and(|status| status.success()), "it can be told");
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Its exit code, once it has ended; none if a signal has ended it.
    fn end(&mut self) -> Option<i32> {
        assert!(eventually(PATIENCE, || self.has_ended()), "it does not end: {}", self.output());
        self.child.wait().expect("it has ended").code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both may fail only when there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As the harness finds it.
fn our_program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let beside = test.parent().and_then(Path::parent).expect("a test lies in target/<profile>/deps");
    let program =
        std::env::var_os("SHARDIS_BIN").map_or_else(|| beside.join("shardis-server"), PathBuf::from);
    program.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// The address from which this machine would talk to others. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    Some(address).filter(|address| !address.is_loopback() && !address.is_unspecified())
}

/// The texts of a reply, or of its elements.
fn texts(client: &mut Client, command: &[&str]) -> Vec<String> {
    let reply = client.call(command).unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |reply: &Reply| reply.text().map(|text| String::from_utf8_lossy(text).into_owned());
    match text(&reply) {
        Some(text) => vec![text],
        None => reply.items().iter().filter_map(text).collect(),
    }
}

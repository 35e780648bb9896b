//! CONFIG against the real servers: which parameters there are, their defaults, what they make of nonsense, and what a
//! rewritten file looks like. Also configuration files that no server can read.
//!
//! What a parameter does is not tested here, and neither are the replies of CONFIG to sane commands: transcripts do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shardis_tests::client::{Client, PATIENCE};
use shardis_tests::notation;
use shardis_tests::reference::Reference;
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, eventually, free_address, our_program, stand_in};

/// Parameters that only ours has.
const OURS: [&str; 18] = [
    "compute-async-timeout",
    "compute-hard-max-groups",
    "compute-hard-max-memory",
    "compute-hard-max-output",
    "compute-hard-timeout",
    "compute-max-groups",
    "compute-max-memory",
    "compute-max-output",
    "compute-threads",
    "compute-timeout",
    "job-ttl",
    "lock-default-lease",
    "lock-session-maxhold",
    "lua-memory-limit",
    "metrics-port",
    "personality",
    "shards",
    "threads",
];
/// Values that differ when the servers have just started, and why.
const OTHER_VALUES: [(&str, &str); 4] = [
    ("dir", PLACE),
    ("port", PLACE),
    ("unixsocket", PLACE),
    ("hash-seed", "it is drawn when the server starts"),
];
const PLACE: &str = "each server has its own place";

/// Words that mean nothing to most parameters.
const NONSENSE: [&[u8]; 21] = [
    b"nonsense",
    b"",
    b" ",
    b"-",
    b"--1",
    b"-1",
    b"-9",
    b"1.5",
    b"+1",
    b"0x10",
    b"1e3",
    b"-9223372036854775808",
    b"9223372036854775807",
    b"9223372036854775808",
    b"99999999999999999999999",
    b"yes please",
    b"1 2 3",
    b"10gbb",
    b"a\0b",
    b"\xff\n\"'",
    b"900 1 {title}",
];

/// Parameters that are not set to nonsense at all, and why.
const NOT_TRIED: [(&str, &str); 5] = [
    ("bind", ADDRESS),
    ("port", ADDRESS),
    ("personality", "the servers would differ from then on"),
    ("requirepass", "a text of which there is no nonsense, and the next client would not be let in"),
    ("loglevel", "the references would write about every command"),
];
const ADDRESS: &str = "the server would be gone";

/// Nonsense that ours takes otherwise: the parameter, or the beginning of several, and why.
const OTHERWISE: [(&str, &str); 5] = [
    ("tls-", "ours has no TLS and keeps no settings for it"),
    ("rdma-", "ours refuses every value for it"),
    ("cluster-link-sendbuf-limit", "numbers beyond 63 bits are refused"),
    ("maxmemory", "numbers beyond 63 bits are refused"),
    ("latency-tracking-info-percentiles", "hexadecimal numbers are taken, as Redis does and Valkey does not"),
];

#[test]
fn every_parameter_of_a_reference_is_there_with_its_default() {
    for (reference, theirs, ours) in pairs() {
        let (theirs, ours) = (settings(&mut theirs.client()), settings(&mut ours.client()));
        for (name, value) in &theirs {
            let Some(our_value) = ours.get(name) else { panic!("{reference:?} has {name}") };
            let is_listed = OTHER_VALUES.iter().any(|(listed, _)| listed == name);
            assert!(is_listed || our_value == value, "{reference:?}, {name}: {value:?}, ours {our_value:?}");
        }
        let extra: Vec<&String> = ours.keys().filter(|name| !theirs.contains_key(*name)).collect();
        assert_eq!(extra, OURS, "{reference:?}");
    }
}

#[test]
fn nonsense_is_answered_as_by_a_reference() {
    let mut differences = Vec::new();
    let mut met = BTreeSet::new();
    for (reference, theirs, ours) in pairs() {
        let (mut theirs, mut ours) = (theirs.client(), ours.client());
        let (their_defaults, our_defaults) = (settings(&mut theirs), settings(&mut ours));
        let is_tried = |name: &&String| !NOT_TRIED.iter().any(|(listed, _)| listed == name);
        for name in their_defaults.keys().filter(|name| our_defaults.contains_key(*name)).filter(is_tried) {
            for nonsense in NONSENSE {
                let told = answer(&mut theirs, name, nonsense, &their_defaults[name]);
                let our_told = answer(&mut ours, name, nonsense, &our_defaults[name]);
                if told == our_told {
                    continue;
                }
                match OTHERWISE.iter().find(|(listed, _)| begins(name, listed)) {
                    Some((listed, _)) => _ = met.insert(*listed),
                    None => differences.push(format!(
                        "{reference:?}, {name} {}: {told}, ours: {our_told}",
                        notation::quote(nonsense)
                    )),
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    let needless = OTHERWISE.iter().filter(|(listed, _)| !met.contains(listed));
    assert!(met.is_empty() || needless.count() == 0, "only these are needed: {met:?}");
}

/// What a server says to nonsense, and what the parameter then is. Afterwards it is what it was.
fn answer(client: &mut Client, name: &str, nonsense: &[u8], default: &str) -> String {
    let set: [&[u8]; 4] = [b"CONFIG", b"SET", name.as_bytes(), nonsense];
    let told = client.call(&set).expect("an answer");
    let mut answer = notation::write(&told);
    if !matches!(told, Reply::Error(_)) {
        answer += &notation::write(&client.call(&["CONFIG", "GET", name]).expect("an answer"));
        let restored = client.call(&["CONFIG", "SET", name, default]).expect("an answer");
        assert_eq!(restored, Reply::Simple(b"OK".to_vec()), "{name} {default}");
    }
    answer
}

/// What stands in the file stays where it is; what is appended has no order.
#[test]
fn a_file_is_rewritten_as_by_a_reference() {
    for reference in Reference::ALL {
        let Some(program) = reference.find() else { continue };
        let [theirs, ours] = [(program, None), (our_program(), Some(reference.personality()))].map(
            |(program, personality)| {
                let place = Place::new();
                let port = free_address().port();
                fs::write(place.0.join("extra.conf"), "hz 20\n").expect("a file");
                let text = REWRITTEN
                    .replace("PORT", &port.to_string())
                    .replace("DIR", &place.0.display().to_string());
                let file = place.0.join("redis.conf");
                fs::write(&file, text).expect("a file");
                fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("it is ours");
                let mut program = place.start(&program, personality);
                let mut client = program.client(port);
                let ok = Reply::Simple(b"OK".to_vec());
                for command in CHANGES {
                    assert_eq!(client.call(command).expect("an answer"), ok, "{command:?}");
                }
                let first = fs::read_to_string(&file).expect("a file");
                fs::write(&file, format!("{first}bogus\nTIMEOUT 4\nhz \"unbalanced\n \n\n# c\n"))
                    .expect("a file");
                assert_eq!(client.call(&["CONFIG", "REWRITE"]).expect("an answer"), ok);
                if personality.is_some() {
                    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o640);
                    assert_eq!(
                        fs::read_dir(&place.0).expect("a directory").count(),
                        3,
                        "no draft is left, and a log is there"
                    );
                }
                let neutral = |text: &str| {
                    text.replace(&port.to_string(), "PORT").replace(&place.0.display().to_string(), "DIR")
                };
                [neutral(&first), neutral(&fs::read_to_string(&file).expect("a file"))]
            },
        );
        for (theirs, ours) in theirs.iter().zip(&ours) {
            let [theirs, ours] =
                [theirs, ours].map(|text| text.split_once(SIGNATURE).expect("something is appended"));
            assert_eq!(ours.0, theirs.0, "{reference:?}");
            let [theirs, ours] = [theirs.1, ours.1].map(|text| {
                let kept = text
                    .lines()
                    .filter(|line| !APPENDED_BY_ONE.iter().any(|(name, _)| line.starts_with(name)));
                let mut lines: Vec<&str> = kept.collect();
                lines.sort_unstable();
                lines
            });
            assert_eq!(ours, theirs, "{reference:?}");
        }
    }
}

const SIGNATURE: &str = "# Generated by CONFIG REWRITE\n";
const CHANGES: [&[&str]; 2] = [
    &[
        "CONFIG",
        "SET",
        "timeout",
        "5",
        "hash-max-listpack-value",
        "128",
        "appendfsync",
        "always",
        "cluster-announce-hostname",
        "a.b",
        "stream-node-max-bytes",
        "3mb",
    ],
    &["CONFIG", "REWRITE"],
];
const REWRITTEN: &str = "# My comment
port PORT


# two blanks above
TIMEOUT 7
timeout 9
save 900 1
save \"\"
hash-max-ziplist-entries 100
slave-priority 50
maxclients 9000
   # indented comment
loglevel   notice   
unixsocketperm 700
dir DIR
bind 127.0.0.1
proto-max-bulk-len 1gb
notify-keyspace-events KEA
oom-score-adj-values 1 200 800
include extra.conf
shutdown-on-sigterm nosave now
repl-backlog-ttl 3600
";
/// Lines that only one server appends, and why.
const APPENDED_BY_ONE: [(&str, &str); 3] = [
    ("user ", "ours has no users"),
    ("latency-tracking-info-percentiles ", "the references write it always"),
    ("personality ", "ours has been told on its command line"),
];

#[test]
fn a_file_that_cannot_be_rewritten_is_told() {
    let place = Place::new();
    let port = free_address().port();
    let file = place.0.join("redis.conf");
    fs::write(&file, format!("port {port}\nbind 127.0.0.1\n")).expect("a file");
    let mut program = place.start(&our_program(), None);
    let mut client = program.client(port);
    let rewrite = |client: &mut Client| match client.call(&["CONFIG", "REWRITE"]).expect("an answer") {
        Reply::Simple(text) | Reply::Error(text) => String::from_utf8_lossy(&text).into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(rewrite(&mut client), "OK");
    fs::remove_file(&file).expect("it is there");
    fs::create_dir(&file).expect("a directory");
    assert_eq!(rewrite(&mut client), "ERR Rewriting config file: Is a directory");
    fs::remove_dir(&file).expect("it is there");
    assert_eq!(rewrite(&mut client), "OK");
    let text = fs::read_to_string(&file).expect("it is made anew");
    assert!(text.contains(&format!("\nport {port}\n")), "{text}");
    fs::remove_dir_all(&place.0).expect("it is there");
    assert_eq!(rewrite(&mut client), "ERR Rewriting config file: No such file or directory");
}

#[test]
fn a_server_moves_to_another_port_or_stays_where_it_is() {
    for (reference, theirs, ours) in pairs() {
        assert_eq!(moves(&ours), moves(&theirs), "{reference:?}");
    }
}

/// What a server answers while it is told to move; whoever is connected stays so.
fn moves(server: &Server) -> Vec<String> {
    let mut client = server.client();
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let (taken, free) = (taken.local_addr().map(|addr| (taken, addr)).expect("an address"), free_address());
    let mut call = |words: &[&str]| {
        let answer = notation::write(&client.call(words).expect("an answer"));
        let ports = [(taken.1, "TAKEN"), (free, "FREE"), (server.address(), "FIRST")];
        ports.iter().fold(answer, |text, (addr, name)| text.replace(&addr.port().to_string(), name))
    };
    let (taken_port, free_port) = (taken.1.port().to_string(), free.port().to_string());
    let mut answers = vec![
        call(&["CONFIG", "SET", "timeout", "7", "port", &taken_port]),
        call(&["CONFIG", "GET", "timeout"]),
        call(&["CONFIG", "GET", "port"]),
        call(&["CONFIG", "SET", "bind", "127.0.0.1 192.0.2.7"]),
    ];
    assert!(Client::connect(server.address()).is_ok(), "it is where it was");
    answers.push(call(&["CONFIG", "SET", "bind", "127.0.0.1", "port", &free_port]));
    answers.push(call(&["CONFIG", "GET", "port"]));
    let is_there = |addr| Client::connect(addr).is_ok_and(|mut client| client.call(&["PING"]).is_ok());
    assert!(eventually(PATIENCE, || is_there(free) && !is_there(server.address())));
    answers.push(call(&["PING"]));
    // All addresses and one of them at the same port, and back again at once.
    answers.push(call(&["CONFIG", "SET", "bind", "*"]));
    answers.push(call(&["CONFIG", "SET", "bind", "127.0.0.1"]));
    let first_port = server.address().port().to_string();
    for port in [&first_port, &free_port].repeat(10) {
        answers.push(call(&["CONFIG", "SET", "port", port]));
    }
    assert!(is_there(free));
    answers
}

#[test]
fn changes_of_settings_do_not_undo_each_other() {
    let server = Server::ours("redis-7.2", &[]);
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let taken_port = taken.local_addr().expect("an address").port().to_string();
    let (mut one, mut other) = (server.client(), server.client());
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| {
            for _ in 0..500 {
                let refused = one.call(&["CONFIG", "SET", "port", &taken_port, "timeout", "0"]);
                assert!(refused.expect("an answer").is_error());
            }
        });
        for number in 1..500 {
            let timeout = number.to_string();
            let set = other.call(&["CONFIG", "SET", "timeout", &timeout]).expect("an answer");
            assert_eq!(set, Reply::simple("OK"));
            let found = other.call(&["CONFIG", "GET", "timeout"]).expect("an answer");
            let value = found.items()[1].text().expect("a number");
            // While the other change is under way, what it will take back may show.
            assert!([timeout.as_bytes(), b"0"].contains(&value), "{value:?} is not {timeout}");
        }
        moving.join().expect("it does not panic");
    });
    let found = other.call(&["CONFIG", "GET", "timeout"]).expect("an answer");
    assert_eq!(found.items()[1].text(), Some(&b"499"[..]));
}

#[test]
fn protected_parameters_change_when_the_file_allows_it() {
    let server = Server::ours("redis-7.2", &["--enable-protected-configs", "local"]);
    let ok = Reply::Simple(b"OK".to_vec());
    let mut client = server.client();
    assert_eq!(client.call(&["CONFIG", "SET", "dir", "/", "dbfilename", "x.rdb"]).expect("an answer"), ok);
    assert_eq!(settings(&mut client)["dir"], "/");
}

#[test]
fn a_stock_file_of_redis_starts_the_server_but_for_what_is_not_true() {
    let place = Place::new();
    let port = free_address().port();
    let file = place.0.join("redis.conf");
    let text = STOCK.replace("PORT", &port.to_string()).replace("DIR", &place.0.display().to_string());
    fs::write(&file, format!("daemonize yes\n{text}")).expect("a file");
    let output = Command::new(our_program()).arg(&file).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(">>> 'daemonize yes'\nthis program stays"), "{told}");
    assert!(!told.contains("This is wrong too"), "{told}");
    fs::write(&file, text).expect("a file");
    let mut program = place.start(&our_program(), None);
    let mut client = program.client(port);
    let settings = settings(&mut client);
    assert_eq!(
        (settings["appendfsync"].as_str(), settings["auto-aof-rewrite-min-size"].as_str()),
        ("always", "67108864")
    );
    let log = fs::read_to_string(place.0.join("output")).expect("a log");
    assert!(log.contains("These parameters are kept and have no effect: appendfsync\n"), "{log}");
    let told = || fs::read_to_string(place.0.join("redis.pid")).unwrap_or_default();
    let id = format!("{}\n", program.0.id());
    assert!(eventually(PATIENCE, || told() == id), "{}", told());
    assert_eq!(client.call(&["SHUTDOWN", "NOSAVE"]).ok(), None);
    assert!(eventually(PATIENCE, || !place.0.join("redis.pid").exists()), "the pid file is removed");
}

/// The directives of the redis.conf that Redis 7 comes with, except what is declared later, and one that is changed.
const STOCK: &str = "bind 127.0.0.1 -::1
protected-mode yes
port PORT
tcp-backlog 511
timeout 0
tcp-keepalive 300
pidfile DIR/redis.pid
loglevel notice
logfile \"\"
databases 16
always-show-logo no
set-proc-title yes
proc-title-template \"{title} {listen-addr} {server-mode}\"
stop-writes-on-bgsave-error yes
rdbcompression yes
rdbchecksum yes
dbfilename dump.rdb
rdb-del-sync-files no
dir DIR
replica-serve-stale-data yes
replica-read-only yes
repl-diskless-sync yes
repl-diskless-sync-delay 5
repl-diskless-sync-max-replicas 0
repl-diskless-load disabled
repl-disable-tcp-nodelay no
replica-priority 100
acllog-max-len 128
lazyfree-lazy-eviction no
lazyfree-lazy-expire no
lazyfree-lazy-server-del no
replica-lazy-flush no
lazyfree-lazy-user-del no
lazyfree-lazy-user-flush no
oom-score-adj no
oom-score-adj-values 0 200 800
disable-thp yes
appendonly no
appendfilename \"appendonly.aof\"
appenddirname \"appendonlydir\"
appendfsync always
no-appendfsync-on-rewrite no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
aof-load-truncated yes
aof-use-rdb-preamble yes
aof-timestamp-enabled no
notify-keyspace-events \"\"
hash-max-listpack-entries 512
hash-max-listpack-value 64
list-max-listpack-size -2
list-compress-depth 0
set-max-intset-entries 512
zset-max-listpack-entries 128
zset-max-listpack-value 64
hll-sparse-max-bytes 3000
stream-node-max-bytes 4096
stream-node-max-entries 100
activerehashing yes
hz 10
dynamic-hz yes
aof-rewrite-incremental-fsync yes
rdb-save-incremental-fsync yes
jemalloc-bg-thread yes
";

#[test]
fn a_file_of_ten_megabytes_is_read_and_one_without_end_is_not() {
    let place = Place::new();
    let file = place.0.join("redis.conf");
    let lines = TEN_MEGABYTES / "appendonly yes\nhz 20\nnosuch 1\n".len();
    fs::write(&file, "appendonly yes\nhz 20\nnosuch 1\n".repeat(lines)).expect("a file");
    let told = refused(&file);
    assert!(told.contains("at line 3 of "), "{told}");
    assert!(
        told.contains(&format!("\n  and {} more", lines + 1 - ERRORS_SHOWN)),
        "{}",
        &told[told.len() - 200..]
    );

    let port = free_address().port();
    let comments = "# Nothing to see here.\nhz 20\n".repeat(TEN_MEGABYTES / 29);
    fs::write(&file, format!("{comments}port {port}\nbind 127.0.0.1\n")).expect("a file");
    let mut program = place.start(&our_program(), None);
    assert_eq!(settings(&mut program.client(port))["hz"], "20");

    let told = refused(Path::new("/dev/zero"));
    assert_eq!(told.trim_end(), "Fatal error, can't open config file '/dev/zero': File too large");
}

const TEN_MEGABYTES: usize = 10 << 20;
/// As many errors are shown, the others counted.
const ERRORS_SHOWN: usize = 100;

#[test]
fn files_that_are_unreadable_or_half_written_stop_the_start() {
    let place = Place::new();
    let file = place.0.join("redis.conf");
    let told = refused(&place.0);
    assert!(
        told.contains("Fatal error, can't open config file '") && told.contains("Is a directory"),
        "{told}"
    );
    let whole = "port 0\nrequirepass \"secret\"\nunixsocketperm 700\n";
    for (length, line, reason) in [
        (3, 1, "Bad directive or wrong number of arguments"),
        (5, 1, "wrong number of arguments"),
        (22, 2, "Unbalanced quotes in configuration line"),
        (40, 3, "Bad directive or wrong number of arguments"),
    ] {
        fs::write(&file, &whole[..length]).expect("a file");
        let told = refused(&file);
        assert!(told.contains(&format!("at line {line} of {}\n", file.display())), "{told}");
        assert!(told.contains(reason), "{told}");
    }
    fs::write(&file, b"\0\0\0\0\n\xff\xfe\n").expect("a file");
    assert!(refused(&file).contains("at line 1 of "));
}

/// What our program says when it does not start with this file.
fn refused(file: &Path) -> String {
    let output = Command::new(our_program()).arg(file).stdin(Stdio::null()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Each reference that there is, and ours in its personality.
fn pairs() -> Vec<(Reference, Server, Server)> {
    if stand_in().is_some() {
        return Vec::new();
    }
    let pair = |reference: Reference| {
        let theirs = reference.start(&[])?;
        Some((reference, theirs, Server::ours(reference.personality(), &[])))
    };
    Reference::ALL.into_iter().filter_map(pair).collect()
}

/// Everything that `CONFIG GET *` shows.
fn settings(client: &mut Client) -> BTreeMap<String, String> {
    let Reply::Items(_, words) = client.call(&["CONFIG", "GET", "*"]).expect("an answer") else {
        panic!("no settings")
    };
    let words: Vec<String> = words
        .into_iter()
        .map(|word| match word {
            Reply::Bulk(bytes) => String::from_utf8(bytes).expect("letters"),
            other => panic!("{other:?}"),
        })
        .collect();
    words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Whether this is the name, or begins with what ends with a dash.
fn begins(name: &str, listed: &str) -> bool {
    if listed.ends_with('-') { name.starts_with(listed) } else { name == listed }
}

/// A directory that goes when the test ends.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let name = format!("shardis-configuration-{}-{}", std::process::id(), free_address().port());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory");
        Place(path.canonicalize().expect("it is there"))
    }

    /// Starts a program with the file `redis.conf`.
    fn start(&self, program: &Path, personality: Option<&str>) -> Program {
        let mut command = Command::new(program);
        command.arg(self.0.join("redis.conf")).current_dir(&self.0);
        if let Some(personality) = personality {
            command.args(["--personality", personality]);
        }
        let output = fs::File::create(self.0.join("output")).expect("a file");
        Program(command.stdin(Stdio::null()).stdout(output).spawn().expect("it is built"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running program, which ends with the test.
struct Program(Child);

impl Program {
    /// A connection, once it answers.
    fn client(&mut self, port: u16) -> Client {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let is_up = eventually(PATIENCE, || {
            !matches!(self.0.try_wait(), Ok(None)) || Client::connect(address).is_ok()
        });
        assert!(is_up && matches!(self.0.try_wait(), Ok(None)), "it does not start");
        Client::connect(address).expect("it accepts")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

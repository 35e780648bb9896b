//! Many clients and one lock, over real sockets: some are closed while they wait or hold, some are silent for longer than their
//! lease, some stop waiting. A few are processes of their own, which are killed, or stopped while they hold the lock and go on
//! without knowing when it is somebody else's. Whatever happens, nobody writes under a fence that is stale, who waits is served in turn, and a dead
//! holder's lock passes on at once. Besides, random calls against a naive model of all grants, with time and disconnects.
//!
//! `LOCKS_SECONDS` makes the run longer; nextest ends a test after five minutes, for longer ones there is `cargo test`. `LOCKS_SEED` repeats
//! its choices, though not the interleaving.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use shardis_server::{Clock, Server, Session, Value};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::foreign::is_available;
use shardis_tests::process::Process;
use shardis_tests::reply::Reply;
use shardis_tests::server::{Over, eventually};

const CLIENTS: usize = 64;
/// So many of them are processes of their own.
const PROCESSES: usize = 8;
const LEASE_MS: &str = "60";
/// How long most wait for the lock.
const WAIT: Duration = Duration::from_millis(400);
/// Within this a dead holder's lock is to pass on, nearly always.
const PASSES_ON_WITHIN: Duration = Duration::from_millis(10);

fn seconds() -> u64 {
    std::env::var("LOCKS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(4)
}

fn seed() -> u64 {
    std::env::var("LOCKS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

fn server() -> Server {
    Server::builder().set("threads", "3").expect("a number").start().expect("it starts")
}

fn connect(server: &Server) -> Client {
    Client::connect(server.addr().expect("it listens")).expect("it accepts")
}

/// The fence of a grant in RESP2.
fn fence(reply: &Reply) -> Option<i64> {
    match reply.items().get(1) {
        Some(Reply::Integer(fence)) => Some(*fence),
        _ => None,
    }
}

fn figure(server: &Server, name: &str) -> u64 {
    let Value::Verbatim(_, text) = server.execute(&["INFO", "locks"]) else { panic!("a text") };
    let text = String::from_utf8(text).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the field");
    line.parse().expect("a number")
}

/// What went wrong in the order in which guarded writes arrived: a fence behind a greater one was stale.
fn stale_writes(fences: &[i64]) -> Vec<(i64, i64)> {
    fences.windows(2).filter(|pair| pair[0] > pair[1]).map(|pair| (pair[0], pair[1])).collect()
}

#[test]
fn the_check_finds_a_stale_write() {
    assert_eq!(stale_writes(&[5, 5, 7, 7, 9]), []);
    assert_eq!(stale_writes(&[5, 7, 5, 7]), [(7, 5)]);
}

/// What a process does with the lock.
#[derive(Clone, Copy, PartialEq)]
enum Deed {
    /// It is stopped while it holds the lock, until somebody else may have it.
    StopHolding,
    DieHolding,
    /// It is stopped while it waits, until it has had the lock and has lost it.
    StopWaiting,
    DieWaiting,
    /// It gives it back.
    Release,
}

const DEEDS: [Deed; 5] =
    [Deed::StopHolding, Deed::DieHolding, Deed::StopWaiting, Deed::DieWaiting, Deed::Release];

/// What all clients of a run share.
struct Arena {
    server: Server,
    is_over: AtomicBool,
    /// When the holder of a fence was closed.
    deaths: Mutex<BTreeMap<i64, Instant>>,
    /// How long a dead holder's lock took to pass on.
    passed_on: Mutex<Vec<Duration>>,
    grants: AtomicU64,
    refused: AtomicU64,
    /// How many processes were stopped for longer than they held the lock, and how many were killed.
    stopped: AtomicU64,
    killed: AtomicU64,
}

#[test]
fn nobody_writes_under_a_stale_fence_and_the_lock_of_the_dead_passes_on() {
    let seed = seed();
    eprintln!("LOCKS_SEED={seed}");
    let arena = Arena {
        server: server(),
        is_over: AtomicBool::new(false),
        deaths: Mutex::default(),
        passed_on: Mutex::default(),
        grants: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        stopped: AtomicU64::new(0),
        killed: AtomicU64::new(0),
    };
    let processes = if is_available("redis-cli") { PROCESSES } else { 0 };
    thread::scope(|scope| {
        let arena = &arena;
        for number in 0..processes {
            scope.spawn(move || arena.compete_as_a_process(number));
        }
        for number in processes..CLIENTS {
            scope.spawn(move || arena.compete(number, Rng::with_seed(seed.wrapping_add(number as u64))));
        }
        let time = Duration::from_secs(seconds());
        let end = Instant::now() + time;
        eventually(time + PATIENCE, || Instant::now() > end || arena.is_over.load(Ordering::Relaxed));
        arena.is_over.store(true, Ordering::Relaxed);
    });
    arena.check();
}

impl Arena {
    fn compete(&self, number: usize, mut random: Rng) {
        let _over = Over(&self.is_over);
        let mut client = connect(&self.server);
        let mut turn = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            turn += 1;
            let owner = format!("{number}:{turn}");
            let term = if random.bool() { ["SESSION", "GRACE", "0"] } else { ["LEASE", LEASE_MS, ""] };
            let wait = if random.u8(..) < 40 { 20 } else { WAIT.as_millis() }.to_string();
            let words = ["LOCK.ACQUIRE", "k", &owner, "WAIT", &wait].into_iter().chain(term);
            let call: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            if random.u8(..) < 15 {
                // It is gone before it can have read anything.
                client.send_raw(&encode(&call)).expect("it is read");
                client = connect(&self.server);
                continue;
            }
            let reply = client.call(&call).expect("a reply");
            let now = Instant::now();
            let Some(fence) = fence(&reply) else {
                assert_eq!(reply, Reply::NilArray);
                continue;
            };
            self.note(fence, Some(now));
            client = self.hold(client, &owner, fence, term[0] == "SESSION", &mut random);
        }
    }

    /// A process does one deed after the other, again and again.
    fn compete_as_a_process(&self, number: usize) {
        let _over = Over(&self.is_over);
        let mut process = Process::start(self.server.addr().expect("it listens"));
        for (turn, mut deed) in DEEDS.into_iter().cycle().enumerate() {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let (owner, wait) = (format!("{number}:{turn}"), WAIT.as_millis().to_string());
            let term: &[&str] = if deed == Deed::DieHolding { &["SESSION"] } else { &["LEASE", LEASE_MS] };
            process.ask(&[&["LOCK.ACQUIRE", "k", &owner, "WAIT", &wait], term].concat());
            let waits = matches!(deed, Deed::StopWaiting | Deed::DieWaiting);
            if waits && !eventually(WAIT, || self.knows(&owner)) {
                // Nobody has seen it wait.
                deed = Deed::Release;
            }
            match deed {
                Deed::StopWaiting => {
                    process.stop();
                    assert!(eventually(PATIENCE, || !self.knows(&owner)), "{owner} stays");
                    assert!(process.is_stopped());
                    process.go_on();
                }
                Deed::DieWaiting => {
                    process = self.replace(process);
                    continue;
                }
                _ => {}
            }
            let reply = process.reply();
            let now = Instant::now();
            let Some(fence) = reply.get(1).map(|fence| fence.parse().expect("a fence")) else { continue };
            self.note(fence, (deed != Deed::StopWaiting).then_some(now));
            process = self.hold_as_a_process(process, &owner, fence, deed);
        }
    }

    fn hold_as_a_process(&self, mut process: Process, owner: &str, fence: i64, deed: Deed) -> Process {
        let (fence_text, key) = (fence.to_string(), "k");
        let write = ["LOCK.GUARD", key, &fence_text, "RPUSH", "log", &fence_text];
        let is_written = self.judge(&process.call(&write)[0]);
        match deed {
            Deed::StopHolding => {
                process.stop();
                assert!(eventually(PATIENCE, || !self.knows(owner)), "the lease of {fence} does not end");
                assert!(process.is_stopped());
                process.ask(&write);
                process.go_on();
                assert!(!self.judge(&process.reply()[0]), "the lease of {fence} was over");
                self.stopped.fetch_add(1, Ordering::Relaxed);
            }
            Deed::DieHolding => {
                self.deaths.lock().expect("no panic").insert(fence, Instant::now());
                return self.replace(process);
            }
            Deed::StopWaiting => {
                assert!(!is_written, "{fence} was granted to a stopped process, and its lease was over");
                self.stopped.fetch_add(1, Ordering::Relaxed);
            }
            Deed::DieWaiting | Deed::Release => {
                let left = process.call(&["LOCK.RELEASE", key, owner, "FENCE", &fence_text]);
                assert!(left[0] == "0" || left[0].starts_with("NOTOWNER "), "{left:?}");
            }
        }
        process
    }

    /// Kills a process and starts another one.
    fn replace(&self, process: Process) -> Process {
        drop(process);
        self.killed.fetch_add(1, Ordering::Relaxed);
        Process::start(self.server.addr().expect("it listens"))
    }

    /// Whether somebody of this name holds the lock or waits for it.
    fn knows(&self, owner: &str) -> bool {
        let Value::Map(fields) = self.server.execute(&["LOCK.INFO", "k"]) else { return false };
        let lists = fields.iter().filter_map(|(_, field)| match field {
            Value::Array(list) => Some(list),
            _ => None,
        });
        let is_it = |entry: &Value| matches!(entry, Value::Map(fields) if fields[0].1.as_bytes() == Some(owner.as_bytes()));
        lists.flatten().any(is_it)
    }

    /// Counts a grant, and how long it has taken if it is that of a dead holder's lock and when it came is known.
    fn note(&self, fence: i64, come: Option<Instant>) {
        self.grants.fetch_add(1, Ordering::Relaxed);
        let died = self.deaths.lock().expect("no panic").remove(&(fence - 1));
        if let (Some(died), Some(come)) = (died, come) {
            self.passed_on.lock().expect("no panic").push(come.saturating_duration_since(died));
        }
    }

    /// Writes under the lock, and then gives it back, dies, or stops for longer than its lease.
    fn hold(
        &self,
        mut client: Client,
        owner: &str,
        fence: i64,
        is_session: bool,
        random: &mut Rng,
    ) -> Client {
        self.write(&mut client, fence);
        match random.u8(..) {
            0..60 if is_session => {
                self.deaths.lock().expect("no panic").insert(fence, Instant::now());
                drop(client);
                return connect(&self.server);
            }
            0..20 => {
                // The server lets the time pass; meanwhile this client is as good as stopped.
                client.call(&["BLPOP", "nothing", "0.08"]).expect("a reply");
                assert!(!self.write(&mut client, fence), "the lease of {fence} was over");
            }
            _ => {
                self.write(&mut client, fence);
                let left = client.call(&["LOCK.RELEASE", "k", owner, "FENCE", &fence.to_string()]);
                let left = left.expect("a reply");
                assert!(left == Reply::Integer(0) || left.is_error(), "{left:?}");
            }
        }
        client
    }

    /// Whether a guarded write was let through.
    fn write(&self, client: &mut Client, fence: i64) -> bool {
        let fence = fence.to_string();
        let reply = client.call(&["LOCK.GUARD", "k", &fence, "RPUSH", "log", &fence]).expect("a reply");
        match &reply {
            Reply::Integer(length) => self.judge(&length.to_string()),
            other => self.judge(&String::from_utf8_lossy(other.text().expect("an error"))),
        }
    }

    /// Whether this says that a write was let through; if not, it was refused because of its fence.
    fn judge(&self, reply: &str) -> bool {
        let is_done = reply.parse::<u64>().is_ok();
        if !is_done {
            assert!(reply.starts_with("FENCED "), "{reply}");
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_done
    }

    fn check(&self) {
        let Value::Array(log) = self.server.execute(&["LRANGE", "log", "0", "-1"]) else { panic!("a list") };
        let number = |value: &Value| {
            let text = value.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
            text.and_then(|text| text.parse().ok()).expect("a fence")
        };
        let log: Vec<i64> = log.iter().map(number).collect();
        assert_eq!(stale_writes(&log), [], "no two holders with a valid fence");
        let (grants, refused) = (self.grants.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed));
        assert!(grants > 100 && refused > 0, "{grants} grants, {refused} refused");
        let (stopped, killed) = (self.stopped.load(Ordering::Relaxed), self.killed.load(Ordering::Relaxed));
        println!("{stopped} processes were stopped for longer than they held the lock, {killed} were killed");
        assert!(stopped > 0 || !is_available("redis-cli"), "no process was stopped");
        let mut passed_on = std::mem::take(&mut *self.passed_on.lock().expect("no panic"));
        passed_on.sort_unstable();
        let [median, most, longest] =
            [50, 90, 100].map(|percent| passed_on[(passed_on.len() - 1) * percent / 100]);
        println!(
            "{grants} grants, {refused} stale writes refused, {} deaths passed on: median {median:?}, 90% {most:?}, longest \
             {longest:?}",
            passed_on.len()
        );
        assert!(median <= PASSES_ON_WITHIN, "{median:?}");
        // Nothing stays behind.
        assert!(
            eventually(PATIENCE, || {
                figure(&self.server, "locks_grants") == 0 && figure(&self.server, "locks_waiting") == 0
            }),
            "somebody still holds or waits"
        );
        let made = figure(&self.server, "locks_grants_made");
        let undone = figure(&self.server, "locks_grants_undone");
        println!("{made} grants were made, {undone} undone because their client had gone");
        assert!(made >= grants, "every grant that was told was made once");
    }
}

/// Some of those who wait die or stop waiting; the others are served in the order in which they came.
#[test]
fn the_living_are_served_in_the_order_in_which_they_came() {
    let server = server();
    let mut random = Rng::with_seed(seed());
    let mut holder = connect(&server);
    assert!(fence(&holder.call(&["LOCK.ACQUIRE", "k", "first"]).expect("a reply")).is_some());
    let mut waiting = Vec::new();
    for number in 0..CLIENTS {
        let mut client = connect(&server);
        let owner = number.to_string();
        client.send_raw(&encode(&["LOCK.ACQUIRE", "k", &owner, "WAIT", "0"])).expect("it is read");
        assert!(eventually(PATIENCE, || figure(&server, "locks_waiting") == number as u64 + 1));
        waiting.push((owner, client));
    }
    // Those who are dropped here die.
    waiting.retain(|_| random.u8(..) > 80);
    assert!(eventually(PATIENCE, || figure(&server, "locks_waiting") == waiting.len() as u64));
    let mut before = ("first".to_owned(), holder, 0);
    for (owner, mut client) in waiting {
        assert_eq!(before.1.call(&["LOCK.RELEASE", "k", &before.0]).expect("a reply"), Reply::Integer(0));
        let fence = fence(&client.reply().expect("a reply")).expect("it is its turn");
        assert!(fence > before.2);
        before = (owner, client, fence);
    }
}

/// A grant on its way to a client that is gone is for the next one.
#[test]
fn who_has_gone_before_its_reply_could_be_written_has_no_lock() {
    let server = server();
    let mut holder = connect(&server);
    for round in 0..200 {
        assert!(fence(&holder.call(&["LOCK.ACQUIRE", "k", "holder"]).expect("a reply")).is_some());
        let (mut dying, mut living) = (connect(&server), connect(&server));
        dying.send_raw(&encode(&["LOCK.ACQUIRE", "k", "dying", "SESSION", "WAIT", "0"])).expect("it is read");
        assert!(eventually(PATIENCE, || figure(&server, "locks_waiting") == 1));
        living.send_raw(&encode(&["LOCK.ACQUIRE", "k", "living", "WAIT", "0"])).expect("it is read");
        assert!(eventually(PATIENCE, || figure(&server, "locks_waiting") == 2));
        // Both at once: whichever comes first, the lock ends up with the living.
        holder.send_raw(&encode(&["LOCK.RELEASE", "k", "holder"])).expect("it is read");
        drop(dying);
        assert_eq!(holder.reply().expect("a reply"), Reply::Integer(0));
        assert!(fence(&living.reply().expect("a reply")).is_some(), "round {round}");
        assert_eq!(living.call(&["LOCK.RELEASE", "k", "living"]).expect("a reply"), Reply::Integer(0));
    }
}

/// A grant whose reply is stuck behind much that nobody reads is undone when its client goes.
#[test]
fn a_grant_that_is_stuck_in_unsent_output_is_undone() {
    let server = server();
    server.execute(&["SET", "large", &"x".repeat(8 << 20)]);
    let mut stuck = connect(&server);
    let calls =
        [encode(&["GET", "large"]), encode(&["GET", "large"]), encode(&["LOCK.ACQUIRE", "k", "stuck"])];
    stuck.send_raw(&calls.concat()).expect("it is read");
    assert!(eventually(PATIENCE, || figure(&server, "locks_grants") == 1));
    let mut next = connect(&server);
    next.send_raw(&encode(&["LOCK.ACQUIRE", "k", "next", "WAIT", "0"])).expect("it is read");
    assert!(eventually(PATIENCE, || figure(&server, "locks_waiting") == 1));
    drop(stuck);
    assert!(fence(&next.reply().expect("a reply")).is_some());
    assert_eq!(figure(&server, "locks_grants_undone"), 1);
}

#[test]
fn a_session_can_be_attached_to_another_connection_within_its_grace() {
    let clock = Clock::manual(Duration::from_secs(1_800_000_000));
    let server = Server::builder().no_listener().clock(clock.clone()).start().expect("it starts");
    let mut first = server.session();
    let reply = first.execute(&["LOCK.ACQUIRE", "k", "me", "SESSION", "GRACE", "1000"]);
    let fence = field(&reply, "fence").to_string();
    drop(first);
    assert!(eventually(PATIENCE, || figure(&server, "locks_session_grants") == 0));
    let mut second = server.session();
    let refused = |reply: Value, code: &str| {
        assert!(matches!(&reply, Value::Error(text) if text.starts_with(code)), "{reply:?}");
    };
    refused(second.execute(&["LOCK.ATTACH", "k", "other", &fence]), "NOTOWNER ");
    refused(second.execute(&["LOCK.ATTACH", "k", "me", "1"]), "LOCKLOST ");
    assert_eq!(second.execute(&["LOCK.ATTACH", "k", "me", &fence]), Value::Integer(1));
    clock.advance(Duration::from_secs(5));
    assert_eq!(second.execute(&["LOCK.CHECK", "k", &fence]), Value::Integer(1));
    drop(second);
    assert!(eventually(PATIENCE, || figure(&server, "locks_session_grants") == 0));
    clock.advance(Duration::from_millis(999));
    assert_eq!(server.execute(&["LOCK.CHECK", "k", &fence]), Value::Integer(1));
    clock.advance(Duration::from_millis(1));
    refused(server.execute(&["LOCK.CHECK", "k", &fence]), "FENCED ");
    refused(server.execute(&["LOCK.ATTACH", "k", "me", &fence]), "LOCKLOST ");
    let first = server.execute(&["LOCK.ACQUIRE", "k", "me"]);
    let fence = field(&first, "fence");
    assert_eq!(server.execute(&["LOCK.GUARD", "k", &fence.to_string(), "INCR", "n"]), Value::Integer(1));
    refused(server.execute(&["LOCK.ATTACH", "k", "me", &fence.to_string()]), "ERR ");
}

/// Calls of a session in a transaction, and what EXEC answers.
fn transaction(session: &mut Session, calls: &[&[&str]]) -> Value {
    session.execute(&["MULTI"]);
    for call in calls {
        assert_eq!(session.execute(call), Value::Simple("QUEUED".into()), "{call:?}");
    }
    session.execute(&["EXEC"])
}

#[test]
fn a_check_is_of_the_database_in_which_its_call_runs() {
    let server = Server::builder().no_listener().start().expect("it starts");
    let (mut session, mut elsewhere) = (server.session(), server.session());
    elsewhere.execute(&["SELECT", "1"]);
    let fence = field(&elsewhere.execute(&["LOCK.ACQUIRE", "k", "me"]), "fence").to_string();
    let check: &[&str] = &["LOCK.CHECK", "k", &fence];
    let (one, none) = (&["SELECT", "1"][..], &["SELECT", "99"][..]);
    assert_eq!(transaction(&mut session, &[check]), Value::Null, "there is no such lock");
    assert_eq!(transaction(&mut session, &[check, one]), Value::Null, "it runs before");
    assert_eq!(transaction(&mut session, &[none, check]), Value::Null, "nothing was selected");
    let Value::Array(replies) = transaction(&mut session, &[one, none, check]) else { panic!("it runs") };
    assert!(replies[1].is_error() && replies[2] == Value::Integer(1), "{replies:?}");
    // It has selected the other one.
    assert_eq!(transaction(&mut session, &[&["SELECT", "0"], check]), Value::Null);
    assert_eq!(transaction(&mut session, &[check]), Value::Array(vec![Value::Integer(1)]));
}

#[test]
fn exec_answers_for_its_own_checks_only() {
    let server = Server::builder().no_listener().start().expect("it starts");
    let mut session = server.session();
    let fence = field(&session.execute(&["LOCK.ACQUIRE", "k", "me"]), "fence").to_string();
    let calls: &[&[&str]] = &[
        &["LOCK.GUARD", "k", &fence, "LOCK.CHECK", "k", "1"],
        &["LOCK.RELEASE", "k", "me"],
        &["EVAL", "return redis.call('LOCK.CHECK', KEYS[1], ARGV[1])", "1", "k", &fence],
        &["LOCK.CHECK", "k", &fence],
    ];
    let Value::Array(replies) = transaction(&mut session, calls) else { panic!("it runs") };
    let is_fenced = |reply: &Value| matches!(reply, Value::Error(text) if text.starts_with("FENCED "));
    assert!(is_fenced(&replies[0]) && is_fenced(&replies[2]), "{replies:?}");
    assert_eq!(replies[3], Value::Integer(1), "it held when EXEC began");
}

#[test]
fn who_waits_no_time_does_not_wait_for_ever() {
    let server = Server::builder().no_listener().start().expect("it starts");
    let lock = server.lock("k").acquire().expect("no error").expect("nobody has it");
    assert!(server.lock("k").wait(Duration::ZERO).acquire().expect("no error").is_none());
    assert!(server.lock("k").wait(Duration::from_nanos(1)).acquire().expect("no error").is_none());
    drop(lock);
    server.execute(&["SEM.CREATE", "s", "1"]);
    let permit = server.permits("s", 1).acquire().expect("no error").expect("there is one");
    assert!(server.permits("s", 1).wait(Duration::ZERO).acquire().expect("no error").is_none());
    drop(permit);
    server.execute(&["LATCH.SET", "l", "1"]);
    assert_eq!(server.await_latch("l", Some(Duration::ZERO)), Ok(false));
}

#[test]
fn a_grant_that_its_client_does_not_want_to_hear_of_is_not_undone() {
    let server = server();
    let mut silent = connect(&server);
    let calls = [encode(&["CLIENT", "REPLY", "OFF"]), encode(&["LOCK.ACQUIRE", "k", "silent"])];
    silent.send_raw(&calls.concat()).expect("it is read");
    assert!(eventually(PATIENCE, || figure(&server, "locks_grants") == 1));
    drop(silent);
    // What its connection leaves to be done comes before that of who comes later.
    let mut next = connect(&server);
    assert!(fence(&next.call(&["LOCK.ACQUIRE", "l", "next", "SESSION"]).expect("a reply")).is_some());
    drop(next);
    assert!(eventually(PATIENCE, || figure(&server, "locks_session_grants") == 0));
    assert_eq!((figure(&server, "locks_grants"), figure(&server, "locks_grants_undone")), (1, 0));
}

#[test]
fn fences_begin_where_those_of_an_earlier_run_cannot_have_been() {
    let start = |unix_seconds| {
        let clock = Clock::manual(Duration::from_secs(unix_seconds));
        Server::builder().no_listener().clock(clock).start().expect("it starts")
    };
    let fence = |server: &Server| field(&server.execute(&["LOCK.ACQUIRE", "k", "me"]), "fence");
    assert_eq!(fence(&start(0)), 1);
    let (earlier, later) = (start(1_800_000_000), start(1_800_000_001));
    let first = fence(&earlier);
    assert_eq!(first, (1_800_000_000 - 1_735_689_600) << 20);
    earlier.execute(&["FLUSHALL"]);
    assert_eq!(fence(&earlier), first + 1);
    earlier.execute(&["DEL", "k"]);
    assert_eq!(fence(&earlier), first + 2);
    assert_eq!(fence(&later), first + (1 << 20));
}

fn field(reply: &Value, name: &str) -> i64 {
    let Value::Map(fields) = reply else { panic!("{reply:?}") };
    let found = fields.iter().find(|(field, _)| field.as_bytes() == Some(name.as_bytes()));
    found.and_then(|(_, value)| value.as_integer()).expect("the field")
}

/// One grant of the model.
#[derive(Clone, Debug)]
struct Grant {
    owner: usize,
    holds: Vec<bool>,
    end_ms: u64,
    /// The connection that it lasts by.
    session: Option<usize>,
}

const OWNERS: usize = 4;
const SESSIONS: usize = 3;
const KEYS: usize = 3;
const STEPS: usize = 1500;

/// Calls by chance against a list of grants: who holds what, how often, and how long.
#[test]
fn random_calls_do_what_a_naive_model_says() {
    let seed = seed();
    eprintln!("LOCKS_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let clock = Clock::manual(Duration::from_secs(1_800_000_000));
    let server = Server::builder().no_listener().clock(clock.clone()).start().expect("it starts");
    let mut sessions: Vec<Session> = (0..SESSIONS).map(|_| server.session()).collect();
    let (mut model, mut now_ms): ([Vec<Grant>; KEYS], u64) = Default::default();
    for step in 0..STEPS {
        let (key, owner, session) = (random.usize(..KEYS), random.usize(..OWNERS), random.usize(..SESSIONS));
        let (name, owner_name) = (format!("key:{key}"), format!("owner:{owner}"));
        let grants = &mut model[key];
        match random.u8(..100) {
            0..50 => {
                let (shared, lease, lasts) = (random.bool(), random.u64(1..60), random.u8(..) < 60);
                let lease_word = lease.to_string();
                let mut call = vec!["LOCK.ACQUIRE", &name, &owner_name];
                if lasts {
                    call.push("SESSION")
                } else {
                    call.extend(["LEASE", &lease_word])
                }
                if shared {
                    call.push("SHARED");
                }
                let end_ms = if lasts { u64::MAX } else { now_ms + lease };
                let expected = acquire(grants, owner, shared, end_ms, lasts.then_some(session));
                let reply = sessions[session].execute(&call);
                match expected {
                    Some(holds) => assert_eq!(field(&reply, "holds"), holds, "{step} {call:?}"),
                    None => assert_eq!(reply, Value::Null, "{step} {call:?}"),
                }
            }
            50..75 => {
                let reply = sessions[session].execute(&["LOCK.RELEASE", &name, &owner_name]);
                match grants.iter().position(|grant| grant.owner == owner) {
                    Some(at) => {
                        grants[at].holds.pop();
                        assert_eq!(reply, Value::Integer(grants[at].holds.len() as i64), "{step}");
                        grants.retain(|grant| !grant.holds.is_empty());
                    }
                    None => assert!(reply.is_error(), "{step} {reply:?}"),
                }
            }
            75..80 => {
                server.execute(&["DEL", &name]);
                grants.clear();
            }
            80..95 => {
                let ms = random.u64(1..40);
                now_ms += ms;
                clock.advance(Duration::from_millis(ms));
                model.iter_mut().for_each(|grants| grants.retain(|grant| grant.end_ms > now_ms));
            }
            _ => {
                sessions[session] = server.session();
                model.iter_mut().for_each(|grants| grants.retain(|grant| grant.session != Some(session)));
            }
        }
        let expected: Vec<Vec<(String, i64)>> = model
            .iter()
            .map(|grants| {
                grants
                    .iter()
                    .map(|grant| (format!("owner:{}", grant.owner), grant.holds.len() as i64))
                    .collect()
            })
            .collect();
        let found = || -> Vec<_> { (0..KEYS).map(|key| holders(&server, &format!("key:{key}"))).collect() };
        // What ends by a disconnect ends a moment later.
        assert!(eventually(PATIENCE, || found() == expected), "{step}: {:?}, not {expected:?}", found());
    }
}

fn acquire(
    grants: &mut Vec<Grant>,
    owner: usize,
    shared: bool,
    end_ms: u64,
    session: Option<usize>,
) -> Option<i64> {
    let is_exclusive = |grant: &Grant| grant.holds.contains(&false);
    let others = grants.iter().any(|grant| grant.owner != owner);
    let others_exclusive = grants.iter().any(|grant| grant.owner != owner && is_exclusive(grant));
    let own = grants.iter().position(|grant| grant.owner == owner);
    let is_writer = own.is_some_and(|at| is_exclusive(&grants[at]));
    if others_exclusive || !shared && others && !is_writer {
        return None;
    }
    let at = own.unwrap_or_else(|| {
        grants.push(Grant { owner, holds: Vec::new(), end_ms, session });
        grants.len() - 1
    });
    let grant = &mut grants[at];
    grant.holds.push(shared);
    match session {
        Some(_) => (grant.session, grant.end_ms) = (session, u64::MAX),
        None if grant.session.is_none() => grant.end_ms = grant.end_ms.max(end_ms),
        None => {}
    }
    Some(grant.holds.len() as i64)
}

fn holders(server: &Server, key: &str) -> Vec<(String, i64)> {
    let Value::Map(fields) = server.execute(&["LOCK.INFO", key]) else { return Vec::new() };
    let Some((_, Value::Array(holders))) = fields.get(1) else { panic!("{fields:?}") };
    let owner = |holder: &Value| {
        let Value::Map(fields) = holder else { panic!("{holder:?}") };
        let name = fields[0].1.as_bytes().expect("a name");
        (String::from_utf8_lossy(name).into_owned(), field(holder, "holds"))
    };
    holders.iter().map(owner).collect()
}

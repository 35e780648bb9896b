//! Many clients that wait for lists, many that bring them about in every way, and some that end waits: whatever the
//! interleaving, each element is in one place in the end, each client gets its replies in order, and a wait ends once.
//!
//! `WAITERS_SEED` repeats the choices of a run, though not its interleaving. `WAITERS_SECONDS` makes it longer and larger: 64
//! consumers and 16 producers. nextest ends a test after five minutes; for longer ones there is `cargo test`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use shardis_server::{Server, Value};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Over, eventually};

/// Few, so that everybody meets everybody.
const QUEUES: usize = 4;
const DATABASES: usize = 2;
/// Elements of one list that is so long that reading it holds its shard for long.
const LONG_LIST: usize = 200_000;
/// Clients in each round of those who wait for ever.
const CROWD: usize = 24;
const ROUNDS: usize = 40;

/// How much goes on, and for how long.
struct Size {
    time: Duration,
    poppers: usize,
    movers: usize,
    producers: usize,
}

impl Size {
    fn from_environment() -> Size {
        match std::env::var("WAITERS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()) {
            Some(seconds) => {
                Size { time: Duration::from_secs(seconds), poppers: 40, movers: 24, producers: 16 }
            }
            None => Size { time: Duration::from_secs(3), poppers: 10, movers: 6, producers: 4 },
        }
    }
}

/// What all threads of a run share.
struct Arena {
    server: Server,
    seed: u64,
    is_over: AtomicBool,
    next_element: AtomicU64,
    /// What poppers have got.
    popped: Mutex<Vec<u64>>,
    /// The numbers of those clients whose wait may be ended with an error.
    poppers: Mutex<Vec<i64>>,
    /// The numbers of those clients that may be closed.
    movers: Mutex<Vec<i64>>,
    /// Waits that were ended with an error, as those saw it who did so, and as those whose wait it was.
    ended: AtomicU64,
    ends: AtomicU64,
}

#[test]
fn every_element_is_in_one_place_in_the_end() {
    let size = Size::from_environment();
    let seed = std::env::var("WAITERS_SEED").ok().and_then(|seed| seed.parse().ok());
    let arena = Arena::new(seed.unwrap_or_else(|| fastrand::u64(..)));
    eprintln!("WAITERS_SEED={}", arena.seed);
    thread::scope(|scope| {
        let arena = &arena;
        (0..size.poppers).for_each(|number| drop(scope.spawn(move || arena.pop(number))));
        (0..size.movers).for_each(|number| drop(scope.spawn(move || arena.move_along(1000 + number))));
        (0..size.producers).for_each(|number| drop(scope.spawn(move || arena.produce(2000 + number))));
        scope.spawn(move || arena.disturb(3000));
        let end = Instant::now() + size.time;
        // Whoever panics ends the others too.
        eventually(size.time + PATIENCE, || Instant::now() > end || arena.is_over.load(Ordering::Relaxed));
        arena.is_over.store(true, Ordering::Relaxed);
    });
    arena.check();
}

/// Nobody's wait ends by itself here, so a wake-up that is missed is missed for good.
#[test]
fn everybody_is_woken_for_whom_there_is_something() {
    let arena = Arena::new(1);
    let mut clients: Vec<Client> = (0..CROWD).map(|_| arena.connect().expect("it accepts")).collect();
    let mut random = Rng::with_seed(arena.seed);
    for round in 0..ROUNDS {
        for client in &mut clients {
            let mut queues: Vec<String> = (0..QUEUES).map(|number| format!("queue:{number}")).collect();
            random.shuffle(&mut queues);
            let call = [vec!["BLPOP".to_owned()], queues, vec!["0".to_owned()]].concat();
            client.send_raw(&encode(&call)).expect("it is read");
        }
        // Some have not been filed yet, which is just as well.
        thread::scope(|scope| {
            for producer in 0..4 {
                let (arena, mut random) = (&arena, Rng::with_seed((round * 4 + producer) as u64));
                scope.spawn(move || {
                    let mut session = arena.server.session();
                    for _ in 0..CROWD / 4 {
                        arena.produce_one(&mut |call| session.execute(call), producer, &mut random, false);
                    }
                });
            }
        });
        for client in &mut clients {
            let reply = client.reply().unwrap_or_else(|error| panic!("round {round}: {error}"));
            assert_eq!(reply.items().len(), 2, "{reply:?}");
        }
        assert_eq!(arena.server.execute(&["DBSIZE"]), Value::Integer(1), "only the long list is there");
    }
}

impl Arena {
    fn new(seed: u64) -> Arena {
        let builder = Server::builder().set("threads", "3").expect("a number");
        let server = builder.start().expect("it starts");
        for _ in 0..LONG_LIST / 1000 {
            server.execute(&[["RPUSH", "long"].as_slice(), &["0"; 1000]].concat());
        }
        Arena {
            server,
            seed,
            is_over: AtomicBool::new(false),
            next_element: AtomicU64::new(1),
            popped: Mutex::default(),
            poppers: Mutex::default(),
            movers: Mutex::default(),
            ended: AtomicU64::new(0),
            ends: AtomicU64::new(0),
        }
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn random(&self, number: usize) -> Rng {
        Rng::with_seed(self.seed.wrapping_add(number as u64))
    }

    fn connect(&self) -> io::Result<Client> {
        Client::connect(self.server.addr().expect("it listens"))
    }

    /// A client of its own in some database, and its number.
    fn enter(&self, random: &mut Rng) -> io::Result<(Client, i64)> {
        let mut client = self.connect()?;
        client.call(&["SELECT".to_owned(), random.usize(..DATABASES).to_string()])?;
        match client.call(&["CLIENT", "ID"])? {
            Reply::Integer(id) => Ok((client, id)),
            other => panic!("{other:?}"),
        }
    }

    /// Pops, and keeps what it gets. Every call has one behind it, whose reply must come second.
    fn pop(&self, number: usize) {
        // A thread that ends ends the run.
        let _over = Over(&self.is_over);
        let mut random = self.random(number);
        let (mut client, id) = self.enter(&mut random).expect("it accepts");
        self.poppers.lock().expect("no panic").push(id);
        let mut popped = Vec::new();
        for count in 0.. {
            if !self.goes_on() {
                break;
            }
            let behind = format!("{number}-{count}");
            let mut sent = encode(&pop_call(&mut random));
            sent.extend(encode(&["ECHO", &behind]));
            client.send_raw(&sent).expect("it is read");
            match client.reply().expect("a reply") {
                Reply::NilArray => {}
                Reply::Error(text) => {
                    assert_eq!(text, b"UNBLOCKED client unblocked via CLIENT UNBLOCK");
                    self.ends.fetch_add(1, Ordering::Relaxed);
                }
                reply => popped.extend(elements(&reply)),
            }
            assert_eq!(client.reply().expect("a reply"), Reply::Bulk(behind.into()));
        }
        self.popped.lock().expect("no panic").extend(popped);
    }

    /// Moves elements from queue to queue, and is closed now and then; it also leaves by itself.
    fn move_along(&self, number: usize) {
        // A thread that ends ends the run.
        let _over = Over(&self.is_over);
        let mut random = self.random(number);
        while self.goes_on() {
            let Ok((mut client, id)) = self.enter(&mut random) else { continue };
            self.movers.lock().expect("no panic").push(id);
            let stays = random.usize(1..50);
            for _ in 0..stays {
                if client.call(&move_call(&mut random)).is_err() || !self.goes_on() {
                    break;
                }
            }
            // Whoever leaves while waiting must not take anything along.
            let _ = client.send_raw(&encode(&move_call(&mut random)));
            self.movers.lock().expect("no panic").retain(|&other| other != id);
        }
    }

    fn produce(&self, number: usize) {
        // A thread that ends ends the run.
        let _over = Over(&self.is_over);
        let mut random = self.random(number);
        let (mut client, _) = self.enter(&mut random).expect("it accepts");
        let mut call = |call: &[String]| match client.call(call).expect("a reply") {
            Reply::Integer(value) => Value::Integer(value),
            Reply::Nil => Value::Null,
            Reply::Bulk(bytes) => Value::Bulk(bytes),
            other => Value::Simple(format!("{other:?}")),
        };
        while self.goes_on() {
            self.produce_one(&mut call, number, &mut random, true);
            // So that queues are empty most of the time.
            thread::park_timeout(Duration::from_micros(random.u64(..2000)));
        }
    }

    /// Lets a queue have one more element, one way or another.
    fn produce_one(
        &self,
        call: &mut dyn FnMut(&[String]) -> Value,
        number: usize,
        random: &mut Rng,
        swaps: bool,
    ) {
        let mut call = |text: String| call(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let element = self.next_element.fetch_add(1, Ordering::Relaxed);
        let (queue, other, own) = (queue(random), queue(random), format!("own:{number}"));
        match random.u32(..if swaps { 8 } else { 6 }) {
            0 => drop(call(format!("LPUSH {queue} {element}"))),
            1 => drop(call(format!("RPUSH {queue} {element}"))),
            2 => {
                call(format!("RPUSH {own} {element}"));
                call(format!("LMOVE {own} {queue} LEFT RIGHT"));
            }
            3 => {
                call(format!("RPUSH {own} {element}"));
                if call(format!("RENAMENX {own} {queue}")) != Value::Integer(1) {
                    call(format!("RPOPLPUSH {own} {queue}"));
                }
            }
            // Nobody must get it where it is only for a moment.
            4 => {
                call("MULTI".to_owned());
                call(format!("RPUSH {other} {element}"));
                call(format!("LMOVE {other} {own} RIGHT LEFT"));
                call(format!("LMOVE {own} {queue} LEFT RIGHT"));
                call("EXEC".to_owned());
            }
            5 if !swaps => {
                call(format!("RPUSH {own} {element}"));
                if call(format!("COPY {own} {queue}")) == Value::Integer(1) {
                    call(format!("DEL {own}"));
                } else {
                    call(format!("LMOVE {own} {queue} LEFT LEFT"));
                }
            }
            5 | 6 => {
                call(format!("RPUSH {queue} {element}"));
                call(format!("MOVE {queue} {}", random.usize(..DATABASES)));
            }
            _ => {
                call(format!("RPUSH {own} {element}"));
                call("SWAPDB 0 1".to_owned());
            }
        }
    }

    /// Ends waits and connections, and holds a shard for long now and then.
    fn disturb(&self, number: usize) {
        // A thread that ends ends the run.
        let _over = Over(&self.is_over);
        let mut random = self.random(number);
        let mut session = self.server.session();
        let one_of = |ids: &Mutex<Vec<i64>>, random: &mut Rng| {
            let ids = ids.lock().expect("no panic");
            random.choice(ids.iter()).map(i64::to_string)
        };
        while self.goes_on() {
            let how = if random.bool() { "ERROR" } else { "TIMEOUT" };
            if let Some(id) = one_of(&self.poppers, &mut random) {
                let is_ended = session.execute(&["CLIENT", "UNBLOCK", &id, how]) == Value::Integer(1);
                self.ended.fetch_add(u64::from(is_ended && how == "ERROR"), Ordering::Relaxed);
            }
            if let Some(id) = one_of(&self.movers, &mut random).filter(|_| random.u32(..4) == 0) {
                session.execute(&["CLIENT", "KILL", "ID", &id]);
            }
            if random.u32(..50) == 0 {
                session.execute(&["LRANGE", "long", "0", "-1"]);
            }
            // A deadline that never comes moves the queue to another block of memory, and back.
            match random.u32(..10) {
                0 => drop(session.execute(&["EXPIRE".to_owned(), queue(&mut random), "1000".to_owned()])),
                1 => drop(session.execute(&["PERSIST".to_owned(), queue(&mut random)])),
                _ => {}
            }
            thread::park_timeout(Duration::from_micros(random.u64(..500)));
        }
    }

    /// Counts where the elements are.
    fn check(&self) {
        assert!(eventually(PATIENCE, || self
            .server
            .execute(&["INFO", "clients"])
            .as_bytes()
            .is_some_and(|report| String::from_utf8_lossy(report).contains("total_blocking_keys:0\r\n"))));
        let mut places: BTreeMap<u64, usize> = BTreeMap::new();
        let mut session = self.server.session();
        for db in 0..DATABASES {
            session.execute(&["SELECT".to_owned(), db.to_string()]);
            let keys = session.execute(&["KEYS", "*"]);
            for key in texts(&keys).iter().filter(|key| *key != "long") {
                let found = texts(&session.execute(&["LRANGE", key, "0", "-1"]));
                found
                    .iter()
                    .for_each(|text| *places.entry(text.parse().expect("a number")).or_default() += 1);
            }
        }
        let left: usize = places.values().sum();
        let popped = self.popped.lock().expect("no panic");
        popped.iter().for_each(|element| *places.entry(*element).or_default() += 1);
        let elements = self.next_element.load(Ordering::Relaxed) - 1;
        let wrong: Vec<_> =
            (1..=elements).filter(|element| places.get(element) != Some(&1)).take(10).collect();
        let found: Vec<_> = wrong.iter().map(|element| (element, places.get(element))).collect();
        assert!(wrong.is_empty(), "elements and in how many places they are: {found:?}");
        assert_eq!(self.ended.load(Ordering::Relaxed), self.ends.load(Ordering::Relaxed), "a wait ends once");
        eprintln!("{elements} elements, {} of them popped, {left} left", popped.len());
    }
}

fn queue(random: &mut Rng) -> String {
    format!("queue:{}", random.usize(..QUEUES))
}

/// Seconds, short and different from each other.
fn timeout(random: &mut Rng) -> String {
    format!("0.{:03}", random.u32(1..40))
}

fn pop_call(random: &mut Rng) -> Vec<String> {
    let queues: Vec<String> = (0..random.usize(1..=QUEUES)).map(|_| queue(random)).collect();
    let words = match random.u32(..3) {
        0 => format!("BLPOP {} {}", queues.join(" "), timeout(random)),
        1 => format!("BRPOP {} {}", queues.join(" "), timeout(random)),
        _ => {
            let (timeout, count) = (timeout(random), random.u32(1..4));
            format!("BLMPOP {timeout} {} {} LEFT COUNT {count}", queues.len(), queues.join(" "))
        }
    };
    words.split(' ').map(str::to_owned).collect()
}

fn move_call(random: &mut Rng) -> Vec<String> {
    let (from, to, timeout) = (queue(random), queue(random), timeout(random));
    let words = match random.bool() {
        true => format!("BLMOVE {from} {to} LEFT RIGHT {timeout}"),
        false => format!("BRPOPLPUSH {from} {to} {timeout}"),
    };
    words.split(' ').map(str::to_owned).collect()
}

/// What a reply to [`pop_call`] brings: behind the key, one element or an array of them.
fn elements(reply: &Reply) -> Vec<u64> {
    let brought = &reply.items()[1];
    let texts = if brought.items().is_empty() { std::slice::from_ref(brought) } else { brought.items() };
    let number = |text: &Reply| std::str::from_utf8(text.text()?).ok()?.parse().ok();
    texts.iter().map(|text| number(text).unwrap_or_else(|| panic!("{reply:?}"))).collect()
}

fn texts(value: &Value) -> Vec<String> {
    let Value::Array(values) = value else { panic!("{value:?}") };
    let text = |value: &Value| String::from_utf8_lossy(value.as_bytes().expect("a text")).into_owned();
    values.iter().map(text).collect()
}

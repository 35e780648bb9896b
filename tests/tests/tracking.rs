//! Client-side caching where a transcript cannot show it: readers who keep what they have read while others change it, and
//! connections that never leave the process.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use shardis_server::{Clock, Server};
use shardis_tests::client::{Client, encode};
use shardis_tests::reply::{Kind, Reply};
use shardis_tests::server::{Over, eventually};

const KEYS: u64 = 40;
const WRITERS: u64 = 3;
const WRITES: u64 = 4000;
/// More than a network thread runs of a transaction: it goes to the executor.
const LONG_TRANSACTION: usize = 140;
/// Requests that a reader has under way.
const PIPELINE: usize = 8;

#[test]
fn nothing_that_is_cached_is_stale_once_all_has_been_told() {
    let server = Server::builder().set("threads", "3").expect("a number").start().expect("it starts");
    let address = server.addr().expect("it listens");
    let are_written = AtomicBool::new(false);
    let ways: [&[&str]; 5] =
        [&[], &["NOLOOP"], &["OPTOUT"], &["BCAST"], &["BCAST", "NOLOOP", "PREFIX", "key:"]];
    thread::scope(|scope| {
        let writers: Vec<_> =
            (1..=WRITERS).map(|seed| scope.spawn(move || write(address, &mut Dice(seed)))).collect();
        let readers: Vec<_> = (10..)
            .zip(ways)
            .map(|(seed, way)| {
                let are_written = &are_written;
                scope.spawn(move || {
                    let mut reader = Reader::new(address, way);
                    let mut dice = Dice(seed);
                    while !are_written.load(Ordering::Relaxed) {
                        reader.turn(&mut dice);
                    }
                    reader
                })
            })
            .collect();
        let over = Over(&are_written);
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
        drop(over);
        let mut witness = Client::connect_speaking(address, 3).expect("it listens");
        let mut readers: Vec<_> =
            readers.into_iter().map(|reader| reader.join().expect("a reader")).collect();
        // Once they all have their last answers, nobody changes anything; then they hear what that has left.
        readers.iter_mut().for_each(Reader::settle);
        readers.iter_mut().for_each(Reader::settle);
        for reader in &readers {
            assert!(reader.told > 0, "{:?} was told nothing", reader.way);
            for (key, cached) in &reader.cache {
                let current = witness.call(&[b"GET", &key[..]]).expect("a reply");
                assert_eq!(*cached, current, "{:?} of {:?}", String::from_utf8_lossy(key), reader.way);
            }
        }
    });
}

/// Numbers by chance, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn key(&mut self) -> String {
        format!("key:{}", self.below(KEYS))
    }
}

/// Changes keys in all ways.
fn write(address: SocketAddr, dice: &mut Dice) {
    let mut client = Client::connect(address).expect("it listens");
    for number in 0..WRITES {
        let (key, other, number) = (dice.key(), dice.key(), number.to_string());
        match dice.below(8) {
            0 => call(&mut client, &["DEL", &key, &other]),
            1 => call(&mut client, &["MSET", &key, &number, &other, &number]),
            2 => call(&mut client, &["RENAME", &key, &other]),
            3 => {
                call(&mut client, &["EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", "1", &key, &number])
            }
            4 => {
                call(&mut client, &["MULTI"]);
                call(&mut client, &["SET", &key, "first"]);
                call(&mut client, &["SET", &other, &number]);
                call(&mut client, &["SET", &key, &number]);
                call(&mut client, &["EXEC"]);
            }
            5 if dice.below(200) == 0 => call(&mut client, &["FLUSHALL"]),
            _ => call(&mut client, &["SET", &key, &number]),
        }
    }
}

fn call(client: &mut Client, words: &[&str]) {
    client.call(words).expect("a reply");
}

/// Keeps what it reads until it is told otherwise, and changes keys itself now and then.
struct Reader {
    way: &'static [&'static str],
    client: Client,
    cache: HashMap<Vec<u8>, Reply>,
    /// What it has asked for, and has no reply to.
    asked: VecDeque<Asked>,
    told: usize,
}

enum Asked {
    /// The keys of a call, or of a transaction.
    Read(Vec<Vec<u8>>),
    /// A change of a key of its own, which it forgets.
    Write(Vec<u8>),
    Other,
}

impl Reader {
    fn new(address: SocketAddr, way: &'static [&'static str]) -> Reader {
        let mut client = Client::connect_speaking(address, 3).expect("it listens");
        client.call(&[&["CLIENT", "TRACKING", "ON"], way].concat()).expect("a reply");
        Reader { way, client, cache: HashMap::new(), asked: VecDeque::new(), told: 0 }
    }

    /// Asks for something, and reads replies until not too many are missing.
    fn turn(&mut self, dice: &mut Dice) {
        match dice.below(50) {
            0 => self.ask_in_transaction(dice, LONG_TRANSACTION),
            1 => self.ask_in_transaction(dice, 3),
            2..5 => {
                let key = dice.key();
                self.send(&["SET", &key, "own"], Asked::Write(key.clone().into_bytes()));
            }
            5..15 => {
                let keys = [dice.key(), dice.key(), dice.key()];
                let read = keys.iter().map(|key| key.clone().into_bytes()).collect();
                self.send(&["MGET", &keys[0], &keys[1], &keys[2]], Asked::Read(read));
            }
            15..20 => {
                let key = dice.key();
                let read = vec![key.clone().into_bytes()];
                self.send(&["EVAL", "return {redis.call('GET', KEYS[1])}", "1", &key], Asked::Read(read));
            }
            _ => {
                let key = dice.key();
                self.send(&["MGET", &key], Asked::Read(vec![key.clone().into_bytes()]));
            }
        }
        while self.asked.len() > PIPELINE {
            self.take();
        }
    }

    fn ask_in_transaction(&mut self, dice: &mut Dice, count: usize) {
        self.send(&["MULTI"], Asked::Other);
        let keys: Vec<String> = (0..count).map(|_| dice.key()).collect();
        for key in &keys {
            self.send(&["GET", key], Asked::Other);
        }
        self.send(&["EXEC"], Asked::Read(keys.into_iter().map(String::into_bytes).collect()));
    }

    fn send(&mut self, words: &[&str], asked: Asked) {
        self.client.send_raw(&encode(words)).expect("it is read");
        self.asked.push_back(asked);
    }

    /// Reads all that has been sent to it.
    fn settle(&mut self) {
        self.send(&["PING"], Asked::Other);
        while !self.asked.is_empty() {
            self.take();
        }
    }

    fn take(&mut self) {
        let (_, reply) = self.client.frames(1).expect("a reply or a message").remove(0);
        if let Reply::Items(Kind::Push, message) = reply {
            self.told += 1;
            return match &message[1] {
                Reply::Items(_, keys) => {
                    keys.iter().filter_map(Reply::text).for_each(|key| drop(self.cache.remove(key)));
                }
                _ => self.cache.clear(),
            };
        }
        match (self.asked.pop_front().expect("a reply to nothing"), reply) {
            (Asked::Read(keys), Reply::Items(_, values)) => self.cache.extend(keys.into_iter().zip(values)),
            (Asked::Read(_), other) => panic!("{other:?}"),
            (Asked::Write(key), _) => drop(self.cache.remove(&key)),
            (Asked::Other, _) => {}
        }
    }
}

#[test]
fn a_session_inside_the_process_tracks_nothing_and_its_changes_are_told() {
    let server = Server::builder().clock(Clock::manual(Duration::from_secs(1))).start().expect("it starts");
    let mut session = server.session();
    assert!(session.execute(&["CLIENT", "TRACKING", "ON"]).is_error());
    let address = server.addr().expect("it listens");
    for way in [&["CLIENT", "TRACKING", "ON"][..], &["CLIENT", "TRACKING", "ON", "BCAST"]] {
        let mut reader = Client::connect_speaking(address, 3).expect("it listens");
        reader.call(way).expect("a reply");
        reader.call(&["GET", "k"]).expect("a reply");
        session.execute(&["SET", "k", "1"]);
        assert_eq!(reader.reply().expect("a message"), invalidation("k"));
    }
}

#[test]
fn what_time_removes_is_told_although_nobody_looks() {
    let server = Server::builder().start().expect("it starts");
    let mut reader =
        Client::connect_speaking(server.addr().expect("it listens"), 3).expect("it accepts connections");
    reader.call(&["CLIENT", "TRACKING", "ON", "NOLOOP"]).expect("a reply");
    reader.call(&["SET", "k", "1", "PX", "50"]).expect("a reply");
    reader.call(&["GET", "k"]).expect("a reply");
    assert_eq!(reader.reply().expect("a message"), invalidation("k"));
}

#[test]
fn whoever_leaves_while_others_change_keys_is_forgotten() {
    let server = Server::builder().set("threads", "2").expect("a number").start().expect("it starts");
    let address = server.addr().expect("it listens");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = Client::connect(address).expect("it listens");
            let mut dice = Dice(1);
            while !is_over.load(Ordering::Relaxed) {
                call(&mut writer, &["SET", &dice.key(), "1"]);
            }
        });
        let _over = Over(&is_over);
        let mut dice = Dice(2);
        for round in 0..200 {
            let mut target = Client::connect_speaking(address, 3).expect("it listens");
            let Reply::Integer(id) = target.call(&["CLIENT", "ID"]).expect("a reply") else {
                panic!("a number")
            };
            let mut reader = Client::connect_speaking(address, 3).expect("it listens");
            let id = id.to_string();
            let way: &[&str] = if round % 2 == 0 { &["REDIRECT", &id] } else { &["REDIRECT", &id, "BCAST"] };
            let began = reader.call(&[&["CLIENT", "TRACKING", "ON"], way].concat()).expect("a reply");
            assert_eq!(began, Reply::Simple("OK".into()));
            reader.call(&["MGET", &dice.key(), &dice.key()]).expect("a reply");
            drop(target);
        }
    });
    let mut witness = Client::connect(address).expect("it listens");
    for figure in ["tracking_clients", "tracking_total_prefixes", "tracking_total_keys"] {
        assert!(eventually(Duration::from_secs(10), || witness.figure(figure) == 0), "{figure}");
    }
}

fn invalidation(key: &str) -> Reply {
    let keys = Reply::Items(Kind::Array, vec![Reply::Bulk(key.into())]);
    Reply::Items(Kind::Push, vec![Reply::Bulk(b"invalidate".to_vec()), keys])
}

//! What happens when memory is full: which keys go, which commands are refused, and how well what is worth keeping is kept,
//! all of it held against a real server.

use std::thread;

use shardis_tests::client::{Client, encode};
use shardis_tests::reference::Reference;
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, stand_in};

const VALUE: [u8; 200] = [b'v'; 200];

fn ours() -> Server {
    Server::ours(&stand_in().unwrap_or_else(|| "redis-7.0".into()), &[])
}

fn set(client: &mut Client, name: &str, value: &str) {
    let reply = client.call(&["CONFIG", "SET", name, value]).expect("a reply");
    assert_eq!(reply, Reply::Simple(b"OK".to_vec()), "{name} {value}");
}

fn keys(client: &mut Client) -> u64 {
    match client.call(&["DBSIZE"]) {
        Ok(Reply::Integer(keys)) => keys.try_into().expect("a count"),
        other => panic!("{other:?}"),
    }
}

/// Sends commands in batches and gives each reply to `take`.
fn pipeline<'a>(
    client: &mut Client,
    commands: impl IntoIterator<Item = Vec<&'a [u8]>>,
    mut take: impl FnMut(Reply),
) {
    let mut commands = commands.into_iter().peekable();
    while commands.peek().is_some() {
        let batch: Vec<_> = commands.by_ref().take(100).collect();
        let bytes: Vec<u8> = batch.iter().flat_map(|command| encode(command)).collect();
        client.send_raw(&bytes).expect("it reads");
        for (_, reply) in client.frames(batch.len()).expect("replies") {
            take(reply);
        }
    }
}

/// Whether keys expire.
#[derive(Clone, Copy, PartialEq)]
enum Lives {
    AWhile,
    ForEver,
}

fn set_command(name: &str, lives: Lives) -> Vec<&[u8]> {
    let mut words: Vec<&[u8]> = vec![b"SET", name.as_bytes(), &VALUE];
    if lives == Lives::AWhile {
        words.extend([b"EX".as_slice(), b"1000"]);
    }
    words
}

/// Writes so many keys, with or without a time to live; how many of the writes were refused.
fn fill(client: &mut Client, prefix: &str, count: usize, lives: Lives) -> usize {
    let names: Vec<String> = (0..count).map(|n| format!("{prefix}:{n}")).collect();
    let commands = names.iter().map(|name| set_command(name, lives));
    let mut refused = 0;
    pipeline(client, commands, |reply| refused += usize::from(reply.is_error()));
    refused
}

#[test]
fn without_eviction_what_may_need_memory_is_refused_in_the_words_of_redis() {
    let Some(redis) = Reference::Redis.start(&[]) else { return };
    let conversation: [&[&str]; 22] = [
        &["SET", "key", "1"],
        &["HSET", "hash", "field", "1"],
        &["CONFIG", "SET", "maxmemory", "1"],
        &["CONFIG", "GET", "maxmemory"],
        &["SET", "key", "2"],
        &["APPEND", "key", "2"],
        &["INCR", "key"],
        &["HSET", "hash", "field", "2"],
        &["LPUSH", "list", "2"],
        &["COPY", "key", "other"],
        &["GET", "key"],
        &["EXPIRE", "key", "1000"],
        &["HDEL", "hash", "field"],
        &["RENAME", "key", "other"],
        &["GETDEL", "other"],
        &["SET", "key"],
        &["SET", "key", "3", "NONSENSE"],
        &["OBJECT", "FREQ", "hash"],
        &["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"],
        &["SET", "key", "4"],
        &["CONFIG", "SET", "maxmemory", "0"],
        &["SET", "key", "5"],
    ];
    let (ours, redis) = (ours(), redis);
    let (mut ours, mut redis) = (ours.client(), redis.client());
    for command in conversation {
        assert_eq!(
            ours.call(command).expect("a reply"),
            redis.call(command).expect("a reply"),
            "{command:?}"
        );
    }
}

#[test]
fn every_policy_keeps_the_limit_and_takes_only_what_it_may() {
    let server = ours();
    let mut client = server.client();
    for policy in [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        client.call(&["FLUSHALL"]).expect("a reply");
        set(&mut client, "maxmemory", "0");
        set(&mut client, "maxmemory-policy", policy);
        let evicted = client.figure("evicted_keys");
        assert_eq!(fill(&mut client, "stays", 1000, Lives::ForEver), 0);
        let limit = client.figure("used_memory") + (4 << 20);
        set(&mut client, "maxmemory", &limit.to_string());
        let is_volatile = policy.starts_with("volatile");
        assert_eq!(fill(&mut client, "comes", 40_000, Lives::AWhile), 0, "{policy}");
        let used = client.figure("used_memory");
        assert!(used <= limit && used > limit - (1 << 20), "{policy}: {used} of {limit} bytes");
        assert!(client.figure("evicted_keys") > evicted + 10_000, "{policy}");
        let names: Vec<String> = (0..1000).map(|n| format!("stays:{n}")).collect();
        let mut stayed = 0;
        pipeline(
            &mut client,
            names.iter().map(|name| vec![b"EXISTS".as_slice(), name.as_bytes()]),
            |reply| {
                stayed += usize::from(reply == Reply::Integer(1));
            },
        );
        assert_eq!(stayed == 1000, is_volatile, "{policy}: {stayed} of 1000 are left");
        if is_volatile {
            assert!(fill(&mut client, "immortal", 30_000, Lives::ForEver) > 5_000, "{policy}");
            assert!(client.figure("used_memory") <= limit + (1 << 16), "{policy}");
        }
    }
}

#[test]
fn the_limit_holds_while_many_write_at_once() {
    let server = ours();
    let mut client = server.client();
    let limit = client.figure("used_memory") + (8 << 20);
    set(&mut client, "maxmemory-policy", "allkeys-lru");
    set(&mut client, "maxmemory", &limit.to_string());
    thread::scope(|scope| {
        for writer in 0..4 {
            let mut client = server.client();
            scope
                .spawn(move || assert_eq!(fill(&mut client, &writer.to_string(), 30_000, Lives::ForEver), 0));
        }
        for _ in 0..50 {
            let used = client.figure("used_memory");
            assert!(used <= limit + (1 << 18), "{used} of {limit} bytes");
        }
    });
    let used = client.figure("used_memory");
    assert!(used <= limit, "{used} of {limit} bytes");
    set(&mut client, "maxmemory", &(limit - (4 << 20)).to_string());
    let shrunk = shardis_tests::server::eventually(shardis_tests::client::PATIENCE, || {
        client.call(&["PING"]).expect("a reply");
        client.figure("used_memory") <= limit - (4 << 20)
    });
    assert!(shrunk, "a lower limit is kept by whatever is called next");
}

/// A key by Zipf's law: the nth is asked for in proportion to 1/n.
struct Zipf {
    cumulated: Vec<f64>,
    random: fastrand::Rng,
}

impl Zipf {
    fn new(keys: usize) -> Zipf {
        let mut sum = 0.0;
        let cumulated = (1..=keys).map(|n| {
            sum += 1.0 / n as f64;
            sum
        });
        Zipf { cumulated: cumulated.collect(), random: fastrand::Rng::with_seed(11) }
    }

    fn draw(&mut self) -> usize {
        let at = self.random.f64() * self.cumulated[self.cumulated.len() - 1];
        self.cumulated.partition_point(|&sum| sum < at)
    }
}

const ZIPF_KEYS: usize = 100_000;
const ZIPF_READS: usize = 300_000;
const ZIPF_BATCH: usize = 100;
const CACHED_KEYS: usize = 20_000;

/// A cache that is read by Zipf's law and holds about `CACHED_KEYS`. Where keys live for a while, every third hit writes its
/// key anew.
struct Cache {
    client: Client,
    lives: Lives,
    zipf: Zipf,
    hits: usize,
}

impl Cache {
    fn new(server: &Server, policy: &str, lives: Lives) -> Cache {
        let mut client = server.client();
        client.call(&["FLUSHALL"]).expect("a reply");
        set(&mut client, "maxmemory", "0");
        set(&mut client, "maxmemory-policy", policy);
        // As much memory as so many keys take here.
        fill(&mut client, "probe", CACHED_KEYS, lives);
        let limit = client.figure("used_memory");
        client.call(&["FLUSHALL"]).expect("a reply");
        set(&mut client, "maxmemory", &limit.to_string());
        Cache { client, lives, zipf: Zipf::new(ZIPF_KEYS), hits: 0 }
    }

    /// A batch of reads, and writes of what was not there.
    fn read(&mut self) {
        let asked: Vec<String> = (0..ZIPF_BATCH).map(|_| format!("probe:{}", self.zipf.draw())).collect();
        let mut replies = Vec::new();
        let reads = asked.iter().map(|name| vec![b"GET".as_slice(), name.as_bytes()]);
        pipeline(&mut self.client, reads, |reply| replies.push(reply));
        let mut written = Vec::new();
        for (name, reply) in asked.iter().zip(&replies) {
            let is_hit = reply.text().is_some();
            self.hits += usize::from(is_hit);
            if !is_hit || self.lives == Lives::AWhile && self.hits.is_multiple_of(3) {
                written.push(set_command(name, self.lives));
            }
        }
        pipeline(&mut self.client, written, |reply| assert!(!reply.is_error(), "{reply:?}"));
    }

    /// The share of reads that found their key.
    fn hit_ratio(&self) -> f64 {
        self.hits as f64 / ZIPF_READS as f64
    }
}

#[test]
fn a_cache_hits_as_often_as_redis_with_as_many_keys() {
    let Some(redis) = Reference::Redis.start(&[]) else { return };
    let ours = ours();
    let rows = [
        ("allkeys-lru", Lives::ForEver),
        ("allkeys-lfu", Lives::ForEver),
        ("allkeys-lfu", Lives::AWhile),
        ("allkeys-random", Lives::ForEver),
    ];
    for (policy, lives) in rows {
        // Side by side: both tell ages in seconds, so how much they know of them depends on how long the reads take.
        let (mut here, mut there) = (Cache::new(&ours, policy, lives), Cache::new(&redis, policy, lives));
        for _ in 0..ZIPF_READS / ZIPF_BATCH {
            here.read();
            there.read();
        }
        let (our_ratio, our_keys) = (here.hit_ratio(), keys(&mut here.client));
        let (ratio, keys) = (there.hit_ratio(), keys(&mut there.client));
        let told = format!("{policy}: {our_ratio:.4} with {our_keys} keys, Redis {ratio:.4} with {keys}");
        println!("{told}");
        assert!((our_ratio - ratio).abs() < 0.01, "{told}");
        assert!(our_keys.abs_diff(keys) < keys / 10, "{told}");
    }
}

//! What INFO and MEMORY STATS tell: the same names in the same order as the server whose personality it is, and figures that
//! are true. What clients do with the figures is not tested here.

use std::time::Duration;

use shardis_tests::client::{Client, encode};
use shardis_tests::reference::Reference;
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, eventually};

/// Sections and fields that only one of the two tells, and why.
const UNLIKE: [(&str, &str); 3] =
    [("# Compute", "ours alone"), ("# Locks", "ours alone"), ("shardis_version", "ours alone")];

/// How long a client may take to block.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sections whose fields are what happened.
const OF_EVENTS: [&str; 3] = ["# Commandstats", "# Errorstats", "# Latencystats"];

#[test]
fn info_has_the_sections_and_fields_of_the_imitated_server_in_their_order() {
    for reference in Reference::ALL {
        let Some(theirs) = reference.start(&[]) else { continue };
        let ours = Server::ours(reference.personality(), &[]);
        let names = |server: &Server, sections: &[&str]| {
            let mut client = Client::connect_speaking(server.address(), 3).expect("it listens");
            client.call(&["SET", "key", "value"]).expect("it answers");
            names_in(&info(&mut client, sections))
        };
        for sections in [&[][..], &["default"], &["everything"], &["server", "keyspace", "nosuch"]] {
            assert_eq!(names(&ours, sections), names(&theirs, sections), "{reference:?} {sections:?}");
        }
        assert!(names(&ours, &["all"]).starts_with(&["# Server".to_owned()]));
    }
}

#[test]
fn memory_stats_has_the_names_of_the_imitated_server_in_their_order() {
    for reference in Reference::ALL {
        let Some(theirs) = reference.start(&[]) else { continue };
        let ours = Server::ours(reference.personality(), &[]);
        let names = |server: &Server| {
            let mut client = Client::connect_speaking(server.address(), 3).expect("it listens");
            client.call(&["SET", "key", "value"]).expect("it answers");
            let stats = client.call(&["MEMORY", "STATS"]).expect("it answers");
            let mut names = Vec::new();
            for pair in stats.items().chunks(2) {
                names.push(text(&pair[0]));
                names.extend(pair[1].items().iter().step_by(2).map(text));
            }
            names
        };
        assert_eq!(names(&ours), names(&theirs), "{reference:?}");
    }
}

/// Calls and what they block on, each about one element: of several the real servers count each.
const CHANGES: [&str; 27] = [
    "SET a 1",
    "SET a 2 NX",
    "GET a",
    "INCR a",
    "APPEND a x",
    "EXPIRE a 1000",
    "EXPIRE nosuch 1000",
    "PERSIST a",
    "RENAME a b",
    "COPY b a",
    "DEL a",
    "DEL nosuch",
    "LPUSH list x",
    "LREM list 1 y",
    "LMOVE list other LEFT LEFT",
    "RPOP other",
    "SADD set x",
    "SADD set x",
    "SREM set x",
    "HSET hash field x",
    "HDEL hash nosuch",
    "ZADD scores 1 x",
    "ZADD scores 1 x",
    "ZADD scores 2 x",
    "SUNIONSTORE stored nosuch",
    "ZUNIONSTORE stored 1 scores",
    "SWAPDB 0 1",
];

#[test]
fn calls_that_change_something_are_counted_as_by_the_imitated_server() {
    for reference in Reference::ALL {
        let Some(theirs) = reference.start(&[]) else { continue };
        let ours = Server::ours(reference.personality(), &[]);
        assert_eq!(changes(&ours), changes(&theirs), "{reference:?}");
    }
}

/// How many changes each call is, and a call that is waited for in turn.
fn changes(server: &Server) -> Vec<(&'static str, u64)> {
    let (mut client, mut blocked) = (server.client(), server.client());
    let mut before = client.figure("rdb_changes_since_last_save");
    let mut counted = |client: &mut Client, call: &'static str| {
        client.call(&call.split(' ').collect::<Vec<_>>()).expect("it answers");
        let now = client.figure("rdb_changes_since_last_save");
        (call, now - std::mem::replace(&mut before, now))
    };
    let mut changes: Vec<_> = CHANGES.iter().map(|call| counted(&mut client, call)).collect();
    for call in ["BLPOP queue 0", "BLMOVE queue other LEFT LEFT 0"] {
        blocked.send_raw(&encode(&call.split(' ').collect::<Vec<_>>())).expect("it is there");
        assert!(eventually(PATIENCE, || client.figure("blocked_clients") == 1));
        changes.push((call, counted(&mut client, "RPUSH queue x").1));
        blocked.reply().expect("it answers");
    }
    changes
}

#[test]
fn figures_of_info_follow_what_happens() {
    let server = Server::ours("redis-7.2", &[]);
    let mut client = server.client();
    let number = |client: &mut Client, section: &str, name: &str| -> i64 {
        let info = info(client, &[section]);
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {info}"))
    };
    let before = number(&mut client, "memory", "used_memory");
    client.call(&["SET", "key", &"x".repeat(1 << 20)]).expect("it answers");
    assert!(number(&mut client, "memory", "used_memory") > before + (1 << 20));
    assert!(number(&mut client, "memory", "used_memory_peak") > before + (1 << 20));
    client.call(&["DEL", "key"]).expect("it answers");
    assert!(number(&mut client, "memory", "used_memory") < before + (1 << 20));
    assert!(number(&mut client, "memory", "mem_clients_normal") > 0);
    assert!(number(&mut client, "server", "lru_clock") > 0);

    let id = |client: &mut Client| info(client, &["replication"]);
    let first = id(&mut client);
    client.call(&["DEBUG", "CHANGE-REPL-ID"]).expect("it answers");
    assert_ne!(first, id(&mut client));

    let errors = number(&mut client, "stats", "total_error_replies");
    client.call(&["DEBUG", "ERROR", "OTHER text"]).expect("it answers");
    client.call(&["NOSUCH"]).expect("it answers");
    assert_eq!(number(&mut client, "stats", "total_error_replies"), errors + 1);
}

#[test]
fn nothing_expires_by_itself_while_the_periodic_tasks_rest() {
    let server = Server::ours("redis-7.2", &[]);
    let mut client = server.client();
    let mut call = |words: &[&str]| client.call(words).expect("it answers");
    call(&["DEBUG", "PAUSE-CRON", "1"]);
    call(&["SET", "key", "value", "PX", "1"]);
    call(&["DEBUG", "SLEEP", "0.3"]);
    assert_eq!(call(&["DBSIZE"]), Reply::Integer(1), "several periods have passed");
    call(&["DEBUG", "PAUSE-CRON", "0"]);
    while call(&["DBSIZE"]) != Reply::Integer(0) {}
}

fn info(client: &mut Client, sections: &[&str]) -> String {
    let words: Vec<&str> = [&["INFO"], sections].concat();
    text(&client.call(&words).expect("it answers"))
}

/// Titles of sections and names of fields, but for those that are known to differ.
fn names_in(info: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut title = "";
    for line in info.lines().filter(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        if name.starts_with('#') {
            title = name;
        }
        let is_listed = UNLIKE.iter().any(|(unlike, _)| title == *unlike || name.starts_with(unlike));
        if !is_listed && !OF_EVENTS.contains(&title) {
            names.push(name.to_owned());
        }
    }
    names
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.text().unwrap_or_default()).into_owned()
}

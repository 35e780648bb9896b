//! Functions and scripts over several connections: what is busy, who may end it, what a library keeps, and libraries that go
//! from one server to another.
//!
//! What one connection hears is in the transcripts.

use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, eventually};

const ENDLESS: &str = "#!lua name=endless
redis.register_function('endless', function() while true do end end)
redis.register_function('writing', function() redis.call('set', 'k', 1) while true do end end)";
const COUNTER: &str = "#!lua name=counter
local n = 0
redis.register_function('count', function() n = n + 1 return n end)";
const BUSY_AFTER_MS: &str = "20";

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Integer(number) => number.to_string(),
        other => String::from_utf8_lossy(other.text().unwrap_or_default()).into_owned(),
    }
}

fn call(client: &mut Client, words: &[&str]) -> String {
    text(&client.call(words).expect("an answer"))
}

/// A server on which something is soon busy, with the libraries above.
fn server(personality: &str) -> (Server, Client) {
    let server = Server::ours(personality, &["--busy-reply-threshold", BUSY_AFTER_MS]);
    let mut client = server.client();
    for library in [ENDLESS, COUNTER] {
        client.call(&["FUNCTION", "LOAD", library]).expect("an answer");
    }
    (server, client)
}

/// Lets a client of its own call something that does not end, and waits until it is busy.
fn begin(server: &Server, words: &[&str]) -> Client {
    let mut caller = server.client();
    caller.send_raw(&encode(words)).expect("it is sent");
    let mut client = server.client();
    assert!(eventually(PATIENCE, || call(&mut client, &["PING"]).starts_with("BUSY ")));
    caller
}

#[test]
fn a_busy_function_is_told_and_ended_as_a_function() {
    for (personality, product, killed) in [
        (
            "redis-7.2",
            "Redis",
            "ERR Script killed by user with SCRIPT KILL... script: endless, on @user_function:2.",
        ),
        (
            "valkey-9.1",
            "Valkey",
            "ERR Script killed by user with FUNCTION KILL. script: on @user_function:2.",
        ),
    ] {
        let (server, mut client) = server(personality);
        let mut caller = begin(&server, &["FCALL", "ENDLESS", "1", "key", "word"]);
        let busy = format!(
            "BUSY {product} is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
        );
        assert_eq!(call(&mut client, &["SCRIPT", "KILL"]), busy);
        assert_eq!(call(&mut client, &["SHUTDOWN"]), busy);
        let stats = client.call(&["FUNCTION", "STATS"]).expect("an answer");
        let running = &stats.items()[1];
        let words: Vec<_> = running.items()[3].items().iter().map(text).collect();
        assert_eq!(text(&running.items()[1]), "endless");
        assert_eq!(words, ["FCALL", "ENDLESS", "1", "key", "word"]);
        assert_eq!(call(&mut client, &["FUNCTION", "KILL"]), "OK");
        assert_eq!(text(&caller.reply().expect("an answer")), killed);
        assert!(eventually(PATIENCE, || call(&mut client, &["PING"]) == "PONG"));
        assert_eq!(call(&mut client, &["FUNCTION", "KILL"]), "NOTBUSY No scripts in execution right now.");
    }
}

#[test]
fn a_busy_script_is_ended_as_a_script_whatever_it_catches() {
    let (server, mut client) = server("redis-7.2");
    let mut caller =
        begin(&server, &["EVAL", "while true do pcall(function() while true do end end) end", "0"]);
    let busy = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    assert_eq!(call(&mut client, &["FUNCTION", "KILL"]), busy);
    assert_eq!(call(&mut client, &["FUNCTION", "STATS"]), busy);
    assert_eq!(call(&mut client, &["SCRIPT", "KILL"]), "OK");
    assert!(text(&caller.reply().expect("an answer")).starts_with("ERR Script killed by user"));
}

#[test]
fn what_has_written_is_ended_by_nothing_but_the_end_of_the_server() {
    let (mut server, mut client) = server("redis-7.2");
    let _caller = begin(&server, &["FCALL", "writing", "0"]);
    assert!(call(&mut client, &["FUNCTION", "KILL"]).starts_with("UNKILLABLE "));
    client.send_raw(&encode(&["SHUTDOWN", "NOSAVE"])).expect("it is sent");
    assert!(eventually(PATIENCE, || !server.is_running()));
}

#[test]
fn what_a_library_keeps_is_the_same_for_all_clients() {
    let (server, mut client) = server("redis-7.2");
    let mut clients: Vec<_> = (0..16).map(|_| server.client()).collect();
    for _ in 0..10 {
        for client in &mut clients {
            client.send_raw(&encode(&["FCALL", "count", "0"])).expect("it is sent");
        }
        for client in &mut clients {
            client.reply().expect("an answer");
        }
    }
    for word in ["MULTI", "FCALL count 0", "EVAL return(1) 0"] {
        client.call(&word.split(' ').collect::<Vec<_>>()).expect("an answer");
    }
    let counted = client.call(&["EXEC"]).expect("an answer");
    assert_eq!(text(&counted.items()[0]), "161");
}

#[test]
fn libraries_go_from_one_server_to_another() {
    let ((_from, mut from), (_to, mut to)) = (server("redis-7.2"), server("redis-7.2"));
    let dump = from.call(&["FUNCTION", "DUMP"]).expect("an answer").text().expect("a payload").to_vec();
    let mut restore = |policy: &[u8]| {
        let words: [&[u8]; 4] = [b"FUNCTION", b"RESTORE", &dump, policy];
        text(&to.call(&words).expect("an answer"))
    };
    assert_eq!(restore(b"APPEND"), "ERR Library counter already exists");
    assert_eq!(restore(b"REPLACE"), "OK");
    assert_eq!(restore(b"FLUSH"), "OK");
    assert_eq!(call(&mut to, &["FCALL", "count", "0"]), "1");
    to.call(&["FUNCTION", "FLUSH"]).expect("an answer");
    let library = COUNTER.replace("name=counter", "name=other");
    to.call(&["FUNCTION", "LOAD", &library]).expect("an answer");
    let words: [&[u8]; 4] = [b"FUNCTION", b"RESTORE", &dump, b"REPLACE"];
    let refused = to.call(&words).expect("an answer");
    assert_eq!(text(&refused), "ERR Function count already exists");
    assert!(refused.is_error());
    let listed = to.call(&["FUNCTION", "LIST"]).expect("an answer");
    assert_eq!((listed.items().len(), text(&listed.items()[0].items()[1])), (1, "other".into()));
}

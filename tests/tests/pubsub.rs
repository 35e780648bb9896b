//! Pub/Sub where a transcript cannot show it: many publishers at once, those who come and go meanwhile, those who do not read,
//! what waits when a command comes, and connections that never leave the process.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use shardis_server::{Clock, Server, ServerBuilder, Value};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Over, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;

const PUBLISHERS: usize = 4;
const MESSAGES_PER_PUBLISHER: usize = 3000;
const PIPELINE: usize = 50;
const SECOND: Duration = Duration::from_secs(1);
/// Shared by all listeners, not copied.
const LONG_BYTES: usize = 100_000;

#[test]
fn all_listeners_of_a_channel_see_all_messages_in_one_order_however_they_listen() {
    let server = start(builder().set("threads", "3").expect("a number"));
    let address = server.addr().expect("it listens");
    let commands: [(u8, &[&str]); 6] = [
        (2, &["SUBSCRIBE", "news"]),
        (3, &["SUBSCRIBE", "news"]),
        (2, &["PSUBSCRIBE", "n*"]),
        (3, &["PSUBSCRIBE", "?ews"]),
        (2, &["SUBSCRIBE", "news"]),
        (3, &["SUBSCRIBE", "news"]),
    ];
    let listeners = commands.map(|(protocol, command)| {
        let mut listener = Client::connect_speaking(address, protocol).expect("it listens");
        listener.call(command).expect("a confirmation");
        listener
    });
    let seen: Vec<Vec<Vec<u8>>> = thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            scope.spawn(move || publish_numbered(address, publisher, commands.len()));
        }
        let readers = listeners.map(|listener| scope.spawn(move || read_messages(listener)));
        readers.into_iter().map(|reader| reader.join().expect("a listener")).collect()
    });
    for other in &seen {
        assert!(other == &seen[0], "two listeners see different orders");
    }
    for publisher in 0..PUBLISHERS {
        let prefix = format!("{publisher}-");
        let own = seen[0].iter().filter(|message| message.starts_with(prefix.as_bytes()));
        let expected = (0..MESSAGES_PER_PUBLISHER).map(|number| text(publisher, number));
        assert!(own.cloned().eq(expected), "messages of one publisher are lost or out of order");
    }
}

/// Some messages are long, so that they are shared and not copied.
fn text(publisher: usize, number: usize) -> Vec<u8> {
    let padding = if number.is_multiple_of(500) { LONG_BYTES } else { number % 50 };
    format!("{publisher}-{number}-{}", "x".repeat(padding)).into_bytes()
}

fn publish_numbered(address: SocketAddr, publisher: usize, listeners: usize) {
    let mut client = Client::connect(address).expect("it listens");
    for first in (0..MESSAGES_PER_PUBLISHER).step_by(PIPELINE) {
        let numbers = first..first + PIPELINE;
        let batch = numbers.flat_map(|number| {
            encode(&[b"PUBLISH".as_slice(), b"news".as_slice(), &text(publisher, number)])
        });
        client.send_raw(&batch.collect::<Vec<_>>()).expect("it is read");
        for (_, reply) in client.frames(PIPELINE).expect("replies") {
            assert_eq!(reply, Reply::Integer(listeners as i64));
        }
    }
}

fn read_messages(mut listener: Client) -> Vec<Vec<u8>> {
    let message = |_| {
        let (_, reply) = listener.frames(1).expect("a message").remove(0);
        reply.items().last().and_then(Reply::text).expect("a message").to_vec()
    };
    (0..PUBLISHERS * MESSAGES_PER_PUBLISHER).map(message).collect()
}

#[test]
fn nobody_hears_what_was_published_before_it_listened_or_after() {
    let server = start(builder().set("threads", "2").expect("a number"));
    let address = server.addr().expect("it listens");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = Client::connect(address).expect("it listens");
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                publisher.call(&["PUBLISH", "news", &number.to_string()]).expect("a reply");
                // Its answer has come: whoever asks for it from here on listens later than that.
                publisher.call(&["SET", "answered", &number.to_string()]).expect("a reply");
            }
        });
        let over = Over(&is_over);
        let mut listener = Client::connect(address).expect("it listens");
        let mut witness = Client::connect(address).expect("it listens");
        let mut heard = 0;
        for _ in 0..500 {
            let answered = number(&witness.call(&["GET", "answered"]).expect("a reply"));
            assert_eq!(listener.call(&["SUBSCRIBE", "news"]).expect("a reply").items().len(), 3);
            witness.call(&["PING"]).expect("a reply");
            listener.send_raw(&encode(&["UNSUBSCRIBE"])).expect("it is read");
            let mut last = answered;
            loop {
                let message = listener.reply().expect("a message or the confirmation");
                if message.items()[0] == Reply::Bulk(b"unsubscribe".to_vec()) {
                    break;
                }
                let next = number(&message.items()[2]);
                assert!(next > answered && (last == answered || next == last + 1), "{next} after {last}");
                last = next;
                heard += 1;
            }
            // Anything that came now would be taken for the reply.
            assert_eq!(listener.call(&["ECHO", "x"]).expect("a reply"), Reply::Bulk(b"x".to_vec()));
        }
        drop(over);
        assert!(heard > 0, "the two never met");
    });
    assert_eq!(server.execute(&["PUBSUB", "CHANNELS"]), Value::Array(Vec::new()));
}

fn number(reply: &Reply) -> u64 {
    let text = reply.text().map(String::from_utf8_lossy).unwrap_or_default();
    text.parse().unwrap_or_default()
}

#[test]
fn what_was_published_before_a_command_came_is_sent_before_its_reply() {
    let server = start(builder().set("threads", "2").expect("a number"));
    let address = server.addr().expect("it listens");
    server.execute(&["SET", "big", &"x".repeat(1 << 20)]);
    let mut publisher = Client::connect(address).expect("it listens");
    let mut listener = Client::connect_speaking(address, 3).expect("it listens");
    listener.call(&["SUBSCRIBE", "news"]).expect("a reply");
    for round in 0..200 {
        // Every other time there is output that the listener has not taken yet.
        let behind = if round % 2 == 0 { 0 } else { 8 };
        listener.send_raw(&encode(&["GET", "big"]).repeat(behind)).expect("it is read");
        let text = round.to_string();
        assert_eq!(publisher.call(&["PUBLISH", "news", &text]).expect("a reply"), Reply::Integer(1));
        listener.send_raw(&encode(&["ECHO", &text])).expect("it is read");
        let mut words = Vec::new();
        while words.len() < 2 {
            let (_, reply) = listener.frames(1).expect("a reply").remove(0);
            match reply.items().last().unwrap_or(&reply).text() {
                Some(word) if word.len() < 10 => words.push(word.to_vec()),
                _ => {}
            }
        }
        assert_eq!(words, [text.as_bytes(), text.as_bytes()]);
        let last = listener.call(&["PING"]).expect("a reply");
        assert_eq!(last, Reply::simple("PONG"), "the message came before the echo");
    }
}

#[test]
fn a_listener_over_the_hard_limit_is_closed_and_only_it() {
    let builder = builder().set("client-output-buffer-limit", "pubsub 4mb 0 0").expect("a limit");
    let server = start(builder.set("personality", "valkey-9.1").expect("a personality"));
    let address = server.addr().expect("it listens");
    let connect = || Client::connect(address).expect("it listens");
    let (mut deaf, mut reader, mut normal) = (connect(), connect(), connect());
    deaf.call(&["SUBSCRIBE", "news"]).expect("a reply");
    reader.call(&["PSUBSCRIBE", "n*"]).expect("a reply");
    let text = "x".repeat(LONG_BYTES);
    let mut receivers = 2;
    for _ in 0..1000 {
        let reply = normal.call(&["PUBLISH", "news", &text]).expect("a reply");
        reader.frames(1).expect("a message");
        if reply == Reply::Integer(1) {
            receivers = 1;
            break;
        }
        assert_eq!(reply, Reply::Integer(2));
    }
    assert_eq!(receivers, 1, "what waits for a listener is limited");
    assert_eq!(normal.figure("client_output_buffer_limit_disconnections"), 1);
    assert_eq!(normal.figure("pubsub_clients"), 1);
    assert_eq!(normal.figure("pubsub_channels"), 0);
}

#[test]
fn a_listener_over_the_soft_limit_is_closed_when_its_time_is_over_and_idle_ones_are_not() {
    let builder = builder().set("client-output-buffer-limit", "pubsub 0 1mb 2").expect("a limit");
    let server = start(builder.set("timeout", "1").expect("a timeout"));
    let address = server.addr().expect("it listens");
    let mut listeners = ["news", "silence"].map(|channel| {
        let mut listener = Client::connect(address).expect("it listens");
        listener.call(&["SUBSCRIBE", channel]).expect("a reply");
        listener
    });
    // More than the buffers of two sockets take.
    let text = "x".repeat(LONG_BYTES);
    for _ in 0..300 {
        assert_eq!(server.execute(&["PUBLISH", "news", &text]), Value::Integer(1));
    }
    let mut seconds = 0;
    let is_closed = eventually(PATIENCE, || {
        server.clock().advance(SECOND);
        seconds += 1;
        server.execute(&["PUBLISH", "news", "x"]) == Value::Integer(0)
    });
    assert!(is_closed && seconds > 2, "closed after {seconds} s");
    assert_eq!(server.execute(&["PUBLISH", "silence", "x"]), Value::Integer(1));
    assert_eq!(listeners[1].reply().expect("a message").items().len(), 3);
}

#[test]
fn what_a_client_listens_to_counts_as_its_memory() {
    let server = start(builder().set("maxmemory-clients", "1mb").expect("a size"));
    let address = server.addr().expect("it listens");
    let mut hoarder = Client::connect(address).expect("it listens");
    let names: Vec<String> = (0..20_000).map(|number| format!("channel:{number}")).collect();
    // So that it is there: else nobody would be there from the beginning.
    hoarder.call(&["PING"]).expect("a reply");
    let words: Vec<&str> = ["SUBSCRIBE"].into_iter().chain(names.iter().map(String::as_str)).collect();
    hoarder.send_raw(&encode(&words)).expect("it is read");
    let is_evicted = eventually(PATIENCE, || {
        server.clock().advance(SECOND / 10);
        server.execute(&["PUBLISH", "channel:1", "x"]) == Value::Integer(0)
            && server.execute(&["CLIENT", "LIST"]).as_bytes().is_some_and(<[u8]>::is_empty)
    });
    assert!(is_evicted, "{:?}", server.execute(&["CLIENT", "LIST"]));
    assert!(eventually(PATIENCE, || server.execute(&["PUBSUB", "CHANNELS"]) == Value::Array(Vec::new())));
}

#[test]
fn a_session_inside_the_process_publishes_and_cannot_listen() {
    let server = start(builder());
    let mut listener = Client::connect(server.addr().expect("it listens")).expect("it listens");
    listener.call(&["SUBSCRIBE", "news"]).expect("a reply");
    let mut session = server.session();
    assert_eq!(session.execute(&["PUBLISH", "news", "x"]), Value::Integer(1));
    assert_eq!(listener.reply().expect("a message").items()[2], Reply::Bulk(b"x".to_vec()));
    for name in ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"] {
        let refused = format!("ERR {name} isn't allowed for a DENY BLOCKING client");
        assert_eq!(session.execute(&[name, "news"]), Value::Error(refused));
    }
    assert!(!matches!(session.execute(&["UNSUBSCRIBE", "news"]), Value::Error(_)));
    let counted = Value::Array(vec![Value::Bulk(b"news".to_vec()), Value::Integer(1)]);
    assert_eq!(session.execute(&["PUBSUB", "NUMSUB", "news"]), counted);
}

#[test]
fn connections_that_never_leave_the_process_listen_too() {
    let server = start(builder().no_listener());
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut stream = server.connect();
        stream.write_all(b"SUBSCRIBE news\r\n").await.expect("it is read");
        let confirmation = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
        let mut received = vec![0; confirmation.len()];
        stream.read_exact(&mut received).await.expect("a confirmation");
        assert_eq!(received, confirmation);
        for number in 0..100 {
            assert_eq!(server.execute(&["PUBLISH", "news", &format!("{number:03}")]), Value::Integer(1));
        }
        let expected: BTreeSet<String> = (0..100).map(|number| format!("{number:03}")).collect();
        let mut heard = BTreeSet::new();
        for _ in 0..expected.len() {
            let mut message = vec![0; b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\n000\r\n".len()];
            stream.read_exact(&mut message).await.expect("a message");
            heard
                .insert(String::from_utf8_lossy(&message[message.len() - 5..message.len() - 2]).into_owned());
        }
        assert_eq!(heard, expected);
    });
}

fn builder() -> ServerBuilder {
    Server::builder().clock(Clock::manual(Duration::from_secs(1_700_000_000)))
}

fn start(builder: ServerBuilder) -> Server {
    builder.start().expect("it starts")
}

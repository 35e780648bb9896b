//! What no well-behaved client sends: each must end as it does in Redis, without harm to anybody else.
//!
//! Replies to malformed input are also in `scripts/protocol`; here stand the cases that need a raw socket,
//! many connections or a look at the server's memory.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reference::Reference;
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, eventually, stand_in};

/// What a server's memory may differ by and still count as unchanged.
const MEMORY_SLACK_BYTES: u64 = 48 << 20;
/// Connections that misbehave at the same time.
const CROWD: usize = 100;

fn ours() -> Server {
    Server::ours(&stand_in().unwrap_or_else(|| "redis-7.0".into()), &[])
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("it accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream
}

/// Everything the server says to `input` until it closes the connection, which it must do by itself.
fn last_words(server: &Server, input: &[u8]) -> Vec<u8> {
    let mut stream = connect(server);
    // The server may close before it has read everything.
    let _ = stream.write_all(input);
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return answer,
            Ok(length) => answer.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return answer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                panic!("not closed after {:?}: {error}", input[..input.len().min(40)].escape_ascii())
            }
        }
    }
}

fn assert_serves(client: &mut Client) {
    assert_eq!(client.call(&["PING"]).expect("a reply"), Reply::Simple(b"PONG".to_vec()));
}

fn assert_memory_returns(server: &Server, before: u64) {
    let returned = eventually(PATIENCE, || server.resident_bytes() < before + MEMORY_SLACK_BYTES);
    assert!(returned, "{} bytes resident, {before} before", server.resident_bytes());
}

#[test]
fn malformed_frames_end_their_connection_as_in_redis() {
    let Some(redis) = Reference::Redis.start(&[]) else { return };
    let ours = ours();
    let lengths =
        ["-5", "-1", "abc", "", " 4", "+4", "04", "1.5", "536870913", "2147483648", "9223372036854775808"];
    let mut inputs: Vec<String> = lengths.iter().map(|length| format!("*1\r\n${length}\r\n")).collect();
    inputs.extend(
        ["abc", "", "+1", "01", "1.5", "2147483648", "9223372036854775808"]
            .map(|count| format!("*{count}\r\n")),
    );
    inputs.extend(
        ["PING\r\n", ":4\r\n", "*1\r\n", "+k\r\n", "\r\n"].map(|line| format!("*2\r\n$4\r\nECHO\r\n{line}")),
    );
    inputs.extend(
        ["ECHO \"hi\r\n", "ECHO 'hi\r\n", "ECHO \"a\"b\r\n", "POST / HTTP/1.1\r\n", "Host: x\r\n"]
            .map(String::from),
    );
    inputs.push("PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$-9\r\nPING\r\n".into());
    for input in inputs {
        let (ours, redis) = (last_words(&ours, input.as_bytes()), last_words(&redis, input.as_bytes()));
        assert_eq!(ours.escape_ascii().to_string(), redis.escape_ascii().to_string(), "{input:?}");
    }
}

#[test]
fn lines_without_end_are_refused_as_in_redis() {
    let Some(redis) = Reference::Redis.start(&[]) else { return };
    let ours = ours();
    for start in ["", "*", "*1\r\n$", "PING\r\n"] {
        let input = [start.as_bytes(), &[b'1'; 70_000]].concat();
        let (ours, redis) = (last_words(&ours, &input), last_words(&redis, &input));
        assert_eq!(ours.escape_ascii().to_string(), redis.escape_ascii().to_string(), "{start:?}");
    }
}

#[test]
fn the_start_of_a_command_keeps_no_memory_of_a_giant_one_before_it() {
    let server = ours();
    let mut client = server.client();
    let before = server.resident_bytes();
    let giant = vec![b'x'; 100 << 20];
    client.send_raw(&[&encode(&[b"EXISTS".as_slice(), &giant])[..], b"*"].concat()).expect("it is read");
    assert_eq!(client.reply().expect("a reply"), Reply::Integer(0));
    assert_memory_returns(&server, before);
    client.send_raw(b"1\r\n$4\r\nPING\r\n").expect("it is read");
    assert_eq!(client.reply().expect("a reply"), Reply::Simple(b"PONG".to_vec()));
}

#[test]
fn what_is_announced_and_never_sent_takes_no_memory() {
    let server = ours();
    let mut other = server.client();
    let before = server.resident_bytes();
    for announcement in ["*2\r\n$4\r\nECHO\r\n$536870912\r\n", "*2147483647\r\n", "*3\r\n$536870912\r\n"] {
        let mut crowd: Vec<TcpStream> = (0..CROWD).map(|_| connect(&server)).collect();
        crowd.iter_mut().for_each(|stream| stream.write_all(announcement.as_bytes()).expect("it is read"));
        // Each of these was read after the announcements, which came first.
        (0..3).for_each(|_| assert_serves(&mut other));
        assert_memory_returns(&server, before);
    }
}

#[test]
fn a_large_argument_that_is_never_completed_is_given_back() {
    let server = ours();
    let mut other = server.client();
    let before = server.resident_bytes();
    let mut stream = connect(&server);
    stream.write_all(b"*2\r\n$4\r\nECHO\r\n$134217728\r\n").expect("it is read");
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        stream.write_all(&chunk).expect("it is read");
        assert_serves(&mut other);
    }
    drop(stream);
    assert_memory_returns(&server, before);
    assert_serves(&mut other);
}

#[test]
fn half_a_command_and_silence_disturb_nobody() {
    let server = ours();
    let mut other = server.client();
    let before = server.resident_bytes();
    let halves =
        ["*", "*3\r\n$3\r\nSET\r\n$1\r\nk", "*2\r\n$3\r", "PING", "*2\r\n$4\r\nECHO\r\n$100000\r\nxx"];
    let mut crowd: Vec<TcpStream> = Vec::new();
    for half in halves.iter().cycle().take(CROWD) {
        let mut stream = connect(&server);
        stream.write_all(half.as_bytes()).expect("it is read");
        crowd.push(stream);
        assert_serves(&mut other);
    }
    assert_eq!(other.call(&["EXISTS", "k"]).expect("a reply"), Reply::Integer(0));
    drop(crowd);
    let clients = || {
        let list = server.client().call(&["CLIENT", "LIST"]).expect("a reply");
        list.text().map_or(0, |text| text.iter().filter(|&&byte| byte == b'\n').count())
    };
    assert!(eventually(PATIENCE, || clients() <= 3), "connections stay: {}", clients());
    assert_memory_returns(&server, before);
}

#[test]
fn the_second_half_may_come_late_and_in_single_bytes() {
    let server = ours();
    let mut slow = server.client();
    let mut other = server.client();
    for byte in encode(&["ECHO", "hello\r\nworld"]) {
        slow.send_raw(&[byte]).expect("it is read");
        assert_serves(&mut other);
    }
    assert_eq!(slow.reply().expect("a reply"), Reply::Bulk(b"hello\r\nworld".to_vec()));
}

#[test]
fn a_reset_in_the_middle_of_a_pipeline_disturbs_nobody() {
    let mut server = ours();
    let mut other = server.client();
    other.call(&[b"SET".to_vec(), b"big".to_vec(), vec![b'x'; 1 << 20]]).expect("a reply");
    let before = server.resident_bytes();
    for _ in 0..20 {
        let mut stream = connect(&server);
        stream.write_all(&encode(&["GET", "big"]).repeat(30)).expect("it is read");
        stream.write_all(b"*2\r\n$3\r\nGET\r\n$3\r\nbi").expect("it is read");
        stream.read_exact(&mut [0; 1000]).expect("replies have begun");
        // To close with replies unread sends a reset.
        drop(stream);
        assert_serves(&mut other);
    }
    assert_memory_returns(&server, before);
    assert!(server.is_running());
}

#[test]
fn what_was_sent_before_the_end_is_answered() {
    let server = ours();
    let mut stream = connect(&server);
    stream.write_all(b"PING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*2\r\n$4\r\nEC").expect("it is read");
    stream.shutdown(Shutdown::Write).expect("it is open");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server closes");
    assert_eq!(answer.escape_ascii().to_string(), b"+PONG\r\n$2\r\nhi\r\n".escape_ascii().to_string());
}

#[test]
fn a_client_that_does_not_read_stops_nobody_else() {
    let server = ours();
    let mut other = server.client();
    other.call(&[b"SET".to_vec(), b"big".to_vec(), vec![b'x'; 1 << 20]]).expect("a reply");
    let mut deaf = connect(&server);
    deaf.write_all(&encode(&["GET", "big"]).repeat(50)).expect("it is read");
    for _ in 0..100 {
        assert_serves(&mut other);
    }
    let mut last = [0; 1 << 16];
    let mut received = 0;
    while received < 50 * ((1 << 20) + 12) {
        received += deaf.read(&mut last).expect("every reply arrives");
    }
}

#[test]
fn random_bytes_never_end_the_server() {
    let mut server = ours();
    let mut other = server.client();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..300 {
        let mut bytes = encode(&["SET", "key", "value"]).repeat(random.usize(1..4));
        for _ in 0..random.usize(1..6) {
            let place = random.usize(..bytes.len());
            match random.u32(..3) {
                0 => bytes[place] = random.u8(..),
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, random.choice(*b"*$\r\n-0129:\"'").expect("not empty")),
            }
        }
        let mut stream = connect(&server);
        stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a time limit");
        // Whether and what it answers is its own affair.
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut [0; 100]);
    }
    assert_serves(&mut other);
    assert!(server.is_running());
}

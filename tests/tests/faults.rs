//! Many clients at once and nothing left for them: a server process of its own for each test, which must answer as Redis
//! does, keep serving the others, and get its memory and its files back.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Server, eventually};

const IDLE_CLIENTS: usize = 9000;
/// Open files that a test process has besides its clients.
const OWN_FILES: u64 = 200;
const PINGS: &[u8] = b"PING\r\nPING\r\nPING\r\nPING\r\nPING\r\nPING\r\nPING\r\nPING\r\n";

#[test]
fn thousands_of_idle_connections_cost_little_and_leave_nothing_behind() {
    let limit = getrlimit(Resource::Nofile);
    // A refusal shows in the number that follows.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = IDLE_CLIENTS.min(usize::try_from(files.saturating_sub(OWN_FILES)).unwrap_or(usize::MAX));
    if count < IDLE_CLIENTS {
        eprintln!(
            "SKIPPED in part: {files} open files are allowed, so {count} clients instead of {IDLE_CLIENTS}"
        );
    }
    let server = ours(&[]);
    let mut busy = server.client();
    // It has been accepted when it is answered.
    assert_eq!(busy.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    let (files_before, memory_before) = (server.open_files(), server.resident_bytes());
    let clients: Vec<Client> = (0..count).map(|_| server.client()).collect();
    assert!(eventually(PATIENCE, || busy.figure("connected_clients") == count as u64 + 1));
    let per_client = server.resident_bytes().saturating_sub(memory_before) / count as u64;
    assert!(per_client <= 4096, "an idle connection takes {per_client} bytes");
    for _ in 0..1000 {
        assert_eq!(busy.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    }
    drop(clients);
    assert!(eventually(PATIENCE, || busy.figure("connected_clients") == 1));
    assert!(eventually(PATIENCE, || server.open_files() <= files_before), "{} files", server.open_files());
}

#[test]
fn a_thousand_clients_may_send_byte_by_byte() {
    let server = ours(&[]);
    let mut other = server.client();
    let mut clients: Vec<Client> = (0..1000).map(|_| server.client()).collect();
    for byte in encode(&["PING"]) {
        for client in &mut clients {
            client.send_raw(&[byte]).expect("it is read");
        }
        assert_eq!(other.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    }
    for client in &mut clients {
        assert_eq!(client.reply().expect("a reply"), Reply::simple("PONG"));
    }
}

#[test]
fn clients_beyond_the_limit_are_told_so_and_there_is_room_again_when_others_have_gone() {
    let server = ours(&["--maxclients", "20"]);
    let mut clients: Vec<Client> = (0..20).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    }
    for _ in 0..20 {
        let mut refused = server.client();
        let error = Reply::Error("ERR max number of clients reached".into());
        assert_eq!(refused.reply().expect("a reply"), error);
        assert!(refused.is_closed());
    }
    assert_eq!(clients[0].figure("rejected_connections"), 20);
    clients.truncate(10);
    assert!(eventually(PATIENCE, || clients[0].figure("connected_clients") == 10));
    assert_eq!(server.client().call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
}

#[test]
fn out_of_files_those_who_are_in_are_served_and_the_next_one_waits_for_room() {
    let server = ours(&[]);
    let mut inside = [server.client(), server.client()];
    for client in &mut inside {
        assert_eq!(client.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    }
    let process = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
    let limit =
        Rlimit { current: Some(server.open_files() as u64), maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(process, Resource::Nofile, limit).expect("a lower limit may be set");
    let mut outside = server.client();
    outside.send_raw(&encode(&["PING"])).expect("the system takes it");
    for client in &mut inside {
        assert_eq!(client.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    }
    drop(inside);
    assert_eq!(outside.reply().expect("a reply"), Reply::simple("PONG"));
}

#[test]
fn ten_thousand_connects_in_quick_succession_are_all_served() {
    let server = ours(&[]);
    let files = server.open_files();
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..2500 {
                    let mut client = server.client();
                    if number % 100 == 0 {
                        assert_eq!(client.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
                    }
                }
            });
        }
    });
    assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
    let mut client = server.client();
    assert!(eventually(PATIENCE, || client.figure("connected_clients") == 1));
    assert_eq!(client.figure("total_connections_received"), 10_002);
    assert!(eventually(PATIENCE, || server.open_files() <= files + 1), "{} files", server.open_files());
}

#[test]
fn everybody_can_be_killed_under_load() {
    let server = ours(&[]);
    let mut killer = server.client();
    assert_eq!(killer.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
    let files = server.open_files();
    thread::scope(|scope| {
        let busy: Vec<_> = (0..40).map(|_| scope.spawn(|| pump_until_closed(server.client()))).collect();
        assert!(eventually(PATIENCE, || killer.figure("connected_clients") == 41));
        assert_eq!(killer.call(&["CLIENT", "KILL", "TYPE", "normal"]).expect("a reply"), Reply::Integer(40));
        assert_eq!(killer.figure("connected_clients"), 1);
        for client in busy {
            client.join().expect("each was answered until it was closed");
        }
    });
    assert!(eventually(PATIENCE, || server.open_files() <= files), "{} files", server.open_files());
    assert_eq!(server.client().call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
}

#[test]
fn sigterm_under_load_ends_it_cleanly() {
    let mut server = ours(&[]);
    let address = server.address();
    let is_pumping = AtomicBool::new(false);
    thread::scope(|scope| {
        let busy: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(address).expect("it accepts");
                    assert_eq!(client.call(&["PING"]).expect("a reply"), Reply::simple("PONG"));
                    is_pumping.store(true, Ordering::Relaxed);
                    pump_until_closed(client);
                })
            })
            .collect();
        assert!(eventually(PATIENCE, || is_pumping.load(Ordering::Relaxed)));
        let process = i32::try_from(server.id()).ok().and_then(Pid::from_raw).expect("it runs");
        kill_process(process, Signal::TERM).expect("it can be told");
        assert_eq!(server.end(), Some(0));
        for client in busy {
            // One that came too late was not accepted.
            let _ = client.join();
        }
    });
}

/// Sends pipelines and reads their replies, which are right, until the server closes the connection.
fn pump_until_closed(mut client: Client) {
    let deadline = Instant::now() + PATIENCE;
    let closed = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    loop {
        let answered = client.send_raw(PINGS).and_then(|()| client.frames(8));
        match answered {
            Ok(frames) => assert!(frames.iter().all(|(_, reply)| *reply == Reply::simple("PONG"))),
            Err(error) if closed.contains(&error.kind()) => return,
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < deadline, "it is never closed");
    }
}

fn ours(arguments: &[&str]) -> Server {
    Server::ours("redis-7.2", arguments)
}

//! Users, where it matters what other clients and other starts of the server see: changes that reach clients at work, users
//! in files, and callers inside the process. What the commands reply is told by the transcripts.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shardis_server::config::file::Loader;
use shardis_server::{Server, Value};
use shardis_tests::client::{Client, PATIENCE, encode};
use shardis_tests::reply::Reply;
use shardis_tests::server::{Over, eventually};

/// Changes of a user while another client does what they are about.
const CHANGES: usize = 200;
/// Commands that it sends at once.
const BATCH: usize = 500;

#[test]
fn what_is_admitted_after_a_change_was_answered_obeys_it() {
    let server = Server::builder().start().expect("it starts");
    server.execute(&["ACL", "SETUSER", "worker", "on", "nopass", "~*"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = client(&server);
            client.call(&["AUTH", "worker", "x"]).expect("a reply");
            let batch = encode(&["INCR", "n"]).repeat(BATCH);
            while !is_over.load(Ordering::Relaxed) {
                client.send_raw(&batch).expect("it is served");
                client.frames(BATCH).expect("replies");
            }
        });
        let mut admin = client(&server);
        let _over = Over(&is_over);
        let mut number = || match admin.call(&["INCRBY", "n", "0"]).expect("a reply") {
            Reply::Integer(number) => number,
            other => panic!("{other:?}"),
        };
        for change in 0..CHANGES {
            let before = number();
            server.execute(&["ACL", "SETUSER", "worker", "+incr"]);
            assert!(eventually(PATIENCE, || number() > before), "change {change}");
            server.execute(&["ACL", "SETUSER", "worker", "-incr"]);
            let at_once = number();
            let later = (0..20).map(|_| number()).last().expect("twenty numbers");
            // One may have been on its way.
            assert!(later - at_once <= 1, "change {change}: {at_once} became {later}");
        }
    });
}

#[test]
fn clients_that_come_and_log_in_meanwhile_miss_no_change() {
    let server = Server::builder().start().expect("it starts");
    server.execute(&["ACL", "SETUSER", "worker", "on", "nopass", "+ping"]);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let connect = || {
                        let mut client = client(&server);
                        client.call(&["AUTH", "worker", "x"]).expect("a reply");
                        client
                    };
                    (0..50).map(|_| connect()).collect::<Vec<_>>()
                })
            })
            .collect();
        for change in 0..CHANGES {
            let rule = if change % 2 == 0 { "-ping" } else { "+ping" };
            server.execute(&["ACL", "SETUSER", "worker", rule]);
        }
        server.execute(&["ACL", "SETUSER", "worker", "-ping", "+echo"]);
        let clients = clients.into_iter().flat_map(|clients| clients.join().expect("they connect"));
        for mut client in clients {
            assert!(client.call(&["PING"]).expect("a reply").is_error());
            assert!(!client.call(&["ECHO", "x"]).expect("a reply").is_error());
        }
    });
    // Whoever is gone is not in the way of the next change.
    assert_eq!(server.execute(&["ACL", "DELUSER", "worker"]).as_integer(), Some(1));
}

#[test]
fn callers_inside_the_process_may_do_everything() {
    let server = Server::builder().no_listener().start().expect("it starts");
    let mut session = server.session();
    let ok = Value::Simple("OK".into());
    assert_eq!(session.execute(&["ACL", "SETUSER", "default", "reset"]), ok);
    assert_eq!(session.execute(&["ACL", "SETUSER", "nobody", "on", "nopass"]), ok);
    for session in [&mut session, &mut server.session()] {
        assert_eq!(session.execute(&["SET", "k", "v"]), ok);
        assert_eq!(session.execute(&["AUTH", "nobody", "x"]), ok);
        assert_eq!(session.execute(&["ACL", "WHOAMI"]), Value::Bulk(b"nobody".to_vec()));
        assert_eq!(session.execute(&["GET", "k"]), Value::Bulk(b"v".to_vec()));
    }
    assert_eq!(server.execute(&["DEL", "k"]).as_integer(), Some(1));
    assert_eq!(server.execute(&["ACL", "LOG"]), Value::Array(Vec::new()));
}

#[test]
fn users_outlive_the_server_in_their_file() {
    let place = Place::new("file");
    place.write("users.acl", "user alice on >secret ~a* &c* +@read (+set ~b*)\n\nuser bob off\n");
    let start = || {
        let builder = Server::builder().no_listener().set("dir", place.0.as_os_str().as_encoded_bytes());
        builder.and_then(|builder| builder.set("aclfile", "users.acl")).expect("settings").start()
    };
    let server = start().expect("it starts");
    let told = lines(&server);
    assert_eq!(told.len(), 3);
    server.execute(&["ACL", "SETUSER", "carol", "on", "nopass", "+@all", "-@dangerous", "%R~x"]);
    server.execute(&["ACL", "SETUSER", "default", "-flushall"]);
    server.execute(&["ACL", "DELUSER", "bob"]);
    let told = lines(&server);
    assert_eq!(server.execute(&["ACL", "SAVE"]), Value::Simple("OK".into()));
    assert_eq!(place.read("users.acl"), told.iter().map(|line| format!("{line}\n")).collect::<String>());
    drop(server);
    let server = start().expect("it starts");
    assert_eq!(lines(&server), told);

    // What is wrong with the file changes nothing, and no server starts with it.
    place.write("users.acl", "user alice on\nuser alice off\nuser dave +nosuch nosuch ~* ~x\nnobody\n");
    let errors = "WARNING: Duplicate user 'alice' found on line 2. \
                  users.acl:3: Error in applying operation '+nosuch': Unknown command or category name in ACL. \
                  users.acl:3: Syntax error. \
                  users.acl:4 should start with user keyword followed by the username. \
                  WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    assert_eq!(server.execute(&["ACL", "LOAD"]), Value::Error(format!("ERR {errors}")));
    assert_eq!(lines(&server), told);
    let error = start().expect_err("the file is wrong").to_string();
    assert_eq!(error, format!("Aborting Redis startup because of ACL errors: {errors}"));

    place.write("users.acl", "user alice on nopass +@all\n");
    assert_eq!(server.execute(&["ACL", "LOAD"]), Value::Simple("OK".into()));
    assert_eq!(
        lines(&server),
        [
            "user alice on nopass sanitize-payload resetchannels +@all",
            "user default on nopass sanitize-payload ~* &* +@all"
        ]
    );
}

#[test]
fn loading_closes_the_clients_of_users_who_are_not_there_any_more() {
    for (personality, stays) in [("redis-7.2", false), ("valkey-9.1", true)] {
        let place = Place::new(personality);
        place.write("users.acl", "user alice on nopass +@all\nuser bob on nopass +@all\n");
        let builder =
            Server::builder().set("dir", place.0.as_os_str().as_encoded_bytes()).expect("a directory");
        let builder = builder.set("aclfile", "users.acl").and_then(|it| it.set("personality", personality));
        let server = builder.expect("settings").start().expect("it starts");
        let mut clients = ["alice", "bob", "default"].map(|user| {
            let mut client = client(&server);
            assert!(!client.call(&["AUTH", user, "x"]).expect("a reply").is_error());
            client
        });
        place.write("users.acl", "user alice on nopass +ping\n");
        server.execute(&["ACL", "LOAD"]);
        let [alice, bob, default] = &mut clients;
        assert!(bob.is_closed(), "{personality}");
        assert!(!default.call(&["GET", "k"]).expect("a reply").is_error());
        if stays {
            assert!(!alice.call(&["PING"]).expect("a reply").is_error());
            assert!(alice.call(&["GET", "k"]).expect("a reply").is_error());
        } else {
            assert!(alice.is_closed(), "{personality}");
        }
    }
}

#[test]
fn users_of_a_configuration_file_are_rewritten_where_they_stand() {
    let place = Place::new("rewrite");
    let path = place.0.join("redis.conf");
    let text = "port 0\nuser bob on nopass\n# A comment.\nuser carol off\nrequirepass secret\n";
    place.write("redis.conf", text);
    let start = || {
        let mut loader = Loader::default();
        loader.read_file(&path);
        Server::builder().config(loader.finish().expect("a configuration")).start()
    };
    let server = start().expect("it starts");
    server.execute(&["ACL", "SETUSER", "bob", "+get", "~b*", "&*"]);
    server.execute(&["ACL", "DELUSER", "carol"]);
    server.execute(&["ACL", "SETUSER", "dave", "on", "(+set ~d)"]);
    server.execute(&["CONFIG", "SET", "requirepass", "other"]);
    let told = lines(&server);
    assert_eq!(server.execute(&["CONFIG", "REWRITE"]), Value::Simple("OK".into()));
    let rewritten = place.read("redis.conf");
    let (bob, dave) = (&told[0], &told[1 + 1]);
    assert!(rewritten.contains(&format!("port 0\n{bob}\n# A comment.\n")), "{rewritten}");
    assert!(rewritten.ends_with(&format!("{dave}\n")), "{rewritten}");
    assert!(!rewritten.contains("carol"), "{rewritten}");
    drop(server);
    assert_eq!(lines(&start().expect("it starts")), told);
}

/// Reasons as redis-server 7.0.15 and valkey-server 9.1.2 give them.
#[test]
fn wrong_users_of_a_configuration_file_stop_the_start() {
    let place = Place::new("wrong");
    place.write("users.acl", "");
    for (text, told) in [
        (
            "user alice on nosuch",
            ">>> 'user alice on nosuch'\nError in user declaration 'alice': Syntax error",
        ),
        (
            "user alice #x",
            "Error in user declaration 'user': The password hash must be exactly 64 characters",
        ),
        ("user alice (+get", "Error in user declaration 'user': Wrong format"),
        ("user \"a b\" on", "Spaces not allowed in ACL usernames"),
        (
            "user alice +nosuch",
            "Error loading ACL rule '+nosuch' for the user named 'alice': Unknown command or category name in ACL",
        ),
        (
            "user alice on\naclfile users.acl",
            "Configuring Redis with users defined in redis.conf and at the same",
        ),
        ("aclfile nosuch.acl", "Error loading ACLs, opening file 'nosuch.acl': No such file or directory"),
    ] {
        let path = place.0.join("redis.conf");
        fs::write(&path, format!("port 0\ndir {}\n{text}\n", place.0.display())).expect("a file");
        let mut loader = Loader::default();
        loader.read_file(&path);
        let started = Server::builder().config(loader.finish().expect("a configuration")).start();
        let error = started.expect_err(text).to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    let mut loader = Loader::default();
    place.write("redis.conf", "user alice on\nuser\nuser alice off\n");
    loader.read_file(&place.0.join("redis.conf"));
    let error = loader.finish().expect_err("two of them are wrong").to_string();
    assert!(error.contains(">>> 'user'\nBad directive or wrong number of arguments"), "{error}");
    assert!(error.contains("Error in user declaration 'alice': Duplicate user found."), "{error}");
}

fn client(server: &Server) -> Client {
    Client::connect(server.addr().expect("it listens")).expect("it accepts")
}

/// The lines that declare the users.
fn lines(server: &Server) -> Vec<String> {
    let Value::Array(lines) = server.execute(&["ACL", "LIST"]) else { panic!("a list") };
    let line = |line: &Value| String::from_utf8(line.as_bytes().expect("a text").into()).expect("letters");
    lines.iter().map(line).collect()
}

/// A directory that goes when the test ends.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("shardis-acl-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Place(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("a file")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

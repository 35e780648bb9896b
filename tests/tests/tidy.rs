//! The invariants of `ARCHITECTURE.md` and the rules of style that a text can show, checked over the sources.
//!
//! It reads text and does not parse Rust: comments and literals are told from code, and the tests at the end of a file
//! from what is before them; that is all. What the compiler and clippy can check is left to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use shardis_server::{Server, Value};

/// Lines before the tests. More needs a place in `LONG_FILES`.
const LINES_MAX: usize = 500;
/// More is a failure, in tests too.
const LINES_HARD_MAX: usize = 700;

/// Files that are too long, and how long they may be. The list may only shrink, and so may its numbers.
const LONG_FILES: [(&str, usize); 0] = [];

/// Names of commands that are also words of something else.
const NAMES_ELSEWHERE: [(&str, &str); 15] = [
    // The clause of COMPUTE that says which type of keys is meant.
    ("compute/src/grammar.rs", "TYPE"),
    // The flag of the commands that only read.
    ("server/src/acl/selector.rs", "READONLY"),
    ("server/src/command/flags.rs", "READONLY"),
    ("server/src/command/table.rs", "READONLY"),
    ("server/src/dispatch/admit.rs", "READONLY"),
    // The flag and the category of Pub/Sub.
    ("server/src/command/flags.rs", "PUBSUB"),
    ("server/src/command/category.rs", "PUBSUB"),
    ("server/src/command/table.rs", "PUBSUB"),
    // The option of the requests for locks that says how long to wait.
    ("server/src/guards.rs", "WAIT"),
    // The category of the commands over sets.
    ("server/src/command/category.rs", "SET"),
    // The class of the events of sets.
    ("server/src/command/event.rs", "SET"),
    ("server/src/config/events.rs", "SET"),
    ("server/src/notify.rs", "SET"),
    // What scripts call the keys that they are given.
    ("server/src/scripting/outline.rs", "KEYS"),
    // The method of HTTP.
    ("server/src/net/metrics.rs", "GET"),
];

/// The only files with `unsafe`; each has a safe face and runs under valgrind in `./tests/run`.
const UNSAFE_FILES: [&str; 7] = [
    "storage/src/allocator.rs",
    "storage/src/bits/count.rs",
    "storage/src/keyspace/entry.rs",
    "storage/src/table/bucket.rs",
    "storage/src/table/prefetch.rs",
    "storage/src/types/hash/entry.rs",
    "storage/src/types/sorted_set/entry.rs",
];

/// Crates that know neither each other nor the world.
const PURE_CRATES: [&str; 3] = ["protocol", "storage", "compute"];

/// Who may not mention whom inside the server: drivers stand above `dispatch`, everything else below.
const LAYERS: [(&str, &[&str]); 13] = [
    ("acl/", &["commands", "dispatch", "net", "session"]),
    ("command/", &["commands", "dispatch", "net", "session"]),
    ("client/", &["commands", "dispatch", "net", "session"]),
    ("config/", &["commands", "dispatch", "net", "session", "jobs", "state"]),
    ("observe/", &["commands", "dispatch", "net", "session"]),
    ("jobs/", &["commands", "dispatch", "net", "session"]),
    ("locks/", &["commands", "dispatch", "net", "session"]),
    ("pubsub/", &["commands", "dispatch", "net", "session"]),
    ("tracking/", &["commands", "dispatch", "net", "session"]),
    ("dispatch/", &["commands", "net", "session"]),
    ("commands/", &["dispatch", "net", "session"]),
    ("net/", &["commands", "session"]),
    ("session.rs", &["commands", "net"]),
];

/// Everything that opens, accepts or is a connection.
const SOCKETS: [&str; 8] = [
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixListener",
    "UdpSocket",
    "DuplexStream",
    "socket2",
    "SockRef",
];

/// Ways to change something behind a `static`.
const INTERIOR_MUTABILITY: [&str; 8] =
    ["Mutex", "RwLock", "Atomic", "Cell", "OnceLock", "LazyLock", "thread_local", "static mut"];

#[test]
fn every_file_says_first_what_it_is() {
    let silent: Vec<_> = sources().into_iter().filter(|source| !source.text.starts_with("//! ")).collect();
    assert_none("no //! at the beginning", silent.iter().map(|source| source.path.clone()));
}

#[test]
fn files_are_short() {
    let mut offences = Vec::new();
    for source in sources() {
        let lines = source.production.lines().count();
        let lines_max = if source.path.contains("tests/") { LINES_HARD_MAX } else { LINES_MAX };
        match LONG_FILES.iter().find(|(path, _)| *path == source.path) {
            Some(_) if lines <= LINES_MAX => offences.push(format!("{}: no exception any more", source.path)),
            Some((_, lines_max)) if lines <= *lines_max => {}
            None if lines <= lines_max => {}
            _ => offences.push(format!("{}: {lines} lines", source.path)),
        }
    }
    assert!(LONG_FILES.iter().all(|(path, lines)| *lines <= LINES_HARD_MAX && root().join(path).is_file()));
    assert_none("too long", offences);
}

#[test]
fn no_command_is_named_outside_the_catalogue() {
    let names = command_names();
    let mut excepted = BTreeSet::new();
    let mut offences = Vec::new();
    for source in production().filter(|source| !source.is_below("server/src/commands/")) {
        let words = words(&source.production).chain(source.literals.iter().map(String::as_str));
        for name in words.filter(|word| names.contains(*word)) {
            match NAMES_ELSEWHERE.iter().find(|exception| **exception == (source.path.as_str(), name)) {
                Some(exception) => drop(excepted.insert(exception)),
                None => offences.push(format!("{}: {name}", source.path)),
            }
        }
    }
    assert_none("a command's name", offences);
    assert_eq!(excepted.len(), NAMES_ELSEWHERE.len(), "exceptions that are none: only {excepted:?} are");
}

#[test]
fn only_the_keyspace_locks_shards_and_only_dispatch_begins_transactions() {
    let below_keyspace = |source: &Source| source.is_below("storage/src/keyspace/");
    let storage = production().filter(|source| source.is_below("storage/") && !below_keyspace(source));
    assert_none("a lock in storage", mentions(storage, &["try_lock", "Mutex", "RwLock", "MutexGuard"]));
    // Among the types there is one that is called so, and is plain data.
    let others = production().filter(|source| {
        source.is_below("storage/") && !below_keyspace(source) && !source.is_below("storage/src/types/")
    });
    assert_none("a lock in storage, outside the types", mentions(others, &["lock"]));
    let server = || production().filter(|source| source.is_below("server/"));
    assert_none("the shard itself, outside storage", mentions(server(), &["Shard"]));
    let others = server().filter(|source| !source.is_below("server/src/dispatch/"));
    let begin = others.filter(|source| source.production.contains("keyspace.begin("));
    assert_none("a transaction", begin.map(|source| source.path));
}

#[test]
fn nothing_waits_in_dispatch() {
    let dispatch = production().filter(|source| source.is_below("server/src/dispatch/"));
    assert_none(
        "something that may wait",
        mentions(dispatch, &["async", "await", "recv", "sleep", "block_on"]),
    );
}

#[test]
fn nothing_is_unsafe_outside_the_listed_files() {
    let is_unsafe = |source: &Source| words(&source.code).any(|word| word == "unsafe");
    let found: Vec<String> = sources().into_iter().filter(is_unsafe).map(|source| source.path).collect();
    assert_eq!(found, UNSAFE_FILES);
    let roots = sources().into_iter().filter(|source| source.path.ends_with("/src/lib.rs"));
    let open = roots.filter(|source| {
        // Where single modules are let off, the crate can only deny.
        let level =
            if ["storage/", "compute/"].iter().any(|name| source.is_below(name)) { "deny" } else { "forbid" };
        !source.code.contains(&format!("#![{level}(unsafe_code)]"))
    });
    assert_none("a crate that does not refuse unsafe code", open.map(|source| source.path));
}

#[test]
fn tests_neither_sleep_nor_expect_panics_nor_are_left_out() {
    let mut offences = Vec::new();
    for source in sources() {
        let is_harness = source.path.contains("tests/");
        let tests = if is_harness { &source.code } else { &source.code[source.production.len()..] };
        let attributes = ["ignore", "should_panic"].map(|name| format!("#[{name}"));
        let sleeps = ["thread", "time"].map(|module| format!("{module}::sleep"));
        let found = attributes.iter().chain(&sleeps).filter(|text| tests.contains(text.as_str()));
        offences.extend(found.map(|word| format!("{}: {word}", source.path)));
    }
    assert_none("not for tests", offences);
}

#[test]
fn pure_crates_know_neither_each_other_nor_the_world() {
    let mut offences = Vec::new();
    for name in PURE_CRATES {
        let manifest =
            fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a crate has a manifest");
        let (_, dependencies) = manifest.split_once("[dependencies]").expect("a list, even if it is empty");
        let is_foreign = |line: &&str| line.starts_with("shardis-") || line.starts_with("tokio");
        offences.extend(dependencies.lines().filter(is_foreign).map(|line| format!("{name}: {line}")));
    }
    let pure =
        || production().filter(|source| PURE_CRATES.iter().any(|name| source.is_below(&format!("{name}/"))));
    offences.extend(mentions(pure(), &["async", "await", "tokio", "Instant", "SystemTime"]));
    for path in ["std::net", "std::fs", "std::env", "std::process", "std::thread"] {
        let naming = pure().filter(|source| source.production.contains(path));
        offences.extend(naming.map(|source| format!("{}: {path}", source.path)));
    }
    assert_none("not for a crate without a world", offences);
}

#[test]
fn modules_of_the_server_depend_in_one_direction() {
    let mut offences = Vec::new();
    for (module, refused) in LAYERS {
        let path = format!("server/src/{module}");
        let files: Vec<Source> = production().filter(|source| source.is_below(&path)).collect();
        assert!(!files.is_empty(), "there is no {path}");
        for (source, other) in files.iter().flat_map(|file| refused.iter().map(move |other| (file, other))) {
            if words_after(&source.production, "crate::").any(|word| word == *other) {
                offences.push(format!("{}: crate::{other}", source.path));
            }
        }
    }
    assert_none("against the direction", offences);
}

#[test]
fn only_few_files_name_sockets() {
    let known = [
        "server/src/net/listener.rs",
        "server/src/net/metrics.rs",
        "server/src/net/thread.rs",
        "server/src/builder.rs",
    ];
    let others = production().filter(|source| !known.contains(&source.path.as_str()));
    assert_none("a socket", mentions(others, &SOCKETS));
}

#[test]
fn only_the_clock_reads_the_time() {
    let others = production().filter(|source| source.path != "server/src/clock.rs");
    let readings = ["Instant::now", "SystemTime::now", "tokio::time"];
    let reading = others.filter(|source| readings.iter().any(|reading| source.production.contains(reading)));
    assert_none("another clock", reading.map(|source| source.path));
}

#[test]
fn nothing_global_changes() {
    let mut offences = Vec::new();
    // What is lent to everything that happens on a thread while a script runs, and gone with it.
    let others = production().filter(|source| source.path != "server/src/scripting/bridge.rs");
    for source in others {
        let statics = source.production.split('\n').filter(|line| {
            let is_static = line.trim_start().trim_start_matches("pub ").starts_with("static ");
            is_static || line.contains("thread_local")
        });
        let changing = statics.filter(|line| INTERIOR_MUTABILITY.iter().any(|word| line.contains(word)));
        offences.extend(changing.map(|line| format!("{}: {}", source.path, line.trim())));
    }
    assert_none("global state", offences);
}

#[test]
fn panics_outside_tests_say_which_invariant_they_rely_on() {
    let mut offences = Vec::new();
    for source in production() {
        let expected = source.production.matches(".expect(").count();
        let explained = source.literals.iter().filter(|literal| literal.starts_with("invariant: ")).count();
        if expected > explained || source.production.contains(".unwrap()") {
            offences.push(format!("{}: {expected} expectations, {explained} explained", source.path));
        }
    }
    assert_none("an unexplained panic", offences);
}

#[test]
fn no_path_of_a_machine_is_written_down() {
    // In two pieces, because this file is searched too.
    let homes = ["/ro", "/ho", "/wo"].into_iter().zip(["ot/", "me/", "rk/"]);
    let homes: Vec<String> = homes.map(|(start, end)| format!("{start}{end}")).collect();
    let mut offences = Vec::new();
    for path in files_below(&root(), &|_| true) {
        // What is no text holds no path that anybody could read.
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        let named = homes.iter().filter(|home| text.contains(home.as_str()));
        offences.extend(named.map(|home| format!("{path}: {home}")));
    }
    assert_none("a path of somebody's machine", offences);
}

#[test]
fn the_reader_tells_code_from_comments_and_literals() {
    let text = "//! GET\nfn a<'a>() { b(\"SET\", b\"x\\\"y\", r#\"q\"q\"#, '\"', b'\\''); /* DEL /* x */ */ } // z\n\
                #[cfg(test)]\nmod tests {\n  fn c() {}\n}\n";
    let source = Source::new("x.rs".into(), text.into());
    assert_eq!(source.literals, ["SET", "x\\\"y", "q\"q"]);
    assert_eq!(source.code.len(), text.len());
    assert!(source.production.ends_with('\n') && text[source.production.len()..].starts_with("#[cfg(test)]"));
    let words: Vec<&str> = words(&source.production).collect();
    assert_eq!(words, ["fn", "a", "a", "b", "b", "r", "b"]);
}

/// A file of Rust.
struct Source {
    /// From the root of the repository.
    path: String,
    text: String,
    /// The text, with blanks for comments and for what stands in literals.
    code: String,
    /// Of the code, what comes before the tests at the end.
    production: String,
    /// The strings of the production code, as they are written.
    literals: Vec<String>,
}

impl Source {
    fn new(path: String, text: String) -> Source {
        let (code, literals) = split(&text);
        let tests = code.match_indices("\n#[cfg(test)]\n").find(|(at, marker)| {
            let next = code[at + marker.len()..].lines().next().unwrap_or_default();
            next.contains("mod ") && next.ends_with('{')
        });
        let end = tests.map_or(code.len(), |(at, _)| at + 1);
        let literals = literals.into_iter().filter(|(at, _)| *at < end).map(|(_, text)| text).collect();
        Source { path, text, production: code[..end].to_owned(), literals, code }
    }

    fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

/// The code without comments and literals, in as many bytes, and the strings with their places.
fn split(text: &str) -> (String, Vec<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let hashes = rest.strip_prefix('r').map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
        let is_raw = rest.starts_with('r') && rest[1 + hashes..].starts_with('"');
        let (skipped, inside) = if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            (end, 0..end)
        } else if rest.starts_with("/*") {
            let end = end_of_block_comment(rest);
            (end, 0..end)
        } else if is_raw && !ends_in_word(&text[..at]) {
            let closing = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            let end = start + rest[start..].find(&closing).expect("sources compile");
            literals.push((at, rest[start..end].to_owned()));
            (end + closing.len(), start..end)
        } else if rest.starts_with('"') {
            let end = end_of_literal(rest, '"');
            literals.push((at, rest[1..end].to_owned()));
            (end + 1, 1..end)
        } else if let Some(end) = end_of_character(rest) {
            (end + 1, 1..end)
        } else {
            (rest.chars().next().map_or(1, char::len_utf8), 0..0)
        };
        for byte in &mut code[at + inside.start..at + inside.end] {
            // Line breaks stay, so that lines can be counted.
            *byte = if *byte == b'\n' { b'\n' } else { b' ' };
        }
        at += skipped;
    }
    let code = String::from_utf8(code).expect("whole characters were replaced");
    (code, literals)
}

fn end_of_block_comment(text: &str) -> usize {
    let mut depth = 0;
    for (at, pair) in text.as_bytes().windows(2).enumerate() {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at + 2;
        }
    }
    text.len()
}

/// Where the closing mark stands; an escaped one does not close.
fn end_of_literal(text: &str, mark: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == mark => return at,
            _ => {}
        }
    }
    text.len() - 1
}

/// Where the closing mark of a character stands; none at a lifetime, which has only one.
fn end_of_character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let is_character = first == '\\' || inside[first.len_utf8()..].starts_with('\'');
    is_character.then(|| end_of_literal(text, '\''))
}

fn ends_in_word(text: &str) -> bool {
    // `br"…"` is a literal too.
    let text = text.strip_suffix('b').unwrap_or(text);
    text.ends_with(|last: char| last.is_alphanumeric() || last == '_')
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}

/// The words right behind `marker`.
fn words_after<'a>(code: &'a str, marker: &str) -> impl Iterator<Item = &'a str> {
    code.split(marker).skip(1).filter_map(|rest| words(rest).next())
}

/// Which of these words stand in the production code of these files.
fn mentions(files: impl Iterator<Item = Source>, wanted: &[&str]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for source in files {
        let named = words(&source.production).filter(|word| wanted.contains(word));
        found.extend(named.map(|word| format!("{}: {word}", source.path)));
    }
    found.into_iter().collect()
}

fn assert_none(what: &str, offences: impl IntoIterator<Item = String>) {
    let offences: Vec<String> = offences.into_iter().collect();
    assert!(offences.is_empty(), "{what}: {offences:#?}");
}

/// Every command's name, in upper case. The names of subcommands are everyday words.
fn command_names() -> BTreeSet<String> {
    let server = Server::builder().no_listener().start().expect("it starts");
    let Value::Array(names) = server.execute(&["COMMAND", "LIST"]) else { panic!("it lists its commands") };
    let names =
        names.iter().filter_map(Value::as_bytes).map(|name| String::from_utf8_lossy(name).to_uppercase());
    names.filter(|name| !name.contains('|')).collect()
}

/// Every file of Rust, in the order of their paths.
fn sources() -> Vec<Source> {
    let is_rust = |path: &str| path.ends_with(".rs");
    let files = files_below(&root(), &is_rust).into_iter();
    files
        .map(|path| Source::new(path.clone(), fs::read_to_string(root().join(path)).expect("a text")))
        .collect()
}

/// The files of the product itself.
fn production() -> impl Iterator<Item = Source> {
    let is_product = |source: &Source| {
        PURE_CRATES.iter().chain(&["server"]).any(|name| source.is_below(&format!("{name}/src/")))
    };
    sources().into_iter().filter(is_product)
}

/// Paths from the root, sorted, without what git and cargo put there.
fn files_below(folder: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let name = path.strip_prefix(root()).expect("it is below").display().to_string();
        if path.is_dir() {
            if !["target", ".git"].contains(&name.as_str()) {
                paths.extend(files_below(&path, is_wanted));
            }
        } else if is_wanted(&name) {
            paths.push(name);
        }
    }
    paths.sort();
    paths
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the tests lie in the repository").to_owned()
}

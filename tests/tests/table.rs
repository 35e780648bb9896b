//! The command table, checked from outside: that it agrees with itself, with the real servers and with our papers.
//!
//! Everything is asked over the wire, as clients see it. `reference/command-info-*.txt` is what the real servers answer;
//! `UPDATE=1` rewrites these files and `COMMANDS.md`. What the commands do is not tested here, see `transcripts`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use shardis_tests::client::Client;
use shardis_tests::reference::Reference;
use shardis_tests::reply::{Kind, Reply};
use shardis_tests::server::Server;

/// The personality whose declarations are compared with both references, and which our papers describe: the default one.
const PERSONALITY: &str = "redis-7.2";

/// Commands that neither reference has, and why we do.
const OURS: [(&str, &str); 42] = [
    ("compute.aggregate", "ours alone"),
    ("compute.apply", "ours alone"),
    ("compute.close", "ours alone"),
    ("compute.count", "ours alone"),
    ("compute.explain", "ours alone"),
    ("compute.help", "ours alone"),
    ("compute.kaggregate", "ours alone"),
    ("compute.kapply", "ours alone"),
    ("compute.kselect", "ours alone"),
    ("compute.maggregate", "ours alone"),
    ("compute.next", "ours alone"),
    ("compute.select", "ours alone"),
    ("delex", "Redis has it since 8.4"),
    ("digest", "Redis has it since 8.4"),
    ("job.cancel", "ours alone"),
    ("job.info", "ours alone"),
    ("job.list", "ours alone"),
    ("job.result", "ours alone"),
    ("job.wait", "ours alone"),
    ("latch.await", "ours alone"),
    ("latch.down", "ours alone"),
    ("latch.info", "ours alone"),
    ("latch.set", "ours alone"),
    ("lock.acquire", "ours alone"),
    ("lock.attach", "ours alone"),
    ("lock.break", "ours alone"),
    ("lock.check", "ours alone"),
    ("lock.fence", "ours alone"),
    ("lock.guard", "ours alone"),
    ("lock.info", "ours alone"),
    ("lock.list", "ours alone"),
    ("lock.macquire", "ours alone"),
    ("lock.release", "ours alone"),
    ("lock.renew", "ours alone"),
    ("sem.acquire", "ours alone"),
    ("sem.create", "ours alone"),
    ("sem.info", "ours alone"),
    ("sem.release", "ours alone"),
    ("sem.renew", "ours alone"),
    ("sem.resize", "ours alone"),
    ("xackdel", "Redis has it since 8.2"),
    ("xdelex", "Redis has it since 8.2"),
];

/// What `COMMANDS.md` adds to summaries that are Redis's own and promise more than we keep.
const NOTES: [(&str, &str); 14] = [
    ("bgrewriteaof", NOT_SAVED),
    ("bgsave", NOT_SAVED),
    ("cluster", " **Here: there is no cluster, and all subcommands say so.**"),
    ("debug", " **Here: what crashes or reloads a server is an error.**"),
    ("failover", NO_REPLICAS),
    ("module", " **Here: none can be loaded.**"),
    ("psync", NO_REPLICAS),
    ("replconf", NO_REPLICAS),
    ("replicaof", NO_REPLICATION),
    ("save", NOT_SAVED),
    ("script", " **Here: there is no debugger, so `DEBUG YES` and `DEBUG SYNC` are errors.**"),
    ("slaveof", NO_REPLICATION),
    ("sync", NO_REPLICAS),
    ("shutdown", " **Here: nothing is saved, and `SAVE` without `FORCE` is an error.**"),
];

const NOT_SAVED: &str = " **Here: always an error, the data is in memory only.**";
const NO_REPLICATION: &str = " **Here: an error, but for `NO ONE`; there is no replication yet.**";
const NO_REPLICAS: &str = " **Here: an error, there is no replication yet.**";

/// Facts that are those of neither reference: command, facts, reason. Ours are of 7.2, between the two.
const DIFFERENCES: [(&str, &[&str], &str); 40] = [
    ("bgsave", &["arguments"], SEVEN_TWO),
    ("bitcount", &["arguments"], "so it is in 7.2: Redis 7.0 names its range otherwise, Valkey needs no end"),
    ("bitop", &["arguments", "history"], "the operations of Redis 8.2"),
    ("client|kill", &["arguments"], "the syntax lines have no options inside of choices"),
    ("client|list", &["arguments"], SEVEN_TWO),
    ("client|no-touch", &["flags"], SEVEN_TWO),
    ("client|setinfo", &["flags"], SEVEN_TWO),
    ("cluster|addslotsrange", &["arguments"], GROUP_NAME),
    ("cluster|delslotsrange", &["arguments"], GROUP_NAME),
    ("cluster|replicate", &["arguments"], SEVEN_TWO),
    ("cluster|setslot", &["arguments"], SEVEN_TWO),
    ("failover", &["arguments"], GROUP_NAME),
    ("georadius", &["arguments"], SHOWN_NAME),
    ("georadiusbymember", &["arguments"], SHOWN_NAME),
    ("geosearch", &["arguments"], GROUP_NAME),
    ("geosearchstore", &["arguments"], GROUP_NAME),
    ("hexpire", &["since"], FIELD_DEADLINES),
    ("hexpireat", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hexpiretime", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hgetdel", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hgetex", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hpersist", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hpexpire", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hpexpireat", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hpexpiretime", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hpttl", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("hsetex", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("httl", SINCE_AND_ARGUMENTS, FIELD_DEADLINES),
    ("msetex", &["since"], "Redis has it since 8.4; Valkey counts its own versions"),
    ("psetex", DEPRECATION, SEVEN_TWO),
    ("quit", DEPRECATION, SEVEN_TWO),
    ("script|debug", &["arguments"], SEVEN_TWO),
    ("set", &["arguments", "history"], "the comparisons of Redis 8.4"),
    ("setex", DEPRECATION, SEVEN_TWO),
    ("setnx", DEPRECATION, SEVEN_TWO),
    ("shutdown", &["arguments"], SEVEN_TWO),
    ("xadd", &["arguments", "history"], OPTIONS_OF_82),
    ("xgroup|create", &["arguments"], TOKEN_NAME),
    ("xgroup|setid", &["arguments"], TOKEN_NAME),
    ("xtrim", &["arguments", "history"], OPTIONS_OF_82),
];

const OPTIONS_OF_82: &str = "what becomes of references is said since Redis 8.2";
const TOKEN_NAME: &str = "the syntax lines call a token by itself";

/// Facts of COMMAND INFO that are not those of the server whose personality it is: server, command, fact, reason.
const UNLIKE: [(Reference, &str, &str, &str); 6] = [
    (Reference::Redis, "wait", "categories", "since 7.2 it is one of the blocking commands"),
    (Reference::Valkey, "cluster|replicate", "arity", "one of Valkey 9's two words is refused as by 7.2"),
    (Reference::Valkey, "georadius", "keys", STORED_ALWAYS),
    (Reference::Valkey, "georadiusbymember", "keys", STORED_ALWAYS),
    (Reference::Valkey, "sinterstore", "keys", "the destination is read and written, as Redis has it"),
    (Reference::Valkey, "script|debug", "arity", "the engine is a word of Valkey 9.1"),
];

const SINCE_AND_ARGUMENTS: &[&str] = &["since", "arguments"];
const FIELD_DEADLINES: &str =
    "Redis has it since 7.4 or 8.0; Valkey counts its own versions, and takes some numbers for keys";
const DEPRECATION: &[&str] = &["doc_flags", "deprecated_since", "replaced_by"];
const GROUP_NAME: &str = "a syntax line does not say what a group is called and what leads it";
const SHOWN_NAME: &str = "a syntax line does not say what an argument is called and what it is shown as";
const STORED_ALWAYS: &str = "flags that are the same in all calls are not variable, as Redis has it";
const SEVEN_TWO: &str = "so it is in 7.2: Redis 7.0 has it not yet, Valkey 9 no longer";

/// Commands whose arguments do not tell their arity, and why.
const ARITIES: [(&str, &str); 4] = [
    ("debug", "what it has inside is nobody's business"),
    ("psync", "what servers say to each other is nobody's business"),
    ("quit", "further words are ignored"),
    ("replconf", "what servers say to each other is nobody's business"),
];

/// A call whose key COMMAND GETKEYS does not find, in the real servers either: it refuses a range of keys that is empty.
const KEY_NOT_FOUND: [&str; 2] = ["pfmerge", "key:1"];

#[test]
fn captures_are_what_the_references_answer() {
    for reference in Reference::ALL {
        let Some(server) = reference.start(&[]) else { continue };
        let mut capture =
            format!("# What {} answers to COMMAND and COMMAND DOCS.\n", reference.personality());
        capture.extend(BTreeSet::from_iter(Command::all(&server).iter().map(Command::to_text)));
        assert_current(&capture_path(reference), &capture);
    }
}

#[test]
fn every_fact_is_that_of_a_reference_or_explained() {
    let captures = Reference::ALL.map(|reference| read_capture(&capture_path(reference)));
    let mut unexplained = Vec::new();
    let mut used = BTreeSet::new();
    let commands = Command::all(&ours());
    for command in &commands {
        let name = command.name.as_str();
        let known: Vec<_> = captures.iter().filter_map(|capture| capture.get(name)).collect();
        let is_ours = OURS.iter().any(|(ours, _)| *ours == name);
        assert_eq!(known.is_empty(), is_ours, "OURS and the captures disagree about {name}");
        for (fact, value) in command.facts() {
            let theirs: Vec<_> =
                known.iter().map(|facts| facts.get(fact).map_or("", String::as_str)).collect();
            if is_ours || theirs.contains(&value.as_str()) {
                continue;
            }
            if DIFFERENCES.iter().any(|(command, facts, _)| *command == name && facts.contains(&fact)) {
                used.insert((name, fact));
            } else {
                unexplained.push(format!("{name} {fact}\n  ours   {value}\n  theirs {theirs:#?}"));
            }
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    let listed = DIFFERENCES.iter().map(|(_, facts, _)| facts.len()).sum();
    assert_eq!(used.len(), listed, "some differences are none: only {used:?} are");
}

#[test]
fn every_fact_of_command_info_is_that_of_the_imitated_server_or_explained() {
    let mut unexplained = Vec::new();
    let mut used = 0;
    for reference in Reference::ALL {
        let capture = read_capture(&capture_path(reference));
        for command in Command::all(&Server::ours(reference.personality(), &[])) {
            let name = command.name.as_str();
            let Some(theirs) = capture.get(name) else { continue };
            for (fact, ours) in command.info_facts() {
                let theirs = theirs.get(fact).map_or("", String::as_str);
                let is_listed =
                    UNLIKE.iter().any(|unlike| (unlike.0, unlike.1, unlike.2) == (reference, name, fact));
                if ours != theirs && !is_listed {
                    unexplained
                        .push(format!("{reference:?} {name} {fact}\n  ours   {ours}\n  theirs {theirs}"));
                }
                used += usize::from(ours != theirs && is_listed);
            }
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert_eq!(used, UNLIKE.len(), "some of UNLIKE are alike");
}

#[test]
fn names_are_unique_and_texts_well_formed() {
    let mut names = BTreeSet::new();
    for command in Command::all(&ours()) {
        let name = &command.name;
        assert!(names.insert(name.clone()), "{name} is there twice");
        let words: Vec<_> = name.split('|').collect();
        let is_word = |word: &&str| {
            !word.is_empty() && word.bytes().all(|c| b"-._".contains(&c) || c.is_ascii_lowercase())
        };
        assert!(words.len() <= 2 && words.iter().all(is_word), "{name}");
        assert!(command.text("summary").ends_with('.'), "{name}: {}", command.text("summary"));
        assert!(is_version(&command.text("since")), "{name}: since {:?}", command.text("since"));
        let changes = command.doc("history").map_or(&[][..], Reply::items);
        for change in changes {
            assert!(is_version(&text(&change.items()[0])), "{name}: {change:?}");
        }
    }
}

#[test]
fn arity_follows_from_the_arguments() {
    let mut others = Vec::new();
    for command in Command::all(&ours()).iter().filter(|command| command.doc("subcommands").is_none()) {
        let own = command.name.split('|').count();
        let (least, most) = command.arguments().iter().map(words).fold((own, Some(own)), add);
        let implied = if most == Some(least) { least as i64 } else { -(least as i64) };
        if command.info[1] != Reply::Integer(implied) {
            others.push(format!("{}: {:?}, the arguments say {implied}", command.name, command.info[1]));
        }
    }
    others.retain(|other| !ARITIES.iter().any(|(name, _)| other.starts_with(&format!("{name}:"))));
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn keys_follow_from_the_arguments() {
    let server = ours();
    let mut client = Client::connect_speaking(server.address(), 3).expect("it listens");
    for command in Command::all(&server) {
        for (options, repeats) in [(false, 1), (true, 1), (true, 3), (false, 3)] {
            let mut call = Spelling { words: Vec::new(), keys: BTreeSet::new(), options, repeats };
            call.words.extend(command.name.split('|').map(str::to_owned));
            call.spell_all(command.arguments());
            let ask = |kind: &str| {
                Vec::from_iter(["COMMAND".into(), kind.into()].into_iter().chain(call.words.clone()))
            };
            let reply = client.call(&ask("GETKEYSANDFLAGS")).expect("it answers");
            if call.words == KEY_NOT_FOUND {
                assert!(reply.is_error(), "{reply:?}");
                continue;
            }
            let found: BTreeSet<String> = reply.items().iter().map(|key| text(&key.items()[0])).collect();
            assert_eq!(found, call.keys, "{:?} {reply:?}", call.words);
            for key in reply.items() {
                let access: Vec<String> = key.items()[1].items().iter().map(text).collect();
                assert!(!access.contains(&"variable_flags".into()), "{:?}: {access:?}", call.words);
            }
            let plain = client.call(&ask("GETKEYS")).expect("it answers");
            assert_eq!(plain.items().iter().map(text).collect::<BTreeSet<_>>(), found);
        }
    }
}

#[test]
fn every_command_is_in_a_transcript() {
    let mut spoken = BTreeSet::new();
    for script in files_below(&root().join("tests/scripts")) {
        for line in fs::read_to_string(script).expect("a script is text").lines() {
            let Some((_, call)) = line.split_once("> ") else { continue };
            let words: Vec<String> = call.split_whitespace().take(2).map(str::to_ascii_lowercase).collect();
            spoken.extend(words.first().cloned());
            spoken.insert(words.join("|"));
        }
    }
    let silent: Vec<_> = Command::all(&ours()).into_iter().map(|command| command.name).collect();
    let silent: Vec<_> = silent.into_iter().filter(|name| !spoken.contains(name)).collect();
    assert!(silent.is_empty(), "no script under tests/scripts calls {silent:?}");
}

#[test]
fn commands_md_is_current() {
    let commands = Command::all(&ours());
    let mut groups = Vec::new();
    for command in &commands {
        let group = command.text("group");
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let callable = commands.iter().filter(|command| !command.name.contains('|')).count();
    let mut page = format!(
        "# Commands\n\nGenerated from the command table: {callable} commands, {} subcommands.\n\
         To write this file anew: `UPDATE=1 cargo test -p shardis-tests --test table`.\n\
         COMPUTE has a page of its own: [docs/compute.md](docs/compute.md).\n",
        commands.len() - callable
    );
    for group in groups {
        page += &format!(
            "\n## {group}\n\n| command | since | complexity | summary |\n| --- | --- | --- | --- |\n"
        );
        for command in commands.iter().filter(|command| command.text("group") == group) {
            let name = command.name.to_ascii_uppercase().replace('|', " ");
            let [since, complexity, summary] =
                ["since", "complexity", "summary"].map(|field| command.text(field).replace('|', "\\|"));
            let note = NOTES.iter().find(|(noted, _)| *noted == command.name).map_or("", |(_, note)| note);
            page += &format!("| {name} | {since} | {complexity} | {summary}{note} |\n");
        }
    }
    assert_current(&root().join("COMMANDS.md"), &page);
}

/// A command or subcommand as COMMAND and COMMAND DOCS describe it.
struct Command {
    name: String,
    info: Vec<Reply>,
    docs: Reply,
}

impl Command {
    /// All commands of a server, each followed by its subcommands.
    fn all(server: &Server) -> Vec<Command> {
        let mut client = Client::connect_speaking(server.address(), 3).expect("it listens");
        let infos = client.call(&["COMMAND"]).expect("it answers");
        let docs = client.call(&["COMMAND", "DOCS"]).expect("it answers");
        let mut commands = Vec::new();
        Command::collect(&infos, &docs, &mut commands);
        assert!(!commands.is_empty(), "COMMAND answers {infos:?}");
        commands
    }

    fn collect(infos: &Reply, docs: &Reply, commands: &mut Vec<Command>) {
        for info in infos.items().iter().map(Reply::items) {
            let name = text(&info[0]);
            let own = value(docs, &name).unwrap_or_else(|| panic!("COMMAND DOCS lacks {name}"));
            commands.push(Command { name, info: info.to_vec(), docs: own.clone() });
            if let Some(docs) = value(own, "subcommands") {
                Command::collect(&info[9], docs, commands);
            }
        }
    }

    fn doc(&self, field: &str) -> Option<&Reply> {
        value(&self.docs, field)
    }

    fn text(&self, field: &str) -> String {
        self.doc(field).map(text).unwrap_or_default()
    }

    fn arguments(&self) -> &[Reply] {
        self.doc("arguments").map_or(&[], Reply::items)
    }

    /// What is compared with the references, in the order of the captures.
    fn facts(&self) -> Vec<(&'static str, String)> {
        const DOCS: [&str; 8] = [
            "since",
            "group",
            "complexity",
            "doc_flags",
            "deprecated_since",
            "replaced_by",
            "history",
            "arguments",
        ];
        let docs = DOCS.iter().map(|fact| (*fact, self.doc(fact).map(plain).unwrap_or_default()));
        self.info_facts().into_iter().chain(docs).collect()
    }

    /// Those of COMMAND INFO.
    fn info_facts(&self) -> Vec<(&'static str, String)> {
        const INFO: [&str; 8] = ["arity", "flags", "first", "last", "step", "categories", "tips", "keys"];
        INFO.iter().zip(&self.info[1..]).map(|(fact, reply)| (*fact, plain(reply))).collect()
    }

    fn to_text(&self) -> String {
        let facts = self.facts().into_iter().filter(|(_, value)| !value.is_empty());
        let lines = facts.map(|(fact, value)| format!("  {fact} {value}\n"));
        format!("{}\n{}", self.name, lines.collect::<String>())
    }
}

/// A capture: the facts by command.
fn read_capture(path: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut commands = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ").and_then(|line| line.split_once(' ')) {
            Some((fact, value)) => {
                let facts: &mut BTreeMap<_, _> = commands.entry(name.clone()).or_default();
                facts.insert(fact.to_owned(), value.to_owned());
            }
            None => name = line.to_owned(),
        }
    }
    commands
}

/// A reply on one line. Of arguments it leaves out what a syntax line cannot say.
fn plain(reply: &Reply) -> String {
    const UNSAID: [&str; 2] = ["summary", "deprecated_since"];
    let nested = |reply: &Reply| match reply {
        Reply::Items(..) => format!("({})", plain(reply)),
        _ => plain(reply),
    };
    match reply {
        Reply::Integer(number) => number.to_string(),
        Reply::Items(Kind::Map, items) => {
            let said = items.chunks(2).filter(|pair| !UNSAID.contains(&text(&pair[0]).as_str()));
            said.map(|pair| format!("{}={}", text(&pair[0]), nested(&pair[1]))).collect::<Vec<_>>().join(" ")
        }
        Reply::Items(_, items) => items.iter().map(nested).collect::<Vec<_>>().join(" "),
        _ => text(reply),
    }
}

/// How many words an argument takes: at least, at most.
fn words(argument: &Reply) -> (usize, Option<usize>) {
    let members = value(argument, "arguments").map_or(&[][..], Reply::items).iter().map(words);
    let kind = text(value(argument, "type").expect("an argument has a type"));
    let (least, most) = match kind.as_str() {
        "pure-token" => (0, Some(0)),
        "block" => members.fold((0, Some(0)), add),
        "oneof" => {
            let (least, most): (Vec<_>, Vec<_>) = members.unzip();
            let unbounded = most.contains(&None);
            (
                least.into_iter().min().unwrap_or(0),
                if unbounded { None } else { most.into_iter().max().flatten() },
            )
        }
        _ => (1, Some(1)),
    };
    let token = usize::from(value(argument, "token").is_some());
    let least = if has_flag(argument, "optional") { 0 } else { least + token };
    let most = if has_flag(argument, "multiple") { None } else { most.map(|most| most + token) };
    (least, most)
}

fn add(left: (usize, Option<usize>), right: (usize, Option<usize>)) -> (usize, Option<usize>) {
    (left.0 + right.0, left.1.zip(right.1).map(|(left, right)| left + right))
}

/// A call made from the arguments of a command.
struct Spelling {
    words: Vec<String>,
    /// Those of the words that are keys.
    keys: BTreeSet<String>,
    /// Whether options are given.
    options: bool,
    /// How often what may be repeated is given.
    repeats: usize,
}

impl Spelling {
    fn spell_all(&mut self, arguments: &[Reply]) {
        for argument in arguments {
            if self.options || !has_flag(argument, "optional") {
                self.spell(argument);
            }
        }
    }

    fn spell(&mut self, argument: &Reply) {
        let token = value(argument, "token").map(text);
        let repeats = if has_flag(argument, "multiple") { self.repeats } else { 1 };
        for repeat in 0..repeats {
            if repeat == 0 || has_flag(argument, "multiple_token") {
                self.words.extend(token.clone());
            }
            self.spell_value(argument);
        }
    }

    fn spell_value(&mut self, argument: &Reply) {
        let field = |name| value(argument, name).map(text).unwrap_or_default();
        let members = value(argument, "arguments").map_or(&[][..], Reply::items);
        match (field("type").as_str(), field("name").as_str()) {
            ("pure-token", _) => {}
            ("block", _) => self.spell_all(members),
            ("oneof", _) => self.spell(&members[0]),
            ("key", _) => {
                let key = format!("key:{}", self.words.len());
                self.keys.insert(key.clone());
                self.words.push(key);
            }
            (_, "numkeys") => self.words.push(self.repeats.to_string()),
            _ => self.words.push("1".into()),
        }
    }
}

fn has_flag(argument: &Reply, flag: &str) -> bool {
    value(argument, "flags").is_some_and(|flags| flags.items().iter().any(|known| text(known) == flag))
}

/// The value of a key of a map.
fn value<'a>(map: &'a Reply, key: &str) -> Option<&'a Reply> {
    map.items().chunks(2).find(|pair| text(&pair[0]) == key).map(|pair| &pair[1])
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.text().unwrap_or_default()).into_owned()
}

fn is_version(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u8>().is_ok())
}

fn ours() -> Server {
    Server::ours(PERSONALITY, &[])
}

/// Fails when a generated file is not what it should be; with `UPDATE` set, writes it.
fn assert_current(path: &Path, content: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, content).expect("the repository can be written");
    }
    let is_current = fs::read_to_string(path).is_ok_and(|found| found == content);
    assert!(is_current, "{} is stale: UPDATE=1 cargo test -p shardis-tests --test table", path.display());
}

fn capture_path(reference: Reference) -> PathBuf {
    root().join(format!("tests/reference/command-info-{}.txt", reference.personality()))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it can be read").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

//! The examples of the documentation, typed into a new server page by page: it must answer as the page says, in
//! the form in which redis-cli prints it. Not a general imitation of that: only what pages show.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use shardis_server::Server;
use shardis_tests::client::Client;
use shardis_tests::reply::{Kind, Reply};

/// Pages with examples.
const PAGES: [&str; 2] = ["README.md", "docs/compute.md"];
/// What a command stands behind.
const PROMPT: &str = "127.0.0.1:6379> ";
/// The rest of a reply that a page leaves out.
const REST: &str = "...";
/// The time that every computation takes on the pages.
const MS: &str = "0.2";

#[test]
fn examples_answer_as_the_pages_say() {
    for page in PAGES {
        let server = Server::builder().port(0).start().expect("it starts");
        let examples = examples(page);
        assert!(!examples.is_empty(), "{page} has no examples");
        let address = server.addr().expect("it listens");
        examples.iter().for_each(|example| example.check(page, address));
    }
}

/// A command of a page, and the reply below it.
struct Example {
    command: String,
    reply: String,
}

impl Example {
    fn check(&self, page: &str, address: SocketAddr) {
        let mut client = Client::connect(address).expect("it accepts");
        // Sent as a line, because the server splits lines into words as redis-cli does.
        client.send_raw(format!("{}\r\n", self.command).as_bytes()).expect("it reads");
        let printed = printed(&client.reply().expect("a reply"), 0);
        match self.reply.strip_suffix(REST) {
            Some(beginning) => assert!(printed.starts_with(beginning), "{page}: {}\n{printed}", self.command),
            None => assert_eq!(printed, self.reply, "{page}: {}", self.command),
        }
    }
}

fn examples(page: &str) -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    // What is fenced is every second piece.
    let blocks = text.split("```").skip(1).step_by(2);
    let commands = blocks.flat_map(|block| block.split(PROMPT).skip(1));
    commands
        .map(|lines| {
            let (command, reply) = lines.split_once('\n').expect("a reply stands below its command");
            Example { command: command.to_owned(), reply: reply.trim_end().to_owned() }
        })
        .collect()
}

/// A reply as redis-cli prints it behind `indent` columns.
fn printed(reply: &Reply, indent: usize) -> String {
    match reply {
        Reply::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        Reply::Error(text) => format!("(error) {}", String::from_utf8_lossy(text)),
        Reply::Integer(value) => format!("(integer) {value}"),
        Reply::Bulk(text) => format!("{:?}", String::from_utf8_lossy(text)),
        Reply::Nil => "(nil)".to_owned(),
        Reply::Items(Kind::Array, items) => printed_items(items, indent),
        _ => panic!("no page shows {reply:?}"),
    }
}

fn printed_items(items: &[Reply], indent: usize) -> String {
    let width = items.len().to_string().len();
    let mut lines = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let is_time = at > 0 && items[at - 1].text() == Some(b"ms");
        let item = if is_time { format!("{MS:?}") } else { printed(item, indent + width + ") ".len()) };
        lines.push(format!("{:>width$}) {item}", at + 1));
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

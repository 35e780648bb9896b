//! Transcripts: recorded conversations, which ours and the real servers must answer alike.
//!
//! A transcript is a text file, `scripts/<family>/<command>.txt`:
//!
//! ```text
//! @references valkey          # redis, valkey, none; both when the line is missing
//! # A comment.
//! a> SET k v                  # client `a` sends a command; words as in `notation`
//! +OK                         # and this is the reply
//! b> OBJECT ENCODING list
//! "listpack"                  # what ours answers by default: a Redis 7.2
//! [redis-7.0] "quicklist"     # what differs, and where
//! a*600> RPUSH list #         # sent 600 times, `#` counts from 1; the last reply is compared, no other may be
//!                             # an error
//! :600
//! a> CLIENT KILL ID id(b)     # the number that the server knows client `b` by
//! :1
//! a~> EXISTS soon             # asked again until the reply is the expected one
//! :0
//! raw> "*1\r\n$-5\r\n"        # a client whose name begins with `raw` sends its words as they are
//! -ERR Protocol error: invalid bulk length
//! closed                      # the server closes the connection
//! a> BLPOP q 0                # no reply yet,
//! a< [ "q" "x" ]              # which comes here; also what is pushed
//! clock> advance 15           # 15 ms pass on the server
//! ```
//!
//! After `HELLO 2`, `HELLO 3` and `RESET` a client's replies are read in the protocol that it then speaks.
//!
//! Comments stand on lines of their own (the ones beside the lines above are for this page only). An indented
//! line continues the reply above it; further unindented ones are further replies. A variant's brackets hold
//! one or several of `redis-7.0`, `redis-7.2`, `valkey-9.1`, `resp2`, `resp3`, joined by commas; the one that
//! names most wins.
//!
//! Other headers: `@protocol 2` or `3` (both, one after the other, when missing), `@config name value` for
//! the server's command line, `@only shardis <reason>` for what differs on purpose, `@recorded <how>` for
//! answers of a server that is not at hand, `@unverified <source>` for those that no server has confirmed.
//! The last three run on no reference.
//!
//! `UPDATE=1 cargo test -p shardis-tests --test transcripts` asks the references and writes down every missing or
//! different reply; a reply that already matches is left as people wrote it.

mod parse;
mod run;
mod update;

pub use run::{Failure, Target, run};
pub use update::update;

use std::fs;
use std::path::{Path, PathBuf};

use crate::notation::Pattern;
use crate::reference::Reference;

/// One file.
#[derive(Debug)]
pub struct Script {
    /// Where it lies.
    pub path: PathBuf,
    /// The real servers that answer as written.
    pub references: Vec<Reference>,
    /// Protocol versions to run it in.
    pub protocols: Vec<u8>,
    /// `--name value` for the server.
    pub configuration: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that a client does, and the replies it sees.
#[derive(Debug)]
pub struct Step {
    /// Counted from 1.
    pub line: usize,
    /// The line itself.
    pub text: String,
    /// Who does it.
    pub client: String,
    /// What.
    pub action: Action,
    /// What must come back.
    pub replies: Vec<Expected>,
    /// The protocol that the client speaks from here on, if the server accepts.
    pub switches_to: Option<u8>,
}

/// What a client does.
#[derive(Debug)]
pub enum Action {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends this command, where a word like `id(b)` stands for the number of that client.
    Refer(Vec<Vec<u8>>),
    /// Sends these commands one after the other, replies to all but the last being no errors.
    Repeat(Vec<Vec<u8>>),
    /// Sends these bytes again and again until the reply is the expected one.
    Eventually(Vec<u8>),
    /// Sends nothing, only reads.
    Read,
}

/// One expected reply, with what differs between servers and protocols.
#[derive(Debug, Default)]
pub struct Expected {
    /// Selectors and what they select; the default has none.
    pub variants: Vec<(Vec<String>, Outcome)>,
}

/// What a client sees.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// As written.
    pub text: String,
    /// The reply, or `None` for the end of the connection.
    pub reply: Option<Pattern>,
}

impl Script {
    /// Reads one file; an error names its line.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        parse::script(path, &text)
    }

    /// Whether a later line of the same client reads what this one has no reply for.
    fn is_read_later(&self, step: &Step) -> bool {
        let mut later =
            self.steps.iter().filter(|later| later.line > step.line && later.client == step.client);
        later.any(|later| matches!(later.action, Action::Read))
    }

    /// The name to print: family and command.
    pub fn name(&self) -> String {
        let relative = self.path.strip_prefix(directory()).unwrap_or(&self.path);
        format!("scripts/{}", relative.display())
    }
}

impl Expected {
    /// What a server with `personality` answers in `protocol`.
    pub fn select(&self, personality: &str, protocol: u8) -> Option<&Outcome> {
        let protocol = format!("resp{protocol}");
        let applies =
            |selectors: &[String]| selectors.iter().all(|one| *one == personality || *one == protocol);
        let matching = self.variants.iter().filter(|(selectors, _)| applies(selectors));
        matching.max_by_key(|(selectors, _)| selectors.len()).map(|(_, outcome)| outcome)
    }
}

/// Every transcript, in the order of their paths; `TRANSCRIPT` in the environment picks those whose path
/// contains it.
pub fn paths() -> Vec<PathBuf> {
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut found = Vec::new();
    let mut folders = vec![directory()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder of transcripts is readable") {
            let path = entry.expect("its entries are readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "txt") {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.to_string_lossy().contains(&wanted));
    found.sort();
    found
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

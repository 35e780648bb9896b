//! One script: its text, its name, and what it has declared about itself.

use sha1::{Digest, Sha1};

use super::outline::Outline;
use super::shebang::ScriptFlags;

/// The SHA-1 sum of a script, which names it.
pub type Sum = [u8; 20];

/// A script that can be run.
#[derive(Debug)]
pub struct Script {
    /// Its number, never used twice: what engines keep its compiled form by.
    pub id: u64,
    /// The sum of its text.
    pub sum: Sum,
    /// The same in hexadecimal digits.
    pub name: String,
    /// Its text.
    pub text: Box<[u8]>,
    /// What it is held to.
    pub rules: Rules,
    /// What is known of it before it runs.
    pub outline: Outline,
}

/// What a script is held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether it has said what it is, in its first line.
    pub has_shebang: bool,
    /// Whether commands that write are refused.
    pub refuses_writes: bool,
    /// Whether it may take memory where there is none left.
    pub allows_oom: bool,
}

impl Rules {
    /// From the flags that it says of itself, if it does.
    pub fn of(said: Option<ScriptFlags>) -> Rules {
        let says = |flag| said.is_some_and(|flags| flags.contains(flag));
        Rules {
            has_shebang: said.is_some(),
            refuses_writes: says(ScriptFlags::NO_WRITES),
            allows_oom: says(ScriptFlags::ALLOW_OOM),
        }
    }
}

impl Script {
    /// What Lua is to compile: the text, with a first line that is no Lua left empty, so that lines keep their numbers.
    pub fn code(&self) -> &[u8] {
        if !self.rules.has_shebang {
            return &self.text;
        }
        let end = self.text.iter().position(|&byte| byte == b'\n').unwrap_or(self.text.len());
        &self.text[end..]
    }
}

/// The sum of a text.
pub fn sum(text: &[u8]) -> Sum {
    Sha1::digest(text).into()
}

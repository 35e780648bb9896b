//! One script: its text, its name, and what it has declared about itself.

use sha1::{Digest, Sha1};

use super::outline::Outline;

/// The SHA-1 sum of a script, which names it.
pub type Sum = [u8; 20];

/// A script that can be run.
#[derive(Debug)]
pub struct Script {
    /// Its number, never used twice: what engines keep its compiled form by.
    pub id: u64,
    /// The sum of its text.
    pub sum: Sum,
    /// The same in forty hexadecimal digits.
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

/// The sum that a name stands for, if it is one.
pub fn parse_sum(name: &[u8]) -> Option<Sum> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let mut sum = Sum::default();
    if name.len() != 2 * sum.len() {
        return None;
    }
    for (byte, pair) in sum.iter_mut().zip(name.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(sum)
}

/// A sum as forty hexadecimal digits.
pub fn format_sum(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_what_its_name_says() {
        let sum = sum(b"a");
        let name = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8";
        assert_eq!(format_sum(&sum), name);
        assert_eq!(parse_sum(name.as_bytes()), Some(sum));
        assert_eq!(parse_sum(name.to_ascii_uppercase().as_bytes()), Some(sum));
        for bad in ["", "86", "zzf7e437faa5a7fce15d1ddcb9eaeaea377667b8"] {
            assert_eq!(parse_sum(bad.as_bytes()), None);
        }
    }
}

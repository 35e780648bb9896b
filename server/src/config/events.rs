//! Classes of keyspace events: a letter and a bit each, and the letters as the real servers take and show them.

use super::kind::Reason;
use crate::command::args::until_zero;

/// Classes of events, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventClasses(pub u32);

/// Each class has the bit of its place here.
const LETTERS: &[u8] = b"g$lshzxetdnKEm";
/// What `A` stands for: all that may happen to keys that are there.
const ALL: EventClasses = EventClasses((1 << 10) - 1);

impl EventClasses {
    /// What is about keys of any type: `g`.
    pub const GENERIC: u32 = 1 << 0;
    /// Strings: `$`.
    pub const STRING: u32 = 1 << 1;
    /// Lists: `l`.
    pub const LIST: u32 = 1 << 2;
    /// Sets: `s`.
    pub const SET: u32 = 1 << 3;
    /// Hashes: `h`.
    pub const HASH: u32 = 1 << 4;
    /// Sorted sets: `z`.
    pub const SORTED_SET: u32 = 1 << 5;
    /// Keys whose time had come: `x`.
    pub const EXPIRED: u32 = 1 << 6;
    /// Keys that went for want of memory: `e`.
    pub const EVICTED: u32 = 1 << 7;
    /// Streams: `t`.
    pub const STREAM: u32 = 1 << 8;
    /// Types that Redis does not have of its own: `d`.
    pub const OTHER: u32 = 1 << 9;
    /// Keys that did not exist: `n`.
    pub const NEW: u32 = 1 << 10;
    /// Events are told under the name of the key: `K`.
    pub const BY_KEY: u32 = 1 << 11;
    /// Keys are told under the name of the event: `E`.
    pub const BY_EVENT: u32 = 1 << 12;
    /// Keys that were looked for and are not there: `m`.
    pub const MISSED: u32 = 1 << 13;

    /// Whether one of these is among them.
    pub fn has(self, class: u32) -> bool {
        self.0 & class != 0
    }

    /// Whether anything is told at all.
    pub fn tell(self) -> bool {
        self.has(EventClasses::BY_KEY | EventClasses::BY_EVENT)
    }

    /// Those of these letters.
    pub fn parse(text: &[u8]) -> Result<EventClasses, Reason> {
        let bit = |letter: &u8| match letter {
            b'A' => Some(ALL.0),
            letter => LETTERS.iter().position(|known| known == letter).map(|at| 1 << at),
        };
        let bits: Option<Vec<u32>> = until_zero(text).iter().map(bit).collect();
        let bits = bits.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        Ok(EventClasses(bits.into_iter().fold(0, |all, bit| all | bit)))
    }

    /// Their letters. Of keys that did not exist nothing is said beside `A`, as in the real servers.
    pub fn format(self) -> String {
        let is_all = self.0 & ALL.0 == ALL.0;
        let hidden = if is_all { ALL.0 | EventClasses::NEW } else { 0 };
        let letters = LETTERS.iter().enumerate().filter(|(at, _)| (self.0 & !hidden) >> at & 1 == 1);
        let letters = letters.map(|(_, letter)| char::from(*letter));
        is_all.then_some('A').into_iter().chain(letters).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_shown_as_the_real_servers_show_them() {
        for (given, shown) in [
            ("KEA", "AKE"),
            ("g$lshzxetd", "A"),
            ("KEAmn", "AKEm"),
            ("Elg", "glE"),
            ("mnKxz", "zxnKm"),
            ("x\0q", "x"),
            ("", ""),
        ] {
            let classes = EventClasses::parse(given.as_bytes()).map(EventClasses::format);
            assert_eq!(classes.as_deref(), Ok(shown), "{given:?}");
        }
        assert!(EventClasses::parse(b"q").is_err());
    }
}

//! The memory rows: what is loaded into a fresh server to see how many bytes one item costs.
//!
//! The keys, fields and values are fixed for good, because the bytes per item depend on every one of their
//! lengths. Measuring is the business of `compare`.

use crate::resp::Words;
use crate::target::Target;
use crate::workload::{key, words};

/// One kind of data.
pub struct MemoryRow {
    /// What is stored.
    pub name: &'static str,
    /// How many items a full run stores; a run with fewer keys stores proportionally fewer.
    pub items: u64,
    /// The command that stores item `number`.
    pub load: fn(number: u64) -> Words,
    /// Limits on the bytes that one item adds to `used_memory`.
    pub used: Target,
}

impl MemoryRow {
    /// How many items a run stores that was asked for `keys` keys.
    pub fn scaled_items(&self, keys: u64) -> u64 {
        (self.items * keys / FULL_KEYS).max(ITEMS_MIN)
    }

    /// Limits on the bytes that one item adds to resident memory: a tenth above those of `used_memory`.
    pub fn resident(&self) -> Target {
        let above = |limit: Option<f64>| limit.map(|bytes| bytes * RESIDENT_OVER_USED_MAX);
        Target { first: above(self.used.first), goal: above(self.used.goal), ..self.used }
    }
}

/// Every row.
pub const ROWS: &[MemoryRow] = &[
    MemoryRow {
        name: "string, 16-byte key, 8-byte value",
        items: 1_000_000,
        load: |n| words(["SET", &key(n), &format!("v{n:07}")]),
        used: Target::absolute(47.0, 47.0),
    },
    MemoryRow {
        name: "string, 16-byte key, 64-byte value",
        items: 1_000_000,
        load: |n| words(["SET", &key(n), &format!("v{n:063}")]),
        used: Target::absolute(110.0, 100.0),
    },
    MemoryRow {
        name: "string, 16-byte key, integer value",
        items: 1_000_000,
        load: |n| words(["SET", &key(n), &(n * 7919).to_string()]),
        used: Target::absolute(47.0, 42.0),
    },
    MemoryRow {
        name: "string, 64-byte value, with TTL",
        items: 1_000_000,
        load: |n| words(["SET", &key(n), &format!("v{n:063}"), "EX", "100000"]),
        used: Target::absolute(120.0, 115.0),
    },
    MemoryRow { name: "hash of 5 small fields", items: 200_000, load: person, used: goal(130.0) },
    MemoryRow {
        name: "one set, 17-byte members",
        items: 1_000_000,
        load: |n| words(["SADD", "bigset", &format!("member:{n:010}")]),
        used: goal(42.0),
    },
    MemoryRow {
        name: "one sorted set, 17-byte members",
        items: 1_000_000,
        load: |n| words(["ZADD", "bigz", &(n * 7919 % 1_000_003).to_string(), &format!("member:{n:010}")]),
        used: goal(64.0),
    },
    MemoryRow {
        name: "one list, 15-byte items",
        items: 1_000_000,
        load: |n| words(["RPUSH", "bigl", &format!("item:{n:010}")]),
        used: goal(18.0),
    },
    MemoryRow {
        name: "one hash, 16-byte fields, 14-byte values",
        items: 1_000_000,
        load: |n| words(["HSET", "bigh", &format!("field:{n:010}"), &format!("value:{n:08}")]),
        used: goal(54.0),
    },
    MemoryRow {
        name: "one stream, 2 small fields per entry",
        items: 500_000,
        load: |n| words(["XADD", "st", "*", "temp", &(n % 100).to_string(), "hum", &(n % 70).to_string()]),
        used: goal(15.0),
    },
    MemoryRow {
        name: "sorted set of 10",
        items: 100_000,
        load: |n| {
            let pairs = (0..10).flat_map(|member| [member.to_string(), format!("m{member}")]);
            words(["ZADD", &format!("z:{n}")]).into_iter().chain(pairs).collect()
        },
        used: goal(125.0),
    },
    MemoryRow {
        name: "list of 10",
        items: 100_000,
        load: |n| ten("RPUSH", &format!("l:{n}")),
        used: goal(130.0),
    },
    MemoryRow {
        name: "set of 10",
        items: 100_000,
        load: |n| ten("SADD", &format!("s:{n}")),
        used: goal(130.0),
    },
];

/// The hash of five small fields, which a workload reads and writes too.
pub(crate) fn person(number: u64) -> Words {
    let fields = [
        ("name", format!("user{number}")),
        ("age", (number % 90).to_string()),
        ("city", format!("city{}", number % 100)),
        ("score", number.to_string()),
        ("email", format!("u{number}@example.com")),
    ];
    let pairs = fields.into_iter().flat_map(|(field, value)| [field.to_owned(), value]);
    words(["HSET", &format!("h:{number}")]).into_iter().chain(pairs).collect()
}

fn ten(command: &str, key: &str) -> Words {
    words([command, key]).into_iter().chain((0..10).map(|item| format!("item{item}"))).collect()
}

const fn goal(bytes: f64) -> Target {
    Target { goal: Some(bytes), ..Target::NONE }
}

/// The number of keys to which the rows' item counts belong.
const FULL_KEYS: u64 = 1_000_000;
/// Fewer items than this say nothing even in a smoke run.
const ITEMS_MIN: u64 = 1_000;
/// Resident memory may grow by a tenth more than the server says it uses.
const RESIDENT_OVER_USED_MAX: f64 = 1.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_store_what_their_names_say() {
        let row = |name: &str| ROWS.iter().find(|row| row.name.starts_with(name)).expect("the row exists");
        let stored = (row("string, 64-byte").load)(7);
        assert_eq!((stored[1].len(), stored[2].len(), stored[3].as_str()), (16, 64, "EX"));
        assert_eq!((row("string, 16-byte key, 8").load)(7)[2].len(), 8);
        assert_eq!((row("one set").load)(7)[2].len(), 17);
        assert_eq!((row("hash of 5").load)(7).len(), 2 + 2 * 5);
        assert_eq!((row("sorted set of 10").load)(7).len(), 2 + 2 * 10);
        assert_eq!((row("list of 10").load)(7).len(), 2 + 10);
    }

    #[test]
    fn items_follow_the_number_of_keys() {
        let hashes = ROWS.iter().find(|row| row.items == 200_000).expect("the row exists");
        assert_eq!(hashes.scaled_items(1_000_000), 200_000);
        assert_eq!(hashes.scaled_items(100_000), 20_000);
        assert_eq!(hashes.scaled_items(10), ITEMS_MIN);
    }

    #[test]
    fn resident_limits_are_a_tenth_above() {
        assert_eq!(ROWS[0].resident().first.map(f64::round), Some(52.0));
    }
}

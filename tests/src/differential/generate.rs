//! Random commands: a shape with its words filled in, now and then damaged, now and then in a transaction.

use std::collections::VecDeque;

use fastrand::Rng;

use super::grammar::{Part, Shape, shapes};
use super::words::{Kind, UNIX_SECONDS_BASE, far_deadline, odd};
use crate::reference::Reference;

/// One command in so many is damaged.
const DAMAGED_SHARE: u32 = 8;
/// Before one command in so many, something begins that holds several together.
const WRAPPED_SHARE: u32 = 40;
/// Commands in a transaction.
const TRANSACTION_COMMANDS_MAX: usize = 6;
/// One word of a command in so many is written in another case.
const RECASED_SHARE: u32 = 10;
/// The bits that are written lie below this one, or behind the longest string.
const BIT_MAX: i64 = 100_000;
/// Shorter relative deadlines could pass during a run, on one server earlier than on the other.
const DEADLINE_SECONDS_MIN: i64 = 1000;
/// Earlier instants could be past: the year 2100.
const UNIX_SECONDS_MIN: i64 = 4_102_444_800;

/// As long as a blocking command waits.
const WAIT_SECONDS: &str = "0.001";
/// What is longer is refused.
const WAIT_SECONDS_ENDLESS: f64 = 9e15;

/// Commands that are many.
const CONTAINERS: [&str; 16] = [
    "XGROUP",
    "XINFO",
    "ACL",
    "CLIENT",
    "COMMAND",
    "COMMANDLOG",
    "CONFIG",
    "DEBUG",
    "FUNCTION",
    "LATENCY",
    "MEMORY",
    "MODULE",
    "OBJECT",
    "PUBSUB",
    "SCRIPT",
    "SLOWLOG",
];

/// One command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Name and arguments.
    pub words: Vec<Vec<u8>>,
}

/// A source of commands for one reference.
pub struct Generator {
    random: Rng,
    shapes: Vec<Shape>,
    weights: u32,
    /// What comes next.
    wrapped: VecDeque<Step>,
}

impl Generator {
    /// The same seed gives the same commands.
    pub fn new(seed: u64, reference: Reference) -> Self {
        let shapes = shapes(reference);
        let weights = shapes.iter().map(|shape| shape.weight).sum();
        Self { random: Rng::with_seed(seed), shapes, weights, wrapped: VecDeque::new() }
    }

    /// The next command.
    pub fn step(&mut self) -> Step {
        if self.wrapped.is_empty() && self.random.u32(..WRAPPED_SHARE) == 0 {
            // Another way to wrap commands is another choice here.
            self.wrapped = self.transaction().into();
        }
        self.wrapped.pop_front().unwrap_or_else(|| self.command())
    }

    /// Several commands as one, now and then only if keys do not change before.
    fn transaction(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.random.u32(..3) == 0 {
            let keys = (0..self.random.usize(1..4)).map(|_| Kind::Key.word(&mut self.random));
            steps.push(Step { words: [b"WATCH".to_vec()].into_iter().chain(keys).collect() });
            steps.extend((0..self.random.usize(..3)).map(|_| self.command()));
            steps.extend((self.random.u32(..6) == 0).then(|| Step::of("UNWATCH")));
        }
        steps.push(Step::of("MULTI"));
        steps.extend((0..self.random.usize(1..=TRANSACTION_COMMANDS_MAX)).map(|_| self.command()));
        steps.push(Step::of(if self.random.u32(..6) == 0 { "DISCARD" } else { "EXEC" }));
        steps
    }

    fn command(&mut self) -> Step {
        let mut chosen = self.random.u32(..self.weights);
        let shape = self.shapes.iter().find(|shape| {
            let found = chosen < shape.weight;
            chosen = chosen.saturating_sub(shape.weight);
            found
        });
        let mut words = Vec::new();
        fill(&shape.expect("invariant: the weights add up").parts, &mut words, &mut self.random);
        if self.random.u32(..DAMAGED_SHARE) == 0 {
            damage(&mut words, &mut self.random);
        }
        keep_deadlines_away(&mut words, &mut self.random);
        keep_waits_short(&mut words);
        keep_settings_known(&mut words, &mut self.random);
        keep_scores_equal(&mut words);
        keep_pops_complete(&mut words);
        keep_sorts_away(&mut words);
        keep_bitmaps_short(&mut words);
        Step { words }
    }
}

impl Step {
    /// A command without arguments.
    pub fn of(name: &str) -> Self {
        Self { words: vec![name.into()] }
    }

    /// The command's name in upper case.
    pub fn name(&self) -> String {
        self.upper(0)
    }

    /// The name, with its subcommand where the command is a container.
    pub fn full_name(&self) -> String {
        let name = self.name();
        if CONTAINERS.contains(&name.as_str()) { format!("{name} {}", self.upper(1)) } else { name }
    }

    /// A word in upper case; empty when there is none.
    pub fn upper(&self, index: usize) -> String {
        upper(self.words.get(index).map_or(&[], Vec::as_slice))
    }
}

fn fill(parts: &[Part], words: &mut Vec<Vec<u8>>, random: &mut Rng) {
    for part in parts {
        match part {
            Part::Literal(text) if random.u32(..RECASED_SHARE) == 0 => words.push(recased(text, random)),
            Part::Literal(text) => words.push(text.as_bytes().to_vec()),
            Part::Word(kind) => words.push(kind.word(random)),
            Part::Choice { of, least, most } => {
                for _ in 0..random.usize(*least..=*most) {
                    fill(&of[random.usize(..of.len())], words, random);
                }
            }
        }
    }
}

fn recased(text: &str, random: &mut Rng) -> Vec<u8> {
    if random.bool() { text.to_ascii_lowercase().into() } else { text.to_ascii_uppercase().into() }
}

/// Leaves the command's name alone: what is unknown is always answered alike.
fn damage(words: &mut Vec<Vec<u8>>, random: &mut Rng) {
    let arguments = words.len() - 1;
    if arguments == 0 {
        return words.push(odd(random));
    }
    let chosen = random.usize(1..=arguments);
    match random.u32(..5) {
        0 => drop(words.remove(chosen)),
        1 => words.insert(chosen, words[chosen].clone()),
        2 => words.push(odd(random)),
        3 if chosen < arguments => words.swap(chosen, chosen + 1),
        _ => words[chosen] = odd(random),
    }
}

/// Replaces deadlines that would pass during the run, and sleeps that would outlast it. A value that is set with a past
/// deadline is there until it is found, and when that is depends on the server's background work.
fn keep_deadlines_away(words: &mut [Vec<u8>], random: &mut Rng) {
    let name = words.first().map_or_else(String::new, |name| upper(name));
    let compared = words.iter().skip(3).any(|word| ["GT", "LT"].contains(&upper(word).as_str()));
    for index in 1..words.len() {
        let (base, least, unit) = match (name.as_str(), index, upper(&words[index - 1]).as_str()) {
            ("EXPIRE" | "SETEX", 2, _) | ("SET" | "GETEX" | "MSETEX", _, "EX") => {
                (0, DEADLINE_SECONDS_MIN, 1)
            }
            ("PEXPIRE" | "PSETEX", 2, _) | ("SET" | "GETEX" | "MSETEX", _, "PX") => {
                (0, DEADLINE_SECONDS_MIN, 1000)
            }
            ("SET" | "GETEX" | "MSETEX", _, "EXAT") => (UNIX_SECONDS_BASE, UNIX_SECONDS_MIN, 1),
            ("SET" | "GETEX" | "MSETEX", _, "PXAT") => (UNIX_SECONDS_BASE, UNIX_SECONDS_MIN, 1000),
            ("DEBUG", 2, "SLEEP") => {
                words[index] = b"0".to_vec();
                continue;
            }
            _ => continue,
        };
        // An odd number, drawn twice, would be later or not by the millisecond in which each server sees it.
        let soon = 1..if compared { i64::from(u32::MAX) * 1000 } else { least * unit };
        let number = std::str::from_utf8(&words[index]).ok().and_then(|text| text.parse::<i64>().ok());
        if number.is_some_and(|number| soon.contains(&number)) {
            words[index] = far_deadline(random, base, unit.unsigned_abs());
        }
    }
}

/// Lets no part of a set be popped: which that is would be up to chance, and the servers would have different sets from
/// then on.
fn keep_pops_complete(words: &mut Vec<Vec<u8>>) {
    let count = words.get(2).and_then(|word| std::str::from_utf8(word).ok()?.parse::<i64>().ok());
    let is_partial = words.len() == 2 || words.len() == 3 && count.is_some_and(|count| count > 0);
    if upper(&words[0]) == "SPOP" && is_partial {
        words.truncate(2);
        words.push(i64::MAX.to_string().into());
    }
}

/// Replaces bits that would make a string of many megabytes: what is read of it would take most of the run.
fn keep_bitmaps_short(words: &mut [Vec<u8>]) {
    let is_written = |name: &Vec<u8>| ["SETBIT", "BITFIELD"].contains(&upper(name).as_str());
    if !words.first().is_some_and(is_written) {
        return;
    }
    for word in &mut words[1..] {
        let digits = word.strip_prefix(b"#").unwrap_or(word);
        let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<i64>().ok());
        if number.is_some_and(|number| (BIT_MAX..=i64::from(u32::MAX)).contains(&number)) {
            *word = b"4294967296".to_vec();
        }
    }
}

/// Lets only two keys be sorted, which are lists and sets: a sorted set becomes large in the real servers when it is sorted.
fn keep_sorts_away(words: &mut [Vec<u8>]) {
    let is_sort = words.first().is_some_and(|name| ["SORT", "SORT_RO"].contains(&upper(name).as_str()));
    if let Some(key) = words
        .get_mut(1)
        .filter(|key| is_sort && !["ol", "om"].iter().any(|kept| kept.as_bytes() == key.as_slice()))
    {
        *key = "ol".into();
    }
}

/// Replaces times to wait that are longer than a moment: nobody else is there who would end the wait.
fn keep_waits_short(words: &mut [Vec<u8>]) {
    let name = words.first().map_or_else(String::new, |name| upper(name));
    let timeout = match name.as_str() {
        "BLPOP" | "BRPOP" | "BLMOVE" | "BRPOPLPUSH" | "BZPOPMIN" | "BZPOPMAX" => words.last_mut(),
        "BLMPOP" | "BZMPOP" => words.get_mut(1),
        _ => return,
    };
    let Some(timeout) = timeout else { return };
    let text = upper(timeout);
    let seconds = if text.contains("0X") { Some(0.0) } else { text.parse::<f64>().ok() };
    // Less than a millisecond below zero is rounded up to for ever, and what is beyond all time is refused.
    if seconds.is_some_and(|seconds| seconds > -0.001 && seconds < WAIT_SECONDS_ENDLESS) {
        *timeout = WAIT_SECONDS.into();
    }
}

/// Replaces patterns that a damaged `CONFIG GET` may hold. Ours has the parameters that it acts on, so an answer about all of
/// them differs as long as there are fewer than in the references.
fn keep_settings_known(words: &mut [Vec<u8>], random: &mut Rng) {
    let [name, subcommand, patterns @ ..] = words else { return };
    if upper(name) == "CONFIG" && upper(subcommand) == "GET" {
        for pattern in patterns.iter_mut().filter(|pattern| pattern.iter().any(|byte| b"*?[".contains(byte)))
        {
            *pattern = Kind::Setting.word(random);
        }
    }
}

/// Leaves members of the keys for ranges of members with one score, and such ranges with those keys: where scores differ, what
/// they are depends on chance. A sorted set may have been stored under any other key.
fn keep_scores_equal(words: &mut [Vec<u8>]) {
    let name = words.first().map_or_else(String::new, |name| upper(name));
    let by_lex = name.contains("LEX") || words.iter().any(|word| upper(word) == "BYLEX");
    let [_, key, others @ ..] = words else { return };
    if let (true, Some(first)) = (by_lex, key.first_mut()) {
        *first = b'x';
    }
    match name.as_str() {
        _ if !key.starts_with(b"x") => {}
        "ZADD" | "ZINCRBY" => others.iter_mut().step_by(2).for_each(|score| *score = b"0".to_vec()),
        "ZRANGESTORE" => others.iter_mut().take(1).for_each(|source| source.clone_from(key)),
        _ => {}
    }
}

fn upper(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_commands() {
        let commands = |seed| {
            let mut generator = Generator::new(seed, Reference::Valkey);
            (0..1000).map(|_| generator.step()).collect::<Vec<_>>()
        };
        assert_eq!(commands(7), commands(7));
        assert_ne!(commands(7), commands(8));
    }

    #[test]
    fn ranges_of_members_are_of_members_with_one_score() {
        let kept = |text: &str| {
            let mut words: Vec<Vec<u8>> = text.split(' ').map(Into::into).collect();
            keep_scores_equal(&mut words);
            String::from_utf8(words.join(&b' ')).expect("the tests write text")
        };
        assert_eq!(kept("ZADD x1 5 a 6 b"), "ZADD x1 0 a 0 b");
        assert_eq!(kept("ZRANGESTORE x1 z2 [a [b"), "ZRANGESTORE x1 x1 [a [b");
        assert_eq!(kept("zrange z1 [a [b bylex"), "zrange x1 [a [b bylex");
        assert_eq!(kept("ZRANGE s1 [a [b BYLEX"), "ZRANGE x1 [a [b BYLEX");
        assert_eq!(kept("ZADD z1 5 a"), "ZADD z1 5 a");
    }

    #[test]
    fn a_set_is_popped_as_a_whole() {
        let popped = |text: &str| {
            let mut words: Vec<Vec<u8>> = text.split(' ').map(Into::into).collect();
            keep_pops_complete(&mut words);
            words.join(&b' ')
        };
        let whole = b"spop e 9223372036854775807";
        assert_eq!([popped("spop e"), popped("spop e 5")], [whole, whole]);
        for other in ["spop e 0", "spop e x", "spop e 5 5", "spop"] {
            assert_eq!(popped(other), other.as_bytes());
        }
    }

    #[test]
    fn only_lists_and_sets_are_sorted() {
        let kept = |text: &str| {
            let mut words: Vec<Vec<u8>> = text.split(' ').map(Into::into).collect();
            keep_sorts_away(&mut words);
            String::from_utf8(words.join(&b' ')).expect("the tests write text")
        };
        assert_eq!(kept("sort z1 ALPHA"), "sort ol ALPHA");
        assert_eq!(kept("SORT_RO om DESC"), "SORT_RO om DESC");
        assert_eq!(kept("GET z1"), "GET z1");
        assert_eq!(kept("SORT"), "SORT");
    }

    #[test]
    fn nobody_waits_for_long() {
        let kept = ["BLPOP k abc", "BLPOP k -1", "BLMPOP nan 1 k LEFT", "BLPOP k 1e400", "LPOP k 5"];
        let replaced = ["BLPOP k 0", "BLMOVE k k LEFT LEFT 0x5", "blmpop -0 1 k LEFT", "BRPOP k 4294967296"];
        for (text, is_kept) in
            kept.map(|text| (text, true)).into_iter().chain(replaced.map(|text| (text, false)))
        {
            let mut words: Vec<Vec<u8>> = text.split(' ').map(Into::into).collect();
            let before = words.clone();
            keep_waits_short(&mut words);
            assert_eq!(words == before, is_kept, "{text}");
        }
    }

    #[test]
    fn no_deadline_passes_during_a_run() {
        let mut random = Rng::with_seed(1);
        let calls = [
            ("SETEX k 5 v", 2),
            ("SET k v nx px 200000", 5),
            ("PEXPIRE k 1 GT", 2),
            ("EXPIRE k 4294967296 GT", 2),
            ("SET k v PXAT 2147483648", 4),
        ];
        for (text, index) in calls {
            let mut words: Vec<Vec<u8>> = text.split(' ').map(Into::into).collect();
            let before = words.clone();
            keep_deadlines_away(&mut words, &mut random);
            assert_ne!(words[index], before[index], "{text}");
        }
    }
}

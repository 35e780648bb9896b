//! The command table: every declaration with what follows from it, found by name.
//!
//! A name of up to 24 bytes is three machine words, one of up to seven bytes, as those of most commands, a single one. The
//! words are folded to upper case without looking at single bytes, hashed with one multiplication and compared as words, so
//! that finding a command costs a few nanoseconds: it is done for every call. Which commands there are is not known here
//! (`commands/`), and nothing is run (`dispatch/`).

use std::num::NonZeroU16;

use shardis_protocol::Request;

use super::keys::{Begin, Find, KeySpec};
use super::{Arity, Category, Command, Error, Family, Flags, Reach, Run, Told};
use crate::config::Personality;
use crate::state::State;

/// The position of a command or subcommand in the table: dense, hence an index into arrays of statistics and rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(u16);

impl CommandId {
    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A command or subcommand with all that its declaration implies.
#[derive(Debug)]
pub struct Entry {
    /// Its place in the table.
    pub id: CommandId,
    /// The declaration.
    pub command: &'static Command,
    /// The family; of a subcommand that of its container.
    pub family: &'static Family,
    /// The command whose subcommand this is.
    pub container: Option<&'static Command>,
    /// As the server has it that is imitated.
    pub arity: Arity,
    /// Declared and derived.
    pub flags: Flags,
    /// Declared and derived.
    pub categories: Category,
    /// As `COMMAND` reports it: `get`, `config|get`.
    pub full_name: String,
    /// The event that its changes are.
    pub event_name: String,
    /// The word of the first key where that is the same in every call.
    pub first_key: Option<NonZeroU16>,
    /// Whether every call has exactly one key, at `first_key`.
    pub single_key: bool,
    /// Whether every word from `first_key` on is a key.
    keys_to_the_end: bool,
    /// Whether it is so short that it is not timed by itself: those flagged as fast, and those of one string that take
    /// constant time.
    pub is_short: bool,
    /// Whether its keys hold collections, whose elements it needs.
    pub is_of_collection: bool,
    /// Where the keys stand, as clients before key specifications understand it.
    pub key_range: KeyRange,
    subcommands: (u16, u16),
}

impl Entry {
    /// Whether it reads keys, itself, and changes none.
    #[inline]
    pub fn only_reads(&self) -> bool {
        self.flags.contains(Flags::READONLY) && !matches!(self.command.run, Run::Program(_))
    }

    /// Whether a call has exactly one key, at `first_key`.
    #[inline]
    pub fn has_one_key(&self, request: Request<'_>) -> bool {
        let first = self.first_key.map_or(0, |at| usize::from(at.get()));
        self.single_key || self.keys_to_the_end && request.len() == first + 1
    }

    /// Its flags as this server tells them.
    pub fn told_flags(&self, personality: Personality) -> Flags {
        let told = self.command.elsewhere.iter().find_map(|(who, told)| match told {
            Told::Flags(flags) if *who == personality => Some(*flags),
            _ => None,
        });
        told.unwrap_or(self.flags)
    }

    /// The keys of a call.
    pub fn keys<'a>(&self, request: Request<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let positions = self.command.keys.iter().filter_map(move |spec| spec.positions(request)).flatten();
        positions.filter_map(move |at| request.arg(at))
    }

    /// The command that a call of it runs, and its words, if it is one that does.
    pub fn inner<'e, 'a>(&self, state: &'e State, request: Request<'a>) -> Option<(&'e Entry, Request<'a>)> {
        let words = request.tail(usize::from(self.command.inner_at?));
        Some((state.commands.resolvable(words)?, words))
    }

    /// Whether it has subcommands.
    pub fn has_subcommands(&self) -> bool {
        self.subcommands.0 < self.subcommands.1
    }
}

/// First key, last key and step, as `COMMAND` reports them; all zero when no range tells where the keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KeyRange {
    /// The word of the first key.
    pub first: i16,
    /// The word of the last key; negative from the end of the call.
    pub last: i16,
    /// The distance from key to key.
    pub step: u16,
}

/// All commands.
#[derive(Debug)]
pub struct Table {
    /// A container is followed by its subcommands; a `CommandId` is an index.
    entries: Vec<Entry>,
    /// What each entry is found by, beside `entries` so that a comparison touches one line.
    keys: Vec<NameKey>,
    /// Open addressing: the hash key of an entry and its index in `keys`, or `EMPTY`.
    slots: Vec<(u64, u16)>,
    hash_shift: u32,
}

impl Table {
    /// The table of these families, as this server has it.
    ///
    /// # Panics
    ///
    /// If two commands have one name, or a name is empty, not in upper case or longer than `NAME_BYTES_MAX`.
    pub fn new(families: &'static [&'static Family], personality: Personality) -> Table {
        let mut entries = Vec::new();
        for family in families {
            for command in family.commands {
                push_entries(&mut entries, family, command);
            }
        }
        for entry in &mut entries {
            if let Some(arity) = arity_elsewhere(entry.command, personality) {
                entry.arity = arity;
            }
        }
        assert!(entries.len() < usize::from(EMPTY), "{} commands are too many", entries.len());
        Table::index(entries)
    }

    fn index(entries: Vec<Entry>) -> Table {
        let slots_len = (entries.len() * SLOTS_PER_ENTRY).next_power_of_two();
        let hash_shift = u64::BITS - slots_len.trailing_zeros();
        let mut table = Table { entries, keys: Vec::new(), slots: vec![(0, EMPTY); slots_len], hash_shift };
        let mut container = None;
        for entry in &table.entries {
            if entry.container.is_none() {
                container = Some(entry.id);
            }
            let key = NameKey::new(entry.command.name.as_bytes(), container.filter(|&id| id != entry.id));
            let key = key.unwrap_or_else(|| panic!("the name {:?}", entry.command.name));
            assert_eq!(entry.command.name, entry.command.name.to_ascii_uppercase());
            assert!(!table.keys.contains(&key), "{} is declared twice", entry.full_name);
            let mut slot = slot_of(key.folded(), hash_shift);
            while table.slots[slot].1 != EMPTY {
                slot = (slot + 1) & (slots_len - 1);
            }
            table.slots[slot] = (key.folded(), entry.id.0);
            table.keys.push(key);
        }
        table
    }

    /// What a call invokes, of a container the subcommand; or why it cannot be invoked: no such command, no such
    /// subcommand, not that many words, in this order.
    pub fn resolve(&self, request: Request<'_>) -> Result<&Entry, Error> {
        match self.invoked(request) {
            Some(entry) if entry.arity.fits(request.len()) => Ok(entry),
            Some(entry) => Err(Error::arity(&entry.full_name)),
            None => Err(self.unknown(request)),
        }
    }

    /// The same without the reason.
    #[inline]
    pub fn resolvable(&self, request: Request<'_>) -> Option<&Entry> {
        self.invoked(request).filter(|entry| entry.arity.fits(request.len()))
    }

    /// What a call invokes, whatever its number of words. A container without a further word is itself invoked.
    #[inline]
    pub fn invoked(&self, request: Request<'_>) -> Option<&Entry> {
        let entry = self.lookup(request.name())?;
        if !entry.has_subcommands() {
            return Some(entry);
        }
        match request.arg(1) {
            Some(subcommand) => self.find(subcommand, Some(entry.id)),
            None => Some(entry),
        }
    }

    /// The command of this name, in any case; no subcommand.
    pub fn lookup(&self, name: &[u8]) -> Option<&Entry> {
        self.find(name, None)
    }

    /// The command or subcommand of this name, as `COMMAND` reports it but in any case: `config|get`.
    pub fn lookup_full_name(&self, name: &[u8]) -> Option<&Entry> {
        let mut words = name.split(|&byte| byte == b'|');
        let entry = self.lookup(words.next()?)?;
        match (words.next(), words.next()) {
            (None, _) => Some(entry),
            (Some(subcommand), None) => self.find(subcommand, Some(entry.id)),
            (Some(_), Some(_)) => None,
        }
    }

    /// The entry of an id of this table.
    pub fn entry(&self, id: CommandId) -> &Entry {
        &self.entries[id.index()]
    }

    /// Commands and subcommands in the order of their ids: a container is followed by its subcommands.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The commands without the subcommands.
    pub fn commands(&self) -> impl Iterator<Item = &Entry> + Clone {
        self.entries.iter().filter(|entry| entry.container.is_none())
    }

    /// The subcommands of a command.
    pub fn subcommands(&self, container: &Entry) -> &[Entry] {
        let (start, end) = container.subcommands;
        &self.entries[usize::from(start)..usize::from(end)]
    }

    #[inline]
    fn find(&self, name: &[u8], container: Option<CommandId>) -> Option<&Entry> {
        match short_name(name) {
            Some(word) if container.is_none() => self.probe(word, |_| true),
            _ => {
                let key = NameKey::new(name, container)?;
                self.probe(key.folded(), |index| self.keys[index] == key)
            }
        }
    }

    #[inline]
    fn probe(&self, folded: u64, is_it: impl Fn(usize) -> bool) -> Option<&Entry> {
        let mut slot = slot_of(folded, self.hash_shift);
        loop {
            let (known, index) = self.slots[slot];
            if index == EMPTY {
                return None;
            }
            if known == folded && is_it(usize::from(index)) {
                return self.entries.get(usize::from(index));
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    #[cold]
    fn unknown(&self, request: Request<'_>) -> Error {
        match (self.lookup(request.name()), request.arg(1)) {
            (Some(container), Some(subcommand)) => {
                Error::unknown_subcommand(container.command.name, subcommand)
            }
            _ => Error::unknown_command(request.name(), request.iter().skip(1)),
        }
    }
}

/// The longest name of a command or subcommand: three words.
pub const NAME_BYTES_MAX: usize = 24;

/// No entry in this slot.
const EMPTY: u16 = u16::MAX;

/// Few enough entries per slot that a probe nearly always ends at its first slot.
const SLOTS_PER_ENTRY: usize = 4;

/// A name in upper case, and the container whose subcommand it names: equal exactly when these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NameKey {
    words: [u64; 3],
    length: u32,
    container: u32,
}

impl NameKey {
    fn new(name: &[u8], container: Option<CommandId>) -> Option<NameKey> {
        // Words may overlap; together with the length they still spell exactly one name.
        let words = match (short_name(name), name.len()) {
            (Some(word), _) => [word, 0, 0],
            (None, 8..=16) => [word_at(name, 0), word_at(name, name.len() - 8), 0],
            (None, 17..=NAME_BYTES_MAX) => {
                [word_at(name, 0), word_at(name, 8), word_at(name, name.len() - 8)]
            }
            _ => return None,
        };
        let container = container.map_or(0, |id| u32::from(id.0) + 1);
        Some(NameKey { words, length: name.len() as u32, container })
    }

    /// One word that stands for the key, in the slots of the table: a short name of a command stands for itself, and no other
    /// key has that word.
    fn folded(&self) -> u64 {
        let [first, second, third] = self.words;
        if self.length <= SHORT_BYTES_MAX && self.container == 0 {
            return first;
        }
        let mixed = first ^ second.rotate_left(21) ^ third.rotate_left(42) ^ u64::from(self.container) << 24;
        (mixed ^ u64::from(self.length)) | NO_SHORT_NAME
    }
}

/// Names up to here fit one word together with their length.
const SHORT_BYTES_MAX: u32 = 7;
const SHORT_LENGTH_SHIFT: u32 = 56;
/// A length that no short name has.
const NO_SHORT_NAME: u64 = 0xff << SHORT_LENGTH_SHIFT;

/// A name of one to seven bytes in upper case, as a word.
#[inline]
fn short_name(name: &[u8]) -> Option<u64> {
    let length = name.len();
    let word = match *name {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [a, b, c, d, ..] if length <= SHORT_BYTES_MAX as usize => {
            let last = u32::from_le_bytes(*name.last_chunk()?);
            // Of the last four bytes, those that are not among the first four.
            u64::from(u32::from_le_bytes([a, b, c, d])) | (u64::from(last) >> (8 * (8 - length))) << 32
        }
        _ => return None,
    };
    Some(upper_case(word) | (length as u64) << SHORT_LENGTH_SHIFT)
}

/// Eight bytes of a long name in upper case.
fn word_at(name: &[u8], at: usize) -> u64 {
    let bytes = name[at..].first_chunk().expect("invariant: a long name has eight bytes from here on");
    upper_case(u64::from_le_bytes(*bytes))
}

#[inline]
fn slot_of(folded: u64, shift: u32) -> usize {
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize
}

/// Eight bytes at once: `a` to `z` become `A` to `Z`, every other byte stays.
const fn upper_case(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let low_bits = word & !HIGH;
    // The high bit of a byte tells whether its low bits are at least `a`, or beyond `z`.
    let from_a = low_bits + (0x80 - b'a' as u64) * EACH;
    let beyond_z = low_bits + (0x7F - b'z' as u64) * EACH;
    let is_lower = from_a & !beyond_z & !word & HIGH;
    word ^ (is_lower >> 2)
}

/// Appends a command and its subcommands.
fn push_entries(entries: &mut Vec<Entry>, family: &'static Family, command: &'static Command) {
    let at = entries.len();
    entries.push(Entry::new(at, family, command, None));
    for subcommand in command.subcommands {
        entries.push(Entry::new(entries.len(), family, subcommand, Some(command)));
    }
    entries[at].subcommands = (at as u16 + 1, entries.len() as u16);
}

impl Entry {
    fn new(
        at: usize,
        family: &'static Family,
        command: &'static Command,
        container: Option<&'static Command>,
    ) -> Entry {
        let name = command.name.to_ascii_lowercase();
        let (key_range, movable) = key_range(command.keys);
        let flags = flags(command, movable);
        let single_key = matches!(command.keys, [KeySpec { find: Find::Range { last: 0, .. }, .. }]);
        let is_of_string = single_key && family.category == Category::STRING && command.complexity == "O(1)";
        Entry {
            id: CommandId(at as u16),
            command,
            family,
            container,
            arity: command.arity,
            flags,
            categories: categories(command, family, flags),
            event_name: if command.event.is_empty() { name.clone() } else { command.event.to_owned() },
            full_name: container
                .map_or(name.clone(), |of| format!("{}|{name}", of.name.to_ascii_lowercase())),
            first_key: first_key(command.keys),
            single_key,
            keys_to_the_end: matches!(
                command.keys,
                [KeySpec { find: Find::Range { last: -1, step: 1 }, .. }]
            ),
            is_short: is_of_string || flags.contains(Flags::FAST),
            is_of_collection: family.category.is_of_collections(),
            key_range,
            subcommands: (0, 0),
        }
    }
}

/// How many words calls have in another server, where that is not as declared.
fn arity_elsewhere(command: &Command, personality: Personality) -> Option<Arity> {
    command.elsewhere.iter().find_map(|(who, told)| match told {
        Told::Arity(arity) if *who == personality => Some(*arity),
        _ => None,
    })
}

/// The declared flags and those that the shape implies. What may write and says that it only reads changes nothing that a client has
/// put there. A command without keys is about the server, whatever it is given,
/// unless it reaches for shards; and a protected one is even then.
fn flags(command: &Command, movable: bool) -> Flags {
    let reaches = command.reach != Reach::Keys && !command.flags.contains(Flags::PROTECTED);
    let touches_data = !command.keys.is_empty() || reaches;
    let data = match command.run {
        Run::Write(_) if touches_data && !command.flags.contains(Flags::READONLY) => Flags::WRITE,
        Run::Blocking(..) => Flags::WRITE | Flags::BLOCKING,
        Run::Read(_) if touches_data => Flags::READONLY,
        _ => Flags::NONE,
    };
    command.flags | data | if movable { Flags::MOVABLE_KEYS } else { Flags::NONE }
}

/// The declared categories, that of the family and those that the flags imply. A mere container is in no family's
/// category, because it does nothing.
fn categories(command: &Command, family: &Family, flags: Flags) -> Category {
    const IMPLIED: [(Flags, Category); 5] = [
        (Flags::WRITE, Category::WRITE),
        (Flags::ADMIN, Category(Category::ADMIN.0 | Category::DANGEROUS.0)),
        (Flags::PUBSUB, Category::PUBSUB),
        (Flags::FAST, Category::FAST),
        (Flags::BLOCKING, Category::BLOCKING),
    ];
    let mut all = command.categories;
    if !matches!(command.run, Run::Container) {
        all = all | family.category;
    }
    for (flag, category) in IMPLIED {
        if flags.contains(flag) {
            all = all | category;
        }
    }
    // The real servers keep scripts out of the readers.
    if flags.contains(Flags::READONLY) && !all.contains(Category::SCRIPTING) {
        all = all | Category::READ;
    }
    if all.contains(Category::FAST) { all } else { all | Category::SLOW }
}

/// The keys as one range, and whether that leaves some out. Only neighbouring ranges make one, as in the real servers.
fn key_range(specs: &[KeySpec]) -> (KeyRange, bool) {
    let mut whole = KeyRange::default();
    let mut movable = false;
    for spec in specs {
        let Begin::Index(first) = spec.begin else {
            movable = true;
            continue;
        };
        let first = first as i16;
        match spec.find {
            Find::Range { last, step } if whole.step == 0 => {
                whole = KeyRange { first, last: if last < 0 { last } else { first + last }, step };
            }
            Find::Range { last, step: 1 } if whole.step == 1 && whole.last == first - 1 => {
                whole.last = if last < 0 { last } else { first + last };
            }
            Find::Range { .. } | Find::Count { .. } | Find::Search(_) | Find::Content => movable = true,
        }
    }
    (whole, movable)
}

fn first_key(specs: &[KeySpec]) -> Option<NonZeroU16> {
    match specs.first()? {
        spec if spec.is_no_key() => None,
        KeySpec { begin: Begin::Index(at), find: Find::Range { .. }, .. } => NonZeroU16::new(*at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use shardis_protocol::OwnedRequest;
    use shardis_storage::{Transaction, View};

    use super::*;
    use crate::client::Client;
    use crate::command::Arity::{AtLeast, Exactly};
    use crate::command::{Call, Done, Flow, key, keys, numbered};

    fn ask(_: &mut Call<'_>, _: &mut Client) -> Done {
        Ok(Flow::Done)
    }

    fn look(_: &mut Call<'_>, _: &mut View<'_>) -> Done {
        Ok(Flow::Done)
    }

    fn change(_: &mut Call<'_>, _: &mut Transaction<'_>) -> Done {
        Ok(Flow::Done)
    }

    static GET: Command =
        Command::read("GET", look).arity(Exactly(2)).keys(&[key(1).read_only()]).flags(Flags::FAST);
    static MSET: Command =
        Command::write("MSET", change).arity(AtLeast(3)).keys(&[keys(1, -1, 2).overwrites()]);
    static MOVE: Command = Command::write("LMOVE", change).arity(Exactly(5)).keys(&[key(1), key(2)]);
    static STORE: Command =
        Command::write("ZUNIONSTORE", change).arity(AtLeast(4)).keys(&[key(1), numbered(2, 1)]);
    static SIZE: Command = Command::read("DBSIZE", look).every();
    static DEBUG: Command = Command::read("DEBUG", look).every().flags(Flags::PROTECTED);
    static TIME: Command = Command::client("TIME", ask);
    static LONG: Command = Command::client("A-NAME-OF-24-BYTES-IN-IT", ask).arity(AtLeast(1));
    static CONFIG: Command = Command::container("CONFIG", &[&CONFIG_GET, &CONFIG_SET]);
    static CONFIG_GET: Command =
        Command::client("GET", ask).arity(AtLeast(3)).flags(Flags::ADMIN.union(Flags::BLOCKING));
    static CONFIG_SET: Command = Command::client("SET", ask).arity(AtLeast(4));
    static COMMAND: Command = Command::client("COMMAND", ask).arity(AtLeast(1)).subcommands(&[&COUNT]);
    static COUNT: Command = Command::client("COUNT", ask).arity(Exactly(2));

    static DATA: Family = Family::new("string", Category::STRING, &[&GET, &MSET, &MOVE, &STORE]);
    static SERVER: Family =
        Family::new("server", Category::CONNECTION, &[&SIZE, &DEBUG, &TIME, &LONG, &CONFIG, &COMMAND]);

    static FAMILIES: &[&Family] = &[&DATA, &SERVER];

    fn table() -> Table {
        Table::new(FAMILIES, Personality::Redis72)
    }

    fn resolve(words: &[&str]) -> Result<String, String> {
        let request = OwnedRequest::from_args(words);
        match table().resolve(request.as_request()) {
            Ok(entry) => Ok(entry.full_name.clone()),
            Err(error) => Err(String::from_utf8_lossy(error.text()).into_owned()),
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_nothing_else_is() {
        let table = table();
        for entry in table.commands() {
            let name = entry.command.name;
            assert_eq!(table.lookup(name.as_bytes()).map(|found| found.id), Some(entry.id));
            assert_eq!(table.lookup(entry.full_name.as_bytes()).map(|found| found.id), Some(entry.id));
            for at in 0..name.len() {
                for bit in [0x01, 0x10, 0x40, 0x80] {
                    let mut other = name.as_bytes().to_vec();
                    other[at] ^= bit;
                    assert!(table.lookup(&other).is_none(), "{:?}", other.escape_ascii().to_string());
                }
            }
        }
        for stranger in ["", "G", "GE", "GETT", "SET", "COUNT", "A-NAME-OF-24-BYTES-IN-IT-", "config|get"] {
            assert!(table.lookup(stranger.as_bytes()).is_none(), "{stranger}");
        }
    }

    #[test]
    fn only_ascii_letters_are_folded() {
        for byte in 0..=u8::MAX {
            let word = u64::from_le_bytes([byte, 0, byte, b'z', byte, 0xFF, b'a', byte]);
            let upper = word.to_le_bytes().map(|byte| byte.to_ascii_uppercase());
            assert_eq!(upper_case(word).to_le_bytes(), upper);
        }
    }

    #[test]
    fn full_names_reach_subcommands() {
        let table = table();
        let name = |full: &str| table.lookup_full_name(full.as_bytes()).map(|entry| entry.full_name.as_str());
        assert_eq!(name("Config|GET"), Some("config|get"));
        assert_eq!(name("config"), Some("config"));
        assert_eq!(name("command|count"), Some("command|count"));
        for stranger in ["config|", "|get", "config|get|x", "get|", "count", "command|get"] {
            assert_eq!(name(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_call_is_refused_for_its_name_then_its_subcommand_then_its_length() {
        assert_eq!(resolve(&["get", "k"]), Ok("get".into()));
        assert_eq!(resolve(&["config", "SET", "a", "b"]), Ok("config|set".into()));
        assert_eq!(resolve(&["COMMAND"]), Ok("command".into()));
        assert_eq!(resolve(&["COMMAND", "count"]), Ok("command|count".into()));
        let refused = [
            (&["NOPE", "a"][..], "ERR unknown command 'NOPE', with args beginning with: 'a' "),
            (&["config", "Nope"], "ERR unknown subcommand 'Nope'. Try CONFIG HELP."),
            (&["command", "get"], "ERR unknown subcommand 'get'. Try COMMAND HELP."),
            (&["CONFIG"], "ERR wrong number of arguments for 'config' command"),
            (&["CONFIG", "GET"], "ERR wrong number of arguments for 'config|get' command"),
            (&["GET"], "ERR wrong number of arguments for 'get' command"),
            (&["GET", "a", "b"], "ERR wrong number of arguments for 'get' command"),
        ];
        for (words, error) in refused {
            assert_eq!(resolve(words), Err(error.into()));
        }
    }

    #[test]
    fn ids_are_dense_and_subcommands_follow_their_container() {
        let table = table();
        for (index, entry) in table.entries().iter().enumerate() {
            assert_eq!(entry.id.index(), index);
            assert_eq!(table.entry(entry.id).full_name, entry.full_name);
        }
        let config = table.lookup(b"config").expect("it is declared");
        let names: Vec<_> = table.subcommands(config).iter().map(|entry| entry.full_name.as_str()).collect();
        assert_eq!(names, ["config|get", "config|set"]);
        assert_eq!(table.commands().count(), 10);
        assert!(table.subcommands(&table.entries()[0]).is_empty());
    }

    #[test]
    fn flags_and_categories_follow_from_shape_keys_and_family() {
        let table = table();
        let facts = |name: &str| {
            let entry = table.lookup_full_name(name.as_bytes()).expect("it is declared");
            (entry.flags.names().collect::<Vec<_>>(), entry.categories.names().collect::<Vec<_>>())
        };
        assert_eq!(facts("get"), (vec!["readonly", "fast"], vec!["read", "string", "fast"]));
        assert_eq!(facts("mset"), (vec!["write"], vec!["write", "string", "slow"]));
        assert_eq!(facts("zunionstore"), (vec!["write", "movablekeys"], vec!["write", "string", "slow"]));
        assert_eq!(facts("dbsize"), (vec!["readonly"], vec!["read", "slow", "connection"]));
        assert_eq!(facts("debug"), (vec![], vec!["slow", "connection"]));
        assert_eq!(facts("time"), (vec![], vec!["slow", "connection"]));
        assert_eq!(facts("config"), (vec![], vec!["slow"]));
        let implied = vec!["admin", "slow", "blocking", "dangerous", "connection"];
        assert_eq!(facts("config|get"), (vec!["admin", "blocking"], implied));
    }

    #[test]
    fn neighbouring_keys_make_one_range() {
        let table = table();
        let range = |name: &str| {
            let entry = table.lookup(name.as_bytes()).expect("it is declared");
            let KeyRange { first, last, step } = entry.key_range;
            ((first, last, step), entry.first_key.map(NonZeroU16::get), entry.single_key)
        };
        assert_eq!(range("get"), ((1, 1, 1), Some(1), true));
        assert_eq!(range("mset"), ((1, -1, 2), Some(1), false));
        assert_eq!(range("lmove"), ((1, 2, 1), Some(1), false));
        assert_eq!(range("zunionstore"), ((1, 1, 1), Some(1), false));
        assert_eq!(range("time"), ((0, 0, 0), None, false));
    }
}

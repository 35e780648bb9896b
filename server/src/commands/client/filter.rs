//! Which clients CLIENT LIST and CLIENT KILL mean. Redis takes one filter to list, and pairs of words to kill; Valkey takes
//! the same filters for both, most of them also turned round.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use shardis_protocol::number;

use crate::acl::Acl;
use crate::client::line::{capabilities, flags};
use crate::client::registry::Names;
use crate::client::{Client, ClientInfo, limits};
use crate::command::args::is_word;
use crate::command::{Args, Call, Error};
use crate::config::{ClientClass, Dialect};
use crate::state::State;

/// Clients that a call means: those that all tests hold for.
#[derive(Default)]
pub struct Filter {
    /// What is asked, whether the answer is turned round, and which kind of test it is.
    tests: Vec<(Test, bool, &'static str)>,
    /// Whether the caller is spared, if anything is said about that.
    pub skips_caller: Option<bool>,
}

/// What is asked of a client.
enum Test {
    /// Numbers of clients; ascending wherever it can be turned round.
    Ids(Vec<u64>),
    /// Whether its output is limited as that of this class; nobody is of a class that there is none of.
    IsOfClass(Option<ClientClass>),
    /// The name of its user.
    User(Vec<u8>),
    /// Whether a text is that of the client, which may have none.
    Is(fn(&ClientInfo, &Names) -> Option<Vec<u8>>, Vec<u8>),
    /// Whether all these letters are among those of the client.
    Has(fn(&ClientInfo) -> String, Vec<u8>),
    Db(u16),
    /// Whether so many seconds have passed since.
    SecondsSince(fn(&ClientInfo) -> i64, i64),
}

/// A filter in the words of a call.
struct Word {
    name: &'static str,
    /// Whether Redis has it too.
    is_old: bool,
    /// The same turned round, if there is that.
    negated: Option<&'static str>,
    /// Reads what stands behind it; an error may repeat how it was introduced.
    read: fn(&mut Args<'_>, &Reading<'_>) -> Result<Test, Error>,
}

/// What reading a filter depends on.
struct Reading<'a> {
    dialect: &'a Dialect,
    databases: u16,
    acl: &'a Acl,
    /// As the errors call it: its name.
    name: &'static str,
    is_negated: bool,
}

impl<'a> Reading<'a> {
    fn new(state: &'a State, name: &'static str, is_negated: bool) -> Reading<'a> {
        let (dialect, databases) = (state.config.dialect(), state.keyspace.databases());
        Reading { dialect, databases, acl: &state.acl, name, is_negated }
    }
}

const fn word(
    name: &'static str,
    negated: Option<&'static str>,
    read: fn(&mut Args<'_>, &Reading<'_>) -> Result<Test, Error>,
) -> Word {
    Word { name, is_old: false, negated, read }
}

impl Word {
    const fn old(mut self) -> Word {
        self.is_old = true;
        self
    }
}

static WORDS: [Word; 14] = [
    word("ID", Some("NOT-ID"), read_ids).old(),
    word("TYPE", Some("NOT-TYPE"), read_type).old(),
    word("USER", Some("NOT-USER"), read_user).old(),
    word("ADDR", Some("NOT-ADDR"), |args, _| text(args, |info, _| Some(info.addr.clone().into()))).old(),
    word("LADDR", Some("NOT-LADDR"), |args, _| text(args, |info, _| Some(info.laddr.clone().into()))).old(),
    // Redis has it since 7.4.
    word("MAXAGE", None, |args, reading| seconds(args, reading, |info| info.connected_ms)).old(),
    word("IDLE", None, |args, reading| seconds(args, reading, |info| info.active_ms.load(Ordering::Relaxed))),
    word("NAME", Some("NOT-NAME"), |args, _| text(args, |_, names| set(&names.name))),
    word("LIB-NAME", Some("NOT-LIB-NAME"), |args, _| text(args, |_, names| set(&names.lib_name))),
    word("LIB-VER", Some("NOT-LIB-VER"), |args, _| text(args, |_, names| set(&names.lib_ver))),
    word("IP", Some("NOT-IP"), |args, _| text(args, |info, _| Some(ip(&info.addr).into()))),
    word("FLAGS", Some("NOT-FLAGS"), |args, reading| letters(args, reading, KNOWN_FLAGS, flags)),
    word("CAPA", Some("NOT-CAPA"), |args, reading| {
        letters(args, reading, "r", |info| capabilities(info).into())
    }),
    word("DB", Some("NOT-DB"), read_db),
];

/// The letters that a client can have in Valkey.
const KNOWN_FLAGS: &str = "bcdeirtuxABEIMNOPRSTU";

impl Filter {
    /// The filter of CLIENT LIST.
    pub fn of_list(call: &mut Call<'_>) -> Result<Filter, Error> {
        let reading = Reading::new(call.state, "TYPE", false);
        let dialect = reading.dialect;
        let mut filter = Filter::default();
        let args = &mut call.args;
        if dialect.client_filters_combine {
            filter.read_pairs(args, call.state)?;
        } else if args.len() == 2 && args.take_word("TYPE") {
            filter.put(read_type(args, &reading)?, false, "TYPE", dialect);
        } else if args.len() >= 2 && args.take_word("ID") {
            filter.put(Test::Ids(all_ids(args)?), false, "ID", dialect);
        }
        args.finish()?;
        Ok(filter)
    }

    /// The filter of CLIENT KILL.
    pub fn of_kill(call: &mut Call<'_>) -> Result<Filter, Error> {
        let mut filter = Filter::default();
        filter.read_pairs(&mut call.args, call.state)?;
        Ok(filter)
    }

    /// The clients at an address, as the old form of CLIENT KILL names them.
    pub fn at_address(addr: &[u8]) -> Filter {
        let test = Test::Is(|info, _| Some(info.addr.clone().into()), addr.to_vec());
        Filter { tests: vec![(test, false, "ADDR")], skips_caller: Some(false) }
    }

    fn read_pairs(&mut self, args: &mut Args<'_>, state: &State) -> Result<(), Error> {
        let dialect = state.config.dialect();
        while let Some(name) = args.next() {
            if is_word(name, "SKIPME") && !args.is_empty() {
                self.skips_caller = Some(yes_or_no(args.take()?)?);
                continue;
            }
            let known = WORDS.iter().filter(|word| word.is_old || dialect.client_filters_combine);
            let mut forms = known.flat_map(|word| {
                let negated = word.negated.filter(|_| dialect.client_filters_combine);
                [Some((word, word.name, false)), negated.map(|negated| (word, negated, true))]
            });
            let found = forms.find_map(|form| form.filter(|(_, form, _)| is_word(name, form)));
            let (word, form, is_negated) = found.ok_or(Error::SYNTAX)?;
            let reading = Reading::new(state, form, is_negated);
            let has_value = !args.is_empty() || self.ids_so_far(form);
            let test = if has_value { (word.read)(args, &reading)? } else { return Err(Error::SYNTAX) };
            self.put(test, is_negated, form, dialect);
        }
        Ok(())
    }

    /// Whether numbers of clients have been given already: Valkey then takes the word without more of them.
    fn ids_so_far(&self, form: &str) -> bool {
        self.tests.iter().any(|(test, _, earlier)| matches!(test, Test::Ids(_)) && *earlier == form)
    }

    /// Adds a test; of two of the same kind the later one counts, but Valkey's numbers add up.
    fn put(&mut self, test: Test, is_negated: bool, form: &'static str, dialect: &Dialect) {
        let earlier = self.tests.iter_mut().find(|(_, _, earlier)| *earlier == form);
        match (earlier, test) {
            (Some((Test::Ids(ids), ..)), Test::Ids(more)) if dialect.client_filters_combine => {
                ids.extend(more);
                ids.sort_unstable();
                ids.dedup();
            }
            (Some(earlier), test) => earlier.0 = test,
            (None, test) => self.tests.push((test, is_negated, form)),
        }
    }

    /// Those that are wanted by their numbers, in that order.
    fn ids(&self) -> Option<&[u64]> {
        self.tests.iter().find_map(|(test, is_negated, _)| match test {
            Test::Ids(ids) if !is_negated => Some(ids.as_slice()),
            _ => None,
        })
    }

    /// How many clients have to be looked at.
    pub fn candidates(&self, call: &Call<'_>) -> usize {
        self.ids().map_or(call.state.clients.len(), <[u64]>::len)
    }

    /// The clients that are meant.
    pub fn clients(&self, call: &Call<'_>, caller: &Client) -> Vec<Arc<ClientInfo>> {
        let registry = &call.state.clients;
        let mut clients = match self.ids() {
            Some(ids) => ids.iter().filter_map(|&id| registry.client(id)).collect(),
            None => registry.all(),
        };
        clients.retain(|client| {
            let is_spared = self.skips_caller == Some(true) && client.id == caller.id;
            // Whose number is wanted has been found by it.
            let is_found = |test: &Test, is_negated: bool| matches!(test, Test::Ids(_)) && !is_negated;
            let mut tests = self.tests.iter().filter(|(test, is_negated, _)| !is_found(test, *is_negated));
            !is_spared && tests.all(|(test, is_negated, _)| test.holds(client, call) != *is_negated)
        });
        clients
    }
}

impl Test {
    fn holds(&self, info: &ClientInfo, call: &Call<'_>) -> bool {
        match self {
            Test::Ids(ids) => ids.binary_search(&info.id).is_ok(),
            Test::IsOfClass(class) => *class == Some(limits::class(info)),
            Test::User(name) => info.is_user(name),
            Test::Is(of, wanted) => of(info, &info.names.lock()).as_ref() == Some(wanted),
            Test::Has(of, wanted) => {
                let letters = of(info);
                wanted.iter().all(|letter| letters.as_bytes().contains(letter))
            }
            Test::Db(db) => info.db.load(Ordering::Relaxed) == *db,
            Test::SecondsSince(of, seconds) => call.now_ms / 1000 - of(info) / 1000 >= *seconds,
        }
    }
}

fn read_ids(args: &mut Args<'_>, reading: &Reading<'_>) -> Result<Test, Error> {
    if !reading.dialect.client_filters_combine {
        return Ok(Test::Ids(vec![positive_id(number::parse_i64(args.take()?).unwrap_or(0))?]));
    }
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(number::parse_i64) {
        ids.push(positive_id(id)?);
        args.take()?;
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Test::Ids(ids))
}

fn positive_id(id: i64) -> Result<u64, Error> {
    u64::try_from(id).ok().filter(|&id| id > 0).ok_or(Error::CLIENT_ID_NOT_POSITIVE)
}

/// All words that are left, as numbers of clients, in this order.
fn all_ids(args: &mut Args<'_>) -> Result<Vec<u64>, Error> {
    let mut ids = Vec::with_capacity(args.len());
    while let Some(word) = args.next() {
        let id = number::parse_i64(word).ok_or(Error::INVALID_CLIENT_ID)?;
        ids.extend(u64::try_from(id).ok());
    }
    Ok(ids)
}

fn read_type(args: &mut Args<'_>, reading: &Reading<'_>) -> Result<Test, Error> {
    let name = args.take()?;
    let known = reading.dialect.client_types.iter().find(|known| is_word(name, known));
    let known = known.ok_or_else(|| Error::unknown_client_type(name))?;
    Ok(Test::IsOfClass(ClientClass::from_name(known.as_bytes())))
}

fn read_user(args: &mut Args<'_>, reading: &Reading<'_>) -> Result<Test, Error> {
    let name = args.take()?;
    let user = reading.acl.user(name).ok_or_else(|| Error::no_such_user(name))?;
    Ok(Test::User(user.name.to_vec()))
}

fn read_db(args: &mut Args<'_>, reading: &Reading<'_>) -> Result<Test, Error> {
    let number = number::parse_i64(args.take()?).and_then(|number| i32::try_from(number).ok());
    let number = number.ok_or_else(|| Error::not_an_integer(reading.name))?;
    let db = u16::try_from(number).ok().filter(|&db| db < reading.databases);
    db.map(Test::Db).ok_or_else(|| Error::filter_db_out_of_range(reading.name, reading.databases))
}

fn text(args: &mut Args<'_>, of: fn(&ClientInfo, &Names) -> Option<Vec<u8>>) -> Result<Test, Error> {
    Ok(Test::Is(of, args.take()?.to_vec()))
}

fn letters(
    args: &mut Args<'_>,
    reading: &Reading<'_>,
    known: &str,
    of: fn(&ClientInfo) -> String,
) -> Result<Test, Error> {
    let wanted = args.take()?;
    if wanted.iter().all(|letter| known.as_bytes().contains(letter)) {
        return Ok(Test::Has(of, wanted.to_vec()));
    }
    Err(Error::unknown_letters(reading.name, reading.is_negated, wanted))
}

fn seconds(args: &mut Args<'_>, reading: &Reading<'_>, of: fn(&ClientInfo) -> i64) -> Result<Test, Error> {
    let name = reading.name.to_ascii_lowercase();
    let seconds = number::parse_i64(args.take()?).ok_or_else(|| Error::not_an_integer(&name))?;
    if seconds <= 0 {
        return Err(Error::not_above_zero(&name));
    }
    Ok(Test::SecondsSince(of, seconds))
}

fn yes_or_no(word: &[u8]) -> Result<bool, Error> {
    match (is_word(word, "YES"), is_word(word, "NO")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

/// A name that was set.
fn set(name: &[u8]) -> Option<Vec<u8>> {
    (!name.is_empty()).then(|| name.to_vec())
}

/// The address without its port.
fn ip(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(ip, _)| ip.trim_start_matches('[').trim_end_matches(']'))
}

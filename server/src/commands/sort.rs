//! SORT and SORT_RO: the elements of a collection in another order, by themselves or by what lies under keys made from them.
//!
//! Which keys those are is only known while the command runs; so a call with a pattern discovers its shards.

use std::cmp::Ordering;

use shardis_protocol::{Request, number};
use shardis_storage::types::hash::Hash;
use shardis_storage::types::list::{List, Side};
use shardis_storage::types::packed::Element;
use shardis_storage::types::{Kind, ObjectRef};
use shardis_storage::{Notice, Transaction, View};

use super::list::limit;
use super::sorted_set::context;
use crate::command::Arity::AtLeast;
use crate::command::args::{is_word, until_zero};
use crate::command::event;
use crate::command::{
    Call, Category, Command, Done, Error, Family, Flags, Flow, KeySpec, key, named_by_content, searched,
};
use crate::config::Dialect;
use shardis_storage::types::sorted_set::SortedSet;

pub static FAMILY: Family = Family::new("generic", Category::DANGEROUS, &[&SORT, &SORT_RO]);

const CATEGORIES: Category = Category::SET.union(Category::SORTED_SET).union(Category::LIST);
const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of \
    returned elements. When the elements are not sorted, complexity is O(N).";
const SOURCE: KeySpec = key(1).read_only().accesses();
/// What it reads besides has names that only running it tells.
const BY_AND_GET: KeySpec = named_by_content().read_only().accesses().notes(
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we \
     sort",
);
const STORE: KeySpec = searched(destination).overwrites().updates().notes(
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
);

pub static SORT: Command = Command::write("SORT", sort)
    .syntax(
        "key [by-pattern=BY pattern] [LIMIT offset count] [get-pattern=GET pattern [GET pattern ...]] [ASC | DESC] [sorting=ALPHA] [STORE destination]",
    )
    .arity(AtLeast(2))
    .keys(&[SOURCE, BY_AND_GET, STORE])
    .discovers(has_pattern)
    .flags(Flags::DENY_OOM)
    .categories(CATEGORIES)
    .since("1.0.0")
    .complexity(COMPLEXITY)
    .summary("Sorts the elements in a list, a set, or a sorted set, optionally storing the result.");

fn sort(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let options = Options::parse(call, true)?;
    make_large(call, txn)?;
    let Some(rows) = rows(call, txn, &options)? else { return Ok(Flow::Offload) };
    let Some(at) = options.store else { return reply(call, &rows) };
    let mut stored = List::default();
    let elements = rows.iter().map(|row| Element::from(row.as_deref().unwrap_or_default()));
    stored.push(Side::Back, elements, limit(call));
    if !rows.is_empty() {
        txn.announce(Notice::Event(&event::SORT_STORE));
    }
    txn.set_collection(&call.key(at)?, stored);
    call.integer(rows.len())
}

/// A sorted set that is sorted is large from then on, as in the real servers, which sort only such ones.
fn make_large(call: &Call<'_>, txn: &mut Transaction<'_>) -> Result<(), Error> {
    let source = call.key(1)?;
    if let Ok(Some(mut set)) = txn.edit::<SortedSet>(&source) {
        let context = context(call, &source);
        set.change(|set| (false, set.expect_members(usize::MAX, 0, &context)));
    }
    Ok(())
}

pub static SORT_RO: Command = Command::write("SORT_RO", sort_ro)
    .syntax("key [by-pattern=BY pattern] [LIMIT offset count] [get-pattern=GET pattern [GET pattern ...]] [ASC | DESC] [sorting=ALPHA]")
    .arity(AtLeast(2))
    .keys(&[SOURCE, BY_AND_GET])
    .flags(Flags::READONLY)
    .discovers(has_pattern)
    .categories(CATEGORIES)
    .since("7.0.0")
    .complexity(COMPLEXITY)
    .summary("Returns the sorted elements of a list, a set, or a sorted set.");

fn sort_ro(call: &mut Call<'_>, txn: &mut Transaction<'_>) -> Done {
    let options = Options::parse(call, false)?;
    make_large(call, txn)?;
    let Some(rows) = rows(call, txn, &options)? else { return Ok(Flow::Offload) };
    reply(call, &rows)
}

fn reply(call: &mut Call<'_>, rows: &[Option<Vec<u8>>]) -> Done {
    call.reply.array(rows.len());
    for row in rows {
        match row {
            Some(bytes) => call.reply.bulk(bytes),
            None => call.reply.null(),
        }
    }
    Ok(Flow::Done)
}

/// What a call asks for.
#[derive(Debug, Default)]
struct Options<'a> {
    order: Order<'a>,
    is_descending: bool,
    /// Whether texts are compared, not numbers.
    is_alpha: bool,
    /// Where to begin and how many, as they were given.
    limit: Option<(i64, i64)>,
    /// What is shown for each element; itself if there is none.
    get: Vec<&'a [u8]>,
    /// The word that names the destination.
    store: Option<usize>,
}

/// By what is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order<'a> {
    /// By the elements.
    #[default]
    Element,
    /// By what lies under keys made from the elements.
    Pattern(&'a [u8]),
    /// Not at all.
    AsIs,
}

impl<'a> Options<'a> {
    fn parse(call: &mut Call<'a>, may_store: bool) -> Result<Options<'a>, Error> {
        call.args.take()?;
        let words = call.request().len();
        let mut options = Options::default();
        let args = &mut call.args;
        while !args.is_empty() {
            if args.take_word("ASC") {
                options.is_descending = false;
            } else if args.take_word("DESC") {
                options.is_descending = true;
            } else if args.take_word("ALPHA") {
                options.is_alpha = true;
            } else if args.take_word("LIMIT") {
                args.behind(2)?;
                options.limit = Some((args.integer()?, args.integer()?));
            } else if may_store && args.take_word("STORE") {
                options.store = Some(words - args.len());
                args.take()?;
            } else if args.take_word("BY") {
                let pattern = args.take()?;
                options.order = if is_pattern(pattern) { Order::Pattern(pattern) } else { Order::AsIs };
                if is_pattern(pattern) && !call.may_discover {
                    return Err(Error::option_denied("BY"));
                }
            } else if args.take_word("GET") {
                options.get.push(args.take()?);
                if !call.may_discover {
                    return Err(Error::option_denied("GET"));
                }
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Which of so many elements are wanted.
    fn range(&self, elements: usize) -> std::ops::Range<usize> {
        let Some((offset, count)) = self.limit else { return 0..elements };
        let start = usize::try_from(offset).unwrap_or(0).min(elements);
        let count = usize::try_from(count).unwrap_or(elements);
        start..start.saturating_add(count).min(elements)
    }
}

/// Whether a key is made from a pattern for each element.
fn is_pattern(pattern: &[u8]) -> bool {
    until_zero(pattern).contains(&b'*')
}

/// The words of a call behind its key, with what stands behind each; those that belong to another option are passed over.
fn words<'a>(request: Request<'a>) -> impl Iterator<Item = (usize, &'a [u8])> {
    let mut at = 2;
    std::iter::from_fn(move || {
        let (found, word) = (at, request.arg(at)?);
        at += match word {
            _ if is_word(word, "LIMIT") => 3,
            _ if ["GET", "BY"].iter().any(|option| is_word(word, option)) => 2,
            _ => 1,
        };
        Some((found, word))
    })
}

/// Where the destination stands; of several, the last one counts.
fn destination(request: Request<'_>) -> Option<usize> {
    let store = words(request).filter(|(_, word)| is_word(word, "STORE")).last();
    store.map(|(at, _)| at + 1).filter(|&at| at < request.len())
}

fn has_pattern(request: Request<'_>) -> bool {
    words(request).any(|(at, word)| {
        let pattern = request.arg(at + 1).unwrap_or_default();
        (is_word(word, "BY") || is_word(word, "GET")) && is_pattern(pattern)
    })
}

/// The rows of the result; `None` if that is work for somebody who may take long.
fn rows(
    call: &Call<'_>,
    view: &mut View<'_>,
    options: &Options<'_>,
) -> Result<Option<Vec<Option<Vec<u8>>>>, Error> {
    let source = call.key(1)?;
    let Some(found) = view.lookup(&source) else { return Ok(Some(Vec::new())) };
    let kind = found.kind();
    let len = match found.any_object() {
        Some(ObjectRef::Set(set)) => set.len(),
        Some(ObjectRef::List(list)) => list.len(),
        Some(ObjectRef::SortedSet(set)) => set.len(),
        _ => return Err(Error::WRONG_TYPE),
    };
    if call.should_offload(len) {
        view.uncount(&source);
        return Ok(None);
    }
    let elements = match view.looked_up(&source).and_then(|found| found.any_object()) {
        Some(ObjectRef::Set(set)) => set.iter().map(|member| member.to_vec()).collect(),
        Some(ObjectRef::List(list)) => list.iter().map(|element| element.to_vec()).collect(),
        Some(ObjectRef::SortedSet(set)) => set.iter().map(|(member, _)| member.to_vec()).collect(),
        _ => Vec::new(),
    };
    let sorted = in_order(call, view, options, kind, elements)?;
    let mut rows = Vec::with_capacity(sorted.len() * options.get.len().max(1));
    for element in sorted {
        match options.get.as_slice() {
            [] => rows.push(Some(element)),
            patterns => rows.extend(patterns.iter().map(|pattern| behind(call, view, pattern, &element))),
        }
    }
    Ok(Some(rows))
}

/// The wanted range of the elements, sorted.
fn in_order(
    call: &Call<'_>,
    view: &mut View<'_>,
    options: &Options<'_>,
    kind: Kind,
    mut elements: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Error> {
    let range = options.range(elements.len());
    let is_stored = options.store.is_some();
    // A set has no order that could be stored, or that a script could rely on.
    let needs_order = is_stored || call.program.is_some_and(|program| program.is_script);
    let is_reordered = kind == Kind::Set && needs_order && options.order == Order::AsIs;
    if options.order == Order::AsIs && !is_reordered {
        if options.is_descending && kind != Kind::Set {
            elements.reverse();
        }
        elements.truncate(range.end);
        elements.drain(..range.start);
        return Ok(elements);
    }
    let mut weighed = Vec::with_capacity(elements.len());
    for element in elements {
        let found = match options.order {
            Order::Pattern(pattern) => behind(call, view, pattern, &element),
            Order::Element | Order::AsIs => Some(element.clone()),
        };
        let weight = match options.is_alpha || is_reordered {
            true => Weight::Text(found),
            false => Weight::Number(as_number(found, call.dialect()).ok_or(Error::SORT_NOT_NUMBERS)?),
        };
        weighed.push((weight, element));
    }
    weighed.sort_by(|(one, element), (other, other_element)| {
        let ordering = match (one, other) {
            (Weight::Number(one), Weight::Number(other)) => {
                one.partial_cmp(other).unwrap_or(Ordering::Equal).then_with(|| element.cmp(other_element))
            }
            (Weight::Text(one), Weight::Text(other)) if is_stored => one.cmp(other),
            (Weight::Text(one), Weight::Text(other)) => {
                one.as_deref().map(until_zero).cmp(&other.as_deref().map(until_zero))
            }
            _ => Ordering::Equal,
        };
        if options.is_descending { ordering.reverse() } else { ordering }
    });
    Ok(weighed.drain(range).map(|(_, element)| element).collect())
}

/// By what an element is compared.
#[derive(Debug)]
enum Weight {
    Number(f64),
    /// Nothing comes before everything else.
    Text(Option<Vec<u8>>),
}

/// A weight as a number; nothing weighs nothing.
fn as_number(weight: Option<Vec<u8>>, dialect: &Dialect) -> Option<f64> {
    let Some(text) = weight else { return Some(0.0) };
    let text = until_zero(&text);
    if text.is_empty() && dialect.doubles_of_c {
        return Some(0.0);
    }
    let number = dialect.behind_space(text);
    dialect.reads_double(number).then(|| number::parse_f64(number)).flatten()
}

/// What a pattern means for an element: `#` the element, and else what lies under the key that has the element in the place of
/// the first `*`, or in a field of the hash there if the pattern goes on with `->field`.
fn behind(call: &Call<'_>, view: &mut View<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.to_vec());
    }
    let pattern = until_zero(pattern);
    let star = pattern.iter().position(|&byte| byte == b'*')?;
    let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = rest.windows(2).position(|window| window == b"->").filter(|at| at + 2 < rest.len());
    let (suffix, field) = match arrow {
        Some(at) => (&rest[..at], Some(&rest[at + 2..])),
        None => (rest, None),
    };
    let name = [prefix, element, suffix].concat();
    let key = call.state.keyspace.key(&name);
    match field {
        Some(field) => view.read::<Hash>(&key).ok()??.field(field, call.now_ms).map(|value| value.to_vec()),
        None => view.string(&key).ok()?.map(|value| value.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use shardis_protocol::OwnedRequest;

    use super::*;

    fn request(text: &str) -> OwnedRequest {
        OwnedRequest::from_args(&text.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn the_destination_and_patterns_are_found_where_they_are_no_words_of_others() {
        for (text, store, is_discovered) in [
            ("SORT a", None, false),
            ("SORT a STORE b", Some(3), false),
            ("SORT a GET store b", None, false),
            ("SORT a BY store STORE b", Some(5), false),
            ("SORT a STORE b STORE c", Some(5), false),
            ("SORT a STORE", None, false),
            ("SORT a LIMIT store 1 GET #", None, false),
            ("SORT a BY w_*", None, true),
            ("SORT a BY nosort GET # GET x*->f STORE b", Some(9), true),
        ] {
            let request = request(text);
            assert_eq!(destination(request.as_request()), store, "{text}");
            assert_eq!(has_pattern(request.as_request()), is_discovered, "{text}");
        }
    }

    #[test]
    fn a_range_ends_where_the_elements_do() {
        let range = |offset, count| Options { limit: Some((offset, count)), ..Options::default() }.range(5);
        assert_eq!(range(0, 10), 0..5);
        assert_eq!(range(2, 2), 2..4);
        assert_eq!(range(-3, 2), 0..2);
        assert_eq!(range(9, 2), 5..5);
        assert_eq!(range(1, -1), 1..5);
        assert_eq!(range(1, 0), 1..1);
        assert_eq!(range(i64::MAX, i64::MAX), 5..5);
        assert_eq!(Options::default().range(5), 0..5);
    }
}

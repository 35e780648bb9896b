//! Rows for a plan: what a key, or an element of the collection at a key, has for each of its sources. Not here: which keys
//! are visited, and when (`visit`).

use shardis_compute::{Application, Batch, Field, Kind, Plan, ROWS_MAX, Row, Source};
use shardis_storage::glob::Pattern;
use shardis_storage::types::hash::Hash;
use shardis_storage::types::list::{List, Side};
use shardis_storage::types::packed::Element;
use shardis_storage::types::set::Set;
use shardis_storage::types::sorted_set::SortedSet;
use shardis_storage::types::stream::Stream;
use shardis_storage::{EntryRef, ObjectRef, StringRef};

use super::apply::Candidate;

/// Makes rows of keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyRows<'p> {
    plan: &'p Plan,
    pattern: Pattern<'p>,
    /// The instant by which everything is judged: Unix milliseconds.
    now_ms: i64,
}

impl<'p> KeyRows<'p> {
    /// For a plan over the keyspace.
    pub fn new(plan: &'p Plan, now_ms: i64) -> KeyRows<'p> {
        KeyRows { plan, pattern: Pattern::new(plan.pattern().unwrap_or_default()), now_ms }
    }

    /// Whether the plan is about this key.
    #[inline]
    pub fn admits(&self, key: &[u8], entry: EntryRef<'_>) -> bool {
        self.plan.kinds().has(kind_of(entry)) && self.pattern.matches(key)
    }

    /// Adds its row.
    #[inline]
    pub fn push(&self, out: &mut Batch, key: &[u8], entry: EntryRef<'_>) {
        out.push_row(Row { key, ..Row::default() }, |source| self.field(source, entry));
    }

    fn field<'e>(&self, source: &Source, entry: EntryRef<'e>) -> Field<'e> {
        match source {
            Source::Field(name) => entry
                .object::<Hash>()
                .and_then(|hash| hash.field(name.as_bytes(), self.now_ms))
                .map_or(Field::Missing, field),
            Source::Value => match entry.string() {
                Some(StringRef::Int(value)) => Field::Int(value),
                Some(StringRef::Bytes(bytes)) => Field::Bytes(bytes),
                Some(StringRef::Shared(bytes)) => Field::Shared(bytes),
                None => Field::Missing,
            },
            Source::Length => Field::Int(int(length(entry))),
            Source::Ttl => Field::Int(entry.deadline_ms().map_or(-1, |deadline| deadline - self.now_ms)),
            Source::Type => Field::Bytes(entry.kind().name().as_bytes()),
            Source::Bytes => Field::Int(int(entry.memory_bytes())),
            Source::Idle => Field::Int(entry.idle_ms()),
            Source::Now => Field::Int(self.now_ms),
            _ => Field::Missing,
        }
    }
}

/// How far into a collection a visit has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Nothing was visited.
    #[default]
    Start,
    /// As many elements, or the cursor of a scan.
    At(u64),
    /// All of it was.
    End,
}

/// Makes rows of the elements of a collection.
#[derive(Clone, Copy, Debug)]
pub struct ElementRows<'p> {
    /// What to read.
    pub plan: &'p Plan,
    /// The instant by which everything is judged: Unix milliseconds.
    pub now_ms: i64,
}

/// A key has another type than the plan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

impl ElementRows<'_> {
    /// Adds rows of the collection at a key, from `place` on, until the batch is full. The key stands at these places of
    /// the command; an element is a row for each.
    pub fn push(
        &self,
        out: &mut Batch,
        key: &[u8],
        at: &[u64],
        entry: EntryRef<'_>,
        place: Place,
    ) -> Result<Place, WrongType> {
        let kind = Some(kind_of(entry)).filter(|kind| self.plan.kinds().has(*kind)).ok_or(WrongType)?;
        let from = match place {
            Place::Start => 0,
            Place::At(from) => from,
            Place::End => return Ok(Place::End),
        };
        let rows = Rows { of: self, key, at };
        Ok(match kind {
            Kind::List => entry.object::<List>().map_or(Place::End, |list| rows.list(out, list, from)),
            Kind::Zset => {
                entry.object::<SortedSet>().map_or(Place::End, |set| rows.sorted_set(out, set, from))
            }
            Kind::Set => entry.object::<Set>().map_or(Place::End, |set| {
                rows.scanned(out, from, |cursor, out, rows| {
                    set.scan(cursor, SCAN_ELEMENTS, &mut |member| rows.member(out, member))
                })
            }),
            Kind::Hash => entry.object::<Hash>().map_or(Place::End, |hash| {
                rows.scanned(out, from, |cursor, out, rows| {
                    hash.scan(cursor, SCAN_ELEMENTS, rows.of.now_ms, &mut |name, value| {
                        rows.pair(out, name, value);
                    })
                })
            }),
            Kind::Stream => {
                entry.object::<Stream>().map_or(Place::End, |stream| rows.stream(out, stream, from))
            }
            _ => return Err(WrongType),
        })
    }
}

/// Elements of a step through a table: few enough that a batch is not much more than full.
const SCAN_ELEMENTS: usize = 64;

/// Places of one key in the order of all rows: enough for any collection.
const KEY_SHIFT: u32 = 40;

/// The rows of one collection.
struct Rows<'r, 'p> {
    of: &'r ElementRows<'p>,
    key: &'r [u8],
    at: &'r [u64],
}

impl Rows<'_, '_> {
    fn list(&self, out: &mut Batch, list: &List, from: u64) -> Place {
        for (next, element) in (from..).zip(list.iter_from(from as usize, Side::Back)) {
            if out.is_full() {
                return Place::At(next);
            }
            self.add(out, &[], next, |source| match source {
                Source::Value | Source::Element => field(element),
                Source::Index | Source::Place => Field::Int(next as i64),
                _ => Field::Missing,
            });
        }
        Place::End
    }

    fn sorted_set(&self, out: &mut Batch, set: &SortedSet, from: u64) -> Place {
        if self.at.len() == 1 && out.takes_doubles(&Source::Score) {
            return scores(out, set, from);
        }
        for (next, (member, score)) in (from..).zip(set.iter_from(from as usize, Side::Back)) {
            if out.is_full() {
                return Place::At(next);
            }
            self.add_element(out, member, next, |source| match source {
                Source::Score => Field::Double(score),
                Source::Member | Source::Element => field(member),
                Source::Place => Field::Int(0),
                _ => Field::Missing,
            });
        }
        Place::End
    }

    fn stream(&self, out: &mut Batch, stream: &Stream, from: u64) -> Place {
        for (next, entry) in (from..).zip(stream.log().range_from(from as usize)) {
            if out.is_full() {
                return Place::At(next);
            }
            let (id, text) = (entry.id(), entry.id().to_string());
            self.add(out, text.as_bytes(), next, |source| match source {
                Source::EntryId | Source::Element => Field::Bytes(text.as_bytes()),
                Source::EntryMs => Field::Int(i64::try_from(id.ms).unwrap_or(i64::MAX)),
                Source::EntrySeq => Field::Int(i64::try_from(id.seq).unwrap_or(i64::MAX)),
                Source::EntryField(name) => {
                    let mut pairs = entry.pairs();
                    let found = pairs.find(|(own, _)| own.eq_bytes(name.as_bytes()));
                    found.map_or(Field::Missing, |(_, value)| field(value))
                }
                Source::Place => Field::Int(0),
                _ => Field::Missing,
            });
        }
        Place::End
    }

    fn scanned(
        &self,
        out: &mut Batch,
        from: u64,
        mut step: impl FnMut(u64, &mut Batch, &Self) -> u64,
    ) -> Place {
        let mut cursor = from;
        while !out.is_full() {
            cursor = step(cursor, out, self);
            if cursor == 0 {
                return Place::End;
            }
        }
        Place::At(cursor)
    }

    fn member(&self, out: &mut Batch, member: Element<'_>) {
        self.add_element(out, member, 0, |source| match source {
            Source::Value | Source::Element => field(member),
            Source::Place => Field::Int(0),
            _ => Field::Missing,
        });
    }

    fn pair(&self, out: &mut Batch, name: Element<'_>, value: Element<'_>) {
        self.add_element(out, name, 0, |source| match source {
            Source::Value => field(value),
            Source::FieldName | Source::Element => field(name),
            Source::Place => Field::Int(0),
            _ => Field::Missing,
        });
    }

    fn add_element<'a>(
        &self,
        out: &mut Batch,
        element: Element<'a>,
        ordinal: u64,
        of: impl FnMut(&Source) -> Field<'a>,
    ) {
        match element {
            Element::Bytes(bytes) => self.add(out, bytes, ordinal, of),
            Element::Int(int) => {
                let mut text = itoa::Buffer::new();
                self.add(out, text.format(int).as_bytes(), ordinal, of);
            }
        }
    }

    fn add<'a>(
        &self,
        out: &mut Batch,
        element: &[u8],
        ordinal: u64,
        mut of: impl FnMut(&Source) -> Field<'a>,
    ) {
        for at in self.at {
            let row = Row { key: self.key, element, ordinal: (at << KEY_SHIFT) + ordinal };
            out.push_row(row, |source| match source {
                Source::Now => Field::Int(self.of.now_ms),
                source => of(source),
            });
        }
    }
}

/// Scores alone, which stand beside each other.
fn scores(out: &mut Batch, set: &SortedSet, from: u64) -> Place {
    let scores = set.scores_from(from as usize, ROWS_MAX.saturating_sub(out.rows()));
    out.push_doubles(&scores);
    let next = from as usize + scores.len();
    if next < set.len() { Place::At(next as u64) } else { Place::End }
}

/// Adds the row of a candidate as it is now, if it is still there.
pub fn push_live(
    application: &Application,
    out: &mut Batch,
    candidate: &Candidate,
    entry: EntryRef<'_>,
    now_ms: i64,
) -> bool {
    let plan = application.change();
    if plan.pattern().is_some() {
        let rows = KeyRows::new(plan, now_ms);
        let is_admitted = rows.admits(&candidate.key, entry);
        if is_admitted {
            rows.push(out, &candidate.key, entry);
        }
        return is_admitted;
    }
    let rows = Rows { of: &ElementRows { plan, now_ms }, key: &candidate.key, at: &[0] };
    let wanted = Element::stored(&candidate.element);
    match entry.any_object() {
        Some(ObjectRef::List(list)) if list.nth(candidate.place) == Some(wanted) => {
            rows.add(out, &[], 0, |source| match source {
                Source::Value => field(wanted),
                Source::Index => Field::Int(candidate.place as i64),
                _ => Field::Missing,
            });
        }
        Some(ObjectRef::Set(set)) if set.contains(wanted) => rows.member(out, wanted),
        Some(ObjectRef::SortedSet(set)) => {
            let Some(score) = set.score(&candidate.element) else { return false };
            rows.add(out, &candidate.element, 0, |source| match source {
                Source::Score => Field::Double(score),
                Source::Member => field(wanted),
                _ => Field::Missing,
            });
        }
        Some(ObjectRef::Hash(hash)) => {
            let Some(value) = hash.field(&candidate.element, now_ms) else { return false };
            rows.pair(out, wanted, value);
        }
        _ => return false,
    }
    // Another collection may be at the key now.
    plan.kinds().has(kind_of(entry))
}

fn field(element: Element<'_>) -> Field<'_> {
    match element {
        Element::Int(value) => Field::Int(value),
        Element::Bytes(bytes) => Field::Bytes(bytes),
    }
}

fn int(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The type of a key, as plans know types.
fn kind_of(entry: EntryRef<'_>) -> Kind {
    use shardis_storage::Kind as Stored;
    match entry.kind() {
        Stored::String => Kind::String,
        Stored::List => Kind::List,
        Stored::Set => Kind::Set,
        Stored::SortedSet => Kind::Zset,
        Stored::Hash => Kind::Hash,
        Stored::Stream => Kind::Stream,
        Stored::Lock => Kind::Lock,
        Stored::Semaphore => Kind::Semaphore,
        Stored::Latch => Kind::Latch,
        Stored::Job => Kind::Job,
    }
}

/// What STRLEN, LLEN, SCARD, ZCARD or HLEN would say.
fn length(entry: EntryRef<'_>) -> usize {
    match entry.any_object() {
        Some(ObjectRef::List(list)) => list.len(),
        Some(ObjectRef::Set(set)) => set.len(),
        Some(ObjectRef::SortedSet(set)) => set.len(),
        Some(ObjectRef::Hash(hash)) => hash.len(),
        Some(ObjectRef::Stream(stream)) => usize::try_from(stream.log().len()).unwrap_or(usize::MAX),
        Some(ObjectRef::Lock(_) | ObjectRef::Semaphore(_) | ObjectRef::Latch(_) | ObjectRef::Job(_)) => 0,
        None => entry.string().map_or(0, |string| string.len()),
    }
}

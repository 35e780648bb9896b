//! `Batch`: the columns of some rows, copied while their shard is locked and folded after it is unlocked. It
//! copies what the plan reads and no more; what has a buffer of its own it holds on to instead. Not here:
//! numbers that are no canonical integers, which are parsed when folding.

use std::ops::Range;
use std::sync::Arc;

use crate::expr::Source;
use crate::number;
use crate::plan::Plan;
use crate::reading::Reading;

/// Rows of a full batch: enough to pay for a fold, few enough to stay in the first-level cache.
pub const ROWS_MAX: usize = 1024;

/// Bytes of text of a full batch. One row may pass it, since it is checked between rows.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The longest text that is copied: some microseconds, for which a shard is locked. A longer one that stands in no
/// buffer of its own cannot be read as text; one that has its own is held on to, however long.
pub const COPIED_BYTES_MAX: usize = 64 * 1024;

/// Which row it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its key, or the key of its collection.
    pub key: &'a [u8],
    /// The member or field that it is; empty for a key, and for an element of a list.
    pub element: &'a [u8],
    /// Its place among the rows, where they have an order of their own; else 0.
    pub ordinal: u64,
}

/// What a row has for one source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Nothing: the hash has no such field.
    Missing,
    /// An integer: `len`, `ttl`, or a value that is stored as one.
    Int(i64),
    /// A score. Never NaN.
    Double(f64),
    /// The bytes of a value, whatever they are.
    Bytes(&'a [u8]),
    /// The same in a buffer of its own.
    Shared(&'a Arc<Vec<u8>>),
}

/// Rows of a plan, as columns. Made once per worker and cleared between folds.
#[derive(Clone, Debug)]
pub struct Batch {
    rows: usize,
    columns: Vec<BatchColumn>,
    /// Keys of the rows, kept only if an error has to name one.
    keys: Option<Vec<Range<usize>>>,
    /// What tells rows apart and orders them where nothing else does, kept only for those who ask.
    identities: Option<Vec<Range<usize>>>,
    /// Their places, likewise.
    ordinals: Option<Vec<u64>>,
    texts: Texts,
    /// Whether rows have one column, of doubles, and nothing else is kept of them.
    takes_doubles: bool,
}

/// The text of all columns.
#[derive(Clone, Debug, Default)]
struct Texts {
    at: Vec<TextAt>,
    copied: Vec<u8>,
    shared: Vec<Arc<Vec<u8>>>,
    shared_bytes: usize,
}

/// Where a text stands.
#[derive(Clone, Debug)]
enum TextAt {
    Copied(Range<usize>),
    Shared(usize),
}

/// One column, with an element per row.
#[derive(Clone, Debug)]
pub(crate) struct BatchColumn {
    reading: Reading,
    source: Source,
    pub(crate) tags: Vec<Tag>,
    /// The integer, the bits of the double, or which of the texts the text is.
    pub(crate) numbers: Vec<i64>,
    /// The tag that all rows have, if they have the same.
    uniform: Option<Tag>,
}

/// What a row has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Missing,
    Int,
    Double,
    Text,
    /// A value that is there but of which nothing was kept: no reading of the column could use it, or it is too
    /// long to be copied.
    Unkept,
}

impl Batch {
    /// An empty batch for rows of `plan`.
    pub fn new(plan: &Plan) -> Batch {
        let columns = plan.inputs().columns.iter().map(|column| BatchColumn {
            reading: column.reading,
            source: column.source.clone(),
            tags: Vec::with_capacity(ROWS_MAX),
            numbers: Vec::with_capacity(ROWS_MAX),
            uniform: None,
        });
        let asks = plan.asks();
        Batch {
            rows: 0,
            columns: columns.collect(),
            keys: asks.keys.then(Vec::new),
            identities: asks.identities.then(Vec::new),
            ordinals: asks.ordinals.then(Vec::new),
            texts: Texts::default(),
            takes_doubles: plan.reads_one_double(),
        }
    }

    /// Adds a row. `field` is asked for every source of the plan, in their order, but for `Source::Key`.
    #[inline]
    pub fn push_row<'a>(&mut self, row: Row<'a>, mut field: impl FnMut(&Source) -> Field<'a>) {
        for column in &mut self.columns {
            let field = match column.source {
                Source::Key => Field::Bytes(row.key),
                ref source => field(source),
            };
            column.push(field, &mut self.texts);
        }
        if let Some(keys) = &mut self.keys {
            // The start of a long key tells which one it is, too.
            keys.push(self.texts.copy(&row.key[..row.key.len().min(COPIED_BYTES_MAX)]));
        }
        if let Some(identities) = &mut self.identities {
            identities.push(self.texts.copy_identity(row));
        }
        if let Some(ordinals) = &mut self.ordinals {
            ordinals.push(row.ordinal);
        }
        self.rows += 1;
    }

    /// Adds a row for each of these doubles, which are never NaN: for plans that read nothing else of a row.
    pub fn push_doubles(&mut self, values: &[f64]) {
        let (Some(column), true) = (self.columns.first_mut(), self.takes_doubles) else {
            unreachable!("invariant: the plan reads one column of doubles")
        };
        self.rows += values.len();
        column.tags.resize(self.rows, Tag::Double);
        column.numbers.extend(values.iter().map(|value| (value + 0.0).to_bits() as i64));
        column.uniform = Some(Tag::Double);
    }

    /// Whether all that the plan reads of a row is this source, as doubles.
    pub fn takes_doubles(&self, source: &Source) -> bool {
        self.takes_doubles && self.columns[0].source == *source
    }

    /// Whether it should be folded before the next row.
    pub fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.texts.len() >= TEXT_BYTES_MAX
    }

    /// Rows in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Heap bytes of the rows in it, those of shared buffers included.
    pub fn memory_bytes(&self) -> usize {
        let columns = self.columns.len() * (size_of::<Tag>() + size_of::<i64>());
        let ranges = [&self.keys, &self.identities].into_iter().flatten().count() * size_of::<Range<usize>>();
        let ordinals = self.ordinals.iter().count() * size_of::<u64>();
        let texts = self.texts.at.len() * size_of::<TextAt>() + self.texts.len();
        self.rows * (columns + ranges + ordinals) + texts
    }

    /// Takes all rows out. Memory is kept up to that of an ordinary full batch.
    pub fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            column.tags.clear();
            column.numbers.clear();
            column.uniform = None;
        }
        self.keys.iter_mut().for_each(Vec::clear);
        self.identities.iter_mut().for_each(Vec::clear);
        self.ordinals.iter_mut().for_each(Vec::clear);
        self.texts.clear();
    }

    pub(crate) fn column(&self, index: usize) -> &BatchColumn {
        &self.columns[index]
    }

    /// The text that a column says is the `number`th.
    pub(crate) fn text_at(&self, number: i64) -> &[u8] {
        match &self.texts.at[number as usize] {
            TextAt::Copied(range) => &self.texts.copied[range.clone()],
            TextAt::Shared(index) => &self.texts.shared[*index],
        }
    }

    /// The key of a row, where keys are kept.
    pub(crate) fn key(&self, row: usize) -> &[u8] {
        self.keys.as_ref().map_or(&[], |keys| &self.texts.copied[keys[row].clone()])
    }

    /// What tells a row apart, where that is kept.
    pub(crate) fn identity(&self, row: usize) -> &[u8] {
        self.identities.as_ref().map_or(&[], |identities| &self.texts.copied[identities[row].clone()])
    }

    /// The place of a row, where places are kept.
    pub(crate) fn ordinal(&self, row: usize) -> u64 {
        self.ordinals.as_ref().map_or(0, |ordinals| ordinals[row])
    }
}

impl BatchColumn {
    /// The tag of all rows, if they have the same.
    pub(crate) fn uniform(&self) -> Option<Tag> {
        self.uniform
    }

    #[inline]
    fn push(&mut self, field: Field<'_>, texts: &mut Texts) {
        let (tag, number) = match field {
            Field::Missing => (Tag::Missing, 0),
            _ if self.reading == Reading::Presence => (Tag::Unkept, 0),
            Field::Int(value) if self.reading < Reading::Raw => (Tag::Int, value),
            Field::Double(value) if self.reading < Reading::Raw => {
                (Tag::Double, (value + 0.0).to_bits() as i64)
            }
            Field::Int(value) => self.push_text(value.to_string().as_bytes(), None, texts),
            Field::Double(value) => self.push_text(value.to_string().as_bytes(), None, texts),
            Field::Bytes(bytes) => self.push_bytes(bytes, None, texts),
            Field::Shared(buffer) => self.push_bytes(buffer, Some(buffer), texts),
        };
        self.uniform = if self.tags.is_empty() || self.uniform == Some(tag) { Some(tag) } else { None };
        self.tags.push(tag);
        self.numbers.push(number);
    }

    /// Integers go into their column at once: it costs no more than copying their text.
    #[inline]
    fn push_bytes(&self, bytes: &[u8], buffer: Option<&Arc<Vec<u8>>>, texts: &mut Texts) -> (Tag, i64) {
        let integer = if self.reading < Reading::Raw { number::integer(bytes) } else { None };
        match integer {
            Some(value) => (Tag::Int, value),
            None => self.push_text(bytes, buffer, texts),
        }
    }

    fn push_text(&self, bytes: &[u8], buffer: Option<&Arc<Vec<u8>>>, texts: &mut Texts) -> (Tag, i64) {
        let text = match buffer {
            _ if bytes.len() > self.text_bytes_max() => return (Tag::Unkept, 0),
            Some(buffer) => TextAt::Shared(texts.share(buffer)),
            None if bytes.len() > COPIED_BYTES_MAX => return (Tag::Unkept, 0),
            None => TextAt::Copied(texts.copy(bytes)),
        };
        texts.at.push(text);
        (Tag::Text, texts.at.len() as i64 - 1)
    }

    /// The longest text that the readings of the column can use.
    fn text_bytes_max(&self) -> usize {
        match self.reading {
            Reading::Presence | Reading::Int => 0,
            Reading::Double | Reading::Number => number::NUMBER_BYTES_MAX,
            Reading::Any | Reading::Raw | Reading::String | Reading::Bytes => usize::MAX,
        }
    }
}

impl Texts {
    fn len(&self) -> usize {
        self.copied.len().saturating_add(self.shared_bytes)
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.copied.len();
        self.copied.extend_from_slice(bytes);
        start..self.copied.len()
    }

    /// The key, then the element, then its place.
    fn copy_identity(&mut self, row: Row<'_>) -> Range<usize> {
        let start = self.copied.len();
        for part in [row.key, row.element] {
            self.copied.extend_from_slice(&part[..part.len().min(COPIED_BYTES_MAX)]);
            self.copied.push(0);
        }
        self.copied.extend_from_slice(&row.ordinal.to_be_bytes());
        start..self.copied.len()
    }

    fn share(&mut self, bytes: &Arc<Vec<u8>>) -> usize {
        self.shared_bytes = self.shared_bytes.saturating_add(bytes.len());
        self.shared.push(Arc::clone(bytes));
        self.shared.len() - 1
    }

    fn clear(&mut self) {
        self.at.clear();
        self.copied.clear();
        self.copied.shrink_to(2 * TEXT_BYTES_MAX);
        self.shared.clear();
        self.shared_bytes = 0;
    }
}

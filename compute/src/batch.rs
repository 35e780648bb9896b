//! `Batch`: the columns of some rows, copied while their shard is locked and folded after it is unlocked. It
//! copies what the plan reads and no more; what has a buffer of its own it holds on to instead. Not here:
//! numbers that are no canonical integers, which are parsed when folding.

use std::ops::Range;
use std::sync::Arc;

use crate::expr::Source;
use crate::number;
use crate::plan::{OnError, Plan, Reading};

/// Rows of a full batch: enough to pay for a fold, few enough to stay in the first-level cache.
pub const ROWS_MAX: usize = 1024;

/// Bytes of text of a full batch. One row may pass it, since it is checked between rows.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The longest text that is copied: some microseconds, for which a shard is locked. A longer one that stands in no
/// buffer of its own cannot be read as text; one that has its own is held on to, however long.
pub const COPIED_BYTES_MAX: usize = 64 * 1024;

/// What a row has for one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// Nothing: the hash has no such field.
    Missing,
    /// An integer: `len`, `ttl`, or a value that is stored as one.
    Int(i64),
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
    texts: Texts,
}

/// The text of all columns.
#[derive(Clone, Debug, Default)]
struct Texts {
    copied: Vec<u8>,
    shared: Vec<Arc<Vec<u8>>>,
    shared_bytes: usize,
}

/// Where the text of a row stands.
#[derive(Clone, Debug)]
pub(crate) enum TextAt {
    Copied(Range<usize>),
    Shared(usize),
}

/// One column. `tags` and `ints` have an element per row; `texts` one per row that has `Tag::Text`, in row
/// order.
#[derive(Clone, Debug)]
pub(crate) struct BatchColumn {
    source: Source,
    reading: Reading,
    pub(crate) tags: Vec<Tag>,
    pub(crate) ints: Vec<i64>,
    pub(crate) texts: Vec<TextAt>,
}

/// What a row has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Missing,
    Int,
    Text,
    /// A value that is there but of which nothing was kept: no reading of the column could use it, or it is too
    /// long to be copied.
    Unkept,
}

impl Batch {
    /// An empty batch for rows of `plan`.
    pub fn new(plan: &Plan) -> Batch {
        let columns = plan.columns().iter().map(|column| BatchColumn {
            source: column.source.clone(),
            reading: column.reading,
            tags: Vec::with_capacity(ROWS_MAX),
            ints: Vec::with_capacity(ROWS_MAX),
            texts: Vec::new(),
        });
        Batch {
            rows: 0,
            columns: columns.collect(),
            keys: (plan.options().on_error == OnError::Fail).then(Vec::new),
            texts: Texts::default(),
        }
    }

    /// Adds a row. `field` is asked for every source of the plan, in their order, but for `Source::Key`.
    #[inline]
    pub fn push_row<'a>(&mut self, key: &'a [u8], mut field: impl FnMut(&Source) -> Field<'a>) {
        for column in &mut self.columns {
            let field =
                if matches!(column.source, Source::Key) { Field::Bytes(key) } else { field(&column.source) };
            column.push(field, &mut self.texts);
        }
        if let Some(keys) = &mut self.keys {
            // The start of a long key tells which one it is, too.
            keys.push(self.texts.copy(&key[..key.len().min(COPIED_BYTES_MAX)]));
        }
        self.rows += 1;
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

    /// Takes all rows out. Memory is kept up to that of an ordinary full batch.
    pub fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            column.tags.clear();
            column.ints.clear();
            column.texts.clear();
        }
        self.keys.iter_mut().for_each(Vec::clear);
        self.texts.clear();
    }

    pub(crate) fn column(&self, index: usize) -> &BatchColumn {
        &self.columns[index]
    }

    pub(crate) fn text(&self, at: &TextAt) -> &[u8] {
        match at {
            TextAt::Copied(range) => &self.texts.copied[range.clone()],
            TextAt::Shared(index) => &self.texts.shared[*index],
        }
    }

    /// The key of a row, where keys are kept.
    pub(crate) fn key(&self, row: usize) -> &[u8] {
        self.keys.as_ref().map_or(&[], |keys| &self.texts.copied[keys[row].clone()])
    }
}

impl BatchColumn {
    /// How many rows have a tag.
    pub(crate) fn count(&self, tag: Tag) -> usize {
        self.tags.iter().filter(|other| **other == tag).count()
    }

    #[inline]
    fn push(&mut self, field: Field<'_>, texts: &mut Texts) {
        let (tag, int) = match field {
            Field::Missing => (Tag::Missing, 0),
            _ if self.reading == Reading::Presence => (Tag::Unkept, 0),
            Field::Int(value) if self.reading < Reading::Raw => (Tag::Int, value),
            Field::Int(value) => (self.push_text(value.to_string().as_bytes(), None, texts), 0),
            Field::Bytes(bytes) => self.push_bytes(bytes, None, texts),
            Field::Shared(buffer) => self.push_bytes(buffer, Some(buffer), texts),
        };
        self.tags.push(tag);
        self.ints.push(int);
    }

    /// Integers go into their column at once: it costs no more than copying their text.
    #[inline]
    fn push_bytes(&mut self, bytes: &[u8], buffer: Option<&Arc<Vec<u8>>>, texts: &mut Texts) -> (Tag, i64) {
        let integer = if self.reading < Reading::Raw { number::integer(bytes) } else { None };
        match integer {
            Some(value) => (Tag::Int, value),
            None => (self.push_text(bytes, buffer, texts), 0),
        }
    }

    fn push_text(&mut self, bytes: &[u8], buffer: Option<&Arc<Vec<u8>>>, texts: &mut Texts) -> Tag {
        let bytes_max = self.text_bytes_max();
        let text = match buffer {
            _ if bytes.len() > bytes_max => return Tag::Unkept,
            Some(buffer) => TextAt::Shared(texts.share(buffer)),
            None if bytes.len() > COPIED_BYTES_MAX => return Tag::Unkept,
            None => TextAt::Copied(texts.copy(bytes)),
        };
        self.texts.push(text);
        Tag::Text
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

    fn share(&mut self, bytes: &Arc<Vec<u8>>) -> usize {
        self.shared_bytes = self.shared_bytes.saturating_add(bytes.len());
        self.shared.push(Arc::clone(bytes));
        self.shared.len() - 1
    }

    fn clear(&mut self) {
        self.copied.clear();
        self.copied.shrink_to(2 * TEXT_BYTES_MAX);
        self.shared.clear();
        self.shared_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partial::Partial;

    fn plan(line: &str) -> Plan {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        Plan::aggregate(&words).unwrap()
    }

    #[test]
    fn only_what_the_plan_reads_is_copied() {
        let plan =
            plan("* ISOLATION FUZZY REDUCE SUM 1 h.a AS a REDUCE COUNT 1 h.b AS b REDUCE MAX 1 h.c AS c");
        let mut batch = Batch::new(&plan);
        let long = [b'x'; number::NUMBER_BYTES_MAX + 1];
        for value in [&b"12"[..], b"1.5", &long] {
            batch.push_row(b"some key", |_| Field::Bytes(value));
        }
        batch.push_row(b"some key", |_| Field::Missing);
        assert_eq!(batch.column(0).tags, [Tag::Int, Tag::Text, Tag::Unkept, Tag::Missing]);
        assert_eq!(batch.column(1).tags, [Tag::Unkept, Tag::Unkept, Tag::Unkept, Tag::Missing]);
        assert_eq!(batch.column(2).tags, [Tag::Int, Tag::Text, Tag::Text, Tag::Missing]);
        assert_eq!(batch.column(2).ints, [12, 0, 0, 0]);
        assert_eq!(batch.texts.len(), 3 + 3 + long.len());
    }

    #[test]
    fn a_batch_is_full_by_rows_or_by_bytes_and_empty_when_cleared() {
        let plan = plan("* ISOLATION FUZZY REDUCE MAX 1 v AS m");
        let mut batch = Batch::new(&plan);
        for _ in 0..ROWS_MAX {
            assert!(!batch.is_full());
            batch.push_row(b"k", |_| Field::Int(1));
        }
        assert!(batch.is_full());
        batch.clear();
        assert!(batch.is_empty() && !batch.is_full());
        for _ in 0..TEXT_BYTES_MAX / COPIED_BYTES_MAX {
            assert!(!batch.is_full());
            batch.push_row(b"k", |_| Field::Bytes(&[b'x'; COPIED_BYTES_MAX]));
        }
        assert!(batch.is_full());
        batch.clear();
        assert!(batch.is_empty() && !batch.is_full());
    }

    #[test]
    fn a_buffer_of_its_own_is_held_on_to_until_the_batch_is_cleared() {
        let plan = plan("* ISOLATION FUZZY REDUCE MAX 1 v AS m");
        let mut batch = Batch::new(&plan);
        let value = Arc::new(vec![b'x'; 10 * TEXT_BYTES_MAX]);
        batch.push_row(b"k", |_| Field::Shared(&value));
        assert!(batch.is_full() && batch.texts.copied.is_empty());
        assert_eq!(batch.text(&batch.column(0).texts[0]).as_ptr(), value.as_ptr());
        batch.clear();
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn text_that_is_too_long_to_be_copied_fails_its_row_and_says_so() {
        let plan = plan("* ISOLATION FUZZY ONERROR FAIL REDUCE MAX 1 h.a AS a REDUCE COUNT 1 h.b AS b");
        let long = vec![b'x'; 10 * COPIED_BYTES_MAX];
        let mut batch = Batch::new(&plan);
        batch.push_row(&long, |_| Field::Bytes(&long));
        assert_eq!(batch.column(0).tags, [Tag::Unkept]);
        assert_eq!(batch.texts.copied, long[..COPIED_BYTES_MAX], "what is copied of the key");
        let mut partial = Partial::new(&plan);
        partial.fold(&plan, &batch);
        assert_eq!(partial.failure().map(|failure| failure.text.as_str()), Some("h.a is too long"));
    }

    #[test]
    fn integers_pinned_to_text_are_text() {
        let plan = plan("* ISOLATION FUZZY TYPES 1 v string REDUCE MAX 1 v AS m");
        let mut batch = Batch::new(&plan);
        batch.push_row(b"k", |_| Field::Int(-12));
        assert_eq!(batch.column(0).tags, [Tag::Text]);
        assert_eq!(batch.text(&batch.column(0).texts[0]), b"-12");
    }
}

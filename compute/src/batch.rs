//! `Batch`: the columns of some rows, copied while their shard is locked and folded after it is unlocked. It
//! copies what the plan reads and no more. Not here: numbers that are no canonical integers, which are parsed
//! when folding.

use std::ops::Range;

use crate::expr::Source;
use crate::number;
use crate::plan::{OnError, Plan, Reading};

/// Rows of a full batch: enough to pay for a fold, few enough to stay in the first-level cache.
pub const ROWS_MAX: usize = 1024;

/// Bytes of text of a full batch. One row may pass it, since it is checked between rows.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// What a row has for one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// Nothing: the hash has no such field.
    Missing,
    /// An integer: `len`, `ttl`, or a value that is stored as one.
    Int(i64),
    /// The bytes of a value, whatever they are.
    Bytes(&'a [u8]),
}

/// Rows of a plan, as columns. Made once per worker and cleared between folds.
#[derive(Clone, Debug)]
pub struct Batch {
    rows: usize,
    columns: Vec<BatchColumn>,
    /// Keys of the rows, kept only if an error has to name one.
    keys: Option<Vec<Range<usize>>>,
    text: Vec<u8>,
}

/// One column. `tags` and `ints` have an element per row; `texts` one per row that has `Tag::Text`, in row
/// order.
#[derive(Clone, Debug)]
pub(crate) struct BatchColumn {
    source: Source,
    reading: Reading,
    pub(crate) tags: Vec<Tag>,
    pub(crate) ints: Vec<i64>,
    pub(crate) texts: Vec<Range<usize>>,
}

/// What a row has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Missing,
    Int,
    Text,
    /// A value that is there but of which nothing was copied, because no reading of the column could use it.
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
            text: Vec::new(),
        }
    }

    /// Adds a row. `field` is asked for every source of the plan, in their order, but for `Source::Key`.
    #[inline]
    pub fn push_row<'a>(&mut self, key: &'a [u8], mut field: impl FnMut(&Source) -> Field<'a>) {
        for column in &mut self.columns {
            let field =
                if matches!(column.source, Source::Key) { Field::Bytes(key) } else { field(&column.source) };
            column.push(field, &mut self.text);
        }
        if let Some(keys) = &mut self.keys {
            keys.push(append(&mut self.text, key));
        }
        self.rows += 1;
    }

    /// Whether it should be folded before the next row.
    pub fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.text.len() >= TEXT_BYTES_MAX
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
        self.text.clear();
        self.text.shrink_to(2 * TEXT_BYTES_MAX);
    }

    pub(crate) fn column(&self, index: usize) -> &BatchColumn {
        &self.columns[index]
    }

    pub(crate) fn text(&self, range: &Range<usize>) -> &[u8] {
        &self.text[range.clone()]
    }

    /// The key of a row, where keys are kept.
    pub(crate) fn key(&self, row: usize) -> &[u8] {
        self.keys.as_ref().map_or(&[], |keys| self.text(&keys[row]))
    }
}

impl BatchColumn {
    /// How many rows have a tag.
    pub(crate) fn count(&self, tag: Tag) -> usize {
        self.tags.iter().filter(|other| **other == tag).count()
    }

    #[inline]
    fn push(&mut self, field: Field<'_>, text: &mut Vec<u8>) {
        let mut int = 0;
        let tag = match field {
            Field::Missing => Tag::Missing,
            _ if self.reading == Reading::Presence => Tag::Unkept,
            Field::Int(value) if self.reading < Reading::Raw => {
                int = value;
                Tag::Int
            }
            Field::Int(value) => self.push_text(value.to_string().as_bytes(), text),
            // Integers go into their column at once: it costs no more than copying their text.
            Field::Bytes(bytes) if self.reading < Reading::Raw => match number::integer(bytes) {
                Some(value) => {
                    int = value;
                    Tag::Int
                }
                None => self.push_text(bytes, text),
            },
            Field::Bytes(bytes) => self.push_text(bytes, text),
        };
        self.tags.push(tag);
        self.ints.push(int);
    }

    fn push_text(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> Tag {
        let keep = match self.reading {
            Reading::Presence | Reading::Int => false,
            Reading::Double | Reading::Number => bytes.len() <= number::NUMBER_BYTES_MAX,
            Reading::Any | Reading::Raw | Reading::String | Reading::Bytes => true,
        };
        if !keep {
            return Tag::Unkept;
        }
        self.texts.push(append(text, bytes));
        Tag::Text
    }
}

fn append(text: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = text.len();
    text.extend_from_slice(bytes);
    start..text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(batch.text.len(), 3 + 3 + long.len());
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
        batch.push_row(b"k", |_| Field::Bytes(&[b'x'; 10 * TEXT_BYTES_MAX]));
        assert!(batch.is_full());
        batch.clear();
        assert!(batch.text.capacity() <= 2 * TEXT_BYTES_MAX);
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

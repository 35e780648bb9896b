//! From columns to values: every row of a column is read as an input demands, into dense slices; then the
//! rows that some input failed on are dropped from all of them. Not here: what reducers make of the values.

use std::borrow::Cow;

use crate::batch::{Batch, BatchColumn, Tag};
use crate::number;
use crate::plan::{Input, Reading};

/// What an input gave for the rows of a batch: the values of those that did not fail, without nulls, by type.
pub(crate) struct Vector<'b> {
    reading: Reading,
    cells: Cells,
    /// Rows that gave a value.
    pub(crate) count: usize,
    pub(crate) ints: Cow<'b, [i64]>,
    pub(crate) doubles: Vec<f64>,
    pub(crate) texts: Vec<&'b [u8]>,
}

/// Per row, in which of the lists its value is.
enum Cells {
    /// Every row gave the same, as is most common.
    All(Cell),
    Each(Vec<Cell>),
}

/// What one row gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Int,
    Double,
    Text,
    /// A value of which only the presence was asked.
    Present,
    /// Failed: there is no value.
    Missing,
    /// Failed: the value is not what it is read as.
    Unreadable,
    /// Failed: nothing was kept of the value, as it is too long.
    TooLong,
}

impl Cell {
    fn is_failure(self) -> bool {
        matches!(self, Cell::Missing | Cell::Unreadable | Cell::TooLong)
    }
}

/// The rows that some input failed on.
pub(crate) struct Failed {
    pub(crate) count: usize,
    pub(crate) rows: Vec<bool>,
}

impl<'b> Vector<'b> {
    pub(crate) fn read(batch: &'b Batch, input: Input) -> Vector<'b> {
        let column = batch.column(input.column);
        let mut vector = Vector {
            reading: input.reading,
            cells: Cells::All(Cell::Int),
            count: batch.rows(),
            ints: Cow::Borrowed(&[]),
            doubles: Vec::new(),
            texts: Vec::new(),
        };
        let ints = column.count(Tag::Int);
        match input.reading {
            // The two common cases need no look at single rows.
            Reading::Presence => vector.read_presence(column),
            Reading::Int | Reading::Number | Reading::Any if ints == batch.rows() => {
                vector.ints = Cow::Borrowed(&column.ints);
            }
            _ => vector.read_values(batch, column, ints),
        }
        vector
    }

    /// Whether `texts` are bytes even where they are valid UTF-8.
    pub(crate) fn has_raw_bytes(&self) -> bool {
        self.reading == Reading::Bytes
    }

    /// Why a row failed, as the end of a sentence about it; `None` if it did not.
    pub(crate) fn failure(&self, row: usize) -> Option<&'static str> {
        let cell = match &self.cells {
            Cells::All(cell) => *cell,
            Cells::Each(cells) => cells[row],
        };
        match (cell, self.reading) {
            (Cell::Missing, _) => Some("is missing"),
            (Cell::Unreadable, Reading::Int) => Some("is not an integer"),
            (Cell::Unreadable, Reading::String) => Some("is not valid UTF-8"),
            (Cell::Unreadable, _) => Some("is not a number"),
            (Cell::TooLong, _) => Some("is too long"),
            _ => None,
        }
    }

    /// Leaves out the values of rows that failed, here or in another input.
    pub(crate) fn drop_failed(&mut self, failed: &Failed) {
        let rows = failed.rows.len();
        if self.count + failed.count == rows {
            return; // All of them failed here, so they are not among the values.
        }
        self.count = rows - failed.count;
        let cells = match &self.cells {
            Cells::All(cell) => &vec![*cell; rows],
            Cells::Each(cells) => cells,
        };
        let kept = |wanted: Cell| {
            let rows = cells.iter().zip(&failed.rows).filter(move |(cell, _)| **cell == wanted);
            rows.map(|(_, failed)| !failed)
        };
        self.ints =
            self.ints.iter().zip(kept(Cell::Int)).filter(|(_, kept)| *kept).map(|(int, _)| *int).collect();
        retain(&mut self.doubles, kept(Cell::Double));
        retain(&mut self.texts, kept(Cell::Text));
    }

    fn read_presence(&mut self, column: &BatchColumn) {
        self.cells = Cells::All(Cell::Present);
        let missing = column.count(Tag::Missing);
        if missing > 0 {
            let cell = |tag: &Tag| if *tag == Tag::Missing { Cell::Missing } else { Cell::Present };
            self.cells = Cells::Each(column.tags.iter().map(cell).collect());
            self.count -= missing;
        }
    }

    fn read_values(&mut self, batch: &'b Batch, column: &'b BatchColumn, ints: usize) {
        let mut texts = column.texts.iter().map(|at| batch.text(at));
        let mut ints = Vec::with_capacity(ints);
        let mut cells = Vec::with_capacity(column.tags.len());
        self.doubles.reserve_exact(column.texts.len());
        for (tag, int) in column.tags.iter().zip(&column.ints) {
            let cell = match tag {
                Tag::Missing => Cell::Missing,
                Tag::Unkept if self.reading < Reading::Any => Cell::Unreadable,
                Tag::Unkept => Cell::TooLong,
                Tag::Int if self.reading == Reading::Double => {
                    self.doubles.push(*int as f64);
                    Cell::Double
                }
                Tag::Int => {
                    ints.push(*int);
                    Cell::Int
                }
                Tag::Text => texts.next().map_or(Cell::Missing, |text| self.read_text(text)),
            };
            self.count -= usize::from(cell.is_failure());
            cells.push(cell);
        }
        self.ints = Cow::Owned(ints);
        self.cells = Cells::Each(cells);
    }

    fn read_text(&mut self, text: &'b [u8]) -> Cell {
        // What `Raw` and above read is text even where it looks like a number.
        if self.reading < Reading::Raw
            && let Some(double) = number::decimal(text)
        {
            self.doubles.push(double);
            return Cell::Double;
        }
        let is_text = match self.reading {
            Reading::Presence | Reading::Int | Reading::Double | Reading::Number => false,
            Reading::String => std::str::from_utf8(text).is_ok(),
            Reading::Any | Reading::Raw | Reading::Bytes => true,
        };
        if is_text {
            self.texts.push(text);
            return Cell::Text;
        }
        Cell::Unreadable
    }
}

impl Failed {
    /// `None` if no row failed.
    pub(crate) fn of(vectors: &[Vector<'_>], rows: usize) -> Option<Failed> {
        if vectors.iter().all(|vector| vector.count == rows) {
            return None;
        }
        let mut failed = vec![false; rows];
        for vector in vectors {
            if let Cells::Each(cells) = &vector.cells {
                for (failed, cell) in failed.iter_mut().zip(cells) {
                    *failed |= cell.is_failure();
                }
            }
        }
        let count = failed.iter().filter(|failed| **failed).count();
        Some(Failed { count, rows: failed })
    }
}

fn retain<T>(values: &mut Vec<T>, mut kept: impl Iterator<Item = bool>) {
    values.retain(|_| kept.next().unwrap_or(false));
}

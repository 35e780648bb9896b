//! `Inputs`: the columns that rows must bring, and how each is read. Expressions name inputs by their number. Not here:
//! the rows themselves (`batch`).

use crate::expr::Source;
use crate::reading::Reading;

/// A column the rows must bring.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) source: Source,
    /// The most demanding of its readings: decides what a batch keeps.
    pub(crate) reading: Reading,
}

/// A column as expressions read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) column: usize,
    pub(crate) reading: Reading,
}

/// All of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inputs {
    pub(crate) columns: Vec<Column>,
    pub(crate) inputs: Vec<Input>,
}

impl Inputs {
    /// The number of an input, which is added with its column if nobody has used it before.
    pub(crate) fn add(&mut self, source: Source, reading: Reading) -> usize {
        let column = self.columns.iter().position(|column| column.source == source).unwrap_or_else(|| {
            self.columns.push(Column { source, reading });
            self.columns.len() - 1
        });
        self.columns[column].reading = self.columns[column].reading.max(reading);
        let input = Input { column, reading };
        self.inputs.iter().position(|other| *other == input).unwrap_or_else(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        })
    }

    /// The source of an input.
    pub(crate) fn source_of(&self, input: u16) -> &Source {
        &self.columns[self.inputs[usize::from(input)].column].source
    }
}

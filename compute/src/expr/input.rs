//! From columns to vectors: the values of an input for some rows, each read as the input says. Not here: what a batch
//! keeps of a value (`batch`).

use super::evaluate::{Evaluated, Frame, From};
use super::fault::{Failure, Fault};
use super::scalar::{self, Comparison};
use crate::batch::{Batch, BatchColumn, Tag};
use crate::inputs::Input;
use crate::number;
use crate::reading::Reading;
use crate::vector::{Scalar, Vector};

/// The values of input `number` for some rows of the batch.
pub(super) fn read<'b>(frame: &Frame<'b>, number: u16, rows: &[u32]) -> Evaluated<'b> {
    let Input { column, reading } = frame.inputs.inputs[usize::from(number)];
    let batch = match frame.from {
        From::Batch(batch) => batch,
        From::Columns(columns) => return columns[column].at_rows(rows),
    };
    let column = batch.column(column);
    if reading != Reading::Presence
        && let Some(vector) = uniform(column, reading, rows)
    {
        return Evaluated::of(vector);
    }
    let mut failures = Vec::new();
    let values = rows.iter().enumerate().map(|(at, row)| {
        one(batch, column, reading, *row as usize).unwrap_or_else(|fault| {
            failures.push((at as u32, Failure { fault, input: Some(number) }));
            Scalar::Null
        })
    });
    let vector = Vector::Mixed(values.collect()).settled();
    Evaluated { vector, failures }
}

/// How the text of input `number` compares with another for some rows. It compares as bytes, whether it is valid UTF-8 or not, so
/// that nobody has to look. `None` if it is read otherwise than as text, or some row has a number.
pub(super) fn compare_text<'b>(
    frame: &Frame<'b>,
    number: u16,
    how: Comparison,
    with: &[u8],
    rows: &[u32],
) -> Option<Evaluated<'b>> {
    let Input { column, reading } = frame.inputs.inputs[usize::from(number)];
    let (From::Batch(batch), Reading::Raw | Reading::Bytes) = (frame.from, reading) else { return None };
    let column = batch.column(column);
    let mut failures = Vec::new();
    let mut values = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let row = *row as usize;
        let value = match column.tags[row] {
            Tag::Text => {
                let text = batch.text_at(column.numbers[row]);
                match how {
                    Comparison::Equal => text == with,
                    Comparison::NotEqual => text != with,
                    _ => how.holds(text.cmp(with)),
                }
            }
            Tag::Missing | Tag::Unkept => {
                let fault = if column.tags[row] == Tag::Missing { Fault::Missing } else { Fault::TooLong };
                failures.push((at as u32, Failure { fault, input: Some(number) }));
                false
            }
            Tag::Int | Tag::Double => return None,
        };
        values.push(value);
    }
    Some(Evaluated { vector: Vector::Bools(values), failures })
}

/// The common cases: every row has a number.
fn uniform<'b>(column: &BatchColumn, reading: Reading, rows: &[u32]) -> Option<Vector<'b>> {
    let all = column.uniform()?;
    let is_whole = rows.len() == column.tags.len();
    let ints = || match is_whole {
        true => column.numbers.clone(),
        false => rows.iter().map(|row| column.numbers[*row as usize]).collect(),
    };
    let double = |number: &i64| f64::from_bits(*number as u64);
    let doubles = || match is_whole {
        true => column.numbers.iter().map(double).collect(),
        false => rows.iter().map(|row| double(&column.numbers[*row as usize])).collect(),
    };
    match (all, reading) {
        (Tag::Int, Reading::Int | Reading::Number | Reading::Any) => Some(Vector::Ints(ints())),
        (Tag::Int, Reading::Double) => {
            Some(Vector::Doubles(rows.iter().map(|row| column.numbers[*row as usize] as f64).collect()))
        }
        (Tag::Double, Reading::Double | Reading::Number | Reading::Any) => Some(Vector::Doubles(doubles())),
        _ => None,
    }
}

fn one<'b>(
    batch: &'b Batch,
    column: &BatchColumn,
    reading: Reading,
    row: usize,
) -> Result<Scalar<'b>, Fault<'b>> {
    let tag = column.tags[row];
    if reading == Reading::Presence {
        return Ok(Scalar::Bool(tag != Tag::Missing));
    }
    let number = column.numbers[row];
    match (tag, reading) {
        (Tag::Missing, _) => Err(Fault::Missing),
        (Tag::Int, Reading::Double) => Ok(Scalar::Double(number as f64)),
        (Tag::Int, _) => Ok(Scalar::Int(number)),
        (Tag::Double, _) => Ok(Scalar::Double(f64::from_bits(number as u64))),
        (Tag::Text, _) => text(batch.text_at(number), reading),
        (Tag::Unkept, Reading::Int) => Err(Fault::NotInteger),
        (Tag::Unkept, Reading::Double | Reading::Number) => Err(Fault::NotNumber),
        (Tag::Unkept, _) => Err(Fault::TooLong),
    }
}

fn text<'b>(text: &'b [u8], reading: Reading) -> Result<Scalar<'b>, Fault<'b>> {
    match reading {
        Reading::Int => number::integer(text).map(Scalar::Int).ok_or(Fault::NotInteger),
        Reading::Double => match scalar::read_number(text) {
            Some(Scalar::Int(int)) => Ok(Scalar::Double(int as f64)),
            Some(double) => Ok(double),
            None => Err(Fault::NotNumber),
        },
        Reading::Number => scalar::read_number(text).ok_or(Fault::NotNumber),
        Reading::Any => Ok(scalar::read_number(text).unwrap_or(raw(text))),
        Reading::Raw | Reading::Presence => Ok(raw(text)),
        Reading::String => std::str::from_utf8(text).map(Scalar::Text).map_err(|_| Fault::NotText),
        Reading::Bytes => Ok(Scalar::Bytes(text)),
    }
}

fn raw(text: &[u8]) -> Scalar<'_> {
    std::str::from_utf8(text).map_or(Scalar::Bytes(text), Scalar::Text)
}

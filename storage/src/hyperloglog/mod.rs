//! HyperLogLogs: strings that estimate how many different elements were added to them, in Redis's own bytes, so that each
//! server reads what the other has written. This file knows the header and puts the parts together; it is no `Collection`,
//! because the value is a string to everybody else, and knows no keys.
//!
//! ```text
//! "HYLL" | encoding u8 | 3 bytes, kept | count u64, little endian | registers
//! ```
//!
//! 1. The hash of an element chooses one of 16384 registers and gives a number from 1 to 51 (`hash`). A register keeps the
//!    greatest number that it was given, so neither order nor repetition matters.
//! 2. Registers are either `dense`, 6 bits each, or `sparse`, as runs. What is sparse becomes dense for good, once a number does not
//!    fit a run or the string would become longer than a limit that the caller gives.
//! 3. The count in the header is the last estimate (`estimate`); the greatest bit of its last byte says that it is out of date.
//! 4. The bytes may be anybody's: clients can set any string. The header is looked at first, and who has read it has a
//!    [`HyperLogLog`]. Runs that do not make up all registers are found out where they matter, and are [`Corrupted`].

mod dense;
mod estimate;
mod hash;
#[cfg(test)]
mod properties;
mod sparse;

pub use self::sparse::Run;

/// How many registers there are.
pub const REGISTERS: usize = 1 << 14;

/// Bytes in front of the registers.
const HEADER_BYTES: usize = 16;

/// All registers at 6 bits each.
const REGISTER_BYTES: usize = REGISTERS * 6 / 8;

/// A whole dense string.
const DENSE_BYTES: usize = HEADER_BYTES + REGISTER_BYTES;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const COUNT_AT: usize = 8;
/// In the last byte of the count.
const OUT_OF_DATE: u8 = 1 << 7;

/// The runs do not make up all registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupted;

/// How the registers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 6 bits each.
    Dense,
    /// As runs.
    Sparse,
}

impl Encoding {
    /// As PFDEBUG reports it.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        }
    }

    /// That of a string, if it has the header of one of these.
    fn of(bytes: &[u8]) -> Option<Encoding> {
        if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
            return None;
        }
        match bytes[ENCODING_AT] {
            DENSE => (bytes.len() == DENSE_BYTES).then_some(Encoding::Dense),
            SPARSE => Some(Encoding::Sparse),
            _ => None,
        }
    }
}

/// A string with the header of a HyperLogLog, to be read.
#[derive(Clone, Copy, Debug)]
pub struct HyperLogLog<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl<'a> HyperLogLog<'a> {
    /// Reads the header; none if it is that of something else.
    pub fn parse(bytes: &'a [u8]) -> Option<HyperLogLog<'a>> {
        Encoding::of(bytes).map(|encoding| HyperLogLog { bytes, encoding })
    }

    /// How its registers are written.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The last estimate, if nothing has changed since.
    pub fn cached_count(self) -> Option<i64> {
        let count = self.bytes[COUNT_AT..].first_chunk()?;
        (count[7] & OUT_OF_DATE == 0).then_some(i64::from_le_bytes(*count))
    }

    /// Whether adding an element would certainly change nothing, as is most often so once many were added.
    pub fn covers(self, element: &[u8]) -> bool {
        let (register, number) = hash::place(element);
        let current = match self.encoding {
            Encoding::Dense => Some(dense::register(dense_registers(self.bytes), register)),
            Encoding::Sparse => sparse::number(self.bytes, register),
        };
        current.is_some_and(|current| current >= number)
    }

    /// Estimates how many elements were added.
    pub fn count(self) -> Result<i64, Corrupted> {
        let histogram = match self.encoding {
            Encoding::Dense => dense::histogram(dense_registers(self.bytes)),
            Encoding::Sparse => sparse::histogram(self.bytes)?,
        };
        Ok(estimate::estimate(&histogram))
    }

    /// Its runs, if it is sparse; they may be any.
    pub fn runs(self) -> Option<Result<impl Iterator<Item = Run> + use<'a>, Corrupted>> {
        (self.encoding == Encoding::Sparse).then(|| sparse::runs(self.bytes))
    }
}

/// A string with the header of a HyperLogLog, to be changed.
#[derive(Debug)]
pub struct HyperLogLogMut<'a> {
    bytes: &'a mut Vec<u8>,
    encoding: Encoding,
}

impl<'a> HyperLogLogMut<'a> {
    /// Reads the header; none if it is that of something else.
    pub fn parse(bytes: &'a mut Vec<u8>) -> Option<HyperLogLogMut<'a>> {
        Encoding::of(bytes).map(|encoding| HyperLogLogMut { bytes, encoding })
    }

    /// Makes the string one without elements: sparse, all registers in one run.
    pub fn empty(bytes: &'a mut Vec<u8>) -> HyperLogLogMut<'a> {
        bytes.clear();
        bytes.extend_from_slice(MAGIC);
        bytes.push(SPARSE);
        bytes.resize(HEADER_BYTES, 0);
        sparse::push_empty(bytes);
        HyperLogLogMut { bytes, encoding: Encoding::Sparse }
    }

    /// The same to be read.
    pub fn as_ref(&self) -> HyperLogLog<'_> {
        HyperLogLog { bytes: self.bytes, encoding: self.encoding }
    }

    /// Adds an element; whether that has changed a register. The string becomes dense before it is longer than
    /// `sparse_bytes_max`.
    pub fn add(&mut self, element: &[u8], sparse_bytes_max: usize) -> Result<bool, Corrupted> {
        let (register, number) = hash::place(element);
        self.raise(register, number, sparse_bytes_max, &mut sparse::Place::default())
    }

    /// Gives the registers those of a union that it is a part of.
    pub fn take(&mut self, union: &Union, sparse_bytes_max: usize) -> Result<(), Corrupted> {
        if union.is_dense {
            self.make_dense()?;
        }
        let mut from = sparse::Place::default();
        for register in 0..REGISTERS {
            if self.encoding == Encoding::Dense {
                *dense_registers_mut(self.bytes) = union.registers;
                break;
            }
            let number = dense::register(&union.registers, register);
            if number > 0 {
                self.raise(register, number, sparse_bytes_max, &mut from)?;
            }
        }
        self.invalidate();
        Ok(())
    }

    /// Makes it dense, if it is not; whether that was necessary. Nothing has changed if it is corrupted.
    pub fn make_dense(&mut self) -> Result<bool, Corrupted> {
        if self.encoding == Encoding::Dense {
            return Ok(false);
        }
        let mut dense = Vec::with_capacity(DENSE_BYTES);
        dense.extend_from_slice(&self.bytes[..HEADER_BYTES]);
        dense[ENCODING_AT] = DENSE;
        dense.resize(DENSE_BYTES, 0);
        sparse::raise_in(self.bytes, dense_registers_mut(&mut dense))?;
        *self.bytes = dense;
        self.encoding = Encoding::Dense;
        Ok(true)
    }

    /// All registers in order, if it is dense.
    pub fn registers(&self) -> Option<impl Iterator<Item = u8>> {
        let registers = (self.encoding == Encoding::Dense).then(|| dense_registers(self.bytes))?;
        Some((0..REGISTERS).map(|register| dense::register(registers, register)))
    }

    /// Says that the count in the header is out of date.
    pub fn invalidate(&mut self) {
        self.bytes[COUNT_AT + 7] |= OUT_OF_DATE;
    }

    /// Writes an estimate into the header.
    pub fn cache_count(&mut self, count: i64) {
        self.bytes[COUNT_AT..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
    }

    fn raise(
        &mut self,
        register: usize,
        number: u8,
        sparse_bytes_max: usize,
        from: &mut sparse::Place,
    ) -> Result<bool, Corrupted> {
        if self.encoding == Encoding::Sparse {
            match sparse::raise(self.bytes, register, number, sparse_bytes_max, from)? {
                sparse::Raised::No => return Ok(false),
                sparse::Raised::Yes => {
                    self.invalidate();
                    return Ok(true);
                }
                sparse::Raised::NeedsDense => self.make_dense()?,
            };
        }
        Ok(dense::raise(dense_registers_mut(self.bytes), register, number))
    }
}

/// What several have together.
#[derive(Debug)]
pub struct Union {
    registers: [u8; REGISTER_BYTES],
    is_dense: bool,
    is_empty: bool,
}

impl Default for Union {
    fn default() -> Union {
        Union { registers: [0; REGISTER_BYTES], is_dense: false, is_empty: true }
    }
}

impl Union {
    /// Adds all elements of one.
    pub fn add(&mut self, added: HyperLogLog<'_>) -> Result<(), Corrupted> {
        let was_empty = std::mem::replace(&mut self.is_empty, false);
        match added.encoding {
            Encoding::Sparse => return sparse::raise_in(added.bytes, &mut self.registers),
            Encoding::Dense if was_empty => self.registers = *dense_registers(added.bytes),
            Encoding::Dense => dense::raise_all(&mut self.registers, dense_registers(added.bytes)),
        }
        self.is_dense = true;
        Ok(())
    }

    /// Estimates how many elements were added.
    pub fn count(&self) -> i64 {
        estimate::estimate(&dense::histogram(&self.registers))
    }
}

fn dense_registers(bytes: &[u8]) -> &[u8; REGISTER_BYTES] {
    bytes[HEADER_BYTES..].first_chunk().expect("invariant: a dense string has its one length")
}

fn dense_registers_mut(bytes: &mut [u8]) -> &mut [u8; REGISTER_BYTES] {
    bytes[HEADER_BYTES..].first_chunk_mut().expect("invariant: a dense string has its one length")
}

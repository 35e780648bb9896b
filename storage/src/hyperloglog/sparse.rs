//! Registers as runs of equal numbers, in Redis's operation codes. Which codes a run is written with, when neighbours become
//! one, and when it is time to become dense is as in Redis, because the bytes are compared.
//!
//! ```text
//! 00nnnnnn            n + 1 registers with zero
//! 01nnnnnn nnnnnnnn   n + 1 registers with zero, the greater byte first
//! 1vvvvvnn            n + 1 registers with v + 1
//! ```
//!
//! 1. The run that covers the register is looked for from the beginning, eight codes at a time where all of them have one byte.
//! 2. It is replaced by up to three: what is before the register, the register, what is behind it. Zeros are written in as few bytes as
//!    they need; one code of two bytes may become three codes of five.
//! 3. If that makes the string longer than its limit, or the number does not fit a code, nothing is changed and it must become dense.
//! 4. From the run before the changed one on, up to five steps join neighbours that have the same number, four registers at most.
//!
//! A second byte that is missing at the end counts as zero, which is what Redis finds there.

use super::estimate::Histogram;
use super::{Corrupted, HEADER_BYTES, REGISTER_BYTES, REGISTERS, dense};

/// The most registers in a code of zeros of one byte.
const SHORT_ZEROS_MAX: usize = 64;
/// The greatest number in a code.
const NUMBER_MAX: u8 = 32;
/// The most registers in a code with a number.
const NUMBERS_MAX: usize = 4;
/// Steps that look for neighbours to join.
const JOIN_STEPS_MAX: usize = 5;
/// Two bytes for each register; nothing that is valid is longer.
const BYTES_MAX: usize = HEADER_BYTES + 2 * REGISTERS;

const LONG_ZEROS: u8 = 1 << 6;
const NUMBERS: u8 = 1 << 7;

/// A run of registers with the same number, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Zeros in one byte.
    Zeros(usize),
    /// Zeros in two bytes.
    LongZeros(usize),
    /// A number from 1 to 32, and how many registers have it.
    Numbers(u8, usize),
}

impl Run {
    /// The run that is written at a byte.
    fn at(bytes: &[u8], at: usize) -> Option<Run> {
        let code = *bytes.get(at)?;
        let low = usize::from(code & 0x3f);
        Some(if code & NUMBERS != 0 {
            Run::Numbers((code >> 2 & 0x1f) + 1, (low & 3) + 1)
        } else if code & LONG_ZEROS != 0 {
            Run::LongZeros((low << 8 | usize::from(bytes.get(at + 1).copied().unwrap_or(0))) + 1)
        } else {
            Run::Zeros(low + 1)
        })
    }

    fn registers(self) -> usize {
        match self {
            Run::Zeros(count) | Run::LongZeros(count) | Run::Numbers(_, count) => count,
        }
    }

    fn number(self) -> u8 {
        match self {
            Run::Zeros(_) | Run::LongZeros(_) => 0,
            Run::Numbers(number, _) => number,
        }
    }

    fn bytes(self) -> usize {
        if matches!(self, Run::LongZeros(_)) { 2 } else { 1 }
    }
}

/// Where a run begins: its byte and its first register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    at: usize,
    register: usize,
}

impl Default for Place {
    /// The first of all.
    fn default() -> Place {
        Place { at: HEADER_BYTES, register: 0 }
    }
}

/// Whether a register was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// It has that number already, or a greater one.
    No,
    /// It was.
    Yes,
    /// It was not, because that is not possible here.
    NeedsDense,
}

/// Writes that all registers are zero.
pub(super) fn push_empty(bytes: &mut Vec<u8>) {
    let mut codes = Codes::default();
    codes.push_zeros(REGISTERS);
    bytes.extend_from_slice(codes.as_slice());
}

/// All runs of a string, whatever they make up.
pub(super) fn runs(bytes: &[u8]) -> Result<impl Iterator<Item = Run>, Corrupted> {
    if bytes.len() > BYTES_MAX {
        return Err(Corrupted);
    }
    let mut at = HEADER_BYTES;
    Ok(std::iter::from_fn(move || {
        let run = Run::at(bytes, at)?;
        at += run.bytes();
        Some(run)
    }))
}

/// How many registers have each number.
pub(super) fn histogram(bytes: &[u8]) -> Result<Histogram, Corrupted> {
    let mut histogram = [0; 64];
    let mut registers = 0;
    for run in runs(bytes)? {
        registers += run.registers();
        histogram[usize::from(run.number())] += run.registers() as u32;
    }
    if registers == REGISTERS { Ok(histogram) } else { Err(Corrupted) }
}

/// Raises registers to the numbers in here; some of them, if these are corrupted.
pub(super) fn raise_in(bytes: &[u8], registers: &mut [u8; REGISTER_BYTES]) -> Result<(), Corrupted> {
    let mut register = 0;
    for run in runs(bytes)? {
        let end = register + run.registers();
        if end > REGISTERS {
            return Err(Corrupted);
        }
        if let Run::Numbers(number, _) = run {
            for register in register..end {
                dense::raise(registers, register, number);
            }
        }
        register = end;
    }
    if register == REGISTERS { Ok(()) } else { Err(Corrupted) }
}

/// Raises a register to a number, if that is possible in at most `bytes_max` bytes. The search begins at `from`, which must not be
/// behind the register; afterwards it is where the search for any later register may begin.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    register: usize,
    number: u8,
    bytes_max: usize,
    from: &mut Place,
) -> Result<Raised, Corrupted> {
    if bytes.len() > BYTES_MAX {
        return Err(Corrupted);
    }
    if number > NUMBER_MAX {
        return Ok(Raised::NeedsDense);
    }
    let Found { previous, place, run } = find(bytes, *from, register).ok_or(Corrupted)?;
    if run.number() >= number {
        return Ok(Raised::No);
    }
    let mut codes = Codes::default();
    codes.push(run.number(), register - place.register);
    codes.push(number, 1);
    codes.push(run.number(), place.register + run.registers() - register - 1);
    let len = bytes.len() + codes.len - run.bytes();
    if codes.len > run.bytes() && len > bytes_max {
        return Ok(Raised::NeedsDense);
    }
    let end = (place.at + run.bytes()).min(bytes.len());
    replace(bytes, place.at..end, codes.as_slice());
    // Only where a byte was missing; Redis loses one then.
    bytes.truncate(len);
    *from = previous.unwrap_or_default();
    join(bytes, from.at);
    Ok(Raised::Yes)
}

/// The number of a register, if it is there.
pub(super) fn number(bytes: &[u8], register: usize) -> Option<u8> {
    find(bytes, Place::default(), register).map(|found| found.run.number())
}

/// A run that was looked for, and the one before it.
struct Found {
    previous: Option<Place>,
    place: Place,
    run: Run,
}

/// The run that covers a register.
fn find(bytes: &[u8], from: Place, register: usize) -> Option<Found> {
    let found = find_from(bytes, from, register)?;
    // What is before the place where the search began is known only at the beginning.
    if found.previous.is_none() && from != Place::default() {
        find_from(bytes, Place::default(), register)
    } else {
        Some(found)
    }
}

fn find_from(bytes: &[u8], from: Place, register: usize) -> Option<Found> {
    let mut place = from;
    let mut previous = None;
    // Every run has a register, so there are not more rounds than registers.
    loop {
        let eight = bytes.get(place.at..).and_then(|rest| rest.first_chunk());
        if let Some((registers, last)) = eight.and_then(registers_of_eight)
            && place.register + registers <= register
        {
            previous = Some(Place { at: place.at + 7, register: place.register + registers - last });
            place = Place { at: place.at + 8, register: place.register + registers };
            continue;
        }
        let run = Run::at(bytes, place.at)?;
        let behind = place.register + run.registers();
        if register < behind {
            return Some(Found { previous, place, run });
        }
        previous = Some(place);
        place = Place { at: place.at + run.bytes(), register: behind };
    }
}

/// How many registers eight codes cover together, and how many the last of them does; none if one of them has two bytes.
fn registers_of_eight(codes: &[u8; 8]) -> Option<(usize, usize)> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const EVERY_SECOND: u64 = 0x00ff_00ff_00ff_00ff;
    let codes = u64::from_le_bytes(*codes);
    let have_numbers = codes >> 7 & EACH;
    let are_long = codes >> 6 & EACH & !have_numbers;
    if are_long != 0 {
        return None;
    }
    // Two bits are the length of a run of numbers, six that of zeros.
    let counts = (codes & (EACH * 0x3f - have_numbers * 0x3c)) + EACH;
    let in_pairs = (counts & EVERY_SECOND) + (counts >> 8 & EVERY_SECOND);
    let sum = in_pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48;
    Some((sum as usize, (counts >> 56) as usize))
}

/// Puts other codes into the place of some.
fn replace(bytes: &mut Vec<u8>, old: std::ops::Range<usize>, new: &[u8]) {
    let len = bytes.len();
    let end = old.start + new.len();
    if end > old.end {
        bytes.resize(len + end - old.end, 0);
    }
    bytes.copy_within(old.end..len, end);
    bytes.truncate(len - old.len() + new.len());
    bytes[old.start..end].copy_from_slice(new);
}

/// Joins neighbours with the same number, from this byte on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_STEPS_MAX {
        let Some(run) = Run::at(bytes, at) else { return };
        if let (Run::Numbers(number, count), Some(Run::Numbers(next, next_count))) =
            (run, Run::at(bytes, at + 1))
            && number == next
            && count + next_count <= NUMBERS_MAX
        {
            bytes.remove(at);
            bytes[at] = numbers(number, count + next_count);
            // The next step tries to join what is behind it, too.
            continue;
        }
        at += run.bytes();
    }
}

/// A run of numbers as it is written.
fn numbers(number: u8, count: usize) -> u8 {
    NUMBERS | (number - 1) << 2 | (count - 1) as u8
}

/// Up to three codes in the place of one: the longest are zeros in two bytes, a number, and zeros in two bytes.
#[derive(Default)]
struct Codes {
    bytes: [u8; 5],
    len: usize,
}

impl Codes {
    /// A run of any number, in one code; nothing if there are no registers.
    fn push(&mut self, number: u8, count: usize) {
        if count == 0 {
            return;
        }
        if number == 0 { self.push_zeros(count) } else { self.push_byte(numbers(number, count)) }
    }

    fn push_zeros(&mut self, count: usize) {
        let [high, low] = ((count - 1) as u16).to_be_bytes();
        if count > SHORT_ZEROS_MAX {
            self.push_byte(LONG_ZEROS | high);
        }
        self.push_byte(low);
    }

    fn push_byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

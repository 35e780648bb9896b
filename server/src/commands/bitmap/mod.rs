//! Bitmaps: commands over the bits of strings. To storage they are strings; what is done to their bits is `storage::bits`.

mod bit;
mod combine;
mod field;
mod integer;
mod range;

use shardis_protocol::number;
use shardis_storage::{Key, Transaction};

use super::string::string_bytes_max;
use crate::command::{Call, Category, Error, Family};

pub static FAMILY: Family = Family::new(
    "bitmap",
    Category::BITMAP,
    &[
        &bit::SETBIT,
        &bit::GETBIT,
        &range::BITCOUNT,
        &range::BITPOS,
        &combine::BITOP,
        &field::BITFIELD,
        &field::BITFIELD_RO,
    ],
);

/// Takes the place of a bit. It is counted in units of so many bits, where it lies in the longest string that there may be.
fn bit_offset(call: &Call<'_>, word: &[u8], unit: i64) -> Result<usize, Error> {
    let offset = number::parse_i64(word).map(|offset| offset.wrapping_mul(unit));
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < string_bytes_max(call)).ok_or(Error::BIT_OFFSET)
}

/// Whether to make a string so long takes more zeros than a network thread should write.
fn grows_long(call: &Call<'_>, txn: &mut Transaction<'_>, key: &Key<'_>, len: usize) -> bool {
    if !call.should_offload(len / BYTES_PER_WORK_UNIT) {
        return false;
    }
    let present = txn.find(key).and_then(|found| found.string().map(|string| string.len()));
    call.should_offload(len.saturating_sub(present.unwrap_or(0)) / BYTES_PER_WORK_UNIT)
}

/// Bytes that are worked through in the time of one unit of [`Call::should_offload`].
const BYTES_PER_WORK_UNIT: usize = 2048;

//! Reading back what partials wrote: little-endian integers and length-prefixed bytes, never past the end.
//! What the bytes mean is said where each state is encoded.

use crate::error::DecodeError;

/// A cursor over encoded bytes.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.bytes.split_first_chunk().ok_or(DecodeError::Malformed)?;
        self.bytes = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A double as values hold them: not NaN, and zero only without a sign.
    pub(crate) fn double(&mut self) -> Result<f64, DecodeError> {
        let value = f64::from_bits(self.u64()?);
        let is_negative_zero = value == 0.0 && value.is_sign_negative();
        if value.is_nan() || is_negative_zero { Err(DecodeError::Malformed) } else { Ok(value) }
    }

    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Malformed),
        }
    }

    /// Bytes behind their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u64()?).map_err(|_| DecodeError::Malformed)?;
        let (head, tail) = self.bytes.split_at_checked(length).ok_or(DecodeError::Malformed)?;
        self.bytes = tail;
        Ok(head)
    }

    pub(crate) fn text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| DecodeError::Malformed)
    }

    /// Refuses bytes left over.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::Malformed) }
    }
}

/// Writes bytes behind their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

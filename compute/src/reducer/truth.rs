//! The state of ANY and ALL: which truth values there were. No rows: ANY is false, ALL is true.

use crate::encode::Reader;
use crate::error::DecodeError;

/// Whether a true and a false one came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truths {
    has_true: bool,
    has_false: bool,
}

impl Truths {
    pub(super) fn add(&mut self, value: bool) {
        self.has_true |= value;
        self.has_false |= !value;
    }

    pub(super) fn fold(&mut self, values: &[bool]) {
        self.has_true |= values.contains(&true);
        self.has_false |= values.contains(&false);
    }

    pub(super) fn merge(&mut self, other: Truths) {
        self.has_true |= other.has_true;
        self.has_false |= other.has_false;
    }

    pub(super) fn any(self) -> bool {
        self.has_true
    }

    pub(super) fn all(self) -> bool {
        !self.has_false
    }

    /// `whether there was a true one u8 | a false one u8`.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[u8::from(self.has_true), u8::from(self.has_false)]);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Truths, DecodeError> {
        Ok(Truths { has_true: input.flag()?, has_false: input.flag()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rows_are_any_false_and_all_true() {
        let results = |values: &[bool]| {
            let mut truths = Truths::default();
            truths.fold(values);
            (truths.any(), truths.all())
        };
        assert_eq!(results(&[]), (false, true));
        assert_eq!(results(&[true, true]), (true, true));
        assert_eq!(results(&[true, false]), (true, false));
        assert_eq!(results(&[false]), (false, false));
    }
}

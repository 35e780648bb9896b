//! The integers of BITFIELD: of which widths there are, signed or not, and what becomes of one that does not fit.

use shardis_protocol::number;

use crate::command::args::is_word;

/// A type of integers: up to 64 bits with a sign, up to 63 without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    pub width: u32,
    pub is_signed: bool,
}

/// What becomes of an integer that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Its highest bits are lost.
    Wrap,
    /// It is the nearest that fits.
    Saturate,
    /// It is not written.
    Fail,
}

impl Overflow {
    /// By its word.
    pub fn named(word: &[u8]) -> Option<Overflow> {
        let known = [("WRAP", Overflow::Wrap), ("SAT", Overflow::Saturate), ("FAIL", Overflow::Fail)];
        known.into_iter().find(|(name, _)| is_word(word, name)).map(|(_, overflow)| overflow)
    }
}

impl Integer {
    /// By its name, as `i16` or `u8`.
    pub fn named(name: &[u8]) -> Option<Integer> {
        let (&sign, width) = name.split_first()?;
        let (is_signed, width_max) = match sign {
            b'i' => (true, 64),
            b'u' => (false, 63),
            _ => return None,
        };
        let width = number::parse_i64(width).and_then(|width| u32::try_from(width).ok());
        width.filter(|width| (1..=width_max).contains(width)).map(|width| Integer { width, is_signed })
    }

    /// What the bits of a field are.
    pub fn read(self, field: u64) -> i64 {
        let shift = 64 - self.width;
        if self.is_signed { (field << shift) as i64 >> shift } else { field as i64 }
    }

    /// What is written for a value; nothing if that fails. Without a sign, a negative value is a very large one.
    pub fn set(self, value: i64, overflow: Overflow) -> Option<i64> {
        let exact = if self.is_signed { i128::from(value) } else { i128::from(value as u64) };
        self.fit(exact, overflow, |integer| {
            // The real servers subtract in 64 bits here, so what lies too far below all that fits is above it to them.
            let is_above = exact > integer.max() || integer.max() - exact > i128::from(i64::MAX);
            if is_above { integer.max() } else { integer.min() }
        })
    }

    /// What is written for the sum of an integer that fits and any other.
    pub fn add(self, old: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        let exact = i128::from(old) + i128::from(increment);
        self.fit(exact, overflow, |integer| exact.clamp(integer.min(), integer.max()))
    }

    fn fit(self, exact: i128, overflow: Overflow, saturated: impl Fn(Integer) -> i128) -> Option<i64> {
        if (self.min()..=self.max()).contains(&exact) {
            return Some(exact as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.read(exact as u64 & (u64::MAX >> (64 - self.width)))),
            Overflow::Saturate => Some(saturated(self) as i64),
            Overflow::Fail => None,
        }
    }

    fn max(self) -> i128 {
        (1 << (self.width - u32::from(self.is_signed))) - 1
    }

    fn min(self) -> i128 {
        if self.is_signed { -(1 << (self.width - 1)) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(name: &str) -> Integer {
        Integer::named(name.as_bytes()).expect("there are such integers")
    }

    #[test]
    fn integers_have_up_to_64_bits_with_a_sign_and_63_without() {
        assert_eq!(integer("i64"), Integer { width: 64, is_signed: true });
        assert_eq!(integer("u63"), Integer { width: 63, is_signed: false });
        for name in ["", "i", "u", "i0", "u0", "i65", "u64", "i08", "I8", "x8", "8", "u-8", "i4294967297"] {
            assert_eq!(Integer::named(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_wraps_saturates_or_fails() {
        let all = [Overflow::Wrap, Overflow::Saturate, Overflow::Fail];
        let sum = |name, old, increment| all.map(|overflow| integer(name).add(old, increment, overflow));
        assert_eq!(sum("i8", 100, 27), [Some(127); 3]);
        assert_eq!(sum("i8", 100, 28), [Some(-128), Some(127), None]);
        assert_eq!(sum("i8", -100, -29), [Some(127), Some(-128), None]);
        assert_eq!(sum("u8", 255, 1), [Some(0), Some(255), None]);
        assert_eq!(sum("u8", 0, -1), [Some(255), Some(0), None]);
        assert_eq!(sum("u63", i64::MAX, i64::MAX), [Some(i64::MAX - 1), Some(i64::MAX), None]);
        assert_eq!(sum("i64", i64::MIN, -1), [Some(i64::MAX), Some(i64::MIN), None]);
        assert_eq!(sum("i1", 0, 1), [Some(-1), Some(0), None]);
        let set = |name, value| all.map(|overflow| integer(name).set(value, overflow));
        assert_eq!(set("i8", -200), [Some(56), Some(-128), None]);
        assert_eq!(set("u8", -1), [Some(255), Some(255), None]);
        assert_eq!(set("i8", i64::MIN), [Some(0), Some(127), None], "as the real servers have it");
        assert_eq!(set("i64", i64::MIN), [Some(i64::MIN); 3]);
    }
}

//! The digits of a double: few, and enough to read the same double back. This is Florian Loitsch's Grisu2
//! ("Printing Floating-Point Numbers Quickly and Accurately with Integers", 2010).
//!
//! It is deliberately not the algorithm with the best digits: in about one of 400 doubles Grisu2 ends with a
//! digit too many or with a neighbour of the best last digit. Redis prints with Grisu2, so clients have
//! always seen these digits. Where the paper leaves a choice (which power of ten, how the boundaries are
//! narrowed) it is Redis's.

/// The most digits a double can need.
pub(crate) const DIGITS_MAX: usize = 20;

/// The digits of a positive, finite number, and the power of ten of the last one.
pub(crate) fn shortest(value: f64, buffer: &mut [u8; DIGITS_MAX]) -> (&[u8], i32) {
    debug_assert!(value > 0.0 && value.is_finite());
    let exact = Scaled::of(value);
    let (lower, upper) = exact.boundaries();
    let (power, power_exponent) = power_for(upper.exponent);
    let (lower, exact, upper) = (lower.times(power), exact.normalized().times(power), upper.times(power));
    // The products are off by up to one unit; what lies one unit inside the boundaries lies inside the true
    // ones.
    let high = upper.mantissa - 1;
    let room = Room {
        high,
        width: high - (lower.mantissa + 1),
        to_exact: high - exact.mantissa,
        shift: -upper.exponent as u32,
    };
    let (count, exponent) = room.digits(buffer);
    (&buffer[..count], exponent - power_exponent)
}

/// `mantissa` times 2 to the power of `exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    mantissa: u64,
    exponent: i32,
}

impl Scaled {
    fn of(value: f64) -> Scaled {
        let bits = value.to_bits();
        let fraction = bits & (HIDDEN_BIT - 1);
        match (bits >> 52) as i32 {
            0 => Scaled { mantissa: fraction, exponent: 1 - EXPONENT_BIAS },
            exponent => Scaled { mantissa: fraction | HIDDEN_BIT, exponent: exponent - EXPONENT_BIAS },
        }
    }

    fn normalized(self) -> Scaled {
        let shift = self.mantissa.leading_zeros();
        Scaled { mantissa: self.mantissa << shift, exponent: self.exponent - shift as i32 }
    }

    /// The points half way to the neighbouring doubles, scaled alike, the upper one normalized.
    fn boundaries(self) -> (Scaled, Scaled) {
        let upper = Scaled { mantissa: self.mantissa * 2 + 1, exponent: self.exponent - 1 }.normalized();
        // Below a power of two the neighbour is only half as far away.
        let shift = if self.mantissa == HIDDEN_BIT { 2 } else { 1 };
        let lower = ((self.mantissa << shift) - 1) << (self.exponent - shift - upper.exponent);
        (Scaled { mantissa: lower, exponent: upper.exponent }, upper)
    }

    /// The product, rounded to 64 bits.
    fn times(self, other: Scaled) -> Scaled {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa) + (1 << 63);
        Scaled { mantissa: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// Where the digits may end: anywhere in the `width` below `high`, best at `to_exact` below it. All three are
/// fixed-point numbers with `shift` bits behind the point.
struct Room {
    high: u64,
    width: u64,
    to_exact: u64,
    shift: u32,
}

impl Room {
    /// Writes digits of `high` until the rest is within the room; returns their count and the last one's
    /// power of ten.
    fn digits(mut self, buffer: &mut [u8; DIGITS_MAX]) -> (usize, i32) {
        let point = 1 << self.shift;
        // At least 2 and at most 32 bits are integral, so that the first digit is no zero and 32-bit
        // divisions do.
        let (mut integral, fraction) = ((self.high >> self.shift) as u32, self.high & (point - 1));
        let integral_digits = integral.ilog10() as usize + 1;
        let mut divisor = 10_u32.pow(integral.ilog10());
        for (index, slot) in buffer[..integral_digits].iter_mut().enumerate() {
            *slot = b'0' + (integral / divisor) as u8;
            integral %= divisor;
            let rest = (u64::from(integral) << self.shift) + fraction;
            if rest <= self.width {
                self.approach(slot, rest, u64::from(divisor) << self.shift);
                return (index + 1, (integral_digits - index - 1) as i32);
            }
            divisor /= 10;
        }
        let mut rest = fraction;
        let mut count = integral_digits;
        loop {
            rest *= 10;
            self.width *= 10;
            self.to_exact *= 10;
            buffer[count] = b'0' + (rest >> self.shift) as u8;
            count += 1;
            rest &= point - 1;
            if rest < self.width {
                self.approach(&mut buffer[count - 1], rest, point);
                return (count, integral_digits as i32 - count as i32);
            }
        }
    }

    /// Lowers the last digit, worth `unit`, as long as that leads closer to the exact value and not out of
    /// the room. `rest` is how far below `high` the digits are.
    fn approach(&self, digit: &mut u8, mut rest: u64, unit: u64) {
        while rest < self.to_exact
            && self.width - rest >= unit
            && (rest + unit < self.to_exact || self.to_exact - rest > rest + unit - self.to_exact)
        {
            *digit -= 1;
            rest += unit;
        }
    }
}

/// A power of ten that brings a normalized number of this exponent into the range where digits are cut off,
/// and which one.
fn power_for(exponent: i32) -> (Scaled, i32) {
    let power = |index: usize| {
        let ten = POWER_MIN + index as i32 * POWER_STEP;
        // Floor of the binary logarithm, exact for the range of the table.
        let binary = (ten * 217_706) >> 16;
        (Scaled { mantissa: POWERS[index], exponent: binary - 63 }, ten)
    };
    let scaled_exponent = |index| exponent + power(index).0.exponent + 64;
    // Two powers may be fit; the one found from this estimate is the one whose digits are expected.
    let estimate = (f64::from(-(exponent + POWERS_COUNT as i32)) * std::f64::consts::LOG10_2) as i32;
    let mut index = ((estimate - POWER_MIN) / POWER_STEP) as usize;
    while scaled_exponent(index) < EXPONENT_MIN {
        index += 1;
    }
    while scaled_exponent(index) > EXPONENT_MAX {
        index -= 1;
    }
    power(index)
}

/// The powers of ten from `POWER_MIN` on in steps of `POWER_STEP`, as 64-bit mantissas rounded to the
/// nearest.
static POWERS: [u64; POWERS_COUNT] = {
    let mut powers = [0; POWERS_COUNT];
    let mut one = [0; LIMBS];
    one[FRACTION_LIMBS] = 1;
    // The power next to 1 on either side is 10000; from there on it is steps.
    let (mut up, mut down) = (multiplied(one, 10_000), divided(one, 10_000));
    let middle = POWERS_COUNT / 2;
    let mut index = 0;
    while index < middle {
        powers[middle - index] = leading_bits(&down);
        powers[middle + 1 + index] = leading_bits(&up);
        up = multiplied(up, STEP_FACTOR);
        down = divided(down, STEP_FACTOR);
        index += 1;
    }
    powers[0] = leading_bits(&down);
    powers
};

const fn multiplied(mut limbs: [u32; LIMBS], factor: u32) -> [u32; LIMBS] {
    let mut carry = 0;
    let mut index = 0;
    while index < LIMBS {
        carry += limbs[index] as u64 * factor as u64;
        limbs[index] = carry as u32;
        carry >>= 32;
        index += 1;
    }
    limbs
}

const fn divided(mut limbs: [u32; LIMBS], divisor: u32) -> [u32; LIMBS] {
    let mut remainder = 0;
    let mut index = LIMBS;
    while index > 0 {
        index -= 1;
        let dividend = remainder << 32 | limbs[index] as u64;
        limbs[index] = (dividend / divisor as u64) as u32;
        remainder = dividend % divisor as u64;
    }
    limbs
}

/// The 64 bits from the first set one on, rounded by the bit behind them.
const fn leading_bits(limbs: &[u32; LIMBS]) -> u64 {
    let mut top = LIMBS - 1;
    while limbs[top] == 0 {
        top -= 1;
    }
    let high = (limbs[top] as u128) << 96 | (limbs[top - 1] as u128) << 64;
    let bits = high | (limbs[top - 2] as u128) << 32 | limbs[top - 3] as u128;
    let bits = bits << bits.leading_zeros();
    (bits >> 64) as u64 + (bits as u64 >> 63)
}

/// The bit of a double's mantissa that is not stored.
const HIDDEN_BIT: u64 = 1 << 52;

/// What is added to a double's exponent when its mantissa is taken for an integer.
const EXPONENT_BIAS: i32 = 1023 + 52;

/// Scaled by a power of ten, a normalized number has an exponent in this range: 62 to 64 bits of mantissa
/// then have 2 to 32 bits in front of the point, and the rest has room there for one digit more.
const EXPONENT_MIN: i32 = -60;
const EXPONENT_MAX: i32 = -32;

const POWER_MIN: i32 = -348;
const POWER_STEP: i32 = 8;
const POWERS_COUNT: usize = 87;
const STEP_FACTOR: u32 = 10_u32.pow(POWER_STEP as u32);

/// The fixed-point numbers in which the powers are computed: wide enough above the point for the largest, and
/// below it for the smallest with 64 bits to spare.
const LIMBS: usize = 77;
const FRACTION_LIMBS: usize = 40;

const _: () = assert!(POWER_MIN + POWERS_COUNT as i32 / 2 * POWER_STEP == -4);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        let mut buffer = [0; DIGITS_MAX];
        let (digits, exponent) = shortest(value, &mut buffer);
        format!("{}e{exponent}", String::from_utf8_lossy(digits))
    }

    #[test]
    fn powers_of_ten_are_rounded_to_the_nearest() {
        // 10^-348, 10^-4, 10^4 and 10^340, from exact integer arithmetic.
        assert_eq!(POWERS[0], 0xfa8f_d5a0_081c_0288);
        assert_eq!(POWERS[43], 0xd1b7_1758_e219_652c);
        assert_eq!(POWERS[44], 0x9c40_0000_0000_0000);
        assert_eq!(POWERS[86], 0xaf87_023b_9bf0_ee6b);
        assert!(POWERS.iter().all(|power| power >> 63 == 1), "normalized");
    }

    #[test]
    fn digits_are_those_of_a_real_server_also_where_there_are_shorter_ones() {
        let table = [
            (0.1, "1e-1"),
            (5e-324, "5e-324"),
            (f64::MIN_POSITIVE, "22250738585072014e-324"),
            (f64::MAX, "17976931348623157e292"),
            (7.036870839547745e177, "70368708395477454e161"),
            (6016.951217939863, "60169512179398635e-13"),
            (276804372109801.38, "27680437210980137e-2"),
        ];
        for (value, expected) in table {
            assert_eq!(text(value), expected);
        }
    }

    proptest! {
        #[test]
        fn digits_read_back_as_the_same_number(bits in 1_u64..0x7ff0_0000_0000_0000) {
            let value = f64::from_bits(bits);
            prop_assert_eq!(text(value).parse::<f64>(), Ok(value));
        }
    }
}

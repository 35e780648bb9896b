//! The grid: cells in a square of 2^step by 2^step, their numbers and neighbours, and the range of scores that each is.
//!
//! ```text
//! number   x₂₅ y₂₅ x₂₄ y₂₄ … x₀ y₀    column and row of a cell of the last step, bit by bit
//! score    the same, as a double      52 bits
//! ```
//!
//! A cell of an earlier step has the first bits in common with all that lies in it. What lies on the eastern or northern edge
//! of the earth is one column or row beyond the grid, as in Redis, and its number has a bit more.

use std::ops::Range;

use super::{LATITUDE_MAX, LONGITUDE_MAX};

/// The last step: scores name cells of this one.
pub const STEP_MAX: u32 = 26;

/// A cell of the grid of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    step: u32,
    column: u32,
    row: u32,
}

/// What a cell covers, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Where it begins and ends in the west and the east.
    pub longitudes: [f64; 2],
    /// Where it begins and ends in the south and the north.
    pub latitudes: [f64; 2],
}

impl Cell {
    /// The cell of a step around a place.
    pub fn around(longitude: f64, latitude: f64, step: u32) -> Cell {
        Cell::within(longitude, latitude, step, LATITUDE_MAX)
    }

    /// The same in a grid that ends at another latitude.
    pub(super) fn within(longitude: f64, latitude: f64, step: u32, latitude_max: f64) -> Cell {
        let index = |value: f64, max: f64| {
            let share = (value + max) / (max + max);
            (share * cells(step)) as u32
        };
        Cell { step, column: index(longitude, LONGITUDE_MAX), row: index(latitude, latitude_max) }
    }

    /// The cell of the last step with this number; bits that none has lead out of the grid.
    pub fn of_number(number: u64) -> Cell {
        Cell { step: STEP_MAX, column: every_other_bit(number >> 1), row: every_other_bit(number) }
    }

    /// Its number among those of its step.
    pub fn number(self) -> u64 {
        spread(self.column) << 1 | spread(self.row)
    }

    /// The scores of all that lies in it: the first one, and the first beyond.
    pub fn scores(self) -> Range<f64> {
        let shift = 2 * (STEP_MAX - self.step);
        let (number, next) = (self.number(), self.number() + 1);
        (number << shift) as f64..(next << shift) as f64
    }

    /// What it covers.
    pub fn extent(self) -> Extent {
        let edge = |index: u64, max: f64| (index as f64 / cells(self.step)) * (max + max) - max;
        let edges = |index: u32, max| [edge(index.into(), max), edge(u64::from(index) + 1, max)];
        Extent { longitudes: edges(self.column, LONGITUDE_MAX), latitudes: edges(self.row, LATITUDE_MAX) }
    }

    /// The cell so many columns east and rows north of it. Around the earth it goes on in the west; so it does, less
    /// sensibly, from the north to the south.
    pub fn neighbour(self, east: i32, north: i32) -> Cell {
        let mask = u32::MAX >> (u32::BITS - self.step);
        let moved = |index: u32, by: i32| match by {
            0 => index,
            _ => index.wrapping_add_signed(by) & mask,
        };
        Cell { column: moved(self.column, east), row: moved(self.row, north), ..self }
    }
}

/// How many columns and rows a step has.
fn cells(step: u32) -> f64 {
    f64::from(1_u32 << step)
}

/// The bits of a number with a zero before each.
fn spread(bits: u32) -> u64 {
    let mut spread = u64::from(bits);
    for (shift, mask) in SPREADS {
        spread = (spread | spread << shift) & mask;
    }
    spread
}

/// The last, the third last and so on of the bits of a number: what [`spread`] has spread.
fn every_other_bit(bits: u64) -> u32 {
    let mut bits = bits & SPREADS[4].1;
    for (at, (shift, _)) in SPREADS.iter().enumerate().rev() {
        let mask = if at == 0 { u64::from(u32::MAX) } else { SPREADS[at - 1].1 };
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

/// By how much the upper half of each group of bits moves up, and where the bits are then.
const SPREADS: [(u32, u64); 5] = [
    (16, 0x0000_ffff_0000_ffff),
    (8, 0x00ff_00ff_00ff_00ff),
    (4, 0x0f0f_0f0f_0f0f_0f0f),
    (2, 0x3333_3333_3333_3333),
    (1, 0x5555_5555_5555_5555),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number of a cell, found by halving: for each bit, the half that the place is in.
    fn number_by_halving(longitude: f64, latitude: f64, step: u32) -> u64 {
        let mut number = 0;
        let (mut west, mut east) = (-LONGITUDE_MAX, LONGITUDE_MAX);
        let (mut south, mut north) = (-LATITUDE_MAX, LATITUDE_MAX);
        for _ in 0..step {
            for (value, low, high) in [(longitude, &mut west, &mut east), (latitude, &mut south, &mut north)]
            {
                let middle = (*low + *high) / 2.0;
                number = number << 1 | u64::from(value >= middle);
                *(if value >= middle { low } else { high }) = middle;
            }
        }
        number
    }

    #[test]
    fn known_places_have_the_numbers_of_redis() {
        for (longitude, latitude, number) in [
            (13.361389, 38.115556, 3_479_099_956_230_698),
            (15.087269, 37.502669, 3_479_447_370_796_909),
            (-LONGITUDE_MAX, -LATITUDE_MAX, 0),
            (LONGITUDE_MAX, LATITUDE_MAX, 13_510_798_882_111_488),
            (LONGITUDE_MAX, 0.5, 10_133_120_636_698_704),
        ] {
            assert_eq!(Cell::around(longitude, latitude, STEP_MAX).number(), number);
            assert_eq!(Cell::of_number(number).number(), number);
        }
    }

    #[test]
    fn neighbours_go_on_around_the_earth() {
        let corner = Cell::around(-LONGITUDE_MAX, -LATITUDE_MAX, 3);
        assert_eq!(corner.neighbour(-1, -1).number(), 0b11_1111);
        assert_eq!(corner.neighbour(-1, -1).neighbour(1, 1), corner);
        // What is beyond the grid has the first column of the other side in the east and the last in the west.
        let beyond = Cell::around(LONGITUDE_MAX, 0.0, 3);
        assert_eq!((beyond.column, beyond.neighbour(1, 0).column, beyond.neighbour(-1, 0).column), (8, 1, 7));
    }

    proptest! {
        #[test]
        fn a_number_is_found_by_halving_too(
            longitude in -179.9..179.9_f64,
            latitude in -85.0..85.0_f64,
            step in 1..=STEP_MAX,
        ) {
            let cell = Cell::around(longitude, latitude, step);
            let other = number_by_halving(longitude, latitude, step);
            // On an edge, to a rounding error, either side is right.
            let Extent { longitudes, latitudes } = cell.extent();
            let near = |value: f64, edges: [f64; 2]| edges.iter().any(|edge| (value - edge).abs() < 1e-10);
            if !near(longitude, longitudes) && !near(latitude, latitudes) {
                prop_assert_eq!(cell.number(), other);
                prop_assert!(longitudes[0] <= longitude && longitude <= longitudes[1]);
                prop_assert!(latitudes[0] <= latitude && latitude <= latitudes[1]);
            }
        }

        #[test]
        fn bits_are_spread_and_gathered_one_by_one(bits in any::<u32>(), noise in any::<u32>()) {
            let one_by_one = (0..u32::BITS).map(|at| u64::from(bits >> at & 1) << (2 * at)).sum::<u64>();
            prop_assert_eq!(spread(bits), one_by_one);
            prop_assert_eq!(every_other_bit(one_by_one | spread(noise) << 1), bits);
        }

        #[test]
        fn a_cell_has_the_scores_of_what_lies_in_it(
            longitude in -180.0..180.0_f64,
            latitude in -85.0..85.0_f64,
            step in 1..=STEP_MAX,
        ) {
            let score = Cell::around(longitude, latitude, STEP_MAX).number() as f64;
            prop_assert!(Cell::around(longitude, latitude, step).scores().contains(&score));
            for (east, north) in [(0, 1), (1, 0), (-1, -1)] {
                let neighbour = Cell::around(longitude, latitude, step).neighbour(east, north);
                prop_assert!(!neighbour.scores().contains(&score));
            }
        }
    }
}

//! A place: from coordinates and scores, to both and to text, and how far it is to another.

use super::cell::{Cell, STEP_MAX};
use super::{EARTH_RADIUS_M, LATITUDE_MAX, LONGITUDE_MAX, to_angle};

/// A place on the earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

impl Position {
    /// The place of these coordinates, unless they are beyond the map.
    pub fn new(longitude: f64, latitude: f64) -> Option<Position> {
        Some(Position { longitude, latitude }).filter(|place| place.is_on_map())
    }

    /// Whether it has a cell.
    pub(super) fn is_on_map(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The place that a score stands for: the middle of its cell. Every score stands for one, however senseless; whole numbers
    /// beyond the largest are cut as the processors do that Redis is at home on.
    pub fn from_score(score: f64) -> Position {
        let number = match score {
            _ if score < SIGNED_END => score as i64 as u64,
            _ if score < UNSIGNED_END => score as u64,
            _ => 0,
        };
        let extent = Cell::of_number(number).extent();
        let middle = |[low, high]: [f64; 2], max: f64| ((low + high) / 2.0).clamp(-max, max);
        Position {
            longitude: middle(extent.longitudes, LONGITUDE_MAX),
            latitude: middle(extent.latitudes, LATITUDE_MAX),
        }
    }

    /// The score that stands for it.
    pub fn score(self) -> f64 {
        Cell::around(self.longitude, self.latitude, STEP_MAX).number() as f64
    }

    /// Its cell in the notation of geohash.org, whose map reaches the poles. There are bits for ten letters; the last one is
    /// always the same.
    pub fn geohash(self) -> [u8; 11] {
        let number = Cell::within(self.longitude, self.latitude, STEP_MAX, 90.0).number();
        let mut text = [LETTERS[0]; 11];
        for (at, letter) in text[..10].iter_mut().enumerate() {
            let bits = number >> (2 * STEP_MAX as usize - 5 * (at + 1));
            *letter = LETTERS[bits as usize % LETTERS.len()];
        }
        text
    }

    /// How far it is to another place, along a great circle.
    pub fn distance_m(self, other: Position) -> f64 {
        let [longitude, other_longitude] = [self, other].map(|place| to_angle(place.longitude));
        let v = ((other_longitude - longitude) / 2.0).sin();
        if v == 0.0 {
            return self.latitude_distance_m(other);
        }
        let [latitude, other_latitude] = [self, other].map(|place| to_angle(place.latitude));
        let u = ((other_latitude - latitude) / 2.0).sin();
        let a = u * u + latitude.cos() * other_latitude.cos() * v * v;
        // At the other end of the earth it may come out as slightly more.
        2.0 * EARTH_RADIUS_M * a.sqrt().min(1.0).asin()
    }

    /// How far north or south of it another place lies.
    pub(super) fn latitude_distance_m(self, other: Position) -> f64 {
        EARTH_RADIUS_M * (to_angle(other.latitude) - to_angle(self.latitude)).abs()
    }
}

/// The first doubles that are too large for an integer of 64 bits, with a sign and without.
const SIGNED_END: f64 = 9_223_372_036_854_775_808.0;
const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0;
/// The digits of a geohash.
const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(longitude: f64, latitude: f64) -> Position {
        Position::new(longitude, latitude).expect("it is on the map")
    }

    #[test]
    fn known_places_are_those_of_the_documentation() {
        let (palermo, catania) = (place(13.361389, 38.115556), place(15.087269, 37.502669));
        let [palermo, catania] = [palermo, catania].map(|place| Position::from_score(place.score()));
        assert_eq!(format!("{:.17}", palermo.longitude), "13.36138933897018433");
        assert_eq!(format!("{:.17}", palermo.latitude), "38.11555639549629859");
        assert_eq!(format!("{:.4}", palermo.distance_m(catania)), "166274.1516");
        assert_eq!(&palermo.geohash(), b"sqc8b49rny0");
        assert_eq!(&catania.geohash(), b"sqdtr74hyu0");
    }

    #[test]
    fn coordinates_beyond_the_map_are_none() {
        for (longitude, latitude) in
            [(180.1, 0.0), (-181.0, 0.0), (0.0, 85.06), (0.0, -90.0), (f64::NAN, 0.0)]
        {
            assert_eq!(Position::new(longitude, latitude), None);
        }
        assert!(Position::new(-180.0, 85.05112878).is_some());
    }

    #[test]
    fn every_score_is_somewhere() {
        let corner = Position::from_score(0.0);
        for (score, longitude, latitude) in [
            (-5.0, LONGITUDE_MAX, LATITUDE_MAX),
            (1e19, LONGITUDE_MAX, LATITUDE_MAX),
            (1e30, corner.longitude, corner.latitude),
            (f64::INFINITY, corner.longitude, corner.latitude),
            (f64::NEG_INFINITY, LONGITUDE_MAX, corner.latitude),
            (SIGNED_END, LONGITUDE_MAX, corner.latitude),
        ] {
            assert_eq!(Position::from_score(score), Position { longitude, latitude }, "{score}");
        }
    }

    #[test]
    fn the_farthest_places_are_half_an_earth_apart() {
        let half = EARTH_RADIUS_M * std::f64::consts::PI;
        for latitude in 0..=85 {
            let latitude = f64::from(latitude);
            let distance = place(-90.0, latitude).distance_m(place(90.0, -latitude));
            assert!((distance - half).abs() < 1.0, "{latitude}: {distance}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_near_and_stays(longitude in -180.0..=180.0_f64, latitude in -85.0..=85.0_f64) {
            let given = place(longitude, latitude);
            let kept = Position::from_score(given.score());
            prop_assert!(given.distance_m(kept) < 1.0);
            prop_assert_eq!(Position::from_score(kept.score()), kept);
        }

        #[test]
        fn a_distance_is_the_same_both_ways(
            a in (-180.0..=180.0_f64, -85.0..=85.0_f64),
            b in (-180.0..=180.0_f64, -85.0..=85.0_f64),
        ) {
            let (a, b) = (place(a.0, a.1), place(b.0, b.1));
            prop_assert_eq!(a.distance_m(b), b.distance_m(a));
            prop_assert!(a.distance_m(b) >= a.latitude_distance_m(b) * (1.0 - 1e-6) - 0.1);
        }
    }
}

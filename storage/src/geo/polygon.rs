//! Polygons: what lies inside of one, on a flat map, and the place in the middle of its corners, on the round earth.

use super::{Position, to_angle, to_degrees};

/// The place in the middle of the corners: below that of their masses in space.
pub(super) fn middle(corners: &[Position]) -> Position {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for corner in corners {
        let (longitude, latitude) = (to_angle(corner.longitude), to_angle(corner.latitude));
        x += latitude.cos() * longitude.cos();
        y += latitude.cos() * longitude.sin();
        z += latitude.sin();
    }
    let above_axis = (x * x + y * y).sqrt();
    Position { longitude: to_degrees(y.atan2(x)), latitude: to_degrees(z.atan2(above_axis)) }
}

/// Whether a place lies inside: a line from it to the east crosses an odd number of sides. Of a side, the end in the north does
/// not belong to it; so what lies on a side is inside of one of two neighbours.
pub(super) fn contains(corners: &[Position], place: Position) -> bool {
    let Position { longitude: x, latitude: y } = place;
    let mut is_inside = false;
    let Some(mut end) = corners.last() else { return false };
    for start in corners {
        if (start.latitude > y) != (end.latitude > y) {
            let slope =
                (end.longitude - start.longitude) * (y - start.latitude) / (end.latitude - start.latitude);
            is_inside ^= x < slope + start.longitude;
        }
        end = start;
    }
    is_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(corners: &[(f64, f64)]) -> Vec<Position> {
        corners.iter().map(|&(longitude, latitude)| Position { longitude, latitude }).collect()
    }

    #[test]
    fn a_notch_is_outside() {
        let corners = polygon(&[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0)]);
        for (longitude, latitude, is_inside) in
            [(1.0, 1.0, true), (3.0, 1.0, true), (2.0, 2.0, false), (2.0, 0.5, true), (5.0, 1.0, false)]
        {
            assert_eq!(contains(&corners, Position { longitude, latitude }), is_inside, "{longitude}");
        }
        assert!(!contains(&[], Position { longitude: 0.0, latitude: 0.0 }));
    }

    #[test]
    fn neighbours_share_nothing_of_their_common_sides() {
        let left = polygon(&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]);
        let right = polygon(&[(1.0, 0.0), (2.0, 0.0), (2.0, 1.0), (1.0, 1.0)]);
        let above = polygon(&[(0.0, 1.0), (1.0, 1.0), (1.0, 2.0), (0.0, 2.0)]);
        for step in 0..=20 {
            let along = f64::from(step) / 10.0;
            let inside = |polygon: &[Position], longitude, latitude| {
                usize::from(contains(polygon, Position { longitude, latitude }))
            };
            if along < 1.0 {
                assert_eq!(inside(&left, 1.0, along) + inside(&right, 1.0, along), 1);
                assert_eq!(inside(&left, along, 1.0) + inside(&above, along, 1.0), 1);
            }
        }
    }

    #[test]
    fn the_middle_of_a_rectangle_lies_towards_the_pole() {
        let Position { longitude, latitude } =
            middle(&polygon(&[(10.0, 36.0), (10.0, 40.0), (20.0, 40.0), (20.0, 36.0)]));
        assert!((longitude - 15.0).abs() < 1e-9 && (latitude - 38.10602610473393).abs() < 1e-9);
    }
}

//! Which cells hold all of a shape: the one around its middle and as many of the eight around that as it needs, of a step at
//! which they are just large enough.
//!
//! Near the poles, and where a shape goes over the edge of the map, this is as good an estimate as that of Redis, whose results
//! come in the order of these cells.

use smallvec::SmallVec;

use super::Shape;
use super::cell::{Cell, STEP_MAX};
use super::shape::Bounds;

/// The cells to look at, in this order, none of them twice. The middle of a polygon may be nearer to a pole than the map goes:
/// then there are none.
pub fn cells(shape: &Shape) -> SmallVec<[Cell; 9]> {
    let (center, bounds) = (shape.center(), &shape.bounds);
    if !center.is_on_map() {
        return SmallVec::new();
    }
    let mut step = step(shape.reach_m, center.latitude);
    let around = |step| Cell::around(center.longitude, center.latitude, step);
    if step > 1 && is_too_small(around(step), bounds) {
        step -= 1;
    }
    let middle = around(step);
    let mut cells = SmallVec::from_elem(middle, 1);
    for (east, north) in NEIGHBOURS {
        let cell = middle.neighbour(east, north);
        let is_needed = step < 2 || reaches(middle, bounds, east, north);
        // There are so few large cells that the same may lie in the east and in the west.
        let is_known = cells.len() > 1 && cells.last() == Some(&cell);
        if is_needed && !is_known {
            cells.push(cell);
        }
    }
    cells
}

/// The step at which a cell and its neighbours are probably large enough for something of this size.
fn step(reach_m: f64, latitude: f64) -> u32 {
    if reach_m == 0.0 {
        return STEP_MAX;
    }
    let mut step = -1;
    let mut reach_m = reach_m;
    while reach_m < HALF_MAP_M {
        reach_m *= 2.0;
        step += 1;
    }
    // Towards the poles cells get narrow.
    step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    step.clamp(1, STEP_MAX as i32) as u32
}

/// Whether the neighbours of a cell end inside of the bounds.
fn is_too_small(middle: Cell, bounds: &Bounds) -> bool {
    let extent = |east, north| middle.neighbour(east, north).extent();
    extent(0, 1).latitudes[1] < bounds.north
        || extent(0, -1).latitudes[0] > bounds.south
        || extent(1, 0).longitudes[1] < bounds.east
        || extent(-1, 0).longitudes[0] > bounds.west
}

/// Whether the bounds go on in this direction from a cell.
fn reaches(middle: Cell, bounds: &Bounds, east: i32, north: i32) -> bool {
    let extent = middle.extent();
    let ends_before = |direction: i32, [low, high]: [f64; 2], from: f64, to: f64| match direction {
        1 => high > to,
        -1 => low < from,
        _ => false,
    };
    !ends_before(east, extent.longitudes, bounds.west, bounds.east)
        && !ends_before(north, extent.latitudes, bounds.south, bounds.north)
}

/// Half of the width of the map, at the equator.
const HALF_MAP_M: f64 = 20_037_726.37;
/// Columns to the east and rows to the north.
const NEIGHBOURS: [(i32, i32); 8] = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geo::Position;

    fn holds(shape: &Shape, place: Position) -> bool {
        cells(shape).iter().any(|cell| cell.scores().contains(&place.score()))
    }

    #[test]
    fn steps_are_those_of_redis() {
        for (reach_m, latitude, expected) in [
            (0.0, 0.0, 26),
            (f64::INFINITY, 0.0, 1),
            (1e-300, 0.0, 26),
            (1000.0, 0.0, 14),
            (1000.0, -67.0, 13),
            (1000.0, 81.0, 12),
            (5_100_000.0, 0.0, 1),
            (200_000.0, 37.0, 6),
        ] {
            assert_eq!(step(reach_m, latitude), expected, "{reach_m} {latitude}");
        }
    }

    #[test]
    fn nothing_is_looked_at_twice() {
        for reach_m in [1.0, 5e5, 2e6, 6e6, 1e7, 1e30, f64::INFINITY] {
            for longitude in [-180.0, -90.0, 0.0, 1.0, 179.0] {
                for latitude in [-85.0, -60.0, 0.0, 30.0, 84.0] {
                    let cells = cells(&Shape::circle(Position { longitude, latitude }, reach_m));
                    for (at, cell) in cells.iter().enumerate() {
                        assert!(!cells[..at].contains(cell), "{reach_m} {longitude} {latitude}");
                    }
                }
            }
        }
    }

    #[test]
    fn around_a_pole_is_nothing() {
        let corner = |longitude| Position { longitude, latitude: 80.0 };
        assert!(cells(&Shape::polygon([-120.0, 0.0, 120.0].map(corner).to_vec())).is_empty());
    }

    proptest! {
        #[test]
        fn whatever_lies_inside_is_in_a_cell(
            center in (-170.0..170.0_f64, -60.0..60.0_f64),
            reach_m in prop_oneof![0.5..1000.0_f64, 1000.0..400_000.0_f64],
            height in 0.1..1.0_f64,
            towards in (-1.0..1.0_f64, -1.0..1.0_f64),
        ) {
            let center = Position { longitude: center.0, latitude: center.1 };
            // A place as far away as the shape reaches, at most.
            let degrees = reach_m / 111_000.0;
            let place = Position {
                longitude: center.longitude + towards.0 * degrees / center.latitude.to_radians().cos(),
                latitude: center.latitude + towards.1 * degrees,
            };
            let place = Position::from_score(place.score());
            let corner = |east: f64, north: f64| Position {
                longitude: center.longitude + east * degrees,
                latitude: center.latitude + north * degrees,
            };
            let polygon = vec![corner(-1.0, -1.0), corner(1.0, -0.5), corner(height, 1.0), corner(-0.2, 0.1)];
            for shape in [
                Shape::circle(center, reach_m),
                Shape::rectangle(center, 2.0 * reach_m, 2.0 * reach_m * height, 1.0),
                Shape::polygon(polygon),
            ] {
                if let Some(distance_m) = shape.distance_inside_m(place) {
                    prop_assert!(holds(&shape, place), "{shape:?} {place:?}");
                    prop_assert_eq!(distance_m, shape.center().distance_m(place));
                }
            }
        }
    }
}

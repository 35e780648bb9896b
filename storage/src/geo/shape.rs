//! What is searched: a circle, a rectangle or a polygon, and the box around it. Which cells it needs is in `cover`.

use super::{EARTH_RADIUS_M, Position, polygon, to_angle, to_degrees};

/// A part of the earth around a place.
#[derive(Clone, Debug)]
pub struct Shape {
    center: Position,
    outline: Outline,
    /// How far it is from the place in the middle to the farthest one.
    pub(super) reach_m: f64,
    /// What is around it, in degrees.
    pub(super) bounds: Bounds,
}

#[derive(Clone, Debug)]
enum Outline {
    Circle,
    Rectangle { width_m: f64, height_m: f64 },
    Polygon(Vec<Position>),
}

/// A box that is not cut at the edges of the map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub west: f64,
    pub east: f64,
    pub south: f64,
    pub north: f64,
}

impl Shape {
    /// What is at most so far away from a place.
    pub fn circle(center: Position, radius_m: f64) -> Shape {
        let bounds = Bounds::around(center, radius_m, radius_m);
        Shape { center, outline: Outline::Circle, reach_m: radius_m, bounds }
    }

    /// A rectangle of this width and height, in a unit of so many metres, with a place in its middle.
    pub fn rectangle(center: Position, width: f64, height: f64, unit_m: f64) -> Shape {
        let (half_width, half_height) = (width / 2.0, height / 2.0);
        Shape {
            center,
            outline: Outline::Rectangle { width_m: width * unit_m, height_m: height * unit_m },
            reach_m: (half_width * half_width + half_height * half_height).sqrt() * unit_m,
            bounds: Bounds::around(center, unit_m * half_width, unit_m * half_height),
        }
    }

    /// What is inside of a polygon with these corners.
    pub fn polygon(corners: Vec<Position>) -> Shape {
        let center = polygon::middle(&corners);
        let bounds = Bounds::of(&corners);
        let [west, east, south, north] = [bounds.west, bounds.east, bounds.south, bounds.north];
        let distances = [(west, south), (west, north), (east, south), (east, north)]
            .map(|(longitude, latitude)| center.distance_m(Position { longitude, latitude }));
        let reach_m = distances.into_iter().fold(0.0, f64::max);
        Shape { center, outline: Outline::Polygon(corners), reach_m, bounds }
    }

    /// The place in its middle, from which distances are counted.
    pub fn center(&self) -> Position {
        self.center
    }

    /// How many comparisons it takes to tell whether a place lies in it, about.
    pub fn effort(&self) -> usize {
        match &self.outline {
            Outline::Circle | Outline::Rectangle { .. } => 1,
            Outline::Polygon(corners) => corners.len(),
        }
    }

    /// How far a place is from the middle, if it lies inside.
    pub fn distance_inside_m(&self, place: Position) -> Option<f64> {
        let is_inside = match &self.outline {
            Outline::Circle => {
                let distance_m = self.center.distance_m(place);
                return (distance_m <= self.reach_m).then_some(distance_m);
            }
            &Outline::Rectangle { width_m, height_m } => {
                let beside = Position { longitude: self.center.longitude, ..place };
                place.latitude_distance_m(self.center) <= height_m / 2.0
                    && place.distance_m(beside) <= width_m / 2.0
            }
            Outline::Polygon(corners) => polygon::contains(corners, place),
        };
        is_inside.then(|| self.center.distance_m(place))
    }
}

impl Bounds {
    /// The box from so far in the west to as far in the east of a place, and likewise in the south and the north. Where it is
    /// nearer to the pole it has more degrees.
    fn around(center: Position, width_m: f64, height_m: f64) -> Bounds {
        let Position { longitude, latitude } = center;
        let latitudes = to_degrees(height_m / EARTH_RADIUS_M);
        let polar = if latitude < 0.0 { latitude - latitudes } else { latitude + latitudes };
        let longitudes = to_degrees(width_m / EARTH_RADIUS_M / to_angle(polar).cos());
        Bounds {
            west: longitude - longitudes,
            east: longitude + longitudes,
            south: latitude - latitudes,
            north: latitude + latitudes,
        }
    }

    fn of(corners: &[Position]) -> Bounds {
        let mut bounds = Bounds {
            west: f64::INFINITY,
            east: f64::NEG_INFINITY,
            south: f64::INFINITY,
            north: f64::NEG_INFINITY,
        };
        for corner in corners {
            bounds.west = bounds.west.min(corner.longitude);
            bounds.east = bounds.east.max(corner.longitude);
            bounds.south = bounds.south.min(corner.latitude);
            bounds.north = bounds.north.max(corner.latitude);
        }
        bounds
    }
}

//! What a search is for: its words, and what is wrong with them. How places are found is in `search`.

use shardis_storage::geo::{Position, Shape};
use shardis_storage::types::sorted_set::SortedSet;

use super::place::place;
use super::{take_position, take_unit};
use crate::command::{Call, Error};
use crate::commands::sorted_set::parse_score;

/// How a command says what it searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A circle, its middle first.
    Circle { from: From, may_store: bool },
    /// Any shape, by words of its own. What is stored goes to the first key.
    Any { is_stored: bool },
}

/// What the middle of a search is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// A member.
    Member,
    /// Coordinates.
    Place,
}

/// By which distance places are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NearestFirst,
    FarthestFirst,
}

/// What is told of a place beside its member.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    pub distance: bool,
    pub hash: bool,
    pub position: bool,
}

impl Told {
    /// How many things these are.
    pub fn count(self) -> usize {
        [self.distance, self.hash, self.position].into_iter().filter(|&is_told| is_told).count()
    }
}

/// What is searched, and what becomes of it.
#[derive(Debug)]
pub struct Query {
    /// What is searched; nothing where there is nothing.
    pub shape: Option<Shape>,
    /// Distances are told in units of so many metres.
    pub unit_m: f64,
    pub order: Option<Order>,
    /// How many places are wanted.
    pub count: Option<usize>,
    /// Whether that many of them will do, wherever they are.
    pub takes_any: bool,
    pub told: Told,
    /// The word that names the destination.
    pub destination: Option<usize>,
    pub stores_distances: bool,
}

impl Query {
    /// Takes all arguments behind the key of the places, which are in `set`. Where there are none a member is nowhere, which is
    /// no error.
    pub fn parse(call: &mut Call<'_>, form: Form, set: Option<&SortedSet>) -> Result<Query, Error> {
        let mut words = Words { unit_m: 1.0, ..Words::default() };
        if let Form::Circle { from, .. } = form {
            words.take_circle(call, from, set)?;
        }
        while !call.args.is_empty() {
            let is_taken = words.take_common(call)?
                || match form {
                    Form::Circle { may_store, .. } => may_store && words.take_destination(call)?,
                    Form::Any { is_stored: true } if call.args.take_word("STOREDIST") => {
                        words.stores_distances = true;
                        true
                    }
                    Form::Any { .. } => words.take_middle(call, set)? || words.take_area(call)?,
                };
            if !is_taken {
                return Err(Error::SYNTAX);
            }
        }
        if form == (Form::Any { is_stored: true }) {
            words.destination = Some(1);
        }
        words.finish(call, form)
    }
}

/// The words of a call as they have been taken.
#[derive(Debug, Default)]
struct Words {
    from: Option<From>,
    center: Option<Position>,
    area: Option<Area>,
    unit_m: f64,
    order: Option<Order>,
    count: Option<usize>,
    takes_any: bool,
    told: Told,
    destination: Option<usize>,
    stores_distances: bool,
}

#[derive(Debug)]
enum Area {
    Circle { radius: f64 },
    Rectangle { width: f64, height: f64 },
    Polygon(Vec<Position>),
}

impl Words {
    /// The words that circles begin with. Those behind a member that is nowhere do not count.
    fn take_circle(&mut self, call: &mut Call<'_>, from: From, set: Option<&SortedSet>) -> Result<(), Error> {
        match (from, set) {
            (From::Place, _) => self.center = Some(take_position(call)?),
            (From::Member, Some(set)) => self.center = Some(take_member(call, set)?),
            (From::Member, None) => {
                call.args = call.args.behind(3)?;
                return Ok(());
            }
        }
        self.take_radius(call)
    }

    fn take_radius(&mut self, call: &mut Call<'_>) -> Result<(), Error> {
        let radius = take_number(call, Error::RADIUS_NOT_FLOAT)?;
        if radius < 0.0 {
            return Err(Error::RADIUS_NEGATIVE);
        }
        self.unit_m = take_unit(call)?;
        self.area = Some(Area::Circle { radius });
        Ok(())
    }

    /// What all searches have.
    fn take_common(&mut self, call: &mut Call<'_>) -> Result<bool, Error> {
        match () {
            () if call.args.take_word("WITHDIST") => self.told.distance = true,
            () if call.args.take_word("WITHHASH") => self.told.hash = true,
            () if call.args.take_word("WITHCOORD") => self.told.position = true,
            () if call.args.take_word("ANY") => self.takes_any = true,
            () if call.args.take_word("ASC") => self.order = Some(Order::NearestFirst),
            () if call.args.take_word("DESC") => self.order = Some(Order::FarthestFirst),
            () if call.args.len() > 1 && call.args.take_word("COUNT") => {
                let count = usize::try_from(call.args.integer()?).ok().filter(|&count| count > 0);
                self.count = Some(count.ok_or(Error::COUNT_NOT_ABOVE_ZERO)?);
            }
            () => return Ok(false),
        }
        Ok(true)
    }

    /// Where the places go; the last one counts.
    fn take_destination(&mut self, call: &mut Call<'_>) -> Result<bool, Error> {
        if call.args.len() < 2 {
            return Ok(false);
        }
        self.stores_distances = match () {
            () if call.args.take_word("STORE") => false,
            () if call.args.take_word("STOREDIST") => true,
            () => return Ok(false),
        };
        self.destination = Some(call.request().len() - call.args.len());
        call.args.take()?;
        Ok(true)
    }

    /// What is in the middle. A polygon has its own.
    fn take_middle(&mut self, call: &mut Call<'_>, set: Option<&SortedSet>) -> Result<bool, Error> {
        let behind = call.args.len() - 1;
        let may_be = |from| self.from.is_none_or(|known| known == from);
        if matches!(self.area, Some(Area::Polygon(_))) {
            return Ok(false);
        }
        if behind >= 1 && may_be(From::Member) && call.args.take_word("FROMMEMBER") {
            self.from = Some(From::Member);
            match set {
                Some(set) => self.center = Some(take_member(call, set)?),
                None => drop(call.args.take()?),
            }
        } else if behind >= 2 && may_be(From::Place) && call.args.take_word("FROMLONLAT") {
            self.from = Some(From::Place);
            self.center = Some(take_position(call)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What is around that.
    fn take_area(&mut self, call: &mut Call<'_>) -> Result<bool, Error> {
        let behind = call.args.len() - 1;
        let is_polygon_known = call.dialect().searches_polygons && self.from.is_none();
        match self.area {
            None | Some(Area::Circle { .. }) if behind >= 2 && call.args.take_word("BYRADIUS") => {
                self.take_radius(call)?;
            }
            None | Some(Area::Rectangle { .. }) if behind >= 3 && call.args.take_word("BYBOX") => {
                let width = take_number(call, Error::WIDTH_NOT_FLOAT)?;
                let height = take_number(call, Error::HEIGHT_NOT_FLOAT)?;
                if width < 0.0 || height < 0.0 {
                    return Err(Error::BOX_NEGATIVE);
                }
                self.unit_m = take_unit(call)?;
                self.area = Some(Area::Rectangle { width, height });
            }
            None | Some(Area::Polygon(_))
                if is_polygon_known && behind >= 2 && call.args.take_word("BYPOLYGON") =>
            {
                self.area = Some(Area::Polygon(take_corners(call)?));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Checks what was taken together.
    fn finish(self, call: &Call<'_>, form: Form) -> Result<Query, Error> {
        let name = call.request().name();
        if self.destination.is_some() && self.told.count() > 0 {
            return Err(match form {
                Form::Any { .. } => Error::GEOSEARCHSTORE_AND_WITH,
                Form::Circle { .. } => Error::STORE_AND_WITH,
            });
        }
        if matches!(form, Form::Any { .. }) {
            if self.from.is_none() && !matches!(self.area, Some(Area::Polygon(_))) {
                return Err(Error::one_middle(name));
            }
            if self.area.is_none() {
                return Err(Error::one_area(name, call.dialect()));
            }
        }
        if self.takes_any && self.count.is_none() {
            return Err(Error::ANY_WITHOUT_COUNT);
        }
        let shape = match (self.area, self.center) {
            (Some(Area::Polygon(corners)), _) => Some(Shape::polygon(corners)),
            (Some(Area::Circle { radius }), Some(center)) => {
                Some(Shape::circle(center, radius * self.unit_m))
            }
            (Some(Area::Rectangle { width, height }), Some(center)) => {
                Some(Shape::rectangle(center, width, height, self.unit_m))
            }
            (_, None) | (None, _) => None,
        };
        // The first of all places are the nearest ones, unless any will do.
        let is_sorted = self.count.is_some() && !self.takes_any;
        Ok(Query {
            shape,
            unit_m: self.unit_m,
            order: self.order.or(is_sorted.then_some(Order::NearestFirst)),
            count: self.count,
            takes_any: self.takes_any,
            told: self.told,
            destination: self.destination,
            stores_distances: self.stores_distances,
        })
    }
}

fn take_number(call: &mut Call<'_>, error: Error) -> Result<f64, Error> {
    let text = call.args.take()?;
    parse_score(call, text).ok_or(error)
}

fn take_member(call: &mut Call<'_>, set: &SortedSet) -> Result<Position, Error> {
    let member = call.args.take()?;
    place(set, member).ok_or_else(|| Error::no_such_place(member, call.dialect()))
}

fn take_corners(call: &mut Call<'_>) -> Result<Vec<Position>, Error> {
    let count = call.args.integer_32().map_err(|_| Error::INVALID_CORNERS)?;
    let count = usize::try_from(count).unwrap_or(0);
    if count < CORNERS_MIN || call.args.len() / 2 < count {
        return Err(Error::TOO_FEW_CORNERS);
    }
    (0..count).map(|_| take_position(call)).collect()
}

/// Fewer corners enclose nothing.
const CORNERS_MIN: usize = 3;

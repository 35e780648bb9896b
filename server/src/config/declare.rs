//! How settings are declared.

use std::sync::atomic::AtomicI64;

use super::Config;
use super::kind::{Kind, Unit};
use super::options::{Field, Parameter};
use super::setting::{Choice, Text};

pub(super) const fn scalar(name: &'static str, kind: Kind, field: fn(&Config) -> &AtomicI64) -> Parameter {
    Parameter::new(name, kind, Field::Scalar(field))
}

pub(super) const fn yes_no(name: &'static str, field: fn(&Config) -> &AtomicI64) -> Parameter {
    scalar(name, Kind::YesNo, field)
}

pub(super) const fn number(
    name: &'static str,
    min: i64,
    max: i64,
    field: fn(&Config) -> &AtomicI64,
) -> Parameter {
    scalar(name, Kind::Number { unit: Unit::Plain, min, max }, field)
}

pub(super) const fn memory(name: &'static str, min: i64, field: fn(&Config) -> &AtomicI64) -> Parameter {
    scalar(name, Kind::Number { unit: Unit::Memory, min, max: i64::MAX }, field)
}

pub(super) const fn choice<T: Choice>(name: &'static str, field: fn(&Config) -> &AtomicI64) -> Parameter {
    scalar(name, Kind::Choice(T::WORDS), field)
}

pub(super) const fn text(name: &'static str, field: fn(&Config) -> &Text) -> Parameter {
    Parameter::new(name, Kind::Text, Field::Text(field))
}

//! `Scope`: the names that an expression may use, and how fields are pinned. Not here: what becomes of them (`bind`).

use super::interpret::Language;
use super::parse::Parsed;
use super::source::{Domain, Source};
use crate::reading::Reading;

/// The names that an expression may use.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) language: &'a Language,
    pub(crate) domain: Domain<'a>,
    /// TYPES: the last of several pins of a field counts.
    pub(crate) pins: &'a [(Source, Reading)],
    /// PARAMS.
    pub(crate) parameters: &'a [(&'a [u8], &'a [u8])],
    /// The LETs before the expression.
    pub(crate) lets: &'a [(String, Parsed)],
}

impl<'a> Scope<'a> {
    pub(super) fn let_named(&self, name: &str) -> Option<&'a Parsed> {
        self.lets.iter().find(|(known, _)| known == name).map(|(_, parsed)| parsed)
    }

    pub(super) fn pin_of(&self, source: &Source) -> Option<Reading> {
        self.pins.iter().rfind(|(pinned, _)| pinned == source).map(|(_, pin)| *pin)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'a [u8]> {
        self.parameters.iter().rfind(|(known, _)| *known == name.as_bytes()).map(|(_, value)| *value)
    }

    /// The names there are, for errors.
    pub(super) fn names(&self) -> String {
        let mut names = self.domain.names();
        for (name, _) in self.lets {
            names.push_str(", ");
            names.push_str(name);
        }
        if !self.parameters.is_empty() {
            names.push_str(", p.name");
        }
        names
    }
}

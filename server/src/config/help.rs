//! The parameters as `--help` lists them.

use std::fmt::Write as _;

use super::options::{PARAMETERS, Parameter};
use super::{Config, refused, stored};

/// What they are for and their defaults, or why they have only one value.
pub fn parameters() -> String {
    let defaults = Config::default();
    let shown = |parameter: &Parameter| match parameter.format(&defaults) {
        value if value.is_empty() => "\"\"".to_owned(),
        value => value.escape_ascii().to_string(),
    };
    let mut text = String::new();
    let mut named = std::collections::HashSet::new();
    for parameter in PARAMETERS.iter().filter(|parameter| named.insert(parameter.name)) {
        let (name, hint, summary) = (parameter.name, parameter.kind.hint(), parameter.summary);
        let word = if parameter.why().is_some() { "Only" } else { "Default:" };
        let _ = writeln!(text, "  --{name} {hint}\n      {summary} {word} {}.", shown(parameter));
    }
    text.push_str("\nThese have no other value:\n\n");
    let refused: Vec<_> =
        refused::PARAMETERS.iter().filter(|parameter| named.insert(parameter.name)).collect();
    for alike in refused.chunk_by(|one, next| one.why() == next.why()) {
        for parameter in alike {
            let _ = writeln!(text, "  --{} {}", parameter.name, shown(parameter));
        }
        let _ = writeln!(text, "      {}", alike[0].why().unwrap_or_default());
    }
    let mut kept: Vec<&str> = stored::PARAMETERS.iter().map(|parameter| parameter.name).collect();
    kept.sort_unstable();
    kept.dedup();
    let _ =
        write!(text, "\nThese have no effect; their values are kept and shown:\n\n  {}", kept.join("\n  "));
    text
}

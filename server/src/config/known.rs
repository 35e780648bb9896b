//! Parameters of Redis 7.2 that this server does not have yet. Somebody who brings a configuration file of Redis
//! along is told so, instead of being sent to look for a misspelling. Names only; `options` declares what there is.

/// Sorted. A name leaves the list when `options` gets it.
pub static NOT_YET: &[&str] = &[];

#[cfg(test)]
mod tests {
    use super::super::{Personality, options};
    use super::*;

    #[test]
    fn names_are_sorted_and_of_no_parameter_that_exists() {
        assert!(NOT_YET.is_sorted_by(|one, next| one < next));
        for name in NOT_YET {
            assert!(options::candidates(name.as_bytes(), Personality::Redis72).is_empty(), "{name} exists");
            assert_eq!(options::refusal(name.as_bytes()), options::NOT_YET_HERE, "{name}");
        }
    }
}

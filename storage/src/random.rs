//! The seedable generator behind everything that is random: sampling, random picks, identifiers. The same
//! seed gives the same sequence on every machine. It is fast and fair, not unpredictable: nothing secret may
//! come from it.

/// A stream of random numbers that its seed determines.
#[derive(Clone, Debug)]
pub struct Random {
    generator: fastrand::Rng,
}

impl Random {
    /// The generator that this seed determines.
    pub fn seeded(seed: u64) -> Random {
        Random { generator: fastrand::Rng::with_seed(seed) }
    }

    /// Any `u64`, each as likely as another.
    pub fn u64(&mut self) -> u64 {
        self.generator.u64(..)
    }

    /// A number below `bound`, each as likely as another. `bound` must not be zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below zero");
        self.generator.u64(..bound)
    }

    /// Lower-case hexadecimal digits, as run identifiers have them.
    pub fn fill_hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[self.below(16) as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_determines_the_sequence() {
        let sequence = |seed| {
            let mut random = Random::seeded(seed);
            (0..100).map(|_| random.u64()).collect::<Vec<_>>()
        };
        assert_eq!(sequence(7), sequence(7));
        assert_ne!(sequence(7), sequence(8));
    }

    #[test]
    fn every_number_below_the_bound_comes_up_about_equally_often() {
        let mut random = Random::seeded(1);
        let mut seen = [0_u32; 10];
        for _ in 0..100_000 {
            seen[random.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (9_500..10_500).contains(&count)), "{seen:?}");
    }

    #[test]
    fn hexadecimal_digits_are_as_many_as_asked_for() {
        let digits = Random::seeded(1).fill_hex(40);
        assert_eq!(digits.len(), 40);
        assert!(digits.bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
    }
}

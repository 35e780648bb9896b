//! A latch: how often something still has to happen before all go on who wait. It knows neither them nor its key, and stays
//! open once it is.

/// How often something still has to happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latch {
    count: u64,
}

impl Latch {
    /// A latch that opens after so many steps.
    pub fn of_count(count: u64) -> Latch {
        Latch { count }
    }

    /// The steps that are left.
    pub fn count(self) -> u64 {
        self.count
    }

    /// Whether it is open.
    pub fn is_open(self) -> bool {
        self.count == 0
    }

    /// So many steps have been taken; how many are left.
    pub fn down(&mut self, steps: u64) -> u64 {
        self.count = self.count.saturating_sub(steps);
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_latch_stays_open() {
        let mut latch = Latch::of_count(3);
        assert_eq!((latch.down(1), latch.is_open(), latch.down(5), latch.is_open()), (2, false, 0, true));
        assert_eq!((latch.down(1), latch.count()), (0, 0));
    }
}

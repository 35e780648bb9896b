//! Makes a failing sequence short: commands are left out, in ever smaller pieces, as long as it still fails.

/// The shortest sequence found for which `fails` holds; it holds for `steps`, and its last step is needed.
pub fn shrink<T: Clone>(steps: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = steps.to_vec();
    let mut piece = kept.len() / 2;
    while piece > 0 {
        let mut start = 0;
        while start < kept.len() {
            let end = (start + piece).min(kept.len());
            let without: Vec<T> = kept[..start].iter().chain(&kept[end..]).cloned().collect();
            if !without.is_empty() && fails(&without) {
                kept = without;
            } else {
                start = end;
            }
        }
        piece /= 2;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_kept() {
        let steps: Vec<u32> = (0..100).collect();
        let needs_three = |steps: &[u32]| [3, 50, 99].iter().all(|step| steps.contains(step));
        assert_eq!(shrink(&steps, needs_three), [3, 50, 99]);
    }

    #[test]
    fn a_single_step_stays() {
        assert_eq!(shrink(&[1], |_| true), [1]);
    }
}

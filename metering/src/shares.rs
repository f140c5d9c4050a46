//! Splits a whole number into whole parts that add up to it.

/// Splits `total` in proportion to `weights` by the largest remainder method: each part is rounded down, and the rest
/// goes one by one to the parts with the largest remainder, the first among equals.
///
/// The parts add up to `total` exactly. `None` if all weights are zero.
#[must_use]
pub fn split(total: u64, weights: &[u64]) -> Option<Vec<u64>> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    if sum == 0 {
        return None;
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut lost = Vec::with_capacity(weights.len());
    for (index, &weight) in weights.iter().enumerate() {
        let exact = u128::from(total) * u128::from(weight);
        // No weight exceeds the sum, so the quotient is at most `total`.
        parts.push((exact / sum) as u64);
        lost.push((exact % sum, index));
    }
    let left = (total - parts.iter().sum::<u64>()) as usize;
    if left > 0 {
        let largest_first = |a: &(u128, usize), b: &(u128, usize)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
        // Each part lost less than one, so fewer are left than there are parts.
        lost.select_nth_unstable_by(left - 1, largest_first);
        for &(_, index) in &lost[..left] {
            parts[index] += 1;
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_rounding_leaves_goes_to_the_largest_remainders() {
        assert_eq!(split(10, &[1, 1, 1]), Some(vec![4, 3, 3]));
        assert_eq!(split(100, &[2, 1, 4]), Some(vec![29, 14, 57]));
        assert_eq!(split(0, &[5, 6]), Some(vec![0, 0]));
        assert_eq!(split(7, &[0, 0]), None);
        assert_eq!(split(7, &[]), None);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_stay_within_one_of_their_due(
            total in any::<u64>(),
            weights in prop::collection::vec(prop_oneof![Just(0), 0..100_u64, any::<u64>()], 1..40),
        ) {
            let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
            let Some(parts) = split(total, &weights) else { prop_assert_eq!(sum, 0); return Ok(()) };
            prop_assert_eq!(parts.iter().map(|&part| u128::from(part)).sum::<u128>(), u128::from(total));
            for (&part, &weight) in parts.iter().zip(&weights) {
                let due = u128::from(total) * u128::from(weight) / sum;
                prop_assert!(u128::from(part) == due || u128::from(part) == due + 1);
                prop_assert!(weight > 0 || part == 0);
            }
        }
    }
}

//! Finds the n-th prime number, counted from 0: `0` gives `2`, `600` gives `4421`.

use std::process::ExitCode;

/// The largest n: the sieve for it takes 10 MiB.
const N_MAX: usize = 1_000_000;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| {
        let n = call::whole("a whole number", &input, 0..=N_MAX)?;
        let prime = prime(n).ok_or("the sieve was too small: this is a mistake in the function")?;
        Ok(prime.to_string())
    }))
}

/// Eratosthenes' sieve over the odd numbers.
fn prime(n: usize) -> Option<usize> {
    if n == 0 {
        return Some(2);
    }
    // `composite[i]` is about 2i + 1; the first place, 1, is no prime and is skipped.
    let bound = bound(n);
    let mut composite = vec![false; bound / 2 + 1];
    let mut left = n;
    for index in 1..composite.len() {
        if composite[index] {
            continue;
        }
        let odd = 2 * index + 1;
        left -= 1;
        if left == 0 {
            return Some(odd);
        }
        // Multiples below the square have a smaller factor and are crossed out already. Beyond
        // the root there are none, and in a guest's 32 bits the square would not fit.
        if odd <= bound.isqrt() {
            for multiple in (odd * odd / 2..composite.len()).step_by(odd) {
                composite[multiple] = true;
            }
        }
    }
    None
}

/// A number that the prime at index n does not exceed. With k = n + 1 ≥ 6, that prime is below
/// k (ln k + ln ln k) (Rosser and Schoenfeld, 1962, 3.13), which is below k log₂ k.
fn bound(n: usize) -> usize {
    let k = n + 1;
    if k < 6 { 11 } else { k * (k.ilog2() as usize + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prime_by_division(number: usize) -> bool {
        (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
    }

    #[test]
    fn agrees_with_trial_division() {
        let by_division = (2..).filter(|number| prime_by_division(*number));
        for (n, expected) in by_division.take(2_000).enumerate() {
            assert_eq!(prime(n), Some(expected), "{n}");
        }
    }

    #[test]
    fn known_primes_are_right() {
        assert_eq!(prime(600), Some(4_421));
        assert_eq!(prime(9_999), Some(104_729));
        assert_eq!(prime(N_MAX - 1), Some(15_485_863));
        assert_eq!(prime(N_MAX), Some(15_485_867));
    }
}

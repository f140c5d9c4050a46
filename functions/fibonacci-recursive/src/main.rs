//! Computes the n-th Fibonacci number the slow way, as a load for measurements: the number of
//! calls grows with the number itself.

use std::hint::black_box;
use std::process::ExitCode;

/// The largest n: 866,988,873 calls, some seconds of work.
const N_MAX: u32 = 42;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| {
        let n = call::whole("a whole number", &input, 0..=N_MAX)?;
        Ok(fibonacci(n).to_string())
    }))
}

/// The black boxes keep the optimiser from turning one of the two recursions into a loop.
fn fibonacci(n: u32) -> u32 {
    if n < 2 {
        return n;
    }
    black_box(fibonacci(n - 1)) + black_box(fibonacci(n - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_are_right() {
        let first: Vec<u32> = (0..10).map(fibonacci).collect();
        assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
    }

    #[test]
    fn thirtieth_is_right() {
        assert_eq!(fibonacci(30), 832_040);
    }
}

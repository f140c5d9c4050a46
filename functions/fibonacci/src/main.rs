//! Lists the first n Fibonacci numbers: `5` gives `[0, 1, 1, 2, 3]`.

use std::process::ExitCode;

/// The last number that 128 bits hold is the one with index 186.
const COUNT_MAX: usize = 187;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| {
        let count = call::whole("a whole number", &input, 0..=COUNT_MAX)?;
        Ok(format!("{:?}", fibonacci(count)))
    }))
}

fn fibonacci(count: usize) -> Vec<u128> {
    let mut terms = Vec::with_capacity(count);
    for index in 0..count {
        // Each is added up only when it is wanted: the one after the last would not fit.
        terms.push(match index {
            0 => 0,
            1 => 1,
            _ => terms[index - 1] + terms[index - 2],
        });
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_exactly_as_many_as_asked_for() {
        assert_eq!(format!("{:?}", fibonacci(0)), "[]");
        assert_eq!(format!("{:?}", fibonacci(1)), "[0]");
        assert_eq!(format!("{:?}", fibonacci(10)), "[0, 1, 1, 2, 3, 5, 8, 13, 21, 34]");
    }

    #[test]
    fn the_limit_is_where_128_bits_end() {
        let terms = fibonacci(COUNT_MAX);
        let [.., before, last] = terms[..] else { panic!("too few terms") };
        assert_eq!(last, 332_825_110_087_067_562_321_196_029_789_634_457_848);
        assert_eq!(before.checked_add(last), None);
    }
}

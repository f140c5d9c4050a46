//! Adds whole numbers: `2,3` gives `5`. They are separated by commas or white space, each must
//! fit 128 bits with sign, and so must the sum: there is no wrapping.

use std::process::ExitCode;

fn main() -> ExitCode {
    call::reply(call::read().and_then(|input| add(&input)))
}

fn add(input: &str) -> Result<String, String> {
    let mut sum: i128 = 0;
    for part in input.split(',') {
        // A part with nothing in it is a number that the caller forgot.
        if part.trim_ascii().is_empty() {
            return Err(format!("expected whole numbers separated by commas or spaces, got {}", call::quoted(input)));
        }
        for word in part.split_ascii_whitespace() {
            let number = call::whole("a whole number", word, i128::MIN..=i128::MAX)?;
            sum = sum.checked_add(number).ok_or("the sum does not fit 128 bits")?;
        }
    }
    Ok(sum.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_any_count_of_numbers() {
        for (input, sum) in [
            ("2,3", "5"),
            ("7", "7"),
            ("1 2\n3", "6"),
            ("1, 2 ,\t-3", "0"),
            ("-5,+2", "-3"),
            ("9223372036854775807,1", "9223372036854775808"),
        ] {
            assert_eq!(add(input).as_deref(), Ok(sum), "{input}");
        }
    }

    #[test]
    fn overflow_is_refused_not_wrapped() {
        let max = i128::MAX;
        assert_eq!(add(&format!("{max},0")), Ok(max.to_string()));
        assert!(add(&format!("{max},1")).is_err());
        assert!(add(&format!("{},-1", i128::MIN)).is_err());
        assert!(add(&format!("{max}0")).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        for input in ["", "two", "1.5", "1,,2", "1,", ",", "1;2"] {
            assert!(add(input).is_err(), "{input}");
        }
    }
}

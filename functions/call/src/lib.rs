//! One call of a function: text comes in on stdin, and a reply goes out on stdout with exit
//! code 0, or a refusal on stderr with exit code 1. A function states its own logic as
//! `&str -> Result<String, String>`; everything that can go wrong around it is settled here.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::str::FromStr;

/// The longest input in bytes: far more than any of these functions can use, and little
/// enough to hold in a small guest's memory.
const INPUT_BYTES_MAX: u64 = 1 << 20;

/// How much of a wrong input a refusal quotes, in characters.
const QUOTED_CHARS_MAX: usize = 40;

/// Reads the whole input as text, without the white space around it.
pub fn read() -> Result<String, String> {
    read_from(io::stdin().lock())
}

fn read_from(source: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    // One byte more than the limit tells a full input from one that goes on.
    source
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| format!("cannot read the input: {cause}"))?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(format!("the input is longer than {INPUT_BYTES_MAX} bytes"));
    }
    let text = str::from_utf8(&bytes).map_err(|cause| {
        let at = cause.valid_up_to();
        format!("the input is not UTF-8 text: byte {at} does not belong")
    })?;
    Ok(text.trim_ascii().to_owned())
}

/// Sends the outcome to whoever called and turns it into an exit code.
#[must_use]
pub fn reply(outcome: Result<String, String>) -> ExitCode {
    let sent = outcome.and_then(|mut text| {
        text.push('\n');
        send(text.as_bytes(), io::stdout().lock()).map_err(|cause| format!("cannot write the reply: {cause}"))
    });
    match sent {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            // Where stderr is closed too, the exit code is all that is left to say it with.
            let _ = send(format!("error: {refusal}\n").as_bytes(), io::stderr());
            ExitCode::FAILURE
        }
    }
}

/// The flush is explicit because the one at exit would drop its error.
fn send(bytes: &[u8], mut to: impl Write) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

/// Parses `text` as a whole number within `range`; a refusal calls it `what`.
pub fn whole<T>(what: &str, text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    match text.trim_ascii().parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(unexpected(what, text, range.start(), range.end())),
    }
}

/// Parses `text` as a decimal number within `range`; a refusal calls it `what`. The bounds are
/// whole so that a guest need not carry the code that prints floating point numbers.
pub fn decimal(what: &str, text: &str, range: RangeInclusive<i32>) -> Result<f64, String> {
    let (from, to) = range.into_inner();
    match text.trim_ascii().parse() {
        Ok(number) if (f64::from(from)..=f64::from(to)).contains(&number) => Ok(number),
        _ => Err(unexpected(what, text, &from, &to)),
    }
}

fn unexpected(what: &str, text: &str, from: &dyn Display, to: &dyn Display) -> String {
    format!("expected {what} from {from} to {to}, got {}", quoted(text))
}

/// What a refusal shows of an input: in backticks, on one line, and not too much of it.
#[must_use]
pub fn quoted(text: &str) -> String {
    let text = text.trim_ascii();
    if text.is_empty() {
        return "nothing".to_owned();
    }
    // Not `escape_debug`: its tables of Unicode would make up a tenth of a small guest.
    let printable = |char: char| if char.is_control() { ' ' } else { char };
    let mut chars = text.chars().map(printable);
    let mut shown: String = chars.by_ref().take(QUOTED_CHARS_MAX).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_trimmed_text() {
        assert_eq!(read_from(&b" 2,3\r\n"[..]), Ok("2,3".to_owned()));
        assert_eq!(read_from(&b""[..]), Ok(String::new()));
    }

    #[test]
    fn input_that_is_not_text_is_refused() {
        let refusal = read_from(&b"12\xff"[..]).unwrap_err();
        assert!(refusal.contains("byte 2"), "{refusal}");
    }

    #[test]
    fn input_is_bounded() {
        assert!(read_from(io::repeat(b'1').take(INPUT_BYTES_MAX)).is_ok());
        assert!(read_from(io::repeat(b'1')).is_err());
    }

    #[test]
    fn numbers_outside_the_range_are_refused() {
        assert_eq!(whole("n", "7", 0..=7_u32), Ok(7));
        assert_eq!(whole("n", " 0 ", 0..=7_u32), Ok(0));
        for text in ["", "8", "-1", "1.5", "seven", "99999999999999999999"] {
            assert!(whole("n", text, 0..=7_u32).is_err(), "{text}");
        }
        for text in ["", "x", "nan", "inf", "1e999", "-0.1", "7.1"] {
            assert!(decimal("x", text, 0..=7).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_names_what_it_wanted_and_what_it_got() {
        assert_eq!(
            whole("a whole number", "8", 0..=7_u32),
            Err("expected a whole number from 0 to 7, got `8`".to_owned())
        );
    }

    #[test]
    fn quotes_stay_on_one_short_line() {
        assert_eq!(quoted(" \n"), "nothing");
        assert_eq!(quoted("a\nb"), "`a b`");
        assert_eq!(quoted(&"é".repeat(41)), format!("`{}…`", "é".repeat(40)));
    }

    #[test]
    fn an_output_that_refuses_bytes_is_an_error() {
        let mut full = [0_u8; 2];
        assert!(send(b"abc", &mut full[..]).is_err());
    }
}

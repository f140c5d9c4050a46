//! Numbers with three digits and a unit that fits.

use std::time::Duration;

use indicatif::HumanCount;
use nebula_metering::{Joules, Watts};

pub const UNKNOWN: &str = "-";

const PREFIXES: [(f64, &str); 7] =
    [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];

/// 0.9996 of a unit is shown as 1.00.
const WHOLE: f64 = 0.9995;

fn scaled(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return UNKNOWN.into();
    }
    if value == 0.0 {
        return format!("0 {unit}");
    }
    let size = value.abs();
    let fits = PREFIXES.into_iter().find(|(step, _)| size >= step * WHOLE);
    let (step, prefix) = fits.unwrap_or(PREFIXES[PREFIXES.len() - 1]);
    format!("{} {prefix}{unit}", three_digits(value / step))
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Such as `12.3 mJ`.
pub fn joules(Joules(value): Joules) -> String {
    scaled(value, "J")
}

/// Such as `3.21 W`.
pub fn watts(Watts(value): Watts) -> String {
    scaled(value, "W")
}

pub fn rate(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        value if value >= 99.95 => count(value.round() as u64),
        value => three_digits(value),
    }
}

/// With commas between thousands.
pub fn count(value: u64) -> String {
    HumanCount(value).to_string()
}

/// Such as `1m 10s`.
pub fn seconds(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

pub fn percent(part: f64) -> String {
    match part * 100.0 {
        0.0 => "0 %".into(),
        percent if percent < 0.05 => "<0.1 %".into(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// For terminals without UTF-8.
pub fn ascii(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            'µ' => shown.push('u'),
            '±' => shown.push_str("+-"),
            '–' | '·' => shown.push('-'),
            '…' => shown.push('.'),
            '×' => shown.push('x'),
            char if char.is_ascii() => shown.push(char),
            _ => shown.push('?'),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit_that_fits() {
        for (value, shown) in [
            (0.0, "0 J"),
            (12.345, "12.3 J"),
            (0.9996, "1.00 J"),
            (0.0213, "21.3 mJ"),
            (213.4e-6, "213 µJ"),
            (9.996e-6, "10.0 µJ"),
            (5e-10, "0.50 nJ"),
            (123_456.0, "123 kJ"),
            (3.6e6, "3.60 MJ"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(joules(Joules(value)), shown);
        }
        assert_eq!(watts(Watts(0.25)), "250 mW");
    }

    #[test]
    fn counts_and_rates_can_be_read_at_a_glance() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.2, 9.99, 42.42, 99.96, 12_345.6].map(rate), ["0", "0.20", "9.99", "42.4", "100", "12,346"]);
        assert_eq!([0.0, 1e-6, 0.012, 0.0996, 1.0].map(percent), ["0 %", "<0.1 %", "1.2 %", "10 %", "100 %"]);
    }

    #[test]
    fn text_is_reduced_to_ascii() {
        assert_eq!(ascii("1.5–7.0 W ±80 %, 3 µJ … ☃"), "1.5-7.0 W +-80 %, 3 uJ . ?");
    }
}

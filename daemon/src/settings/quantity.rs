//! Durations, sizes and energies with their unit, as people write them.

use std::time::Duration;

use nebula_metering::{Joules, Microjoules, Watts};

/// A year.
const SECONDS_MAX: f64 = 86_400.0 * 365.0;

/// A duration such as `250us`, `100ms`, `1.5s`, `2m` or `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("a duration is a number with its unit, such as 100ms, 30s or 2m".into()),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * scale);
    let duration =
        seconds.filter(|seconds| *seconds <= SECONDS_MAX).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "a duration is a number with its unit, such as 100ms, and at most a year".into())
}

/// A size such as `512`, `64KiB`, `4MiB`, `2GiB`, or with the decimal units kB, MB and GB.
pub fn size(text: &str) -> Result<u64, String> {
    let bytes = whole(text, |unit| match unit {
        "" | "B" => Some(1),
        "kB" | "KB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    });
    bytes.ok_or_else(|| "a size is a whole number of bytes or has a unit, such as 64KiB or 4MiB".into())
}

/// An energy such as `1uJ`, `100µJ`, `1mJ` or `2J`: a whole number, and not zero.
pub fn energy(text: &str) -> Result<Microjoules, String> {
    let energy = whole(text, microjoules_in).filter(|energy| *energy > 0).map(Microjoules);
    energy.ok_or_else(|| "an energy is a whole number with its unit, such as 1uJ, 100uJ or 1mJ".into())
}

/// An energy that need not be whole, such as `0.5J`, `500mJ`, `1.5kJ` or `0.1kWh`, and not zero.
pub fn joules(text: &str) -> Result<Joules, String> {
    let joules = positive(text, |unit| Some(microjoules_in(unit)? as f64 / 1e6)).map(Joules);
    joules.ok_or_else(|| "an energy is a number above zero with its unit, such as 500mJ, 0.5J, 2kJ or 0.1kWh".into())
}

/// A power such as `40W`, `0.5kW` or `250mW`, and not zero.
pub fn watts(text: &str) -> Result<Watts, String> {
    let watts = positive(text, |unit| match unit {
        "mW" => Some(1e-3),
        "W" => Some(1.0),
        "kW" => Some(1e3),
        _ => None,
    });
    watts.map(Watts).ok_or_else(|| "a power is a number above zero with its unit, such as 40W, 500mW or 1.5kW".into())
}

/// A whole number times what its unit stands for.
fn whole(text: &str, scale: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let (number, unit) = split(text);
    number.parse::<u64>().ok()?.checked_mul(scale(unit)?)
}

/// A number above zero times what its unit stands for.
fn positive(text: &str, scale: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let (number, unit) = split(text);
    let value = number.parse::<f64>().ok()? * scale(unit)?;
    Some(value).filter(|value| value.is_finite() && *value > 0.0)
}

/// A duration as [`duration`] reads it, in the largest unit of which it is a whole number.
#[must_use]
pub fn shown_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units = [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];
    match units.iter().find(|(_, unit)| nanos > 0 && nanos.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", nanos / unit),
        None if nanos == 0 => "0s".into(),
        None => format!("{}us", nanos as f64 / 1e3),
    }
}

/// A size as [`size`] reads it, in the largest binary unit of which it is a whole number.
#[must_use]
pub fn shown_size(bytes: u64) -> String {
    let units: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

fn microjoules_in(unit: &str) -> Option<u64> {
    match unit {
        "uJ" | "µJ" => Some(1),
        "mJ" => Some(1_000),
        "J" => Some(1_000_000),
        "kJ" => Some(1_000_000_000),
        "Wh" => Some(3_600_000_000),
        "kWh" => Some(3_600_000_000_000),
        _ => None,
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn check<T: PartialEq + Debug>(read: fn(&str) -> Result<T, String>, good: &[(&str, T)], bad: &[&str]) {
        for (text, value) in good {
            assert_eq!(read(text).as_ref(), Ok(value), "{text}");
        }
        for text in bad {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        let good = [("100ms", 100_000), ("1.5s", 1_500_000), ("250us", 250), ("2 m", 120_000_000), ("0s", 0)];
        let good = good.map(|(text, micros)| (text, Duration::from_micros(micros)));
        check(duration, &good, &["", "5", "s", "-1s", "1.2.3s", "1e3s", "1d", "99999999h"]);
    }

    #[test]
    fn sizes_are_whole() {
        let good = [("512", 512), ("64KiB", 65_536), ("4 MiB", 4 << 20), ("2GB", 2_000_000_000)];
        check(size, &good, &["", "1.5MiB", "-1", "4mb", "99999999999GiB"]);
    }

    #[test]
    fn energies_are_whole_microjoules_or_not_as_the_option_says() {
        let good = [("1uJ", 1), ("100µJ", 100), ("5 mJ", 5_000), ("2J", 2_000_000)];
        let bad = ["", "0uJ", "1", "1nJ", "1.5mJ", "-1mJ", "mJ", "99999999999999999999J", "18446744073710J"];
        check(energy, &good.map(|(text, energy)| (text, Microjoules(energy))), &bad);
        let good = [
            ("500mJ", 0.5),
            ("0.5 J", 0.5),
            ("1.5kJ", 1500.0),
            ("250uJ", 0.000_25),
            ("2Wh", 7200.0),
            ("0.5kWh", 1.8e6),
        ];
        let bad = ["", "0J", "0.0mJ", "1", "-1J", "1MJ", "1.2.3J", "NaNJ", "J", "1e3J"];
        check(joules, &good.map(|(text, energy)| (text, Joules(energy))), &bad);
    }

    #[test]
    fn powers_have_a_unit() {
        let good = [("40W", 40.0), ("0.5 kW", 500.0), ("250mW", 0.25)];
        let good = good.map(|(text, power)| (text, Watts(power)));
        check(watts, &good, &["", "40", "W", "0W", "-1W", "1e3W", "40w", "5J"]);
    }

    #[test]
    fn shown_quantities_can_be_read_back() {
        for text in ["1h", "90m", "5s", "1500ms", "250us", "1.5us", "0s"] {
            assert_eq!(shown_duration(duration(text).unwrap()), text);
        }
        for text in ["1GiB", "1536MiB", "64KiB", "1000B", "0B"] {
            assert_eq!(shown_size(size(text).unwrap()), text);
        }
        assert_eq!((shown_size(4096 << 10), shown_duration(Duration::from_secs(120))), ("4MiB".into(), "2m".into()));
    }
}

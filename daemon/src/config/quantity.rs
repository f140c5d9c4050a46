//! Durations, sizes and energies with their unit, as people write them.

use std::time::Duration;

use nebula_metering::Microjoules;

/// A duration such as `250us`, `100ms`, `1.5s`, `2m` or `1h`.
///
/// # Errors
/// Says what a duration looks like.
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
    let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds <= 86400.0 * 365.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a duration is a number with its unit, such as 100ms, and at most a year".into())
}

/// A size such as `512`, `64KiB`, `4MiB`, `2GiB`, or with the decimal units kB, MB and GB.
///
/// # Errors
/// Says what a size looks like.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let scale: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("a size is a whole number of bytes or has a unit, such as 64KiB or 4MiB".into()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    bytes.ok_or_else(|| "a size is a whole number of bytes or has a unit, such as 64KiB or 4MiB".into())
}

/// An energy such as `1uJ`, `100µJ`, `1mJ` or `2J`: a whole number, and not zero.
///
/// # Errors
/// Says what an energy looks like.
pub fn energy(text: &str) -> Result<Microjoules, String> {
    let (number, unit) = split(text);
    let scale: u64 = match unit {
        "uJ" | "µJ" => 1,
        "mJ" => 1_000,
        "J" => 1_000_000,
        _ => 0,
    };
    let energy = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    let energy = energy.filter(|energy| *energy > 0).map(Microjoules);
    energy.ok_or_else(|| "an energy is a whole number with its unit, such as 1uJ, 100uJ or 1mJ".into())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let good = [("100ms", 100_000), ("1.5s", 1_500_000), ("250us", 250), ("2 m", 120_000_000), ("0s", 0)];
        for (text, micros) in good {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for bad in ["", "5", "s", "-1s", "1.2.3s", "1e3s", "1d", "99999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_whole() {
        let good = [("512", 512), ("64KiB", 65_536), ("4 MiB", 4 << 20), ("2GB", 2_000_000_000)];
        for (text, bytes) in good {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "1.5MiB", "-1", "4mb", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn energies_are_whole_microjoules() {
        for (text, microjoules) in [("1uJ", 1), ("100µJ", 100), ("5 mJ", 5_000), ("2J", 2_000_000)] {
            assert_eq!(energy(text), Ok(Microjoules(microjoules)), "{text}");
        }
        for bad in ["", "0uJ", "1", "1nJ", "1.5mJ", "-1mJ", "mJ", "99999999999999999999J", "18446744073710J"] {
            assert!(energy(bad).is_err(), "{bad}");
        }
    }
}

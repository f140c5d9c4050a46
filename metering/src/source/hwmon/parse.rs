//! Parses names and small texts of hardware monitoring.
//!
//! Source: Linux `Documentation/hwmon/sysfs-interface.rst`.

/// Maximum number of channels of one kind. `amd_energy` has one per core and socket.
const CHANNEL_MAX: u32 = 1024;

/// Longest name or label. It becomes a metric label.
const NAME_BYTES_MAX: usize = 64;

/// What the file of a sensor holds, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// `energyN_input`: microjoules since some moment.
    Energy,
    /// `powerN_input`: microwatts now.
    Power,
    /// `powerN_average`: microwatts over an interval of the sensor.
    AveragePower,
    /// `currN_input`, in milliamperes; power with the `inN_input` beside it, in millivolts.
    Current,
}

/// Parses the name of a file into quantity and channel. `None` if the file is not a reading.
#[must_use]
pub fn parse_sensor_file(name: &str) -> Option<(Quantity, u32)> {
    let (channel, what) = name.split_once('_')?;
    let quantity = |kind| match (kind, what) {
        ("energy", "input") => Some(Quantity::Energy),
        ("power", "input") => Some(Quantity::Power),
        ("power", "average") => Some(Quantity::AveragePower),
        ("curr", "input") => Some(Quantity::Current),
        _ => None,
    };
    let kind = channel.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let number = parse_index(&channel[kind.len()..]).filter(|number| (1..=CHANNEL_MAX).contains(number))?;
    Some((quantity(kind)?, number))
}

/// Parses the name of a device's directory, `hwmon3`, into its number.
#[must_use]
pub fn parse_device(name: &str) -> Option<u32> {
    parse_index(name.strip_prefix("hwmon")?)
}

/// Parses `Esocket0`, as the `amd_energy` driver calls the sensor of a whole socket, into the socket's number.
#[must_use]
pub fn parse_socket(label: &str) -> Option<u32> {
    parse_index(label.strip_prefix("Esocket")?)
}

fn parse_index(text: &str) -> Option<u32> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

/// Parses the text of a `name` or a label. `None` for what can be neither: empty, overlong, or with control characters.
#[must_use]
pub fn parse_label(text: &str) -> Option<&str> {
    let name = text.trim();
    let possible = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    possible.then_some(name)
}

/// Parses `powerN_accuracy`, such as `1.5%`, into a fraction.
///
/// The driver prints thousandths of a percent behind the point without leading zeros (`5.5%` is 5.005 %), so that they
/// cannot be told; the next whole percent is an upper bound whatever they are.
///
/// Source: Linux `drivers/hwmon/acpi_power_meter.c`.
#[must_use]
pub fn parse_accuracy(text: &str) -> Option<f64> {
    let percent = text.trim().strip_suffix('%')?;
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, "0"));
    let (whole, fraction) = (parse_index(whole)?, parse_index(fraction)?);
    let percent = whole.checked_add(u32::from(fraction > 0)).filter(|&percent| percent <= 100)?;
    Some(f64::from(percent) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_readings_of_energy_power_and_current_are_sensors() {
        for (name, sensor) in [
            ("energy1_input", Some((Quantity::Energy, 1))),
            ("energy65_input", Some((Quantity::Energy, 65))),
            ("power2_input", Some((Quantity::Power, 2))),
            ("power1_average", Some((Quantity::AveragePower, 1))),
            ("curr3_input", Some((Quantity::Current, 3))),
            ("power1_average_interval", None),
            ("power1_cap", None),
            ("power0_input", None),
            ("power_input", None),
            ("power1025_input", None),
            ("temp1_input", None),
            ("in1_input", None),
            ("energy1_label", None),
            ("name", None),
            ("", None),
        ] {
            assert_eq!(parse_sensor_file(name), sensor, "{name}");
        }
    }

    #[test]
    fn numbers_in_names_are_decimal() {
        assert_eq!((parse_device("hwmon12"), parse_device("hwmon"), parse_device("hwmon-1")), (Some(12), None, None));
        assert_eq!(
            (parse_socket("Esocket1"), parse_socket("Ecore001"), parse_socket("Esocket")),
            (Some(1), None, None)
        );
    }

    #[test]
    fn accuracy_is_rounded_away_from_the_truth() {
        for (text, accuracy) in [
            ("5.0%\n", Some(0.05)),
            ("1.5%\n", Some(0.02)),
            ("2%", Some(0.02)),
            ("100.0%", Some(1.0)),
            ("100.1%", None),
            ("5.0", None),
            ("-1.0%", None),
            ("%", None),
        ] {
            assert_eq!(parse_accuracy(text), accuracy, "{text}");
        }
    }

    #[test]
    fn what_can_be_no_label_is_refused() {
        assert_eq!(parse_label("VDD_IN\n"), Some("VDD_IN"));
        for text in ["", " \n", "a\u{0}b", &"x".repeat(65)] {
            assert_eq!(parse_label(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in "(hwmon|Esocket|energy|power|curr|_input|_average|[0-9.%+-]{0,12}|\\PC{0,9}){0,5}") {
            let _ = (parse_sensor_file(&text), parse_device(&text), parse_socket(&text), parse_label(&text));
            prop_assert!(parse_accuracy(&text).is_none_or(|accuracy| (0.0..=1.0).contains(&accuracy)));
        }
    }
}

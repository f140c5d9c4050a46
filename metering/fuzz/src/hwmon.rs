//! Any bytes in the place of the names and small texts of hardware monitoring.

use nebula_metering::source::hwmon::parse::{
    parse_accuracy, parse_device, parse_label, parse_sensor_file, parse_socket,
};

pub(crate) fn hwmon(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    if let Some((quantity, channel)) = parse_sensor_file(text) {
        assert!((1..=1024).contains(&channel), "{quantity:?} of channel {channel}");
        assert!(parse_device(text).is_none() && parse_socket(text).is_none(), "{text:?} is of two kinds");
    }
    if let Some(label) = parse_label(text) {
        assert!(!label.is_empty() && label.len() <= 64 && !label.chars().any(char::is_control), "{label:?}");
    }
    assert!(parse_accuracy(text).is_none_or(|accuracy| (0.0..=1.0).contains(&accuracy)), "{text:?} is no accuracy");
}

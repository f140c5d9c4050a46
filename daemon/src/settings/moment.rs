//! Moments and times of day, as people, tables and endpoints write them.

use std::time::{Duration, SystemTime};

use humantime::parse_rfc3339;

const MINUTE: Duration = Duration::from_secs(60);

/// Parses a moment such as `2026-03-01T12:00:00Z`, `2026-03-01t12:00:00.000z` or `2026-03-01T13:00:00+01:00`. Source: RFC 3339, section 5.6.
pub fn rfc3339(text: &str) -> Option<SystemTime> {
    if !text.is_ascii() {
        return None;
    }
    let text = text.to_ascii_uppercase();
    if text.ends_with('Z') {
        return parse_rfc3339(&text).ok();
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let offset_minutes = time_of_day(offset.get(1..)?)?;
    let local = parse_rfc3339(&format!("{local}Z")).ok()?;
    match &offset[..1] {
        "+" => local.checked_sub(MINUTE * offset_minutes),
        "-" => local.checked_add(MINUTE * offset_minutes),
        _ => None,
    }
}

/// Parses a time of day such as `07:30`, in minutes since midnight.
pub fn time_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, below: u32| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| digits && *number < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_may_have_an_offset() {
        let noon = rfc3339("2026-03-01T12:00:00Z").unwrap();
        for same in [
            "2026-03-01t12:00:00z",
            "2026-03-01T12:00:00.000Z",
            "2026-03-01T13:00:00+01:00",
            "2026-03-01T06:30:00-05:30",
            "2026-03-02T11:59:00.0+23:59",
        ] {
            assert_eq!(rfc3339(same), Some(noon), "{same}");
        }
        for bad in [
            "",
            "12:00",
            "2026-03-01",
            "2026-03-01T12:00:00",
            "2026-03-01T12:00:00+0100",
            "2026-03-01T12:00:00+24:00",
            "2026-13-01T12:00:00Z",
            "2026-03-01T12:00:00 01:00",
            "2026-03-01T12:00:00é01:00",
        ] {
            assert_eq!(rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_of_day_have_four_digits() {
        assert_eq!(
            [time_of_day("00:00"), time_of_day("07:30"), time_of_day("23:59")],
            [Some(0), Some(450), Some(1439)]
        );
        for bad in ["", "7:30", "24:00", "12:60", "+1:00", "12:00:00", "aa:bb"] {
            assert_eq!(time_of_day(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", stamp in "[0-9TZ:+.\\-]{0,30}") {
            let _ = (rfc3339(&text), rfc3339(&stamp), time_of_day(&text), time_of_day(&stamp));
        }
    }
}

//! Where a report begins: how long ago, or on which day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime::parse_rfc3339_weak;

use crate::settings::{duration, rfc3339};

pub const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// At the beginning, including the hours that have been folded into one sum.
    Ever,
    /// At the beginning of the hour of this moment.
    Time(SystemTime),
}

impl Since {
    /// Parses a time before `now` such as `90m` or `7d`, a day such as `2026-11-01` (UTC), a moment as in RFC 3339, or `all`.
    pub fn parse(text: &str, now: SystemTime) -> Result<Self, String> {
        let text = text.trim();
        if text == "all" {
            return Ok(Self::Ever);
        }
        let time = time_span(text)
            .map(|ago| now.checked_sub(ago).map_or(UNIX_EPOCH, |time| time.max(UNIX_EPOCH)))
            .or_else(|| moment(text));
        time.map(Self::Time).ok_or_else(|| {
            "it must be how long ago, such as 90m, 36h, 7d or 4w; a day such as 2026-11-01; a moment such as \
             2026-11-01T08:00:00Z or 2026-11-01T08:00:00+01:00; or all"
                .into()
        })
    }
}

/// A time such as `90m`, `36h`, `7d` or `4w`.
pub fn time_span(text: &str) -> Option<Duration> {
    let of_days = |(number, days): (&str, u32)| DAY.checked_mul(number.parse::<u32>().ok()?.checked_mul(days)?);
    let days = text.strip_suffix('d').map(|number| (number, 1));
    match days.or_else(|| text.strip_suffix('w').map(|number| (number, 7))) {
        Some(days) => of_days(days),
        None => duration(text).ok(),
    }
}

fn moment(text: &str) -> Option<SystemTime> {
    if text.len() == "2026-11-01".len() {
        return parse_rfc3339_weak(&format!("{text} 00:00:00")).ok();
    }
    rfc3339(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use humantime::parse_rfc3339;

    #[test]
    fn time_spans_days_and_moments_are_parsed() {
        let now = parse_rfc3339("2026-11-21T12:30:00Z").unwrap();
        for (text, meant) in [
            ("90m", "2026-11-21T11:00:00Z"),
            ("36h", "2026-11-20T00:30:00Z"),
            ("7d", "2026-11-14T12:30:00Z"),
            ("2w", "2026-11-07T12:30:00Z"),
            (" 0s ", "2026-11-21T12:30:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T08:00:00Z", "2026-11-01T08:00:00Z"),
            ("2026-11-01T08:00:00+01:30", "2026-11-01T06:30:00Z"),
            ("2026-11-01T08:00:00-05:00", "2026-11-01T13:00:00Z"),
            ("99999d", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(Since::parse(text, now), Ok(Since::Time(parse_rfc3339(meant).unwrap())), "{text}");
        }
        assert_eq!(Since::parse("all", now), Ok(Since::Ever));
    }

    #[test]
    fn anything_else_is_an_error_that_lists_what_is_accepted() {
        for text in [
            "",
            "7",
            "d",
            "-7d",
            "7 days",
            "1.5d",
            "99999999999d",
            "2026-13-01",
            "2026-02-30",
            "01.11.2026",
            "yesterday",
            "2026-11-01T08:00:00",
            "2026-11-01T08:00:00+25:00",
            "2026-11-01T08:00:00+1:00",
            "äöüäöüäöü",
            "2026-11-0€",
        ] {
            let why = Since::parse(text, SystemTime::now()).unwrap_err();
            assert!(why.contains("7d"), "{text}: {why}");
        }
    }
}

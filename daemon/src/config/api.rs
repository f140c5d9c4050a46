//! The options about forms.

use std::time::Duration;

use super::Checker;
use crate::http::FormBounds;

pub(super) fn check(check: &mut Checker<'_>) -> FormBounds {
    FormBounds {
        calls: check.number("api.calls", 1..=1_000_000),
        wall: check.duration("api.wall", &(Duration::from_millis(1)..=Duration::from_secs(86_400))),
    }
}

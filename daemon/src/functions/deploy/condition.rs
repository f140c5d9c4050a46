//! What must be served for a deployment to go ahead.

use super::error::DeployError;
use crate::functions::version::Version;

/// What must be served for a deployment to go ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    #[default]
    Any,
    Exists,
    Missing,
    OneOf(Vec<Version>),
}

impl Condition {
    pub(super) fn check(&self, live: Option<Version>) -> Result<(), DeployError> {
        let holds = match self {
            Self::Any => true,
            Self::Exists => live.is_some(),
            Self::Missing => live.is_none(),
            Self::OneOf(versions) => live.is_some_and(|live| versions.contains(&live)),
        };
        if holds { Ok(()) } else { Err(DeployError::Conflict(live)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_or_names_what_is_served() {
        let [one, two] = ["1", "2"].map(|text| Version::of(text.as_bytes(), ""));
        let held = |condition: &Condition| [None, Some(one), Some(two)].map(|live| condition.check(live).is_ok());
        assert_eq!(held(&Condition::Any), [true; 3]);
        assert_eq!(held(&Condition::Exists), [false, true, true]);
        assert_eq!(held(&Condition::Missing), [true, false, false]);
        assert_eq!(held(&Condition::OneOf(vec![two])), [false, false, true]);
        let conflict = Condition::OneOf(vec![two]).check(Some(one)).unwrap_err();
        assert!(conflict.to_string().contains(&one.to_string()));
    }
}

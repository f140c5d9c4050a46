//! A whole minus its known parts, if both only grow but are not read at the same moment.

use std::time::Duration;

/// Returns `whole − parts` bit by bit and never takes anything back.
///
/// The work of a call counts for the process while it runs, but for the calls only when a slice ends. So the remainder
/// is first too large and then too small. What was given too early is withheld later, so in the long run exactly the
/// remainder is given.
#[derive(Debug, Default)]
pub struct Remainder {
    given: Duration,
}

impl Remainder {
    /// The increase of the remainder, now that the whole is `whole` and the parts are `parts`.
    pub fn take(&mut self, whole: Duration, parts: Duration) -> Duration {
        let left = whole.saturating_sub(parts);
        let new = left.saturating_sub(self.given);
        self.given += new;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_too_early_is_withheld_later() {
        let ms = Duration::from_millis;
        let mut remainder = Remainder::default();
        assert_eq!(remainder.take(ms(100), ms(20)), ms(80));
        assert_eq!(remainder.take(ms(200), ms(150)), ms(0));
        assert_eq!(remainder.take(ms(300), ms(210)), ms(10));
    }
}

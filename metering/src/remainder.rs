//! What is left of a whole when its known parts are taken away, if both only grow but are not read at once.

use std::time::Duration;

/// Hands out `whole − parts` bit by bit and never takes anything back.
///
/// A slice of a call counts towards the process as it runs, but towards the calls only when it ends. The remainder is
/// then first too large and later too small; what was given too early is withheld until it has evened out, so that
/// in the long run exactly the remainder has been given.
#[derive(Debug, Default)]
pub struct Remainder {
    given: Duration,
}

impl Remainder {
    /// What has been added to the remainder, now that the whole stands at `whole` and the parts at `parts`.
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

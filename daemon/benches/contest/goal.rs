//! What a figure ought to be.

/// What a figure ought to be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    /// The goal, and whether `value` meets it.
    pub fn verdict(self, value: f64) -> String {
        let (words, bound, is_met) = match self {
            Self::AtLeast(bound) => ("at least", bound, value >= bound),
            Self::AtMost(bound) => ("at most", bound, value <= bound),
        };
        format!("goal: {words} {bound}, {}", if is_met { "met" } else { "MISSED" })
    }
}

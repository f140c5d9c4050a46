//! Several measurements of one figure, and its goal.

/// Several measurements of one figure, in ascending order.
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The value below which this part of all lies.
    pub fn at(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
    }

    /// The median, the least and the most.
    pub fn summary(&self) -> String {
        format!("{:>7.3}   {:.3} to {:.3}", self.median(), self.at(0.0), self.at(1.0))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// What a figure should be.
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

//! What measuring costs: the CPU time of the sampler, since it began and lately.

use std::time::{Duration, Instant};

/// Over at least this time, and at most twice that, "lately" is meant: some hundred windows of the default.
const LATELY: Duration = Duration::from_secs(10);

/// The CPU time of the sampler at a few points in time.
#[derive(Clone, Copy, Debug)]
pub struct OwnCost {
    start: Mark,
    /// From here on is lately.
    earlier: Mark,
    /// From here on will be, once it is long enough ago.
    later: Mark,
    now: Mark,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    cpu: Duration,
}

impl OwnCost {
    pub(super) fn new(at: Instant) -> Self {
        let start = Mark { at, cpu: Duration::ZERO };
        Self { start, earlier: start, later: start, now: start }
    }

    /// Takes in that the sampler has used `cpu` by now.
    pub(super) fn note(&mut self, cpu: Duration, at: Instant) {
        self.now = Mark { at, cpu };
        if at.saturating_duration_since(self.later.at) >= LATELY {
            self.earlier = std::mem::replace(&mut self.later, self.now);
        }
    }

    /// All of it.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.now.cpu
    }

    /// Its share of one processor since it began; `None` before its first window.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        share(self.start, self.now)
    }

    /// Its share of one processor lately.
    #[must_use]
    pub fn share_lately(&self) -> Option<f64> {
        share(self.earlier, self.now)
    }
}

fn share(from: Mark, to: Mark) -> Option<f64> {
    let time = to.at.saturating_duration_since(from.at);
    (!time.is_zero()).then(|| to.cpu.saturating_sub(from.cpu).as_secs_f64() / time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lately_forgets_what_was_long_ago() {
        let start = Instant::now();
        let mut cost = OwnCost::new(start);
        assert_eq!((cost.share(), cost.share_lately()), (None, None));
        // Half a processor for ten seconds, then a tenth of one.
        for second in 1..=100_u64 {
            let cpu = Duration::from_millis(if second <= 10 { 500 * second } else { 5_000 + 100 * (second - 10) });
            cost.note(cpu, start + Duration::from_secs(second));
            if second == 10 {
                assert_eq!(cost.share_lately(), Some(0.5));
            }
        }
        assert_eq!(cost.cpu(), Duration::from_secs(14));
        assert!((cost.share().unwrap() - 0.14).abs() < 1e-9);
        assert!((cost.share_lately().unwrap() - 0.1).abs() < 1e-9);
    }
}

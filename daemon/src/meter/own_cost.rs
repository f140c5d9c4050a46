//! What measuring costs: the sampler's CPU time, in total and lately.

use std::time::{Duration, Instant};

/// "Lately" means at least this long, and at most twice as long: some hundred windows of the default length.
const LATELY: Duration = Duration::from_secs(10);

/// The sampler's CPU time at four moments.
#[derive(Clone, Copy, Debug)]
pub struct OwnCost {
    start: Sample,
    /// "Lately" begins here.
    earlier: Sample,
    /// "Lately" will begin here once this is long enough ago.
    later: Sample,
    now: Sample,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    cpu: Duration,
}

impl OwnCost {
    pub(super) fn new(at: Instant) -> Self {
        let start = Sample { at, cpu: Duration::ZERO };
        Self { start, earlier: start, later: start, now: start }
    }

    /// Notes that the sampler has used `cpu` so far.
    pub(super) fn note(&mut self, cpu: Duration, at: Instant) {
        self.now = Sample { at, cpu };
        if at.saturating_duration_since(self.later.at) >= LATELY {
            self.earlier = std::mem::replace(&mut self.later, self.now);
        }
    }

    pub fn cpu(&self) -> Duration {
        self.now.cpu
    }

    /// The share of one processor since the start; `None` before the first window.
    pub fn share(&self) -> Option<f64> {
        share(self.start, self.now)
    }

    /// The share of one processor lately.
    pub fn share_lately(&self) -> Option<f64> {
        share(self.earlier, self.now)
    }
}

fn share(from: Sample, to: Sample) -> Option<f64> {
    let time = to.at.saturating_duration_since(from.at);
    (!time.is_zero()).then(|| to.cpu.saturating_sub(from.cpu).as_secs_f64() / time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recent_share_leaves_out_earlier_cpu_time() {
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

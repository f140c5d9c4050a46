//! Other load on the machine, and how it changes over time.

use crate::random::Random;
use crate::settings::HostLoad;
use crate::task::Task;

/// Interval at which the power of the host changes, in nanoseconds, and how much of its deviation it keeps: a time
/// constant of about a second.
const WANDER_STEP: u64 = 100_000_000;
const WANDER_KEPT: f64 = 0.9;

/// Mean length of a stretch of one utilisation, in nanoseconds.
const STRETCH: f64 = 1e9;

#[derive(Debug)]
pub struct Host {
    load: HostLoad,
    level: f64,
    deviation: f64,
    level_until: u64,
    deviation_until: u64,
}

impl Host {
    pub fn new(load: HostLoad) -> Self {
        Self { load, level: 1.0, deviation: 0.0, level_until: 0, deviation_until: 0 }
    }

    /// Fraction of the machine to keep busy.
    pub fn utilisation(&self) -> f64 {
        (self.load.utilisation * self.level).clamp(0.0, 1.0)
    }

    pub fn is_pinned(&self) -> bool {
        self.load.pinned
    }

    pub fn task(&self) -> Task {
        let factor = self.load.task.factor * (1.0 + self.deviation).max(0.1);
        self.load.task.with_factor(factor)
    }

    /// Advances time. Returns whether the task changes.
    pub fn advance(&mut self, now: u64, random: &mut Random) -> bool {
        let HostLoad { burstiness, wander, .. } = self.load;
        if burstiness > 0.0 && now >= self.level_until {
            self.level = 1.0 + burstiness * random.between(-1.0, 1.0);
            self.level_until = now + (STRETCH * random.exponential()) as u64;
        }
        let wanders = wander > 0.0 && now >= self.deviation_until;
        if wanders {
            let fresh = (1.0 - WANDER_KEPT * WANDER_KEPT).sqrt() * wander;
            self.deviation = WANDER_KEPT * self.deviation + fresh * random.normal();
            self.deviation_until = now + WANDER_STEP;
        }
        wanders
    }
}

//! The clock of quotas. It stands still while the machine is suspended, and nobody can turn it back.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use governor::clock::Clock;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time since the clock was first read.
#[derive(Clone, Debug, Default)]
pub struct Uptime {
    /// In tests, the time that the clock was set to, in nanoseconds.
    #[cfg(test)]
    set: Option<std::sync::Arc<std::sync::atomic::AtomicU64>>,
}

impl Clock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        #[cfg(test)]
        if let Some(set) = &self.set {
            return Duration::from_nanos(set.load(std::sync::atomic::Ordering::Relaxed));
        }
        BEGAN.elapsed()
    }
}

#[cfg(test)]
impl Uptime {
    /// A clock that stands at zero until it is advanced. Clones go with it.
    pub fn stopped() -> Self {
        Self { set: Some(std::sync::Arc::default()) }
    }

    pub fn advance(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap();
        self.set.as_ref().unwrap().fetch_add(nanos, std::sync::atomic::Ordering::Relaxed);
    }
}

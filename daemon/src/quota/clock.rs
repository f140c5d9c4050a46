//! The clock of quotas: time since the program began to look at it. It stands while the machine is suspended, and nobody
//! can turn it back.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use governor::clock::Clock;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time since the program began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uptime;

impl Clock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        BEGAN.elapsed()
    }
}

#[cfg(test)]
pub(super) mod given {
    //! A clock that goes when it is told to.

    use super::{Clock, Duration};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Clone, Debug, Default)]
    pub struct Given(Arc<AtomicU64>);

    impl Given {
        pub fn advance(&self, time: Duration) {
            self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap(), Ordering::Relaxed);
        }
    }

    impl Clock for Given {
        type Instant = Duration;

        fn now(&self) -> Duration {
            Duration::from_nanos(self.0.load(Ordering::Relaxed))
        }
    }
}

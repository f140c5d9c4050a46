//! A cap on the power of all functions together. While they draw more, new calls wait: first those of the lowest priority,
//! then the next. Running calls continue, and draw power as long as they compute.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use nebula_metering::{Microjoules, Watts};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::watch;

use super::Waiting;
use super::threshold::Threshold;
use crate::quota::Priority;

/// Why a call was not admitted under the power cap.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("{} (`power.max`); calls of priority `{}` wait until they draw less, and {why}", drawn(*max, *now), priority.as_str())]
pub struct OverPower {
    pub max: Watts,
    /// What functions draw; `None` if that is not known or the caller may not see it.
    pub now: Option<Watts>,
    /// The priority of the call.
    pub priority: Priority,
    pub why: NoWait,
}

/// Why a call does not wait for less power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoWait {
    #[error("{0} are waiting already, which is the limit")]
    QueueFull(usize),
    #[error("this one has waited for {0:?}")]
    TooLong(Duration),
}

/// Admits calls while functions draw no more than allowed.
#[derive(Debug)]
pub struct PowerCap {
    max: Watts,
    /// How many priorities wait. A call that need not wait reads only this.
    level: AtomicU8,
    /// The same, for calls that wait.
    levels: watch::Sender<u8>,
    waiting: [AtomicUsize; Priority::ALL.len()],
    rejected: [AtomicU64; Priority::ALL.len()],
    /// For each priority.
    queue_max: usize,
    wait_max: Duration,
    /// Locked by the sampler after each window and by readers of the power; by calls only when they are refused.
    threshold: Mutex<Threshold>,
}

/// The queue of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    pub priority: Priority,
    /// Whether new calls wait.
    pub waits: bool,
    pub waiting: usize,
    pub rejected: u64,
}

impl PowerCap {
    /// Functions may draw `max`. Of each priority at most `queue_max` calls wait, none for longer than `wait_max`.
    pub fn new(max: Watts, queue_max: usize, wait_max: Duration) -> Self {
        Self {
            max,
            level: AtomicU8::new(0),
            levels: watch::Sender::new(0),
            waiting: Default::default(),
            rejected: Default::default(),
            queue_max,
            wait_max,
            threshold: Mutex::new(Threshold::new(max)),
        }
    }

    /// Waits until a call of this priority may run.
    pub async fn enter(&self, priority: Priority) -> Result<(), OverPower> {
        if passes(priority, self.level.load(Ordering::Relaxed)) {
            return Ok(());
        }
        self.wait(priority).await.map_err(|why| {
            self.rejected[priority as usize].fetch_add(1, Ordering::Relaxed);
            OverPower { max: self.max, now: self.watts(), priority, why }
        })
    }

    async fn wait(&self, priority: Priority) -> Result<(), NoWait> {
        // Each priority has its own queue, or calls of low priority would fill a common one.
        let place = Waiting::join(&self.waiting[priority as usize], self.queue_max);
        let _waiting = place.map_err(|_| NoWait::QueueFull(self.queue_max))?;
        let mut levels = self.levels.subscribe();
        let passed = levels.wait_for(|level| passes(priority, *level));
        match tokio::time::timeout(self.wait_max, passed).await {
            // The sender lives as long as `self`.
            Ok(_) => Ok(()),
            Err(_) => Err(NoWait::TooLong(self.wait_max)),
        }
    }

    /// Call it after each window with the energy that functions have used since the start.
    pub fn observe(&self, now: Duration, used: Microjoules) {
        let (before, level) = {
            let mut threshold = self.threshold.lock();
            let before = threshold.level();
            threshold.observe(now, used);
            (before, threshold.level())
        };
        if level != before {
            self.level.store(level, Ordering::Relaxed);
            self.levels.send_replace(level);
        }
    }

    pub fn max(&self) -> Watts {
        self.max
    }

    /// The power of functions in the last second, once known.
    pub fn watts(&self) -> Option<Watts> {
        self.threshold.lock().watts()
    }

    /// The queues, the lowest priority first.
    pub fn lanes(&self) -> [Lane; Priority::ALL.len()] {
        let level = self.level.load(Ordering::Relaxed);
        Priority::ALL.map(|priority| Lane {
            priority,
            waits: !passes(priority, level),
            waiting: self.waiting[priority as usize].load(Ordering::Relaxed),
            rejected: self.rejected[priority as usize].load(Ordering::Relaxed),
        })
    }
}

fn passes(priority: Priority, level: u8) -> bool {
    priority as u8 >= level
}

fn drawn(max: Watts, now: Option<Watts>) -> String {
    match now {
        Some(Watts(now)) => format!("functions draw {now:.1} W and may draw {} W", max.0),
        None => format!("functions may draw {} W and have drawn more", max.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::threshold::ALL_WAIT;
    use futures_util::FutureExt;
    use std::pin::pin;

    const WAIT: Duration = Duration::from_secs(5);

    /// Feeds windows of 100 ms until the threshold has the wanted level.
    struct Sampler<'a> {
        cap: &'a PowerCap,
        now: Duration,
        used: Microjoules,
    }

    impl<'a> Sampler<'a> {
        fn new(cap: &'a PowerCap) -> Self {
            cap.observe(Duration::ZERO, Microjoules::ZERO);
            Self { cap, now: Duration::ZERO, used: Microjoules::ZERO }
        }

        fn until(&mut self, level: u8, watts: f64) {
            let window = Duration::from_millis(100);
            for _ in 0..100 {
                if self.cap.level.load(Ordering::Relaxed) == level {
                    return;
                }
                self.now += window;
                self.used += Watts(watts).during(window);
                self.cap.observe(self.now, self.used);
            }
            panic!("never at {level} with {watts} W");
        }
    }

    fn waits(cap: &PowerCap) -> [bool; 3] {
        Priority::ALL.map(|priority| cap.enter(priority).now_or_never().is_none())
    }

    #[tokio::test(start_paused = true)]
    async fn the_lowest_priority_waits_first_and_the_highest_is_admitted_first() {
        let cap = PowerCap::new(Watts(40.0), 8, WAIT);
        let mut sampler = Sampler::new(&cap);
        assert_eq!(waits(&cap), [false; 3]);
        sampler.until(1, 50.0);
        assert_eq!(waits(&cap), [true, false, false]);
        sampler.until(2, 50.0);
        assert_eq!(waits(&cap), [true, true, false]);
        sampler.until(ALL_WAIT, 50.0);
        assert_eq!(waits(&cap), [true; 3]);
        let mut all = Priority::ALL.map(|priority| Box::pin(cap.enter(priority)));
        let mut entered = || all.each_mut().map(|call| call.now_or_never().is_some());
        assert_eq!(entered(), [false; 3]);
        assert_eq!(cap.lanes().map(|lane| lane.waiting), [1; 3]);
        sampler.until(2, 10.0);
        assert_eq!(entered(), [false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_priority_has_a_queue_and_no_call_waits_longer_than_its_limit() {
        let cap = PowerCap::new(Watts(40.0), 1, WAIT);
        let mut sampler = Sampler::new(&cap);
        sampler.until(ALL_WAIT, 50.0);
        let (mut low, mut high) = (pin!(cap.enter(Priority::Low)), pin!(cap.enter(Priority::High)));
        assert!(low.as_mut().now_or_never().is_none() && high.as_mut().now_or_never().is_none());
        let full = cap.enter(Priority::Low).await.unwrap_err();
        assert_eq!((full.why, full.now), (NoWait::QueueFull(1), Some(Watts(50.0))));
        assert_eq!(
            full.to_string(),
            "functions draw 50.0 W and may draw 40 W (`power.max`); calls of priority `low` wait until they draw less, and \
             1 are waiting already, which is the limit"
        );
        sampler.until(2, 0.0);
        assert!(high.await.is_ok());
        assert_eq!(low.await.unwrap_err().why, NoWait::TooLong(WAIT));
        assert_eq!(
            cap.lanes().map(|lane| (lane.waits, lane.waiting, lane.rejected)),
            [(true, 0, 2), (true, 0, 0), (false, 0, 0)]
        );
    }
}

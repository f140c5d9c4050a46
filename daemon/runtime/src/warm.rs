//! Instances that have served a call and wait for another, for functions whose manifest asks for that. Each serves one call
//! at a time; what a call leaves in its memory the next one finds there.

use std::sync::{Arc, Mutex, PoisonError};

use super::capture::Recorder;

/// After so many calls an instance is given up, and what has piled up in it with it.
const CALLS_MAX: u32 = 1000;

/// An instance, and what it has behind it.
pub(super) struct Warm<T> {
    /// The instance.
    pub instance: T,
    /// Where its log goes, which outlives each of its calls.
    pub recorder: Arc<Recorder>,
    calls: u32,
}

impl<T> Warm<T> {
    /// One that has served no call.
    pub fn new(instance: T, recorder: Arc<Recorder>) -> Self {
        Self { instance, recorder, calls: 0 }
    }
}

/// Instances that wait.
pub(super) struct Waiting<T> {
    instances: Mutex<Vec<Warm<T>>>,
    max: usize,
}

impl<T> Waiting<T> {
    /// Keeps at most `max`.
    pub fn new(max: u32) -> Self {
        Self { instances: Mutex::default(), max: max as usize }
    }

    /// One that is free, the last used first: most of it is still in the caches.
    pub fn take(&self) -> Option<Warm<T>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Gives back one whose call came to a good end.
    pub fn give_back(&self, mut warm: Warm<T>) {
        warm.calls += 1;
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        if warm.calls < CALLS_MAX && instances.len() < self.max {
            instances.push(warm);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::engine::Limits;
    use super::*;

    fn warm(instance: u32) -> Warm<u32> {
        let limits = Limits { wall: Duration::MAX, memory: 0, table_elements: 0, stdout: 0, stderr: 0 };
        Warm::new(instance, Recorder::new(&limits))
    }

    #[test]
    fn as_many_as_may_are_kept_and_the_last_is_taken_first() {
        let waiting = Waiting::new(2);
        (1..=3).for_each(|instance| waiting.give_back(warm(instance)));
        let taken: Vec<_> = std::iter::from_fn(|| waiting.take()).map(|warm| warm.instance).collect();
        assert_eq!(taken, [2, 1]);
    }

    #[test]
    fn an_instance_is_given_up_after_its_calls() {
        let waiting = Waiting::new(1);
        waiting.give_back(warm(1));
        let calls = std::iter::from_fn(|| waiting.take().map(|warm| waiting.give_back(warm))).count();
        assert_eq!(calls as u32, CALLS_MAX - 1);
    }
}

//! Instances that serve one call after another, for functions that ask for it. What a call leaves in the memory of its
//! instance, the next call finds there.

use std::sync::Arc;

use parking_lot::Mutex;

use super::capture::Recorder;
use super::grants::Limits;

/// Calls that one instance serves. It is dropped after that, with everything that has piled up in it.
const CALLS_MAX: u32 = 1000;

/// An instance that a call has for itself.
pub struct Held<T> {
    pub instance: T,
    /// Where the instance writes its log. A reused instance has a recorder of its own, which outlives its calls.
    recorder: Arc<Recorder>,
    calls: u32,
}

impl<T> Held<T> {
    /// A fresh instance that writes to `recorder`.
    pub fn new(instance: T, recorder: Arc<Recorder>) -> Self {
        Self { instance, recorder, calls: 0 }
    }
}

pub struct Instances<T> {
    idle: Mutex<Vec<Held<T>>>,
    /// `None` if instances are not reused.
    idle_max: Option<usize>,
}

impl<T> Instances<T> {
    /// Keeps at most `idle_max` idle instances, or reuses none.
    pub fn new(idle_max: Option<u32>) -> Self {
        Self { idle: Mutex::default(), idle_max: idle_max.map(|max| max as usize) }
    }

    /// The idle instance that was used last, because most of it is still in the caches; otherwise the recorder that a
    /// fresh instance is to write to.
    pub fn take(&self, of_call: &Arc<Recorder>, limits: &Limits) -> Result<Held<T>, Arc<Recorder>> {
        match self.idle_max {
            None => Err(of_call.clone()),
            Some(_) => self.idle.lock().pop().ok_or_else(|| Recorder::new(limits)),
        }
    }

    /// Ends a call: hands its log to `of_call`, and keeps the instance if it is `sound`.
    pub fn give_back(&self, mut held: Held<T>, of_call: &Recorder, sound: bool) {
        let Some(idle_max) = self.idle_max else { return };
        of_call.take_log_of(&held.recorder);
        held.calls += 1;
        let mut idle = self.idle.lock();
        if sound && held.calls < CALLS_MAX && idle.len() < idle_max {
            idle.push(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits { wall: Duration::MAX, memory: 0, table_elements: 0, stdout: 0, stderr: 0, files: 0 };

    fn instances(idle_max: u32, sound: &[(u32, bool)]) -> Instances<u32> {
        let instances = Instances::new(Some(idle_max));
        let recorder = Recorder::new(&LIMITS);
        for (instance, sound) in sound {
            instances.give_back(Held::new(*instance, Recorder::new(&LIMITS)), &recorder, *sound);
        }
        instances
    }

    fn take(instances: &Instances<u32>) -> Option<Held<u32>> {
        instances.take(&Recorder::new(&LIMITS), &LIMITS).ok()
    }

    #[test]
    fn sound_instances_are_kept_up_to_the_bound_and_the_last_is_taken_first() {
        let instances = instances(2, &[(1, true), (9, false), (2, true), (3, true)]);
        let taken: Vec<_> = std::iter::from_fn(|| take(&instances)).map(|held| held.instance).collect();
        assert_eq!(taken, [2, 1]);
    }

    #[test]
    fn an_instance_is_dropped_after_its_last_call() {
        let (instances, recorder) = (instances(1, &[(1, true)]), Recorder::new(&LIMITS));
        let calls = std::iter::from_fn(|| take(&instances).map(|held| instances.give_back(held, &recorder, true)));
        assert_eq!(calls.count() as u32, CALLS_MAX - 1);
    }
}

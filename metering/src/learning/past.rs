//! The conditions of past windows: a long call saw others than those of the last one.

use std::collections::VecDeque;
use std::time::Duration;

use super::conditions::Conditions;

/// Number of windows that are kept: half a minute of windows of 100 ms. A longer call is taken to have started then.
const WINDOWS_MAX: usize = 300;

/// An estimate does not know the windows of its call. Conditions of this recent time may recur.
const RECENT: Duration = Duration::from_secs(1);

/// Least and most that the frequency is taken to fall from one busy core to all, relative to the highest: 4.0 to 3.6 GHz
/// on a Xeon E5-2667 v2, and what falls further does so because little is to be done.
///
/// Source: Intel support article 000056901, "Available Bins of Intel Turbo Boost Technology".
const FALL: (f64, f64) = (0.1, 0.25);

/// The last settled windows, latest first, each with its length.
#[derive(Clone, Debug, Default)]
pub struct Past {
    windows: VecDeque<(Duration, Conditions)>,
    /// Their mean over [`RECENT`], which every estimate asks for.
    recent: Conditions,
    /// Lowest frequency at which the machine was seen to work, below the highest.
    fall: f64,
}

impl Past {
    pub fn add(&mut self, time: Duration, conditions: Conditions) {
        self.windows.truncate(WINDOWS_MAX - 1);
        self.windows.push_front((time, conditions));
        self.recent = self.mean(RECENT);
    }

    /// The machine has worked at this frequency.
    pub fn worked_at(&mut self, frequency: f64) {
        self.fall = self.fall.max(1.0 - frequency);
    }

    /// How far the frequency falls from one busy core to all.
    pub fn fall(&self) -> f64 {
        self.fall.clamp(FALL.0, FALL.1)
    }

    /// Mean conditions over what may recur for a call of this length.
    pub fn recent(&self, call: Duration) -> Conditions {
        if call > RECENT { self.mean(call) } else { self.recent }
    }

    pub fn last(&self) -> Conditions {
        self.windows.front().map(|(_, conditions)| *conditions).unwrap_or_default()
    }

    /// Mean conditions over the last windows that cover `time`, at least one.
    pub fn mean(&self, time: Duration) -> Conditions {
        let mut mean = self.last();
        let mut seconds = 0.0;
        for (length, conditions) in &self.windows {
            let length = length.as_secs_f64();
            seconds += length;
            mean = mean.towards(conditions, length / seconds.max(f64::MIN_POSITIVE));
            if seconds >= time.as_secs_f64() {
                break;
            }
        }
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    #[test]
    fn a_call_saw_the_windows_of_its_time() {
        let mut past = Past::default();
        assert_eq!(past.mean(WINDOW), Conditions::default());
        for beside in [0.9, 0.5, 0.1] {
            past.add(WINDOW, Conditions { beside, frequency: 1.0 - beside, ..Conditions::default() });
        }
        for (windows, expected) in [(0, 0.1), (1, 0.1), (2, 0.3), (3, 0.5), (9, 0.5)] {
            let Conditions { beside, frequency, .. } = past.mean(WINDOW * windows);
            assert!((beside - expected).abs() < 1e-9 && (frequency + beside - 1.0).abs() < 1e-9, "{windows}: {beside}");
        }
    }

    #[test]
    fn the_past_is_bounded() {
        let mut past = Past::default();
        (0..WINDOWS_MAX * 2).for_each(|_| past.add(WINDOW, Conditions::default()));
        assert_eq!(past.windows.len(), WINDOWS_MAX);
    }
}

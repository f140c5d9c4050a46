//! The one thread that reads the energy source, once a window.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nebula_metering::Settled;
use nebula_metering::work::host::HostClock;
use nebula_metering::work::thread::thread_cpu;
use thiserror::Error;

use super::{CallEnd, EnergyMeter};

#[derive(Debug, Error)]
#[error("cannot start the sampler thread")]
pub struct SamplerError(#[source] std::io::Error);

/// Runs until it is dropped, and then closes a last window.
pub struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Closes a window of `meter` every [`EnergyMeter::window`] from now on, and hands what it settled to `settled`.
    pub fn start(
        meter: Arc<EnergyMeter>,
        mut clock: HostClock,
        mut settled: impl FnMut(Vec<Settled<CallEnd>>) + Send + 'static,
    ) -> Result<Self, SamplerError> {
        let (stop, stopped) = mpsc::channel();
        clock.count_children(meter.children.clone());
        let mut follows_cgroup = clock.follows_cgroup();
        let mut close = move |meter: &EnergyMeter, last: bool| {
            match clock.now() {
                Ok(now) => {
                    meter.close_window(&now).into_iter().for_each(&mut settled);
                    if follows_cgroup && !clock.follows_cgroup() {
                        follows_cgroup = false;
                        tracing::warn!("CPU time of the machine: {} from now on", clock.describe());
                    }
                }
                // Nothing can be charged without knowing who was busy. The next window covers the time of both.
                Err(error) => tracing::warn!("no window was closed: {error}"),
            }
            if last {
                meter.finish().into_iter().for_each(&mut settled);
            }
        };
        // The first reading comes before anything can be measured.
        close(&meter, false);
        let failing = meter.clone();
        let run = move || {
            let window = meter.window();
            let mut next = Instant::now();
            loop {
                // Missed windows are skipped, not made up for.
                next = (next + window).max(Instant::now());
                let waited = stopped.recv_timeout(next.saturating_duration_since(Instant::now()));
                let last = waited != Err(RecvTimeoutError::Timeout);
                close(&meter, last);
                meter.note_own_cost(thread_cpu());
                if last {
                    break;
                }
            }
        };
        // Whatever panics, the thread ends: then nobody waits for windows that never close.
        let run = move || failing.or_fail(run);
        let thread = thread::Builder::new().name("sampler".into()).spawn(run).map_err(SamplerError)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sampler stopped early: the accounts are incomplete");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use nebula_metering::source::SourceKind;

    use super::super::{Choice, Metering, Off, Settings, Unhealthy, open_clock, open_source};
    use super::*;

    #[test]
    fn a_panic_in_what_consumes_charges_ends_measuring_at_once() {
        let nowhere = Path::new("/nonexistent");
        let source = open_source(Choice::Only(SourceKind::Simulated), nowhere, nowhere).unwrap();
        let settings = Settings { window: Duration::from_secs(3600), ..Settings::made_up() };
        let meter = Arc::new(EnergyMeter::new(source, &settings, 1));
        let clock = open_clock(Path::new("/proc"), Path::new("/sys")).unwrap();
        let mut windows = 0;
        let sampler = Sampler::start(meter.clone(), clock, move |_| {
            windows += 1;
            assert!(windows < 2, "this consumer panics at its second window");
        });
        let metering = Metering::On(meter);
        assert_eq!(metering.health(), Ok(()));
        // Closes another window, and waits for the thread.
        drop(sampler.unwrap());
        assert_eq!(metering.health(), Err(Unhealthy::Failed(Off::Failed)));
    }
}

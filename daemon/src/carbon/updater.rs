//! The threads that keep the intensity up to date: one checks every second whether the schedule has changed, one polls the
//! endpoint. Nobody who asks for grams waits for them.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::intensity::Intensities;
use super::schedule::Schedule;
use super::{Carbon, IntensitySource, Settings};
use crate::causes::chain;
use crate::reload::Stamps;

/// How often the schedule is checked, and energy is turned into grams.
const TICK: Duration = Duration::from_secs(1);

/// The first pause after a failure; each further one doubles it.
const PAUSE_FIRST: Duration = Duration::from_secs(5);

/// The longest pause after failures, unless the endpoint is polled less often anyway.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Keeps the intensity up to date until it is dropped.
#[derive(Debug)]
pub struct CarbonUpdater {
    /// The threads end when this is dropped.
    _stop: Vec<Sender<()>>,
}

impl CarbonUpdater {
    /// Keeps `carbon` up to date from the schedule or the `endpoint`, and calls `tick` every second.
    pub fn start(
        carbon: &Carbon,
        settings: &Settings,
        endpoint: Option<Endpoint>,
        mut tick: impl FnMut() + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut stops = Vec::new();
        let mut spawn = |name: &str, run: Box<dyn FnOnce(Receiver<()>) + Send>| {
            let (stop, stopped) = mpsc::channel();
            stops.push(stop);
            thread::Builder::new().name(name.into()).spawn(move || run(stopped)).map(drop)
        };
        if let Some(endpoint) = endpoint {
            let (carbon, every) = (carbon.clone(), settings.poll);
            spawn("carbon-poll", Box::new(move |stopped| poll(&carbon, &endpoint, every, &stopped)))?;
        }
        let mut file = match &settings.source {
            Some(IntensitySource::Schedule(path)) => Some(Watched::new(path)),
            _ => None,
        };
        let carbon = carbon.clone();
        let run = move |stopped: Receiver<()>| {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                if let Some(file) = &mut file {
                    file.look(&carbon);
                }
                tick();
            }
        };
        spawn("carbon", Box::new(run))?;
        Ok(Self { _stop: stops })
    }
}

fn poll(carbon: &Carbon, endpoint: &Endpoint, every: Duration, stopped: &Receiver<()>) {
    let mut failures = 0;
    loop {
        let pause = match endpoint.ask() {
            Ok((since, figure)) => {
                if failures > 0 {
                    tracing::info!("`{}` answers with the carbon intensity again", endpoint.shown());
                }
                failures = 0;
                carbon.update(|known| known.with_polled(since, figure));
                every
            }
            Err(error) => {
                failures += 1;
                carbon.count_failure();
                let (shown, why) = (endpoint.shown(), chain(&error));
                if failures == 1 {
                    tracing::warn!("cannot get the carbon intensity from `{shown}`, trying again: {why}");
                } else {
                    tracing::debug!("cannot get the carbon intensity from `{shown}`, {failures} times in a row: {why}");
                }
                pause(failures, every).max(error.retry_after().unwrap_or_default())
            }
        };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// How long to wait after this many failures in a row.
fn pause(failures: u32, every: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    PAUSE_FIRST.min(every).saturating_mul(doubled).min(PAUSE_MAX.max(every))
}

/// The file of a schedule, as it was when it was last read.
struct Watched {
    path: PathBuf,
    seen: Stamps,
}

impl Watched {
    fn new(path: &Path) -> Self {
        Self { path: path.into(), seen: Stamps::of(&[path.into()]) }
    }

    /// Reads the file again if it has changed. If it is invalid, the previous schedule stays in use.
    fn look(&mut self, carbon: &Carbon) {
        let now = Stamps::of(std::slice::from_ref(&self.path));
        if now == self.seen {
            return;
        }
        self.seen = now;
        match Schedule::read(&self.path) {
            Ok(schedule) => {
                tracing::info!("`{}` has changed and was read again", self.path.display());
                carbon.update(|_| Intensities::Schedule(schedule));
            }
            Err(error) => tracing::warn!("the previous carbon intensities stay in use: {}", chain(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::tests::{answering, endpoint, ok};
    use super::*;
    use crate::carbon::{IntensityOrigin, NoIntensity};
    use std::fs;
    use std::time::Instant;

    fn carbon(source: IntensitySource) -> (Carbon, Settings) {
        let settings = Settings { source: Some(source), ..Settings::default() };
        (Carbon::open(&settings).unwrap(), settings)
    }

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds() {
            assert!(Instant::now() < deadline, "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let seconds = |failures, every| pause(failures, Duration::from_secs(every)).as_secs();
        assert_eq!([1, 2, 3, 7, 8, 40].map(|failures| seconds(failures, 300)), [5, 10, 20, 300, 300, 300]);
        assert_eq!([1, 2, 20].map(|failures| seconds(failures, 1)), [1, 2, 300]);
        assert_eq!(seconds(40, 3600), 3600);
    }

    #[test]
    fn an_endpoint_is_polled_until_it_answers() {
        let answers = vec![ok("nonsense"), ok(r#"{"carbonIntensity":302}"#)];
        let (address, _requests) = answering(answers);
        let endpoint = endpoint(address, None);
        let url = format!("http://{address}/").parse().unwrap();
        let (carbon, settings) = carbon(IntensitySource::Endpoint(url));
        assert_eq!(carbon.intensity(), Some(Err(NoIntensity::NotAnswered)));
        let settings = Settings { poll: Duration::from_millis(10), ..settings };
        let _updater = CarbonUpdater::start(&carbon, &settings, Some(endpoint), || {}).unwrap();
        until("it has answered", || carbon.intensity().is_some_and(|intensity| intensity.is_ok()));
        let intensity = carbon.intensity().unwrap().unwrap();
        assert_eq!((intensity.figure.grams(), intensity.origin), (302.0, IntensityOrigin::Endpoint));
        assert!(carbon.failures() >= 1);
    }

    #[test]
    fn a_changed_schedule_is_read_again_and_an_invalid_one_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intensity.csv");
        let write = |text: &str| {
            let made = folder.path().join("new");
            fs::write(&made, text).unwrap();
            fs::rename(&made, &path).unwrap();
        };
        write("start,g_per_kwh\n00:00,100\n");
        let (carbon, _) = carbon(IntensitySource::Schedule(path.clone()));
        let grams = || carbon.intensity().unwrap().unwrap().figure.grams();
        let mut file = Watched::new(&path);
        for (text, expected) in [
            ("start,g_per_kwh\n00:00,200\n", 200.0),
            ("start,g_per_kwh\n00:00,much\n", 200.0),
            ("start,g_per_kwh\n00:00,300\n", 300.0),
        ] {
            write(text);
            file.look(&carbon);
            assert_eq!(grams(), expected, "{text}");
        }
        fs::remove_file(&path).unwrap();
        file.look(&carbon);
        assert_eq!(grams(), 300.0);
        write("start,g_per_kwh\n00:00,400\n");
        file.look(&carbon);
        assert_eq!(grams(), 400.0);
    }

    #[test]
    fn the_updater_ticks_until_it_is_dropped() {
        let (carbon, settings) =
            carbon(IntensitySource::Constant(crate::carbon::GramsPerKilowattHour::read("1").unwrap()));
        let (sender, ticks) = mpsc::channel();
        let updater = CarbonUpdater::start(&carbon, &settings, None, move || {
            let _ = sender.send(());
        })
        .unwrap();
        ticks.recv().unwrap();
        drop(updater);
        // The thread ends and drops the sender.
        until("it has ended", || ticks.try_recv() == Err(mpsc::TryRecvError::Disconnected));
    }
}

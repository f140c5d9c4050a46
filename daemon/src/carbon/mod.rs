//! What a joule means for the climate and the purse: grams of CO2e and money.
//!
//! The intensity of the grid is a number, a schedule in a file, or what an endpoint tells; none is known by itself, as
//! nothing here knows where the machine stands. Everything is read without a lock: threads of [`Keeper`] put what is
//! known into its place.

mod endpoint;
mod intensity;
mod poller;
mod prices;
mod schedule;
mod settings;
mod time;
mod units;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use nebula_metering::Joules;
use thiserror::Error;
use tokio_rustls::rustls::ClientConfig;

pub use endpoint::{Endpoint, EndpointError};
pub use intensity::{Intensity, Origin, Unknown};
pub use poller::Keeper;
pub use prices::{Cost, Currency, Price, Prices};
pub use schedule::ScheduleError;
pub use settings::{OPTIONS, Settings, Source};
pub use units::{Grams, GramsPerKilowattHour, Pue};

use crate::units::kilowatt_hours;
use intensity::Known;
use schedule::Schedule;

impl Default for Settings {
    fn default() -> Self {
        Self {
            source: None,
            token_file: None,
            poll: Duration::from_secs(300),
            stale: Duration::from_secs(7200),
            prices: Prices { price: None, pue: Pue::NONE },
        }
    }
}

/// Why nothing can be told about carbon.
#[derive(Debug, Error)]
pub enum CarbonError {
    /// The schedule is no good.
    #[error("cannot use the schedule of `carbon.intensity`")]
    Schedule(#[from] ScheduleError),
    /// The endpoint cannot be asked.
    #[error("cannot ask the endpoint of `carbon.intensity`")]
    Endpoint(#[from] EndpointError),
}

/// What is known about carbon and cost now. Clones are the same.
#[derive(Clone, Debug)]
pub struct Carbon(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Option<ArcSwap<Known>>,
    stale: Duration,
    prices: Prices,
    failures: AtomicU64,
}

/// How many grams come with a joule that the machine takes, at some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The intensity of the grid.
    pub intensity: Intensity,
    pue: Pue,
}

impl Rate {
    /// The grams that come with this energy, and with what the building takes for it.
    #[must_use]
    pub fn grams(&self, joules: Joules) -> Grams {
        Grams(kilowatt_hours(joules) * self.intensity.figure.grams() * self.pue.factor())
    }
}

impl Carbon {
    /// What the settings tell; a schedule is read.
    ///
    /// # Errors
    /// When it is no good.
    pub fn open(settings: &Settings) -> Result<Self, CarbonError> {
        let known = match &settings.source {
            None => None,
            Some(Source::Constant(figure)) => Some(Known::Constant(*figure)),
            Some(Source::Schedule(path)) => Some(Known::Schedule(Schedule::read(path)?)),
            Some(Source::Endpoint(_)) => Some(Known::Told(Vec::new())),
        };
        let (stale, prices) = (settings.stale, settings.prices);
        let known = known.map(ArcSwap::from_pointee);
        Ok(Self(Arc::new(Inner { known, stale, prices, failures: AtomicU64::new(0) })))
    }

    /// The endpoint that is to be asked, if one is. Whom it may be says `tls`.
    ///
    /// # Errors
    /// When HTTP cannot be spoken at all.
    pub fn endpoint(settings: &Settings, tls: ClientConfig) -> Result<Option<Endpoint>, CarbonError> {
        let Some(Source::Endpoint(url)) = &settings.source else { return Ok(None) };
        Ok(Some(Endpoint::new(url.clone(), settings.token_file.clone(), tls)?))
    }

    /// The intensity now; `None` where nothing is said about carbon.
    #[must_use]
    pub fn intensity(&self) -> Option<Result<Intensity, Unknown>> {
        Some(self.rate_at(SystemTime::now())?.map(|rate| rate.intensity))
    }

    /// What a joule of `time` comes with; `None` where nothing is said about carbon.
    #[must_use]
    pub fn rate_at(&self, time: SystemTime) -> Option<Result<Rate, Unknown>> {
        let intensity = self.0.known.as_ref()?.load().at(time, self.0.stale);
        Some(intensity.map(|intensity| Rate { intensity, pue: self.0.prices.pue }))
    }

    /// The grams that come with energy that is taken now; `None` where that is not known.
    #[must_use]
    pub fn grams(&self, joules: Joules) -> Option<Grams> {
        Some(self.rate_at(SystemTime::now())?.ok()?.grams(joules))
    }

    /// The grams that come with a joule now, what the building takes for it included; `None` where that is not known.
    #[must_use]
    pub fn grams_per_joule(&self) -> Option<f64> {
        self.grams(Joules(1.0)).map(|grams| grams.0)
    }

    /// What energy costs; `None` without a price.
    #[must_use]
    pub fn cost(&self, joules: Joules) -> Option<Cost> {
        self.0.prices.cost(joules)
    }

    /// What electricity costs, and what the building adds.
    #[must_use]
    pub fn prices(&self) -> &Prices {
        &self.0.prices
    }

    /// For how long a figure is used that none follows.
    #[must_use]
    pub fn stale(&self) -> Duration {
        self.0.stale
    }

    /// How often the endpoint told nothing.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    fn count_failure(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn learn(&self, since: SystemTime, figure: GramsPerKilowattHour) {
        if let Some(known) = &self.0.known {
            known.store(Arc::new(known.load().told(since, figure)));
        }
    }

    fn replace(&self, now_known: Known) {
        if let Some(known) = &self.0.known {
            known.store(Arc::new(now_known));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(source: Option<Source>, pue: &str, price: Option<&str>) -> Carbon {
        let price = price.map(|price| Price::read(price).unwrap());
        let prices = Prices { price, pue: Pue::read(pue).unwrap() };
        Carbon::open(&Settings { source, prices, ..Settings::default() }).unwrap()
    }

    #[test]
    fn grams_are_energy_times_intensity_times_what_the_building_adds() {
        let constant = Source::Constant(GramsPerKilowattHour::read("302").unwrap());
        let carbon = open(Some(constant), "1.5", Some("0.30 EUR"));
        let close = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-9 * expected, "{value}");
        close(carbon.grams(Joules(3.6e6)).unwrap().0, 453.0);
        close(carbon.grams_per_joule().unwrap(), 453.0 / 3.6e6);
        close(carbon.cost(Joules(3.6e6)).unwrap().amount, 0.45);
        assert_eq!(carbon.intensity().unwrap().unwrap().origin, Origin::Constant);
    }

    #[test]
    fn where_nothing_is_said_nothing_is_told() {
        let carbon = open(None, "1", None);
        assert_eq!((carbon.intensity(), carbon.grams_per_joule()), (None, None));
        assert_eq!(carbon.cost(Joules(1.0)), None);
        carbon.learn(SystemTime::now(), GramsPerKilowattHour::read("1").unwrap());
        assert_eq!(carbon.intensity(), None);
    }

    #[test]
    fn what_grows_old_is_not_told_any_more() {
        let carbon = open(Some(Source::Endpoint("http://127.0.0.1:1/".parse().unwrap())), "1", None);
        assert_eq!((carbon.intensity(), carbon.grams_per_joule()), (Some(Err(Unknown::NotTold)), None));
        let now = SystemTime::now();
        carbon.learn(now - Duration::from_secs(7201), GramsPerKilowattHour::read("100").unwrap());
        assert_eq!(carbon.intensity(), Some(Err(Unknown::Stale(Duration::from_secs(7200)))));
        carbon.learn(now, GramsPerKilowattHour::read("200").unwrap());
        assert_eq!(carbon.intensity().unwrap().unwrap().figure.grams(), 200.0);
        // Calls of earlier came with what was known then.
        let earlier = carbon.rate_at(now - Duration::from_secs(3600)).unwrap().unwrap();
        assert_eq!(earlier.intensity.figure.grams(), 100.0);
    }
}

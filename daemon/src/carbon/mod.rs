//! What a joule comes to in grams of CO2e and in money.
//!
//! The carbon intensity of the grid is a number, a schedule in a file, or what an endpoint answers. There is no default,
//! since the daemon does not know where its machine stands. Everything is read without a lock; the threads of
//! [`CarbonUpdater`] keep it up to date.

mod endpoint;
mod intensity;
mod prices;
mod schedule;
mod settings;
mod units;
mod updater;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use nebula_metering::Joules;
use thiserror::Error;
use tokio_rustls::rustls::ClientConfig;

pub use endpoint::{Endpoint, EndpointError};
pub use intensity::{Intensity, IntensityOrigin, NoIntensity};
pub use prices::{Cost, Currency, Price, Prices};
pub use schedule::ScheduleError;
pub use settings::{IntensitySource, Settings};
pub use units::{Grams, GramsPerKilowattHour, Pue};
pub use updater::CarbonUpdater;

use crate::units::kilowatt_hours;
use intensity::Intensities;
use schedule::Schedule;

#[derive(Debug, Error)]
pub enum CarbonError {
    #[error("cannot use the schedule given as `carbon.intensity`")]
    Schedule(#[from] ScheduleError),
    #[error("cannot use the endpoint given as `carbon.intensity`")]
    Endpoint(#[from] EndpointError),
}

/// What is known about carbon and cost. Clones share it.
#[derive(Clone, Debug)]
pub struct Carbon(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Option<ArcSwap<Intensities>>,
    stale: Duration,
    prices: Prices,
    failures: AtomicU64,
}

/// The grams that a joule of the machine comes to at some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub intensity: Intensity,
    pue: Pue,
}

impl Rate {
    /// The grams of this energy, including what the building draws for it.
    pub fn grams(&self, joules: Joules) -> Grams {
        Grams(kilowatt_hours(joules) * self.intensity.figure.grams() * self.pue.factor())
    }
}

impl Carbon {
    /// Reads the schedule, if the settings name one.
    pub fn open(settings: &Settings) -> Result<Self, CarbonError> {
        let known = match &settings.source {
            None => None,
            Some(IntensitySource::Constant(figure)) => Some(Intensities::Constant(*figure)),
            Some(IntensitySource::Schedule(path)) => Some(Intensities::Schedule(Schedule::read(path)?)),
            Some(IntensitySource::Endpoint(_)) => Some(Intensities::Polled(Vec::new())),
        };
        let (stale, prices) = (settings.stale, settings.prices);
        let known = known.map(ArcSwap::from_pointee);
        Ok(Self(Arc::new(Inner { known, stale, prices, failures: AtomicU64::new(0) })))
    }

    /// The endpoint to be polled, if the settings name one.
    pub fn endpoint(settings: &Settings, tls: ClientConfig) -> Result<Option<Endpoint>, CarbonError> {
        let Some(IntensitySource::Endpoint(url)) = &settings.source else { return Ok(None) };
        Ok(Some(Endpoint::new(url.clone(), settings.token_file.clone(), tls)?))
    }

    /// The intensity now; `None` if no intensity is configured.
    pub fn intensity(&self) -> Option<Result<Intensity, NoIntensity>> {
        Some(self.rate_at(SystemTime::now())?.map(|rate| rate.intensity))
    }

    /// What a joule came to at `time`; `None` if no intensity is configured.
    pub fn rate_at(&self, time: SystemTime) -> Option<Result<Rate, NoIntensity>> {
        let intensity = self.0.known.as_ref()?.load().at(time, self.0.stale);
        Some(intensity.map(|intensity| Rate { intensity, pue: self.0.prices.pue }))
    }

    /// The grams of energy that is used now; `None` if that is not known.
    pub fn grams(&self, joules: Joules) -> Option<Grams> {
        Some(self.rate_at(SystemTime::now())?.ok()?.grams(joules))
    }

    /// The grams of a joule that is used now, including what the building draws for it; `None` if that is not known.
    pub fn grams_per_joule(&self) -> Option<f64> {
        self.grams(Joules(1.0)).map(|grams| grams.0)
    }

    /// `None` without a price.
    pub fn cost(&self, joules: Joules) -> Option<Cost> {
        self.0.prices.cost(joules)
    }

    pub fn prices(&self) -> &Prices {
        &self.0.prices
    }

    /// For how long a figure is used if none follows.
    pub fn stale(&self) -> Duration {
        self.0.stale
    }

    /// How often the endpoint failed to answer with an intensity.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    fn count_failure(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn update(&self, change: impl FnOnce(&Intensities) -> Intensities) {
        if let Some(known) = &self.0.known {
            known.store(Arc::new(change(&known.load())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(source: Option<IntensitySource>, pue: &str, price: Option<&str>) -> Carbon {
        let price = price.map(|price| Price::read(price).unwrap());
        let prices = Prices { price, pue: Pue::read(pue).unwrap() };
        Carbon::open(&Settings { source, prices, ..Settings::default() }).unwrap()
    }

    fn learn(carbon: &Carbon, since: SystemTime, figure: &str) {
        let figure = GramsPerKilowattHour::read(figure).unwrap();
        carbon.update(|known| known.with_polled(since, figure));
    }

    #[test]
    fn grams_and_cost_count_what_the_building_draws() {
        let constant = IntensitySource::Constant(GramsPerKilowattHour::read("302").unwrap());
        let carbon = open(Some(constant), "1.5", Some("0.30 EUR"));
        let close = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-9 * expected, "{value}");
        close(carbon.grams(Joules(3.6e6)).unwrap().0, 453.0);
        close(carbon.grams_per_joule().unwrap(), 453.0 / 3.6e6);
        let cost = carbon.cost(Joules(3.6e6)).unwrap();
        close(cost.amount, 0.45);
        assert_eq!(cost.currency.to_string(), "EUR");
        assert_eq!(carbon.intensity().unwrap().unwrap().origin, IntensityOrigin::Constant);
    }

    #[test]
    fn without_settings_nothing_is_known() {
        let carbon = open(None, "1", None);
        assert_eq!((carbon.intensity(), carbon.grams_per_joule()), (None, None));
        assert_eq!(carbon.cost(Joules(1.0)), None);
        learn(&carbon, SystemTime::now(), "1");
        assert_eq!(carbon.intensity(), None);
    }

    #[test]
    fn a_stale_intensity_is_not_used() {
        let carbon = open(Some(IntensitySource::Endpoint("http://127.0.0.1:1/".parse().unwrap())), "1", None);
        assert_eq!((carbon.intensity(), carbon.grams_per_joule()), (Some(Err(NoIntensity::NotAnswered)), None));
        let now = SystemTime::now();
        learn(&carbon, now - Duration::from_secs(7201), "100");
        assert_eq!(carbon.intensity(), Some(Err(NoIntensity::Stale(Duration::from_secs(7200)))));
        learn(&carbon, now, "200");
        assert_eq!(carbon.intensity().unwrap().unwrap().figure.grams(), 200.0);
        // Earlier calls have the intensity of their time.
        let earlier = carbon.rate_at(now - Duration::from_secs(3600)).unwrap().unwrap();
        assert_eq!(earlier.intensity.figure.grams(), 100.0);
    }
}

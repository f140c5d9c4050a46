//! The options about carbon and cost.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::prices::Prices;
use super::units::GramsPerKilowattHour;
use crate::settings::{Checker, duration_in, file_path, options};

options! {
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Grams of CO2e per kilowatt-hour of electricity: a number, a schedule (a CSV file with the columns
        /// start,g_per_kwh), or the http(s) address of an endpoint that answers as Electricity Maps does
        source: Option<IntensitySource> => "carbon.intensity", INTENSITY, source;
        /// Send the token in this file to the endpoint, as the header auth-token
        token_file: Option<PathBuf> => "carbon.token-file", FILE, file_path;
        /// Ask the endpoint this often
        poll: Duration => "carbon.poll", DURATION = "5m",
            duration_in(Duration::from_secs(1)..=Duration::from_secs(86_400));
        /// Use an intensity for this long after its time if no newer one is known; after that, grams are unknown
        stale: Duration => "carbon.stale", DURATION = "2h",
            duration_in(Duration::from_secs(1)..=Duration::from_secs(365 * 86_400));
        ..prices: Prices;
    }
}

/// Where the carbon intensity comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum IntensitySource {
    Constant(GramsPerKilowattHour),
    /// A file with a figure for each time.
    Schedule(PathBuf),
    Endpoint(Url),
}

impl Settings {
    pub fn check(check: &mut Checker<'_>) -> Self {
        let settings = Self::read(check);
        match (&settings.source, check.text("carbon.intensity")) {
            (Some(IntensitySource::Endpoint(url)), _) if !is_private(url) => {
                check.refuse("carbon.token-file", "a token is sent only to `https` addresses and to this machine");
            }
            // An intensity that is given but invalid is a mistake of its own.
            (Some(IntensitySource::Endpoint(_)), _) | (None, Some(_)) => {}
            _ => {
                check.refuse("carbon.token-file", "no endpoint needs it: `carbon.intensity` is not an http(s) address");
            }
        }
        settings
    }
}

#[cfg(test)]
impl Default for Settings {
    fn default() -> Self {
        crate::settings::checked(Self::options(), &[], Self::read).expect("the defaults are valid")
    }
}

/// A number, an address that begins with `http`, or else a file.
fn source(text: &str) -> Result<IntensitySource, String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok() {
        return GramsPerKilowattHour::read(text).map(IntensitySource::Constant);
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        let url: Url = text.parse().map_err(|error| format!("it is not a valid address: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address must not hold a user or password; put a token into `carbon.token-file`".into());
        }
        return Ok(IntensitySource::Endpoint(url));
    }
    if text.is_empty() || text.contains("://") {
        return Err("it must be a number of grams per kilowatt-hour, a schedule file, or an http(s) address".into());
    }
    Ok(IntensitySource::Schedule(PathBuf::from(text)))
}

/// Whether nobody on the way can read the token.
fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    url.scheme() == "https" || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::units::Pue;
    use super::*;
    use crate::settings::{self, Mistakes};

    fn checked(flags: &[(&str, &str)]) -> Result<Settings, Mistakes> {
        settings::checked(Settings::options(), flags, Settings::check)
    }

    #[test]
    fn by_default_neither_carbon_nor_cost_is_known() {
        let settings = checked(&[]).unwrap();
        assert!(settings.source.is_none() && settings.prices.price.is_none());
        assert_eq!(settings.prices.pue, Pue::NONE);
        assert_eq!((settings.poll, settings.stale), (Duration::from_secs(300), Duration::from_secs(7200)));
    }

    #[test]
    fn an_intensity_is_a_number_a_file_or_an_address() {
        let source = |text: &str| checked(&[("carbon.intensity", text)]).map(|settings| settings.source.unwrap());
        assert_eq!(source("302"), Ok(IntensitySource::Constant(GramsPerKilowattHour::new(302.0).unwrap())));
        assert_eq!(source("./grid.csv"), Ok(IntensitySource::Schedule("./grid.csv".into())));
        assert!(matches!(source("https://api.example.org/latest?zone=DE"), Ok(IntensitySource::Endpoint(_))));
        assert!(matches!(source("http://192.0.2.1/latest"), Ok(IntensitySource::Endpoint(_))));
        for bad in ["-1", "1e9", "nan", "", "ftp://example.org", "https://", "https://user:word@example.org/"] {
            assert!(source(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_sent_only_where_nobody_can_overhear_it() {
        let with = |intensity: &str| checked(&[("carbon.token-file", "/t"), ("carbon.intensity", intensity)]);
        for good in ["https://example.org/", "http://127.0.0.1:8/", "http://[::1]:8/", "http://localhost/"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://example.org/", "only to `https` addresses"),
            ("http://127.0.0.1.example.org/", "only to `https` addresses"),
            ("302", "no endpoint needs it"),
            ("grid.csv", "no endpoint needs it"),
        ] {
            let error = with(bad).unwrap_err().to_string();
            assert!(error.contains(why) && error.starts_with("invalid value `/t` for --carbon-token-file"), "{error}");
        }
        assert!(checked(&[("carbon.token-file", "/t")]).unwrap_err().to_string().contains("no endpoint needs it"));
        assert_eq!(with("-1").unwrap_err().0.len(), 1);
    }

    #[test]
    fn prices_and_pue_have_bounds() {
        let settings = checked(&[("price", "0.30 EUR"), ("pue", "1.2")]).unwrap();
        assert_eq!(settings.prices.price.unwrap().currency.as_str(), "EUR");
        assert_eq!(settings.prices.pue.factor(), 1.2);
        for bad in [("price", "0.30"), ("pue", "0.9"), ("carbon.poll", "500ms"), ("carbon.stale", "0s")] {
            assert!(checked(&[bad]).is_err(), "{bad:?}");
        }
    }
}

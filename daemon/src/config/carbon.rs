//! The options about carbon and cost.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::{Checker, some_path};
use crate::carbon::{GramsPerKilowattHour, Price, Prices, Pue, Settings, Source};

/// Options whose value in the file may be a number with a fraction.
pub(super) const FRACTIONS: [&str; 2] = ["carbon.intensity", "pue"];

/// What is said about carbon and cost.
pub(super) fn check(check: &mut Checker<'_>) -> Settings {
    let seconds = |least, most| Duration::from_secs(least)..=Duration::from_secs(most);
    let settings = Settings {
        source: check.optional("carbon.intensity", source),
        token_file: check.optional("carbon.token-file", some_path),
        poll: check.duration("carbon.poll", &seconds(1, 86_400)),
        stale: check.duration("carbon.stale", &seconds(1, 365 * 86_400)),
        prices: Prices { price: check.optional("price", Price::read), pue: check.parse("pue", Pue::read) },
    };
    if let Some((value, origin)) = check.layers.value("carbon.token-file") {
        let wrong = match (&settings.source, check.layers.value("carbon.intensity")) {
            (Some(Source::Endpoint(url)), _) if !is_private(url) => {
                Some("a token goes to `https` addresses only, unless they are on this machine")
            }
            // An intensity that could not be read is a mistake of its own.
            (Some(Source::Endpoint(_)), _) | (None, Some(_)) => None,
            _ => Some("there is nobody to tell it to: `carbon.intensity` is no http(s) address"),
        };
        if let Some(why) = wrong {
            let mistake = format!("`{value}` is no good for {origin}: {why}");
            check.mistakes.push(mistake);
        }
    }
    settings
}

/// A number is a number, what begins with `http` an address, and everything else a file.
fn source(text: &str) -> Result<Source, String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok() {
        return GramsPerKilowattHour::read(text).map(Source::Constant);
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        let url: Url = text.parse().map_err(|error| format!("it is no address: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address has no user and no password here; a token goes into `carbon.token-file`".into());
        }
        return Ok(Source::Endpoint(url));
    }
    if text.is_empty() || text.contains("://") {
        return Err(
            "it is a number of grams per kilowatt-hour, a schedule file, or an address with http or https".into()
        );
    }
    Ok(Source::Schedule(PathBuf::from(text)))
}

/// Whether nobody on the way can read what is said.
fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    url.scheme() == "https" || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Layers, Mistakes};
    use super::*;
    use std::collections::BTreeMap;

    fn checked(flags: &[(&str, &str)]) -> Result<Settings, Mistakes> {
        let find = |key: &str| flags.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let mut mistakes = Vec::new();
        let layers = Layers::stack(find, |_| None, &BTreeMap::new(), &mut mistakes);
        Config::check(&layers, mistakes).map(|config| config.carbon)
    }

    #[test]
    fn nothing_is_said_about_carbon_by_default() {
        let settings = checked(&[]).unwrap();
        assert!(settings.source.is_none() && settings.prices.price.is_none());
        assert_eq!(settings.prices.pue, Pue::NONE);
        assert_eq!((settings.poll, settings.stale), (Duration::from_secs(300), Duration::from_secs(7200)));
    }

    #[test]
    fn an_intensity_is_a_number_a_file_or_an_address() {
        let source = |text: &str| checked(&[("carbon.intensity", text)]).map(|settings| settings.source.unwrap());
        assert_eq!(source("302"), Ok(Source::Constant(GramsPerKilowattHour::new(302.0).unwrap())));
        assert_eq!(source("./grid.csv"), Ok(Source::Schedule("./grid.csv".into())));
        assert!(matches!(source("https://api.example.org/latest?zone=DE"), Ok(Source::Endpoint(_))));
        assert!(matches!(source("http://192.0.2.1/latest"), Ok(Source::Endpoint(_))));
        for bad in ["-1", "1e9", "nan", "", "ftp://example.org", "https://", "https://user:word@example.org/"] {
            assert!(source(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_for_those_whom_nobody_overhears() {
        let with = |intensity: &str| checked(&[("carbon.token-file", "/t"), ("carbon.intensity", intensity)]);
        for good in ["https://example.org/", "http://127.0.0.1:8/", "http://[::1]:8/", "http://localhost/"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://example.org/", "`https` addresses only"),
            ("http://127.0.0.1.example.org/", "`https` addresses only"),
            ("302", "nobody to tell it to"),
            ("grid.csv", "nobody to tell it to"),
        ] {
            let told = with(bad).unwrap_err().to_string();
            assert!(told.contains(why) && told.starts_with("`/t` is no good for --carbon-token-file"), "{told}");
        }
        assert!(checked(&[("carbon.token-file", "/t")]).unwrap_err().to_string().contains("nobody to tell it to"));
        assert_eq!(with("-1").unwrap_err().0.len(), 1);
    }

    #[test]
    fn prices_and_buildings_are_what_they_can_be() {
        let settings = checked(&[("price", "0.30 EUR"), ("pue", "1.2")]).unwrap();
        assert_eq!(settings.prices.price.unwrap().currency.as_str(), "EUR");
        assert_eq!(settings.prices.pue.factor(), 1.2);
        for bad in [("price", "0.30"), ("pue", "0.9"), ("carbon.poll", "500ms"), ("carbon.stale", "0s")] {
            assert!(checked(&[bad]).is_err(), "{bad:?}");
        }
    }
}

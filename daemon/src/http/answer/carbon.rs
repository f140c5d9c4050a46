//! The carbon intensity and the price of energy, as the ledger shows them.

use std::time::SystemTime;

use humantime::format_rfc3339_millis;
use nebula_api::ledger;

use crate::carbon::Carbon;

/// The grid's intensity; `None` where none is configured.
pub fn intensity(carbon: &Carbon) -> Option<ledger::Carbon> {
    let intensity = carbon.intensity()?;
    let known = intensity.ok();
    let since = known.and_then(|known| known.since);
    let age = since.and_then(|since| SystemTime::now().duration_since(since).ok());
    Some(ledger::Carbon {
        intensity_g_per_kwh: known.map(|known| known.figure.grams()),
        origin: known.map(|known| known.origin.as_str().into()),
        since: since.map(|since| format_rfc3339_millis(since).to_string()),
        age_seconds: age.map(|age| age.as_secs_f64()),
        stale_seconds: carbon.stale().as_secs_f64(),
        pue: carbon.prices().pue.factor(),
        reason: intensity.err().map(|why| why.to_string()),
    })
}

/// The price of energy; `None` where none is configured.
pub fn price(carbon: &Carbon) -> Option<ledger::Price> {
    let prices = carbon.prices();
    let price = prices.price.as_ref()?;
    Some(ledger::Price {
        per_kwh: price.per_kilowatt_hour,
        currency: price.currency.as_str().to_owned(),
        pue: prices.pue.factor(),
    })
}

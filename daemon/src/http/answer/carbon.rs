//! What is known about carbon and cost, beside the ledger.

use std::time::SystemTime;

use humantime::format_rfc3339_millis;
use serde_json::{Value, json};

use crate::http::app::App;

impl App {
    /// The ledger with what its joules mean, where anything is said about that.
    pub(crate) fn with_carbon(&self, mut ledger: Value) -> Value {
        let prices = self.carbon.prices();
        if let Some(intensity) = self.carbon.intensity() {
            let known = intensity.ok();
            let since = known.and_then(|known| known.since);
            ledger["carbon"] = json!({
                "intensity_g_per_kwh": known.map(|known| known.figure.grams()),
                "origin": known.map(|known| known.origin.as_str()),
                "since": since.map(|since| format_rfc3339_millis(since).to_string()),
                "age_seconds": since.and_then(|since| SystemTime::now().duration_since(since).ok())
                    .map(|age| age.as_secs_f64()),
                "stale_seconds": self.carbon.stale().as_secs_f64(),
                "pue": prices.pue.factor(),
            });
            if let Some(why) = intensity.err() {
                ledger["carbon"]["reason"] = why.to_string().into();
            }
        }
        if let Some(price) = prices.price {
            ledger["price"] = json!({
                "per_kwh": price.per_kilowatt_hour, "currency": price.currency.as_str(), "pue": prices.pue.factor(),
            });
        }
        ledger
    }
}

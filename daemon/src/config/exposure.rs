//! The option `energy.resolution`.

use super::quantity::energy;
use crate::http::Resolution;

pub(super) fn resolution(text: &str) -> Result<Resolution, String> {
    if text == "full" {
        return Ok(Resolution::Full);
    }
    energy(text).map(Resolution::Step).map_err(|why| format!("it is `full` or an energy; {why}"))
}

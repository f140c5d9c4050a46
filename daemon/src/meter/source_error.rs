//! How far the power that a source tells may be off, if it says so.

use nebula_metering::ZoneReport;
use nebula_metering::source::CounterSpec;

/// Half the width of the 95 % interval of the power in the last window, as a part of it: the mean of the errors that the
/// source states for its zones, weighted by their power. Errors of several zones may be one error, so none cancels
/// another. `None` if the source states none.
pub(super) fn relative_error(counters: &[CounterSpec], zones: &[ZoneReport]) -> Option<f64> {
    let (mut error, mut all) = (0.0, 0.0);
    for (spec, zone) in counters.iter().zip(zones).filter(|(spec, _)| spec.zone.is_additive()) {
        // Only zones of the source that is read have power.
        if let Some(watts) = zone.watts {
            error += watts.0 * spec.relative_error;
            all += watts.0;
        }
    }
    (error > 0.0).then(|| error / all)
}

#[cfg(test)]
mod tests {
    use nebula_metering::source::SourceKind;
    use nebula_metering::{Accounts, Domain, Microjoules, Watts, Zone};

    use super::*;

    fn error_of(zones: &[(Domain, f64, Option<f64>)]) -> Option<f64> {
        let of = |(domain, relative_error, watts): &(Domain, f64, Option<f64>)| {
            let zone = Zone::new(domain.clone(), "0");
            let spec = CounterSpec {
                source: SourceKind::Model,
                zone: zone.clone(),
                range: None,
                watts_max: Watts(100.0),
                quantum: Microjoules(1),
                relative_error: *relative_error,
                base: None,
                stated: None,
            };
            let report = ZoneReport {
                source: SourceKind::Model,
                zone,
                accounts: Accounts::default(),
                watts: watts.map(Watts),
                base: None,
                base_uncertainty: None,
                learned: None,
                failure: None,
            };
            (spec, report)
        };
        let (counters, reports): (Vec<_>, Vec<_>) = zones.iter().map(of).unzip();
        relative_error(&counters, &reports)
    }

    #[test]
    fn the_error_is_that_of_the_zones_by_their_power() {
        let error = error_of(&[(Domain::Package, 0.6, Some(3.0)), (Domain::Dram, 0.9, Some(1.0))]);
        assert!((error.unwrap() - 0.675).abs() < 1e-9);
    }

    #[test]
    fn zones_that_are_not_read_or_not_added_have_no_part_in_it() {
        let error = error_of(&[(Domain::Package, 0.6, Some(3.0)), (Domain::Package, 0.9, None)]);
        assert!((error.unwrap() - 0.6).abs() < 1e-9);
        assert_eq!(error_of(&[(Domain::Psys, 0.5, Some(9.0))]), None);
    }

    #[test]
    fn a_source_that_states_no_error_has_none() {
        assert_eq!(error_of(&[(Domain::Package, 0.0, Some(3.0))]), None);
        assert_eq!(error_of(&[]), None);
    }
}

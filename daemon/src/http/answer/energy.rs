//! The energy of a call as this client may see it.

use std::borrow::Cow;
use std::time::SystemTime;

use nebula_api::energy::{CallCarbon, Energy, EnergyState as State, EstimatedEnergy, UncertaintyParts};
use nebula_metering::{Charge, Domain, Estimate, Joules, Uncertainty};

use crate::carbon::Carbon;
use crate::http::answer::exposure::Exposure;
use crate::invocation::NotSettled;
use crate::meter::{Ended, NoCharge, NotEstimated, Off, work_model};
use crate::units::Policy;

const NO_BASE: &str = "no window has told the base power yet, so it counts as active energy";

/// Why joules are missing where clients may not see them.
pub const WITHHELD: &str = "this daemon shows joules to operators only (`energy.expose`)";

const NOT_YET: &str = "no window of this call has closed yet, or the energy of one is unknown";

/// What is known of a call's energy.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// It runs, and has been charged so much, unless nothing measures it.
    Running(Result<Option<&'a Charge>, Off>),
    /// It has ended.
    Ended(&'a Ended),
    /// It has ended, and its charge is final.
    Settled(&'a Ended, Result<&'a Charge, NotSettled>),
}

impl<'a> Known<'a> {
    /// The energy of a call whose charge is final.
    pub fn settled(ended: &'a Ended, charge: &'a Result<Charge, NoCharge>) -> Self {
        Self::Settled(ended, charge.as_ref().map_err(|why| NotSettled::Never(*why)))
    }

    /// When the call ended; `None` while it runs.
    fn time(&self) -> Option<SystemTime> {
        match self {
            Self::Running(_) => None,
            Self::Ended(ended) | Self::Settled(ended, _) => Some(ended.at),
        }
    }
}

/// Rounds to six digits: no intensity is known better.
fn significant(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// How the energy of calls is shown to a client.
#[derive(Clone, Copy, Debug)]
pub struct EnergyView<'a> {
    /// Where estimates come from; a charge carries its own source.
    pub source: &'static str,
    /// Whether the base power of every zone is known. If not, no base energy was charged.
    pub base_known: bool,
    /// Why hardware events were not counted, in a word.
    pub no_events: Option<&'static str>,
    pub policy: Policy,
    pub carbon: &'a Carbon,
    pub exposure: Exposure,
}

impl EnergyView<'_> {
    /// `energy_joules`, and everything that explains it.
    pub fn show(&self, known: Known<'_>) -> (Option<f64>, Energy) {
        let time = known.time();
        if !self.exposure.shows_joules() {
            let carbon = self.carbon_of(None, time);
            return (None, Energy { carbon, ..self.unknown(State::Withheld, WITHHELD) });
        }
        let energy = match known {
            Known::Running(Ok(Some(charge))) => self.charged(State::Running, charge),
            Known::Running(Ok(None)) => self.unknown(State::Running, NOT_YET),
            Known::Running(Err(off)) => self.unknown(State::Running, off.to_string()),
            Known::Ended(ended) => self.estimated(&ended.estimate),
            Known::Settled(ended, Ok(charge)) => self.beside(self.charged(State::Settled, charge), &ended.estimate),
            Known::Settled(ended, Err(NotSettled::Never(why))) => {
                self.beside(self.unknown(State::Unknown, why.to_string()), &ended.estimate)
            }
            Known::Settled(ended, Err(why @ (NotSettled::Late(_) | NotSettled::NoRoom(_)))) => {
                let energy = self.estimated(&ended.estimate);
                let reason = energy.reason.map_or_else(|| why.to_string(), |reason| format!("{why}; {reason}"));
                Energy { reason: Some(reason.into()), ..energy }
            }
        };
        let joules = match (self.policy, energy.base_joules) {
            // Where the base is not known it is in the active energy.
            (Policy::Active, _) | (Policy::Usage, None) => energy.active_joules,
            (Policy::Usage, Some(base)) => {
                energy.active_joules.map(|active| self.exposure.rounded(Joules(active + base)))
            }
        };
        (joules, Energy { carbon: self.carbon_of(joules, time), ..energy })
    }

    /// The carbon of a call that ended at `time`, or runs. It is computed from the joules as they are shown, so that it
    /// gives away no more than they do.
    fn carbon_of(&self, joules: Option<f64>, time: Option<SystemTime>) -> Option<CallCarbon> {
        let rate = self.carbon.rate_at(time.unwrap_or_else(SystemTime::now))?;
        let grams = rate.ok().zip(joules).map(|(rate, joules)| significant(rate.grams(Joules(joules)).0));
        let reason: Option<Cow<'static, str>> = match (rate, joules) {
            (Err(why), _) => Some(why.to_string().into()),
            (Ok(_), None) => Some("the joules are not known, or not shown".into()),
            (Ok(_), Some(_)) => None,
        };
        Some(CallCarbon { grams, intensity: rate.ok().map(|rate| rate.intensity.figure.grams()), reason })
    }

    fn estimated(&self, estimate: &Result<Estimate, NotEstimated>) -> Energy {
        match estimate {
            Ok(estimate) => self.known(State::Estimated, self.source, estimate),
            Err(why) => self.unknown(State::Unknown, why.to_string()),
        }
    }

    fn charged(&self, state: State, charge: &Charge) -> Energy {
        let figures = Estimate {
            active: charge.active.joules(),
            base: (self.base_known || charge.base.0 > 0).then(|| charge.base.joules()),
            uncertainty: charge.uncertainty,
            zones: charge.zones.iter().map(|(domain, energy)| (domain.clone(), energy.joules())).collect(),
        };
        self.known(state, charge.source.as_str(), &figures)
    }

    fn known(&self, state: State, source: &'static str, figures: &Estimate) -> Energy {
        let exposure = self.exposure;
        let zone = |(zone, joules): &(Domain, Joules)| (name(zone), exposure.rounded(*joules));
        Energy {
            state,
            source: source.into(),
            work_model: work_model(source, self.no_events.is_none()),
            policy: self.policy.as_str().into(),
            uncertainty_joules: Some(exposure.rounded_up(figures.uncertainty.total(), figures.active)),
            uncertainty_parts: (state == State::Settled).then(|| parts(figures.uncertainty, exposure, figures.active)),
            active_joules: Some(exposure.rounded(figures.active)),
            base_joules: figures.base.map(|base| exposure.rounded(base)),
            zones: figures.zones.iter().map(zone).collect(),
            reason: figures.base.is_none().then_some(NO_BASE.into()),
            ..Energy::default()
        }
    }

    fn unknown(&self, state: State, reason: impl Into<Cow<'static, str>>) -> Energy {
        let (source, policy) = (self.source.into(), self.policy.as_str().into());
        Energy { state, source, policy, reason: Some(reason.into()), ..Energy::default() }
    }

    /// Puts the estimate beside what was settled. The ratio is that of the figures shown, or it would give away more than
    /// they do.
    fn beside(&self, energy: Energy, estimate: &Result<Estimate, NotEstimated>) -> Energy {
        let estimate = self.estimated(estimate);
        let ratio = energy.active_joules.zip(estimate.active_joules.filter(|active| *active > 0.0));
        let Energy { active_joules, base_joules, uncertainty_joules, reason, .. } = estimate;
        Energy {
            estimate: Some(EstimatedEnergy { active_joules, base_joules, uncertainty_joules, reason }),
            estimate_ratio: ratio.map(|(settled, estimated)| (settled / estimated * 1e4).round() / 1e4),
            ..energy
        }
    }
}

/// The parts of the uncertainty of an energy. Each is rounded up as the whole is, so they give away no more than it does.
pub fn parts(uncertainty: Uncertainty, exposure: Exposure, of: Joules) -> UncertaintyParts {
    let Uncertainty { common, own, source } = uncertainty;
    UncertaintyParts {
        common_joules: exposure.rounded_up(common, of),
        own_joules: exposure.rounded_up(own, of),
        source_joules: exposure.rounded_up(source, of),
    }
}

/// The name of a domain; without an allocation for those that the kernel documents.
fn name(domain: &Domain) -> Cow<'static, str> {
    match domain {
        Domain::Package => "package".into(),
        Domain::Dram => "dram".into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use nebula_metering::source::SourceKind;

    use super::*;
    use crate::carbon::{GramsPerKilowattHour, IntensitySource, Prices, Pue, Settings};
    use crate::http::settings::{Expose, Resolution};
    use crate::outcome::Outcome;
    use nebula_metering::{Microjoules, NoEstimate};
    use serde_json::{Value, json};
    use std::sync::LazyLock;
    use std::time::Duration;

    /// Nothing is said about carbon.
    fn view(policy: Policy, exposure: Exposure) -> EnergyView<'static> {
        static SILENT: LazyLock<Carbon> = LazyLock::new(|| Carbon::open(&Settings::default()).unwrap());
        EnergyView { source: "powercap", base_known: true, no_events: None, policy, carbon: &SILENT, exposure }
    }

    fn coarse(expose: Expose) -> Exposure {
        Exposure::of_callers(Resolution::Step(Microjoules(100)), expose, true)
    }

    fn estimated(base: Option<f64>) -> Ended {
        ended(Ok(Estimate {
            active: Joules(0.002),
            base: base.map(Joules),
            uncertainty: Uncertainty { own: Joules(0.0005), ..Uncertainty::default() },
            zones: vec![(Domain::Package, Joules(0.002))],
        }))
    }

    fn ended(estimate: Result<Estimate, NotEstimated>) -> Ended {
        Ended { outcome: Outcome::Ok, at: SystemTime::UNIX_EPOCH, duration: Duration::ZERO, estimate }
    }

    fn charge() -> Charge {
        Charge {
            active: Microjoules(1_749),
            base: Microjoules(251),
            uncertainty: Uncertainty { common: Joules(12e-6), own: Joules(16e-6), source: Joules(15e-6) },
            zones: vec![(Domain::Package, Microjoules(1_700)), (Domain::Dram, Microjoules(49))],
            source: SourceKind::Powercap,
        }
    }

    fn shown(view: EnergyView<'_>, known: Known<'_>) -> Value {
        let (joules, energy) = view.show(known);
        json!({ "joules": joules, "energy": energy })
    }

    #[test]
    fn unknown_figures_are_null_with_a_reason() {
        let view = view(Policy::Active, Exposure::OPERATORS);
        let nothing = ended(Err(NoEstimate::NoWindow.into()));
        for (known, state, reason) in [
            (Known::Ended(&nothing), "unknown", "no window with readings from the energy source has closed yet"),
            (Known::Running(Ok(None)), "running", NOT_YET),
            (
                Known::Settled(&nothing, Err(NoCharge::Incomplete.into())),
                "unknown",
                "the energy of a window that the call ran in is not known",
            ),
        ] {
            let expected = json!({ "joules": null, "energy": {
                "state": state, "source": "powercap", "policy": "active", "active_joules": null,
                "base_joules": null, "uncertainty_joules": null, "zones": {}, "reason": reason,
            }});
            let mut shown = shown(view, known);
            drop(shown["energy"].as_object_mut().unwrap().remove("estimate"));
            assert_eq!(shown, expected);
        }
        let base_unknown = estimated(None);
        let shown = shown(view, Known::Ended(&base_unknown));
        assert!(shown["energy"]["base_joules"].is_null() && shown["energy"]["reason"] == NO_BASE);
    }

    #[test]
    fn the_policy_usage_adds_the_share_of_base_energy() {
        let joules = |base, policy| view(policy, Exposure::OPERATORS).show(Known::Ended(&estimated(base))).0.unwrap();
        assert_eq!(joules(Some(0.5), Policy::Active), 0.002);
        assert_eq!(joules(Some(0.5), Policy::Usage), 0.502);
        assert_eq!(joules(None, Policy::Usage), 0.002);
    }

    #[test]
    fn modelled_joules_say_what_they_follow_from() {
        let (ended, charge) = (estimated(Some(0.5)), Charge { source: SourceKind::Model, ..charge() });
        for (no_events, work_model) in [(Some("no_pmu"), "cpu_time"), (None, "cpu_time_and_events")] {
            let of = view(Policy::Active, Exposure::OPERATORS);
            let modelled = EnergyView { source: SourceKind::Model.as_str(), no_events, ..of };
            for known in [Known::Ended(&ended), Known::Running(Ok(Some(&charge))), Known::Settled(&ended, Ok(&charge))]
            {
                assert_eq!(shown(modelled, known)["energy"]["work_model"], work_model);
            }
        }
        let measured = shown(view(Policy::Active, Exposure::OPERATORS), Known::Ended(&ended));
        assert!(measured["energy"].get("work_model").is_none(), "{measured}");
    }

    #[test]
    fn a_settled_charge_has_its_estimate_beside_it() {
        let shown =
            shown(view(Policy::Usage, Exposure::OPERATORS), Known::Settled(&estimated(Some(0.5)), Ok(&charge())));
        assert_eq!(
            shown,
            json!({ "joules": 0.002, "energy": {
                "state": "settled", "source": "powercap", "policy": "usage",
                "active_joules": 0.001_749, "base_joules": 0.000_251, "uncertainty_joules": 0.000_025,
                "uncertainty_parts": { "common_joules": 12e-6, "own_joules": 16e-6, "source_joules": 15e-6 },
                "zones": { "package": 0.0017, "dram": 0.000_049 },
                "estimate": { "active_joules": 0.002, "base_joules": 0.5, "uncertainty_joules": 0.0005 },
                "estimate_ratio": 0.8745,
            }})
        );
    }

    #[test]
    fn callers_see_no_more_than_the_resolution() {
        let shown = shown(
            view(Policy::Usage, coarse(Expose::Callers)),
            Known::Settled(&estimated(Some(0.000_151)), Ok(&charge())),
        );
        assert_eq!(
            shown,
            json!({ "joules": 0.002, "energy": {
                "state": "settled", "source": "powercap", "policy": "usage",
                "active_joules": 0.0017, "base_joules": 0.0003, "uncertainty_joules": 0.0001,
                "uncertainty_parts": { "common_joules": 0.0001, "own_joules": 0.0001, "source_joules": 0.0001 },
                "zones": { "package": 0.0017, "dram": 0.0 },
                "estimate": { "active_joules": 0.002, "base_joules": 0.0002, "uncertainty_joules": 0.0006 },
                "estimate_ratio": 0.85,
            }})
        );
    }

    #[test]
    fn callers_see_no_joules_where_only_operators_may() {
        let ended = estimated(Some(0.5));
        for known in [Known::Settled(&ended, Ok(&charge())), Known::Ended(&ended), Known::Running(Ok(Some(&charge())))]
        {
            let shown = shown(view(Policy::Active, coarse(Expose::Operators)), known);
            assert_eq!(
                shown,
                json!({ "joules": null, "energy": {
                    "state": "withheld", "source": "powercap", "policy": "active", "active_joules": null,
                    "base_joules": null, "uncertainty_joules": null, "zones": {}, "reason": WITHHELD,
                }})
            );
        }
    }

    #[test]
    fn grams_are_computed_from_the_joules_that_are_shown() {
        let source = Some(IntensitySource::Constant(GramsPerKilowattHour::read("300").unwrap()));
        let prices = Prices { price: None, pue: Pue::read("1.2").unwrap() };
        let carbon = Carbon::open(&Settings { source, prices, ..Settings::default() }).unwrap();
        let of = |policy, exposure, known| {
            shown(EnergyView { carbon: &carbon, ..view(policy, exposure) }, known)["energy"].clone()
        };
        let (ended, charge, nothing) = (estimated(Some(0.000_151)), charge(), ended(Err(NoEstimate::NoWindow.into())));
        let known = Known::Settled(&ended, Ok(&charge));
        let full = of(Policy::Active, Exposure::OPERATORS, known);
        assert_eq!(full["carbon_grams"], json!(1.749e-7), "{full}");
        assert_eq!((&full["carbon_intensity_g_per_kwh"], full.get("carbon_reason")), (&json!(300.0), None));
        // 1700 µJ and 2000 µJ, as callers see them.
        assert_eq!(of(Policy::Active, coarse(Expose::Callers), known)["carbon_grams"], json!(1.7e-7));
        assert_eq!(of(Policy::Usage, coarse(Expose::Callers), known)["carbon_grams"], json!(2e-7));
        for (exposure, known) in [
            (coarse(Expose::Operators), known),
            (Exposure::OPERATORS, Known::Running(Ok(None))),
            (Exposure::OPERATORS, Known::Ended(&nothing)),
        ] {
            let shown = of(Policy::Active, exposure, known);
            assert!(shown["carbon_grams"].is_null() && shown["carbon_reason"].is_string(), "{shown}");
        }
    }

    #[test]
    fn grams_without_an_intensity_are_null_with_a_reason() {
        let source = Some(IntensitySource::Endpoint("http://127.0.0.1:1".parse().unwrap()));
        let carbon = Carbon::open(&Settings { source, ..Settings::default() }).unwrap();
        let view = EnergyView { carbon: &carbon, ..view(Policy::Active, Exposure::OPERATORS) };
        let shown = shown(view, Known::Ended(&estimated(None)));
        let energy = &shown["energy"];
        assert!(energy["carbon_grams"].is_null() && energy["carbon_intensity_g_per_kwh"].is_null(), "{energy}");
        assert!(energy["carbon_reason"].as_str().unwrap().contains("had not answered"), "{energy}");
    }

    #[test]
    fn figures_are_rounded_to_six_digits() {
        for (value, rounded) in [(0.0, 0.0), (1.234_567_891e-7, 1.234_57e-7), (302.0, 302.0), (0.1 + 0.2, 0.3)] {
            assert_eq!(significant(value), rounded);
        }
    }

    #[test]
    fn a_late_settlement_leaves_the_estimate() {
        let late = NotSettled::Late(Duration::from_secs(1));
        let ended = estimated(Some(0.5));
        let shown = shown(view(Policy::Active, Exposure::OPERATORS), Known::Settled(&ended, Err(late)));
        assert_eq!((&shown["energy"]["state"], &shown["joules"]), (&"estimated".into(), &json!(0.002)));
        assert!(shown["energy"]["reason"].as_str().unwrap().contains("not settled within 1s"));
    }
}

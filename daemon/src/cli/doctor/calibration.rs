//! Tells whether anything is known of this machine before a daemon has watched it.

use std::path::Path;

use humantime::format_rfc3339_seconds;
use nebula_metering::source::SourceKind;

use super::finding::{Finding, Verdict};
use crate::causes::chain;
use crate::knowledge::{Examined, KnowledgeFile, Machine};
use crate::meter::ZoneKnowledge;

const CALIBRATE: &str = "nebula calibrate   (half a minute on a quiet machine, while no daemon runs)";

/// What is stored in the directory for state about this machine and the source that `auto` chooses.
pub fn finding(state: Option<&Path>, machine: Machine, source: Option<SourceKind>) -> Finding {
    let missing = |fact: String| Finding::new(Verdict::Missing, "calibration", fact);
    let Some(source) = source.filter(|source| source.is_measured()) else {
        return missing("nothing to calibrate: nothing is measured".into());
    };
    let Some(state) = state else {
        return missing("no directory for state is known".into()).with_remedy("pass --state DIR, as to nebula serve");
    };
    let file = KnowledgeFile::new(state, machine);
    let path = file.path().display();
    match file.examine() {
        Ok(Examined::Known(known)) => {
            let of_source = known.iter().filter(|known| known.knowledge.source == source.as_str());
            judge(&of_source.collect::<Vec<_>>(), source)
        }
        Ok(Examined::Nothing) => missing(format!("not calibrated: `{path}` does not exist"))
            .with_remedies([CALIBRATE, "or pass --state DIR, if the daemon keeps its state elsewhere"]),
        Ok(Examined::OtherMachine(other)) => {
            missing(format!("not calibrated: `{path}` is about another machine ({other})")).with_remedy(CALIBRATE)
        }
        Err(error) => {
            let (verdict, remedy) = if error.is_unusable() {
                (Verdict::Broken, CALIBRATE)
            } else {
                (Verdict::Forbidden, "run nebula doctor as the user that runs the daemon")
            };
            Finding::new(verdict, "calibration", chain(&error)).with_remedy(remedy)
        }
    }
}

fn judge(known: &[&ZoneKnowledge], source: SourceKind) -> Finding {
    if known.is_empty() {
        let fact = format!("not calibrated: nothing is known from `{source}`");
        return Finding::new(Verdict::Missing, "calibration", fact).with_remedy(CALIBRATE);
    }
    let zones: Vec<&str> = known.iter().map(|known| &*known.knowledge.zone).collect();
    let zones = zones.join(", ");
    // The oldest: what all zones have in common.
    match known.iter().map(|known| known.calibrated).min().flatten() {
        Some(at) => {
            let at = format_rfc3339_seconds(at);
            let fact = format!("{zones} from `{source}`: calibrated at {at} by `nebula calibrate`, and learning since");
            Finding::new(Verdict::Ok, "calibration", fact)
        }
        None => {
            let since = known.iter().map(|known| known.since).max();
            let since = since.map(|since| format_rfc3339_seconds(since).to_string()).unwrap_or_default();
            let fact = format!("{zones} from `{source}`: learned by daemons since {since}");
            Finding::new(Verdict::Ok, "calibration", fact)
        }
    }
}

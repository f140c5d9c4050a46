//! Notes on what readers of a report have to know.

use super::{Report, Row};

/// Whether the figures of this source are measured.
pub fn is_measured(source: &str) -> bool {
    !matches!(source, "model" | "simulated")
}

pub fn of(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let sources: Vec<_> = report.machine.iter().map(|machine| machine.source.as_str()).collect();
    for source in &sources {
        match *source {
            "model" => notes.push("model: the joules are an estimate, not measured, and rank by CPU time".into()),
            "simulated" => notes.push("simulated: the joules are made up, for demonstrations".into()),
            _ => {}
        }
    }
    if sources.len() > 1 {
        notes.push(format!("joules of several sources are added: {}", sources.join(", ")));
    }
    let Row { unmeasured_calls, gco2e_covers, cost_covers, energy_joules, .. } = report.total;
    if unmeasured_calls > 0 {
        let calls = if unmeasured_calls == 1 { "1 call".into() } else { format!("{unmeasured_calls} calls") };
        notes.push(format!("{calls} ran while nothing was measured: their joules are not known"));
    }
    if energy_joules.is_some_and(|joules| joules > 0.0) {
        notes.extend(part("gCO2e", gco2e_covers, "no carbon intensity was known (`carbon.intensity`)"));
        let currency = report.currency.as_deref();
        notes.extend(part(
            &currency.map_or("cost".into(), |currency| format!("cost in {currency}")),
            cost_covers,
            "no price was given (`price`)",
        ));
    }
    if let Some(kept) = &report.hours_kept_since {
        let folded = format!("hours before {kept} have been folded into one sum");
        match &report.since {
            None => notes.push(folded),
            // Both are in the same format, which sorts by time.
            Some(since) if since < kept => notes.push(format!("{folded}, which --since all includes")),
            Some(_) => {}
        }
    }
    notes
}

/// The note of a report that reaches back before preparing functions was recorded apart.
pub fn preparing(since: &str) -> String {
    format!("before {since}, preparing functions was not recorded apart: it is in ACTIVE J and J/CALL")
}

/// The note of a report that reaches back before uncertainties were recorded.
pub fn uncertainty(since: &str) -> String {
    format!("before {since}, the uncertainty of ACTIVE J was not recorded: sums that reach back to it have none")
}

fn part(what: &str, covers: Option<f64>, why: &str) -> Option<String> {
    match covers {
        None => Some(format!("{what} is not known: {why}")),
        // Less than what rounding hides needs no note.
        Some(part) if part < 0.999_5 => {
            Some(format!("{what} covers {:.1} % of the joules; for the rest {why}", part * 100.0))
        }
        Some(_) => None,
    }
}

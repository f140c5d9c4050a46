//! One row for each machine and start: how many cells meet each goal.

use crate::cell::{Cell, FUNCTIONS, Variant};
use crate::figures::{Figures, Quantiles};

pub const HEADING: &str = "\
| machine | start | bias ≤ 1 % with events | ≤ 3 % CPU time, equal power | load moves a function (median, most) | \
settled intervals hold ≥ 93 % | in 93–97 % | lowest | estimates ≥ 90 % | half-width of settled intervals (median, widest) | \
bias of totals (median, worst) | intervals of totals hold |
|---|---|---|---|---|---|---|---|---|---|---|---|";

/// A row of the summary. A figure that no cell tells is a dash.
pub fn row(machine: &str, start: &str, cells: &[Cell], done: &[Figures]) -> String {
    let all = || cells.iter().zip(done);
    let of = |variant| move |(cell, _): &(&Cell, &Figures)| cell.variant == variant;
    let within = |variant, most: f64| {
        let kept = all().filter(of(variant)).filter(|(_, figures)| figures.worst_bias().abs() <= most).count();
        match all().filter(of(variant)).count() {
            0 => "–".to_owned(),
            cells => format!("{kept} of {cells}"),
        }
    };
    let held =
        |kept: &dyn Fn(&Figures) -> bool| format!("{} of {}", done.iter().filter(|&f| kept(f)).count(), done.len());
    let variant = all().map(|(cell, _)| cell.variant).min().unwrap_or(Variant::EqualWithout);
    let moves = Quantiles::of(movements(variant, cells, done).into_iter().map(|(moved, _)| moved));
    let half_widths = Quantiles::of(done.iter().map(|figures| figures.half_width));
    let biases = Quantiles::of(done.iter().map(|figures| figures.worst_bias().abs()));
    let lowest = done.iter().map(|figures| figures.settled_coverage).fold(1.0, f64::min);
    let sum = |of: fn(&Figures) -> usize| done.iter().map(of).sum::<usize>();
    let columns = [
        machine.to_owned(),
        start.to_owned(),
        within(Variant::UnequalWithEvents, 0.01),
        within(Variant::EqualWithout, 0.03),
        percents(moves.at(0.5), moves.at(1.0)),
        held(&|figures| figures.settled_coverage >= 0.93),
        held(&|figures| (0.93..=0.97).contains(&figures.settled_coverage)),
        format!("{:.0} %", lowest * 100.0),
        held(&|figures| figures.estimate_coverage >= 0.9),
        percents(half_widths.at(0.5), half_widths.at(1.0)),
        percents(biases.at(0.5), biases.at(1.0)),
        format!("{} of {}", sum(|figures| figures.totals_covered), sum(|figures| figures.totals)),
    ];
    format!("| {} |", columns.join(" | "))
}

fn percents(median: f64, most: f64) -> String {
    if median.is_nan() { "–".to_owned() } else { format!("{:.1}, {:.1} %", median * 100.0, most * 100.0) }
}

/// How much unrelated load changes what functions are charged for the same work, relative to their truth.
pub fn movements<'a>(variant: Variant, cells: &'a [Cell], done: &[Figures]) -> Vec<(f64, &'a Cell)> {
    let mut moved = Vec::new();
    for (cell, with) in cells.iter().zip(done).filter(|(cell, _)| cell.variant == variant && cell.host > 0) {
        let same = |other: &Cell| (other.length, other.at_once, other.variant) == (cell.length, cell.at_once, variant);
        let alone = cells.iter().position(|other| same(other) && other.host == 0);
        let Some(alone) = alone.map(|alone| &done[alone]) else { continue };
        for function in 0..FUNCTIONS.len() {
            let ratio = (1.0 + with.bias[function]) / (1.0 + alone.bias[function]);
            if !ratio.is_nan() {
                moved.push(((ratio - 1.0).abs(), cell));
            }
        }
    }
    moved.sort_by(|a, b| a.0.total_cmp(&b.0));
    moved
}

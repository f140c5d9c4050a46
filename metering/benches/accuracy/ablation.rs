//! What leaving out each part of the estimator costs.

use std::convert::identity;

use nebula_metering::ablation::leave_out;

use crate::cell::{Cell, Variant, cells};
use crate::figures::{Figures, Quantiles, examine};
use crate::machines::{Changes, Host};
use crate::options::Options;
use crate::parallel;
use crate::parts::{Left, PARTS};
use crate::start::Start;

/// How a machine differs from the one of its name.
type Change = fn(Changes) -> Changes;

/// Where parts are left out unless the command line says otherwise: where charging is difficult, and where single parts
/// have something to do.
const PLACES: [(Host, Start, Change); 14] = [
    (Host::Server, Start::Morning, identity),
    (Host::Server, Start::None, identity),
    (Host::Server, Start::Busy, identity),
    (Host::Server, Start::Steady, identity),
    (Host::Server, Start::Restart, identity),
    (Host::Server, Start::Elsewhere, identity),
    (Host::Server, Start::Stepped, identity),
    (Host::Server, Start::Bursts, identity),
    (Host::TwoPackages, Start::Morning, identity),
    (Host::Laptop, Start::Morning, identity),
    (Host::Laptop, Start::Morning, Changes::leaking),
    (Host::Laptop, Start::None, Changes::blurred),
    (Host::Cloud, Start::None, identity),
    (Host::I3, Start::None, identity),
];

/// A cell is better or worse if the score of its totals changes by this factor.
const CHANGED: f64 = 1.05;

const HEADING: &str = "\
| left out | then | bias of totals (median, most) | cells that hold ≥ 93 % | totals that hold | half-width, mean | \
score of calls | score of totals | cells worse, better |
|---|---|---|---|---|---|---|---|---|";

/// A machine, and what the meter sees before the cell.
#[derive(Clone, Copy)]
struct Place {
    host: Host,
    changes: Changes,
    start: Start,
}

/// A cell somewhere.
#[derive(Clone, Copy)]
struct Job {
    place: usize,
    cell: Cell,
}

/// Prints a row for the whole estimator, one for each part, and where each part counts.
pub fn print(options: &Options) {
    let places = places(options);
    let cells_of = |place: usize| {
        let cells = cells(options.extent, Variant::of_machine(places[place].host.has_pmu()));
        cells.into_iter().map(move |cell| Job { place, cell })
    };
    let jobs: Vec<Job> = (0..places.len()).flat_map(cells_of).collect();
    let whole = [Left { name: "nothing", parts: &[], then: "" }];
    let chosen = |left: &&Left| options.left_out.is_empty() || options.left_out.iter().any(|of| of.name == left.name);
    let all: Vec<&Left> = whole.iter().chain(PARTS.iter().filter(chosen)).collect();
    let runs: Vec<(&Left, Job)> = all.iter().flat_map(|&left| jobs.iter().map(move |&job| (left, job))).collect();
    let done = parallel::map("ablations", &runs, |(left, job)| {
        let Place { host, changes, start } = places[job.place];
        leave_out(left.parts, || examine(host, changes, start, &job.cell, options.seeds))
    });
    let whole = &done[..jobs.len()];
    println!("{HEADING}");
    for (left, done) in all.iter().zip(done.chunks(jobs.len())) {
        println!("{}", row(left, done, whole));
    }
    println!("\nScore of totals by machine and start:\n");
    let titles = places.iter().map(|place| format!("{}, {}", place.host.title(place.changes), place.start.name()));
    println!("| left out | {} |\n|---|{}", titles.collect::<Vec<_>>().join(" | "), "---|".repeat(places.len()));
    for (left, done) in all.iter().zip(done.chunks(jobs.len())) {
        let score = |place: usize| {
            let there = || jobs.iter().zip(done.iter().zip(whole)).filter(|(job, _)| job.place == place);
            times(there().map(|(_, (without, with))| without.score_of_totals / with.score_of_totals))
        };
        println!("| {} | {} |", left.name, (0..places.len()).map(score).collect::<Vec<_>>().join(" | "));
    }
}

fn places(options: &Options) -> Vec<Place> {
    let changes = options.changes;
    if !options.places_are_chosen {
        return PLACES.map(|(host, start, change)| Place { host, start, changes: change(changes) }).to_vec();
    }
    let starts = |&host: &Host| options.starts.iter().map(move |&start| Place { host, changes, start });
    options.hosts.iter().flat_map(starts).collect()
}

fn row(left: &Left, done: &[Figures], whole: &[Figures]) -> String {
    let percents = |value: f64| format!("{:.1} %", value * 100.0);
    let biases = Quantiles::of(done.iter().map(|figures| figures.worst_bias().abs()));
    let held = done.iter().filter(|figures| figures.settled_coverage >= 0.93).count();
    let sum = |of: fn(&Figures) -> usize| done.iter().map(of).sum::<usize>();
    let half_width = done.iter().map(|figures| figures.half_width).sum::<f64>() / done.len() as f64;
    let ratios = |of: fn(&Figures) -> f64| done.iter().zip(whole).map(move |(without, with)| of(without) / of(with));
    let of_totals = || ratios(|figures| figures.score_of_totals);
    let worse = of_totals().filter(|ratio| *ratio > CHANGED).count();
    let better = of_totals().filter(|ratio| *ratio < 1.0 / CHANGED).count();
    let columns = [
        left.name.to_owned(),
        left.then.to_owned(),
        format!("{:.1}, {}", biases.at(0.5) * 100.0, percents(biases.at(1.0))),
        format!("{held} of {}", done.len()),
        format!("{} of {}", sum(|figures| figures.totals_covered), sum(|figures| figures.totals)),
        percents(half_width),
        times(ratios(|figures| figures.score_of_calls)),
        times(of_totals()),
        format!("{worse}, {better}"),
    ];
    format!("| {} |", columns.join(" | "))
}

/// The geometric mean of how many times larger scores are than those of the whole estimator.
fn times(ratios: impl Iterator<Item = f64>) -> String {
    let logarithms: Vec<f64> = ratios.map(f64::ln).collect();
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    format!("{:.2}", mean.exp())
}

//! What leaving out each part of the estimator costs.

use std::collections::BTreeMap;

use nebula_metering::ablation::leave_out;

use crate::cell::{Cell, Variant, cells};
use crate::figures::{Figures, Quantiles, examine};
use crate::machines::Host;
use crate::options::Options;
use crate::parallel;
use crate::parts::{Left, PARTS};
use crate::start::Start;

/// Where parts are left out unless the command line says otherwise: what is difficult, and what single parts are for.
const PLACES: [(Host, Start); 12] = [
    (Host::Server, Start::Morning),
    (Host::Server, Start::None),
    (Host::Server, Start::Busy),
    (Host::Server, Start::Restart),
    (Host::Server, Start::Elsewhere),
    (Host::Server, Start::Stepped),
    (Host::Server, Start::Bursts),
    (Host::TwoPackages, Start::Morning),
    (Host::Laptop, Start::Morning),
    (Host::Laptop, Start::None),
    (Host::Cloud, Start::None),
    (Host::I3, Start::None),
];

/// A cell counts as better or worse if the score of its totals changes by this factor.
const CHANGED: f64 = 1.05;

const HEADING: &str = "\
| left out | bias of totals (median, most) | cells that hold ≥ 93 % | totals that hold | half-width, mean | score of calls | \
score of totals | cells worse, better | score of totals worst |
|---|---|---|---|---|---|---|---|---|";

/// A cell somewhere, without a part.
#[derive(Clone, Copy)]
struct Job {
    /// Place in [`PARTS`]; `None` leaves nothing out.
    part: Option<usize>,
    place: (Host, Start),
    cell: Cell,
}

/// Prints a row for each part, and one for the whole.
pub fn print(options: &Options) {
    let places = if options.places_are_chosen {
        let starts = |&host: &Host| options.starts.iter().map(move |&start| (host, start));
        options.hosts.iter().flat_map(starts).collect()
    } else {
        PLACES.to_vec()
    };
    let parts: Vec<Option<usize>> = std::iter::once(None).chain((0..PARTS.len()).map(Some)).collect();
    let cells_of = |(host, start): (Host, Start)| {
        let cells = cells(options.extent, Variant::of_machine(host.has_pmu()));
        cells.into_iter().map(move |cell| ((host, start), cell))
    };
    let jobs_of = |part| {
        let cells = places.iter().flat_map(move |&place| cells_of(place));
        cells.map(move |(place, cell)| Job { part, place, cell })
    };
    let jobs: Vec<Job> = parts.iter().flat_map(|&part| jobs_of(part)).collect();
    let done = parallel::map("ablations", &jobs, |job| {
        let left_out = job.part.map_or(&[][..], |part| PARTS[part].parts);
        let (host, start) = job.place;
        leave_out(left_out, || examine(host, options.changes, start, &job.cell, options.seeds))
    });
    let each = jobs.len() / parts.len();
    let (jobs, whole) = (&jobs[..each], &done[..each]);
    println!("{HEADING}");
    println!("{}", row("nothing", jobs, whole, whole));
    for (Left { name, .. }, done) in PARTS.iter().zip(done.chunks(each).skip(1)) {
        println!("{}", row(name, jobs, done, whole));
    }
    println!();
    for Left { name, then, .. } in PARTS {
        println!("- *{name}*: {then}");
    }
}

fn row(name: &str, jobs: &[Job], done: &[Figures], whole: &[Figures]) -> String {
    let percents = |value: f64| format!("{:.1} %", value * 100.0);
    let biases = Quantiles::of(done.iter().map(|figures| figures.worst_bias().abs()));
    let held = done.iter().filter(|figures| figures.settled_coverage >= 0.93).count();
    let sum = |of: fn(&Figures) -> usize| done.iter().map(of).sum::<usize>();
    let mean = |of: fn(&Figures) -> f64| done.iter().map(of).sum::<f64>() / done.len() as f64;
    let ratios = || done.iter().zip(whole).map(|(without, with)| without.score_of_totals / with.score_of_totals);
    let worse = ratios().filter(|ratio| *ratio > CHANGED).count();
    let better = ratios().filter(|ratio| *ratio < 1.0 / CHANGED).count();
    let columns = [
        name.to_owned(),
        format!("{:.1}, {}", biases.at(0.5) * 100.0, percents(biases.at(1.0))),
        format!("{held} of {}", done.len()),
        format!("{} of {}", sum(|figures| figures.totals_covered), sum(|figures| figures.totals)),
        percents(mean(|figures| figures.half_width)),
        format!("{:.2}", mean(|figures| figures.score_of_calls)),
        format!("{:.2}", mean(|figures| figures.score_of_totals)),
        format!("{worse}, {better}"),
        worst_place(jobs, done, whole),
    ];
    format!("| {} |", columns.join(" | "))
}

/// Where the mean score of totals rises most, from what to what.
fn worst_place(jobs: &[Job], done: &[Figures], whole: &[Figures]) -> String {
    let mut places: BTreeMap<String, (f64, f64, f64)> = BTreeMap::new();
    for (job, (without, with)) in jobs.iter().zip(done.iter().zip(whole)) {
        let (host, start) = job.place;
        let sums = places.entry(format!("{}, {}", host.name(), start.name())).or_default();
        sums.0 += with.score_of_totals;
        sums.1 += without.score_of_totals;
        sums.2 += 1.0;
    }
    let ratio = |of: &(f64, f64, f64)| of.1 / of.0;
    let worst = places.iter().max_by(|a, b| ratio(a.1).total_cmp(&ratio(b.1)));
    let worst = worst.filter(|(_, of)| ratio(of) > CHANGED);
    worst.map_or("–".to_owned(), |(place, (with, without, cells))| {
        format!("{:.2} → {:.2} ({place})", with / cells, without / cells)
    })
}

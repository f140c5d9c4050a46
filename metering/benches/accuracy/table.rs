//! The table of cells of one machine and one start, and how often each goal is met.

use crate::cell::{AT_ONCE, Cell, HOST_LOADS, LENGTHS, Variant};
use crate::figures::Figures;
use crate::summary::movements;

pub fn print_table(variants: &[Variant], cells: &[Cell], done: &[Figures]) {
    println!(
        "Percent: median error / 95th percentile / bias of the function that is further off / coverage of the 95 %"
    );
    println!("interval of settled charges (of estimates). Columns: two functions whose power is 2:1, told by hardware");
    println!("events; the same by CPU time alone; two of equal power by CPU time alone.");
    println!();
    let headings: Vec<&str> = variants.iter().map(|variant| variant.heading()).collect();
    println!("| call | at once | host load | {} |", headings.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(variants.len()));
    for (row, done) in cells.chunks(variants.len()).zip(done.chunks(variants.len())) {
        let Cell { length, at_once, host, .. } = row[0];
        print!("| {:?} | {} | {:.0} % |", LENGTHS[length].0, AT_ONCE[at_once], HOST_LOADS[host] * 100.0);
        for figures in done {
            print!(
                " {:.1} / {:.1} / {:+.1} / {:.0} ({:.0}) |",
                figures.median * 100.0,
                figures.p95 * 100.0,
                figures.worst_bias() * 100.0,
                figures.settled_coverage * 100.0,
                figures.estimate_coverage * 100.0,
            );
        }
        println!();
    }
    println!();
    let seen: usize = done.iter().map(|figures| figures.calls).sum();
    let unknown: usize = done.iter().map(|figures| figures.unknown).sum();
    println!("{seen} calls, of which {unknown} are not fully known.");
    for (cell, figures) in cells.iter().zip(done).take(variants.len()) {
        let ran = figures.power.iter().filter(|watts| !watts.is_nan());
        let watts: Vec<String> = ran.map(|watts| format!("{watts:.2}")).collect();
        println!("{:?}: {} W of CPU time", cell.variant, watts.join(" and "));
    }
    for &variant in variants {
        print_movement(variant, cells, done);
    }
    print_goals(cells, done);
}

/// How many cells meet each goal.
fn print_goals(cells: &[Cell], done: &[Figures]) {
    let count = |goal: &str, of: &dyn Fn(&Cell) -> bool, kept: &dyn Fn(&Figures) -> bool| {
        let all: Vec<_> = cells.iter().zip(done).filter(|(cell, _)| of(cell)).collect();
        println!("{goal}: {} of {} cells", all.iter().filter(|(_, figures)| kept(figures)).count(), all.len());
    };
    let bias = |most: f64| move |figures: &Figures| figures.worst_bias().abs() <= most;
    count("bias at most 1 % with events", &|cell| cell.variant == Variant::UnequalWithEvents, &bias(0.01));
    count("bias at most 3 % with CPU time, equal power", &|cell| cell.variant == Variant::EqualWithout, &bias(0.03));
    count("median error at most 3 %, calls of 100 ms and more", &|cell| cell.length >= 2, &|figures| {
        figures.median <= 0.03
    });
    count("the settled interval covers at least 93 %", &|_| true, &|figures| figures.settled_coverage >= 0.93);
    count("the settled interval covers 93 to 97 %", &|_| true, &|figures| {
        (0.93..=0.97).contains(&figures.settled_coverage)
    });
    count("the interval of estimates covers at least 90 %", &|_| true, &|figures| figures.estimate_coverage >= 0.9);
    count("the interval of estimates covers 93 to 97 %", &|_| true, &|figures| {
        (0.93..=0.97).contains(&figures.estimate_coverage)
    });
}

fn print_movement(variant: Variant, cells: &[Cell], done: &[Figures]) {
    let moved = movements(variant, cells, done);
    let below = moved.iter().filter(|(moved, _)| *moved < 0.02).count();
    if let (Some((most, cell)), Some((median, _))) = (moved.last(), moved.get(moved.len() / 2)) {
        let (length, at_once) = (LENGTHS[cell.length].0, AT_ONCE[cell.at_once]);
        println!(
            "unrelated load moves a function, {variant:?}: median {:.1} %, below 2 % in {below} of {}, at most {:.1} % \
             ({length:?}, {at_once} at once)",
            median * 100.0,
            moved.len(),
            most * 100.0,
        );
    }
}

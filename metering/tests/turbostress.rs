//! The model against eleven recorded servers: what it says of their power, and what RAPL told.
//!
//! `cargo test -p nebula-metering --test turbostress -- --nocapture` prints everything.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends where something is wrong")]

use std::collections::BTreeMap;

use nebula_metering::source::model::coefficients::Coefficients;
use nebula_metering::source::model::cpu::{Processor, Signature};
use nebula_metering::source::model::curve::{Curve, RISE, WHOLE};
use nebula_metering::source::model::memory::{self, Memory};
use nebula_metering::source::model::{Model, OpenModelError};
use nebula_metering::source::{Source, SourceKind};
use nebula_metering::work::Moment;

/// One server under one kind of work at one load.
struct Point {
    test: String,
    load: u32,
    watts: f64,
    memory_watts: f64,
}

struct Recording {
    name: String,
    processor: Processor,
    points: Vec<Point>,
}

impl Recording {
    fn rest(&self) -> f64 {
        self.points.iter().find(|point| point.load == 0).expect("each was recorded at rest").watts
    }

    fn rise_at(&self, load: u32) -> f64 {
        let point = self.points.iter().find(|point| point.test == "CPUStress" && point.load == load);
        point.expect("each was recorded at each load").watts - self.rest()
    }

    /// Every kind of work at every load, and the rise of power above rest.
    fn rises(&self) -> impl Iterator<Item = (&Point, f64)> {
        let rest = self.rest();
        self.points.iter().filter(|point| point.load > 0).map(move |point| (point, point.watts - rest))
    }
}

fn recordings() -> Vec<Recording> {
    let mut recordings: BTreeMap<&str, Recording> = BTreeMap::new();
    for line in include_str!("fixtures/turbostress/power.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, processor, packages, _, threads, test, load, watts_of_packages, memory, _] = fields[..] else {
            panic!("{line}")
        };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{line}"));
        let recording = recordings.entry(name).or_insert_with(|| Recording {
            name: name.to_owned(),
            processor: Processor {
                signature: Some(signature(processor)),
                name: Some(processor.to_owned()),
                threads: number(threads),
                packages: number(packages),
                is_guest: false,
            },
            points: Vec::new(),
        });
        let watts = |text: &str| text.parse().unwrap_or_else(|_| panic!("{line}"));
        recording.points.push(Point {
            test: test.to_owned(),
            load: number(load),
            watts: watts(watts_of_packages),
            memory_watts: watts(memory),
        });
    }
    recordings.into_values().collect()
}

/// What CPUID says on these processors. The recordings have it beside the name. One processor was not recorded.
fn signature(name: &str) -> Signature {
    let (model, stepping) = match name {
        _ if name.contains("E5-2686 v4") => (79, 1),
        _ if name.contains("8175M") || name.contains("8151") => (85, 4),
        _ if name.contains("8259CL") || name.contains("8275CL") || name.contains("8252C") => (85, 7),
        _ => (0, 0),
    };
    Signature::X86 { vendor: "GenuineIntel".to_owned(), family: 6, model, stepping }
}

fn opened(recording: &Recording) -> Result<Model, OpenModelError> {
    let Processor { signature, name, threads, packages, .. } = &recording.processor;
    let Some(Signature::X86 { vendor, family, model, stepping }) = signature else { panic!("all are x86") };
    let name = name.as_deref().unwrap_or_default();
    let thread = |cpu: u32| {
        format!(
            "processor : {cpu}\nvendor_id : {vendor}\ncpu family : {family}\nmodel : {model}\nmodel name : {name}\n\
             stepping : {stepping}\nphysical id : {}\nflags : fpu\n\n",
            cpu % packages
        )
    };
    let root = tempfile::tempdir().expect("a directory can be made");
    let cpuinfo: String = (0..*threads).map(thread).collect();
    std::fs::write(root.path().join("cpuinfo"), cpuinfo).expect("the file can be written");
    Model::open(root.path(), root.path())
}

/// The model's power at a load, measured as the daemon does: 600 windows of 100 ms.
fn modelled_watts(recording: &Recording, load: u32) -> f64 {
    let mut model = opened(recording).expect("it has processors");
    assert_eq!(model.kind(), SourceKind::Model);
    let mut readings = Vec::new();
    for window in 0..=600 {
        let monotonic = std::time::Duration::from_millis(window * 100);
        let busy = monotonic * recording.processor.threads * load / 100;
        model.read(&Moment { monotonic, busy, ..Moment::default() }, &mut readings);
    }
    readings[0].as_ref().expect("the model always answers").0 as f64 / 60e6
}

fn is_within(ratio: f64, band: f64) -> bool {
    (1.0 - band..=1.0 + band).contains(&ratio)
}

/// A row of ratios of RAPL to the model, each marked if it is outside the band.
fn row(ratios: &[f64], band: f64) -> String {
    let cell = |ratio: &f64| format!("{ratio:5.2}{}", if is_within(*ratio, band) { ' ' } else { '!' });
    ratios.iter().map(cell).collect()
}

#[test]
fn nine_in_ten_recordings_are_inside_the_band_that_the_model_states() {
    println!("RAPL ÷ model, rise above rest at 10, 20 … 100 % load; with ipsec, VMStress, maximize; power at rest");
    let (mut inside, mut all, mut full, mut rest) = (0, 0, 0, 0);
    let recordings = recordings();
    for recording in &recordings {
        let model = opened(recording).expect("it has processors");
        let (idle, band) = (modelled_watts(recording, 0), model.relative_error());
        let ratio = |(point, rise): (&Point, f64)| rise / (modelled_watts(recording, point.load) - idle);
        let ratios: Vec<f64> = recording.rises().map(ratio).collect();
        let at_rest = recording.rest() / idle;
        inside += ratios.iter().filter(|ratio| is_within(**ratio, band)).count();
        all += ratios.len();
        let at_full_load = recording.rise_at(100) / (modelled_watts(recording, 100) - idle);
        full += usize::from(is_within(at_full_load, band));
        rest += usize::from(is_within(at_rest, band));
        println!("{:28} {} | {at_rest:.2}", recording.name, row(&ratios, band));
        println!("    model ÷ RAPL at full load {:.2}; {}", 1.0 / at_full_load, model.describe());
    }
    println!("inside: {inside} of {all}; at full load {full} of {0}; at rest {rest} of {0}", recordings.len());
    assert_eq!((recordings.len(), all), (11, 143));
    assert!(inside * 10 >= all * 9, "{inside} of {all} measurements");
    assert!(full * 10 >= recordings.len() * 9, "{full} of {} recordings", recordings.len());
}

/// The exponent of the frequency that fits `recordings` best, through the published rows at 2.5 GHz.
fn exponent(recordings: &[&Recording]) -> f64 {
    let point = |recording: &&Recording| {
        let mhz = recording.processor.nominal_mhz()?;
        let published = published(&recording.processor);
        let rise = recording.rise_at(100) / f64::from(recording.processor.threads);
        Some(((f64::from(mhz) / 2500.0).ln(), (rise / published).ln()))
    };
    let points: Vec<(f64, f64)> = recordings.iter().filter_map(point).collect();
    points.iter().map(|(x, y)| x * y).sum::<f64>() / points.iter().map(|(x, _)| x * x).sum::<f64>()
}

/// Published watts between rest and full load of one thread.
fn published(processor: &Processor) -> f64 {
    let row = Coefficients::of(&Processor { name: None, ..processor.clone() });
    f64::from(row.full_milliwatts - row.idle_milliwatts) / 1e3
}

/// The median rise at tenths of full load.
fn median_rise(recordings: &[&Recording]) -> [u128; 11] {
    std::array::from_fn(|tenth| {
        let share = |recording: &&Recording| recording.rise_at(tenth as u32 * 10) / recording.rise_at(100);
        let mut shares: Vec<f64> = recordings.iter().map(share).collect();
        shares.sort_by(f64::total_cmp);
        (shares[shares.len() / 2] * WHOLE as f64) as u128
    })
}

#[test]
fn what_other_processors_teach_holds_for_one_that_was_left_out() {
    println!("RAPL ÷ model, fitted without this processor");
    let recordings = recordings();
    let (mut inside, mut all) = (0, 0);
    for recording in &recordings {
        let others = recordings.iter().filter(|other| other.processor.name != recording.processor.name);
        let others: Vec<&Recording> = others.collect();
        let (exponent, rise) = (exponent(&others), median_rise(&others));
        let mhz = recording.processor.nominal_mhz().unwrap_or(2500);
        let threads = recording.processor.threads;
        let full = f64::from(threads) * published(&recording.processor) * (f64::from(mhz) / 2500.0).powf(exponent);
        let band = Coefficients::of(&recording.processor).relative_error;
        let curve = Curve::through(&rise, threads);
        let second = std::time::Duration::from_secs(1);
        let share = |load: u32| {
            let time = curve.full_time(threads, second, second * threads * load / 100);
            time as f64 / (WHOLE * u128::from(threads) * second.as_nanos()) as f64
        };
        let ratios: Vec<f64> = recording.rises().map(|(point, rise)| rise / (full * share(point.load))).collect();
        inside += ratios.iter().filter(|ratio| is_within(**ratio, band)).count();
        all += ratios.len();
        println!("{:28} {} | exponent {exponent:.2}", recording.name, row(&ratios, band));
        assert!((2.0..=2.7).contains(&exponent), "{exponent}");
    }
    println!("inside: {inside} of {all}");
    assert!(inside * 10 >= all * 9, "{inside} of {all}");
}

#[test]
fn the_curve_is_the_median_of_the_recordings() {
    let recordings = recordings();
    let median = median_rise(&recordings.iter().collect::<Vec<_>>());
    println!("{median:?}");
    for (tenth, (curve, median)) in RISE.iter().zip(median).enumerate() {
        assert!(curve.abs_diff(median) <= 7500, "{tenth}: {curve} and {median}");
    }
}

/// On a host at 20 to 80 % load, one more busy thread costs this much, relative to the straight line of a guest.
#[test]
fn in_a_guest_nine_in_ten_slopes_are_inside_the_band_that_the_model_states() {
    println!("slope of RAPL ÷ straight line from 20 to 40, 30 to 50, … 60 to 80 % load, and from 20 to 80 %");
    let (mut inside, mut all, mut whole) = (0, 0, Vec::new());
    for recording in &recordings() {
        let guest = Processor { is_guest: true, ..recording.processor.clone() };
        let row_of = Coefficients::of(&guest);
        let full = f64::from(row_of.full_milliwatts - row_of.idle_milliwatts) / 1e3 * f64::from(guest.threads);
        let band = (row_of.relative_error + 0.2).min(0.95);
        let slope = |from: u32, to: u32| {
            (recording.rise_at(to) - recording.rise_at(from)) * 100.0 / f64::from(to - from) / full
        };
        let slopes: Vec<f64> = [20, 30, 40, 50, 60].iter().map(|&load| slope(load, load + 20)).collect();
        inside += slopes.iter().filter(|slope| is_within(**slope, band)).count();
        all += slopes.len();
        whole.push(slope(20, 80) * full / recording.rise_at(100));
        println!("{:28} {} | {:.2} ±{band:.2}", recording.name, row(&slopes, band), slope(20, 80));
    }
    whole.sort_by(f64::total_cmp);
    println!("inside: {inside} of {all}; a median slope of {:.2} of its own straight line", whole[whole.len() / 2]);
    assert!(inside * 10 >= all * 9, "{inside} of {all}");
    assert!((whole[whole.len() / 2] - 0.96).abs() < 0.02);
}

/// Memory of a recorded server.
///
/// Source: Amazon EC2 instance types, sizes `metal`.
fn memory_gib(recording: &Recording) -> f64 {
    let kind = recording.name.split('_').next().unwrap_or_default();
    match kind {
        "c5" | "c5n" | "m5zn" => 192.0,
        "m5" | "z1d" => 384.0,
        "i3" => 512.0,
        "r5" => 768.0,
        _ => panic!("the memory of `{kind}` is not known"),
    }
}

#[test]
fn the_figure_for_memory_holds_at_rest_and_at_half_load() {
    println!("W/GiB that RAPL told of memory at rest, at half load, and when all threads work on memory; ÷ model");
    let model = Memory::new(1024 * 1024 * 1024, 0);
    let watts_per_gib = model.milliwatts() as f64 / 1e3 / model.total_gib();
    let (mut inside, mut all) = (0, 0);
    for recording in &recordings() {
        let at = |test: &str, load: u32| {
            let point = recording.points.iter().find(|point| point.test == test && point.load == load);
            point.expect("each was recorded at each load").memory_watts / memory_gib(recording)
        };
        let told = [at("CPUStress", 0), at("CPUStress", 50), at("VMStress", 100)];
        let ratios = told.map(|told| told / watts_per_gib);
        inside += ratios[..2].iter().filter(|ratio| is_within(**ratio, memory::RELATIVE_ERROR)).count();
        all += 2;
        println!("{:28} {told:.3?} | {}", recording.name, row(&ratios, memory::RELATIVE_ERROR));
    }
    println!("inside: {inside} of {all}");
    assert!(inside * 10 >= all * 9, "{inside} of {all}");
}

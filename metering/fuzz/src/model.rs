//! Any bytes as `/proc/cpuinfo` and `/proc/meminfo`, and the model of that machine.

use std::path::Path;
use std::time::Duration;

use nebula_metering::source::Source;
use nebula_metering::source::model::Model;
use nebula_metering::source::model::coefficients::Coefficients;
use nebula_metering::source::model::cpu::parse_cpuinfo;
use nebula_metering::work::Moment;

use crate::tree::with_files;

pub(crate) fn model(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let processor = parse_cpuinfo(text);
    assert!(processor.threads as usize <= text.lines().count(), "a thread has a line");
    let name_fits = |name: &String| (1..=64).contains(&name.chars().count());
    assert!(processor.name.as_ref().is_none_or(name_fits), "{:?}", processor.name);
    let coefficients = Coefficients::of(&processor);
    assert!(coefficients.idle_milliwatts <= coefficients.full_milliwatts);

    with_files(&[("cpuinfo", bytes), ("meminfo", bytes), ("stat", bytes)], |root| {
        let Ok(mut model) = Model::open(root, Path::new("/nowhere")) else { return };
        let sentence = model.describe();
        assert!(!sentence.contains('\n'), "{sentence:?} is one line");
        let (mut before, mut readings) = (vec![0; model.counters().len()], Vec::new());
        for second in [0, 1, u64::from(u32::MAX), u64::MAX] {
            let time = Duration::from_secs(second);
            model.read(&Moment { monotonic: time, busy: time, ..Moment::default() }, &mut readings);
            let now: Vec<u64> = readings.iter().map(|reading| reading.as_ref().map_or(0, |energy| energy.0)).collect();
            assert!(now.len() == before.len() && now >= before, "energy never falls: {before:?}, {now:?}");
            before = now;
        }
    });
}

//! Any bytes in the place of `/proc/cpuinfo` and `/proc/meminfo`, and the model that comes of them.

use std::time::Duration;

use super::cpu::parse_cpuinfo;
use super::memory::{Memory, parse_meminfo};
use super::{Coefficients, Model};
use crate::source::{Moment, Source};

/// Takes the bytes for either file, and reads the machine that they describe.
pub fn parsers(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let processor = parse_cpuinfo(text);
    assert!(processor.threads as usize <= text.lines().count(), "a thread has a line");
    let name_fits = |name: &String| (1..=64).contains(&name.chars().count());
    assert!(processor.name.as_ref().is_none_or(name_fits), "{:?}", processor.name);
    let coefficients = Coefficients::of(processor.signature.as_ref());
    assert!(coefficients.idle_milliwatts <= coefficients.full_milliwatts);

    let memory = parse_meminfo(text).map(|total_kib| Memory::new(total_kib, processor.threads));
    let mut model = Model::new(processor, memory, None);
    let sentence = model.describe();
    assert!(!sentence.contains('\n'), "{sentence:?} is one line");
    let mut before = [0; 2];
    for second in [0, 1, u64::from(u32::MAX), u64::MAX] {
        let time = Duration::from_secs(second);
        let energy = model.energy(&Moment { monotonic: time, busy: time, ..Moment::default() }).map(|energy| energy.0);
        assert!(energy[0] >= before[0] && energy[1] >= before[1], "energy never falls");
        before = energy;
    }
}

//! What fuzzers call: each target takes any bytes, and panics where a promise is broken.
//!
//! The targets live here and beside the parsers, because these are private, and stay so: this module is there in tests
//! and under `--cfg fuzzing` alone, which `cargo fuzz` sets. The programs in `metering/fuzz` only call it. The same
//! targets run under `cargo test`, on the seeds that are kept there and on bytes at random.

mod counter;
mod hwmon;
mod meter;
mod perf;
mod readings;

pub use crate::source::model::fuzz::parsers as model;
pub use crate::source::powercap::fuzz::parsers as powercap;
pub use crate::work::host::fuzz::parsers as work;
pub use counter::counter;
pub use hwmon::hwmon;
pub use meter::meter;
pub use perf::perf;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target); 7] = [
        ("counter", super::counter),
        ("hwmon", super::hwmon),
        ("meter", super::meter),
        ("model", super::model),
        ("perf", super::perf),
        ("powercap", super::powercap),
        ("work", super::work),
    ];

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }

    #[test]
    fn every_target_stands_its_seeds_whole_and_cut_anywhere() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        let names: Vec<_> = files(&seeds).iter().map(|seeds| seeds.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, TARGETS.map(|(name, _)| name), "every target has seeds");
        for (name, target) in TARGETS {
            for seed in files(&seeds.join(name)) {
                let bytes = fs::read(&seed).unwrap();
                (0..bytes.len()).step_by(bytes.len().div_ceil(64)).for_each(|length| target(&bytes[..length]));
                target(&bytes);
            }
        }
    }

    #[test]
    fn every_target_has_a_program() {
        let programs = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets"));
        let stems: Vec<_> = programs.iter().filter_map(|program| program.file_stem()).collect();
        assert_eq!(stems, TARGETS.map(|(name, _)| name));
    }

    proptest! {
        #[test]
        fn every_target_stands_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }
}

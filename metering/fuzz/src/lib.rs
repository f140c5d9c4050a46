//! Fuzz targets: each takes any bytes and panics where `nebula-metering` breaks a promise.
//!
//! `metering/fuzz/run` hands them to libFuzzer. `cargo test` runs them on the kept seeds and on random bytes.

#![allow(clippy::expect_used)] // Targets panic by design.

mod counter;
mod hwmon;
mod meter;
mod model;
mod perf;
mod powercap;
mod readings;
mod tree;
mod work;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 7] = [
    ("counter", counter::counter),
    ("hwmon", hwmon::hwmon),
    ("meter", meter::meter),
    ("model", model::model),
    ("perf", perf::perf),
    ("powercap", powercap::powercap),
    ("work", work::work),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::TARGETS;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }

    #[test]
    fn every_target_survives_its_seeds_whole_and_truncated() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
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

    proptest! {
        #[test]
        fn every_target_survives_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }
}

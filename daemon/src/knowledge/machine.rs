//! What makes a machine another one: what was learned holds for one machine only.

use std::fmt;
use std::path::Path;

use nebula_metering::source::model::cpu::{Signature, parse_cpuinfo};
use serde::{Deserialize, Serialize};

use crate::meter::topology;

/// A machine, as far as its power depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Model of the processors.
    pub processor: String,
    pub packages: usize,
    pub cores: usize,
    /// Hardware threads that are online.
    pub processors: usize,
    /// Release of the kernel, whose drivers decide on frequencies and sleep.
    pub kernel: String,
}

impl Machine {
    /// The machine whose sysfs and procfs are mounted at these roots. What it does not tell is empty.
    pub fn read(sysfs_root: &Path, procfs_root: &Path) -> Self {
        let text = |path: &str| {
            let bytes = std::fs::read(procfs_root.join(path)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let processor = parse_cpuinfo(&text("cpuinfo"));
        let signature = processor.signature.map(|signature| match signature {
            Signature::X86 { vendor, family, model, stepping } => format!("{vendor} {family}-{model}-{stepping}"),
            Signature::Arm { implementer, part } => format!("{implementer:#x} {part:#x}"),
        });
        let topology = topology(sysfs_root);
        Self {
            processor: [processor.name, signature].into_iter().flatten().collect::<Vec<_>>().join(", "),
            packages: topology.packages().len(),
            cores: topology.cores(),
            processors: topology.cpus(),
            kernel: text("sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &'static str, value: &str| if value.is_empty() { text.to_owned() } else { value.to_owned() };
        let processor = known("an unknown processor", &self.processor);
        let kernel = known("unknown", &self.kernel);
        let Self { packages, cores, processors, .. } = self;
        write!(f, "{processor}, {packages} packages, {cores} cores, {processors} processors, kernel {kernel}")
    }
}

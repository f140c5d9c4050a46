//! Packages, cores and processors of the machine.
//!
//! Source: Linux `Documentation/admin-guide/cputopology.rst`.

use std::io;
use std::path::Path;

/// Maximum number of processors that a kernel can be built for (`NR_CPUS` of x86 with `MAXSMP`).
const CPUS_MAX: usize = 8192;

/// Stands for the package of a processor that does not exist or is offline.
const ABSENT: u8 = u8::MAX;

/// The processors of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Numbers of the packages as the kernel gives them, ascending.
    packages: Vec<u32>,
    /// Index in `packages` for each processor, or [`ABSENT`].
    package_of: Vec<u8>,
    /// Number of cores of each package. A core may have two processors.
    cores: Vec<usize>,
    /// Core of each processor, counted over the whole machine.
    core_of: Vec<usize>,
}

impl Topology {
    /// Reads `physical_package_id` and `core_id` in `devices/system/cpu/cpu*/topology` below `sysfs_root`. A processor
    /// that is offline has no such file. One with an unknown package is put into the first.
    ///
    /// The error of the kernel if the directory does not exist, and `NotFound` if it shows no processor.
    pub fn read(sysfs_root: &Path) -> io::Result<Self> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(sysfs_root.join("devices/system/cpu"))? {
            let entry = entry?;
            let Some(cpu) = entry.file_name().to_str().and_then(parse_cpu_name) else { continue };
            let Ok(text) = std::fs::read_to_string(entry.path().join("topology/physical_package_id")) else { continue };
            if numbers.len() <= cpu {
                numbers.resize(cpu + 1, None);
            }
            // A processor without a core number is a core of its own.
            let core = std::fs::read_to_string(entry.path().join("topology/core_id"));
            let core = core.ok().and_then(|text| parse_package_id(&text)).unwrap_or(CPUS_MAX as u32 + cpu as u32);
            numbers[cpu] = Some((parse_package_id(&text).unwrap_or(0), core));
        }
        if numbers.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self::of(&numbers))
    }

    /// A machine of one package with `cpus` processors.
    #[must_use]
    pub fn one_package(cpus: usize) -> Self {
        Self {
            packages: vec![0],
            package_of: vec![0; cpus.max(1)],
            cores: vec![cpus.max(1)],
            core_of: (0..cpus.max(1)).collect(),
        }
    }

    /// A machine from the package number of each processor, where each is a core. An empty list makes a machine of one
    /// processor.
    #[must_use]
    pub fn new(package_numbers: &[u32]) -> Self {
        let numbers = package_numbers.iter().enumerate().map(|(cpu, &package)| Some((package, cpu as u32)));
        Self::of(&numbers.collect::<Vec<_>>())
    }

    /// A machine from the package and core number of each processor.
    #[must_use]
    pub fn of_cores(numbers: &[(u32, u32)]) -> Self {
        Self::of(&numbers.iter().copied().map(Some).collect::<Vec<_>>())
    }

    fn of(numbers: &[Option<(u32, u32)>]) -> Self {
        if numbers.iter().all(Option::is_none) {
            return Self::one_package(1);
        }
        let mut packages: Vec<u32> = numbers.iter().flatten().map(|&(package, _)| package).collect();
        packages.sort_unstable();
        packages.dedup();
        // No machine has more packages than fit below the mark.
        let index =
            |number: &u32| packages.binary_search(number).map_or(0, |index| index.min(usize::from(ABSENT - 1)) as u8);
        let package_of = numbers.iter().map(|number| number.map_or(ABSENT, |(package, _)| index(&package))).collect();
        let mut all: Vec<(u32, u32)> = numbers.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        let cores_of = |package: &u32| all.iter().filter(|(of, _)| of == package).count();
        let cores = packages.iter().map(cores_of).collect();
        let numbered =
            numbers.iter().map(|number| number.map_or(usize::MAX, |number| all.partition_point(|&of| of < number)));
        Self { packages, package_of, cores, core_of: numbered.collect() }
    }

    /// Number of processors online.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.package_of.iter().filter(|&&package| package != ABSENT).count()
    }

    /// Number of processors of a package, by its index.
    #[must_use]
    pub fn cpus_of(&self, package: usize) -> usize {
        self.package_of.iter().filter(|&&of| of != ABSENT && usize::from(of) == package).count()
    }

    /// Number of cores of a package, by its index.
    #[must_use]
    pub fn cores_of(&self, package: usize) -> usize {
        self.cores.get(package).copied().unwrap_or(0)
    }

    /// Number of cores of the machine.
    #[must_use]
    pub fn cores(&self) -> usize {
        self.cores.iter().sum()
    }

    /// Core of a processor, counted over the whole machine; `None` if the processor is unknown.
    #[must_use]
    pub fn core_of(&self, cpu: u32) -> Option<usize> {
        self.core_of.get(cpu as usize).copied().filter(|&core| core != usize::MAX)
    }

    /// Numbers of the packages. The index of a package is its place here.
    #[must_use]
    pub fn packages(&self) -> &[u32] {
        &self.packages
    }

    /// Index of the package of a processor; 0 if the processor is unknown.
    #[must_use]
    pub fn package_of(&self, cpu: u32) -> usize {
        match self.package_of.get(cpu as usize) {
            None | Some(&ABSENT) => 0,
            Some(&package) => usize::from(package),
        }
    }

    /// One more than the highest processor number, including processors that are offline.
    pub(super) fn processors(&self) -> usize {
        self.package_of.len()
    }
}

/// Parses the name of a directory, `cpu7`, into the number of the processor.
#[must_use]
pub fn parse_cpu_name(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("cpu").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|&cpu| cpu < CPUS_MAX)
}

/// Parses the number of a package; `None` for -1, which means unknown.
#[must_use]
pub fn parse_package_id(text: &str) -> Option<u32> {
    text.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn machine(cpus: &[(&str, Option<&str>)]) -> io::Result<Topology> {
        let root = tempfile::tempdir()?;
        for (name, package) in cpus {
            let cpu = root.path().join("devices/system/cpu").join(name);
            std::fs::create_dir_all(cpu.join("topology"))?;
            if let Some(package) = package {
                std::fs::write(cpu.join("topology/physical_package_id"), package)?;
            }
        }
        Topology::read(root.path())
    }

    #[test]
    fn packages_are_told_apart() {
        let two =
            machine(&[("cpu0", Some("0\n")), ("cpu1", Some("3\n")), ("cpu2", Some("0\n")), ("cpufreq", None)]).unwrap();
        assert_eq!(two, Topology::new(&[0, 3, 0]));
        assert_eq!((two.packages(), two.cpus(), two.cpus_of(0), two.cpus_of(1)), (&[0, 3][..], 3, 2, 1));
        assert_eq!((two.package_of(1), two.package_of(2), two.package_of(77)), (1, 0, 0));
    }

    #[test]
    fn a_processor_that_is_switched_off_is_not_counted() {
        let topology = machine(&[("cpu0", Some("0\n")), ("cpu1", None), ("cpu2", Some("1\n"))]).unwrap();
        assert_eq!((topology.cpus(), topology.cpus_of(0), topology.processors()), (2, 1, 3));
        assert_eq!(topology.package_of(2), 1);
    }

    #[test]
    fn firmware_that_does_not_tell_makes_one_package() {
        let topology = machine(&[("cpu0", Some("-1\n")), ("cpu1", Some("-1\n"))]).unwrap();
        assert_eq!(topology, Topology::one_package(2));
    }

    #[test]
    fn a_tree_without_processors_is_an_error() {
        assert!(machine(&[]).is_err());
        assert!(machine(&[("cpufreq", None), ("cpu0", None)]).is_err());
    }

    #[test]
    fn this_machine_has_processors() {
        match Topology::read(Path::new("/sys")) {
            Ok(topology) => assert!(topology.cpus() >= 1 && topology.cpus_of(0) >= 1),
            Err(error) => {
                let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("SKIPPED: no topology here: {error}\n"));
            }
        }
    }

    proptest! {
        #[test]
        fn names_are_numbers_below_the_limit(text in "cpu[0-9]{0,9}|cpu\\PC{0,4}|\\PC{0,8}") {
            let number = parse_cpu_name(&text);
            prop_assert!(number.is_none_or(|cpu| cpu < CPUS_MAX));
            let _ = parse_package_id(&text);
        }

        #[test]
        fn every_processor_is_in_one_package(numbers in prop::collection::vec(0_u32..20, 1..64)) {
            let topology = Topology::new(&numbers);
            let sum: usize = (0..topology.packages().len()).map(|package| topology.cpus_of(package)).sum();
            prop_assert_eq!(sum, numbers.len());
            for (cpu, number) in numbers.iter().enumerate() {
                prop_assert_eq!(topology.packages()[topology.package_of(cpu as u32)], *number);
            }
        }
    }
}

//! Which processor belongs to which package.

/// The processors of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The packages' numbers, as the kernel gives them, in rising order.
    packages: Vec<u32>,
    /// For each processor number the index of its package in `packages`.
    package_of: Vec<u8>,
}

impl Topology {
    /// A machine of one package with `cpus` processors.
    #[must_use]
    pub fn one_package(cpus: usize) -> Self {
        Self { packages: vec![0], package_of: vec![0; cpus.max(1)] }
    }

    /// A machine from the package number of each processor.
    #[must_use]
    pub fn new(package_numbers: &[u32]) -> Self {
        let mut packages = package_numbers.to_vec();
        packages.sort_unstable();
        packages.dedup();
        let index = |number: &u32| packages.binary_search(number).ok().and_then(|index| u8::try_from(index).ok());
        let package_of = package_numbers.iter().map(|number| index(number).unwrap_or(0)).collect();
        Self { packages, package_of }
    }

    /// How many processors there are.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.package_of.len()
    }

    /// How many processors a package has, by its index.
    #[must_use]
    pub fn cpus_of(&self, package: usize) -> usize {
        self.package_of.iter().filter(|&&of| usize::from(of) == package).count()
    }

    /// The numbers of the packages; a package's index is its place here.
    #[must_use]
    pub fn packages(&self) -> &[u32] {
        &self.packages
    }

    /// The index of the package of a processor; the first one's for a processor that is not known.
    #[must_use]
    pub fn package_of(&self, cpu: u32) -> usize {
        self.package_of.get(cpu as usize).map_or(0, |&package| usize::from(package))
    }
}

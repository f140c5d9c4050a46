//! Which work runs when. Coefficients can be told apart only if their inputs change independently: the number of busy
//! threads, the kind of work, and rest. The order is mixed, so that warming up looks like none of them.

use std::time::Duration;

use super::kernels::Kernel;

/// How long a step lasts, about: ten windows of the default length.
const STEP: Duration = Duration::from_secs(1);

/// One rest comes with so many other steps.
const STEPS_PER_REST: usize = 3;

/// Always the same order, so that runs can be compared.
const SEED: u64 = 14;

/// How many threads run each kernel at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub threads: [usize; Kernel::COUNT],
}

impl Step {
    fn of(kernel: Kernel, threads: usize) -> Self {
        let mut step = Self::default();
        step.threads[kernel as usize] = threads;
        step
    }

    /// Threads that run everything but sleep.
    fn mixed(threads: usize) -> Self {
        let mut step = Self::default();
        (0..threads).for_each(|thread| step.threads[thread % Kernel::Sleep as usize] += 1);
        step
    }

    /// All kernels with their threads.
    pub fn kernels(&self) -> impl Iterator<Item = Kernel> + '_ {
        Kernel::all().flat_map(|kernel| std::iter::repeat_n(kernel, self.threads[kernel as usize]))
    }
}

/// Steps of equal length.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub length: Duration,
}

impl Plan {
    /// A plan for a machine with so many processors that takes about `time`.
    pub fn new(processors: usize, time: Duration) -> Self {
        let mut levels: Vec<usize> = (0..=4).map(|quarter| (processors * quarter).div_ceil(4).max(1)).collect();
        levels.dedup();
        let single = Kernel::all().flat_map(|kernel| levels.iter().map(move |&threads| Step::of(kernel, threads)));
        let mixed = levels.iter().filter(|threads| **threads > 1).map(|&threads| Step::mixed(threads));
        let mut round: Vec<Step> = single.chain(mixed).collect();
        round.resize(round.len() + round.len() / STEPS_PER_REST, Step::default());

        let rounds = (time.as_secs_f64() / (STEP.as_secs_f64() * round.len() as f64)).round().max(1.0) as usize;
        let mut random = SEED;
        let mut steps = vec![Step::default()];
        for _ in 0..rounds {
            shuffle(&mut round, &mut random);
            steps.extend(&round);
        }
        let length = time / u32::try_from(steps.len()).unwrap_or(u32::MAX);
        Self { steps, length }
    }

    pub fn time(&self) -> Duration {
        self.length * u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}

/// Source: Durstenfeld, "Algorithm 235: Random permutation", and Knuth's MMIX generator.
fn shuffle(steps: &mut [Step], random: &mut u64) {
    for last in (1..steps.len()).rev() {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        steps.swap(last, (*random >> 33) as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_runs_on_every_number_of_threads_and_rests_lie_between() {
        for processors in [1, 2, 3, 8, 64, 384] {
            let plan = Plan::new(processors, Duration::from_secs(30));
            assert!((plan.time().as_secs_f64() - 30.0).abs() < 0.01);
            assert!(plan.length > Duration::from_millis(500), "{processors}: {:?}", plan.length);
            let rests = plan.steps.iter().filter(|step| **step == Step::default()).count();
            assert!(rests * 6 > plan.steps.len(), "{processors}: {rests} of {}", plan.steps.len());
            assert_eq!(plan.steps[0], Step::default(), "it begins with a rest");
            for kernel in Kernel::all() {
                for threads in [1, processors] {
                    assert!(plan.steps.contains(&Step::of(kernel, threads)), "{kernel:?} on {threads} of {processors}");
                }
            }
            assert!(plan.steps.iter().all(|step| step.kernels().count() <= processors));
        }
    }

    #[test]
    fn the_order_is_mixed_and_always_the_same() {
        let (one, two) = (Plan::new(8, Duration::from_secs(60)), Plan::new(8, Duration::from_secs(60)));
        assert_eq!(one.steps, two.steps);
        let threads: Vec<usize> = one.steps.iter().map(|step| step.kernels().count()).collect();
        assert!(!threads.is_sorted());
        assert_eq!(Step::mixed(4).threads, [2, 1, 1, 0]);
    }
}

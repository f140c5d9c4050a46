//! Compares the two ways of reading CPU time under conditions that tell them apart.

use std::hint::black_box;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::thread::{CpuSet, sched_setaffinity};

use super::*;

/// Largest difference of the two clocks when read one after the other, in nanoseconds: a system call and some noise.
const TOLERANCE: u64 = 60_000;

fn spin_until(done: impl Fn() -> bool) {
    while !done() {
        std::hint::spin_loop();
    }
}

fn spin(time: Duration) {
    let start = Instant::now();
    spin_until(|| start.elapsed() >= time);
}

/// The means that work here.
fn means() -> Vec<Means> {
    let (works, fails): (Vec<_>, Vec<_>) =
        [Means::Rseq, Means::PerfPage].into_iter().partition(|means| means.tells_of_sleep());
    for means in fails {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this machine does not tell of switches by means of {means}");
    }
    works
}

fn stay_on_one_processor() {
    let mut set = CpuSet::new();
    set.set(sched_getcpu());
    sched_setaffinity(None, &set).expect("a thread may narrow its own processors");
}

/// Measures slices by both clocks. Returns how often, in thousandths, they differ by more than the tolerance, and the
/// ratio of their sums. The CPU clock is read outermost.
fn compare(means: Means, slices: u32, mut slice: impl FnMut(u32)) -> (u32, f64) {
    let (clocks, anchor) = (System(means), Cell::default());
    let (mut apart, mut sum, mut true_sum) = (0, 0, 0);
    for number in 0..slices {
        let true_before = clocks.thread_cpu();
        let before = stretch::read(&clocks, &anchor);
        slice(number);
        let after = stretch::read(&clocks, &anchor);
        let truth = clocks.thread_cpu() - true_before;
        let cpu = after.cpu.saturating_sub(before.cpu);
        apart += u32::from(cpu.abs_diff(truth) > TOLERANCE);
        sum += cpu;
        true_sum += truth;
    }
    (apart * 1000 / slices, sum as f64 / true_sum as f64)
}

#[test]
fn work_makes_it_grow() {
    let before = thread_cpu();
    spin_until(|| thread_cpu() > before);
}

#[test]
fn what_another_thread_does_is_not_in_it() {
    let before = thread_cpu();
    let theirs = std::thread::spawn(|| {
        spin_until(|| thread_cpu() >= Duration::from_millis(50));
        thread_cpu()
    });
    let theirs = theirs.join().expect("the thread does not panic");
    assert!(thread_cpu() - before < theirs);
}

#[test]
fn short_slices_cost_what_the_thread_clock_says() {
    for means in means() {
        let (apart, ratio) = compare(means, 4_000, |number| {
            black_box((0..20_000 + u64::from(number % 20_000)).fold(0, |sum, step| black_box(sum + step)));
        });
        assert!(apart <= 10 && (0.8..1.02).contains(&ratio), "{means}: {apart} in a thousand apart, together {ratio}");
    }
}

#[test]
fn preemption_is_not_charged() {
    for means in means() {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let measured = scope.spawn(|| {
                stay_on_one_processor();
                for _ in 0..3 {
                    // Threads inherit the single processor.
                    scope.spawn(|| spin_until(|| stop.load(Ordering::Relaxed)));
                }
                let wall = Instant::now();
                let (apart, ratio) = compare(means, 1000, |_| spin(Duration::from_micros(200)));
                let cpu = thread_cpu();
                stop.store(true, Ordering::Relaxed);
                (apart, ratio, cpu.as_secs_f64() / wall.elapsed().as_secs_f64())
            });
            let (apart, ratio, part) = measured.join().expect("the thread does not panic");
            assert!(part < 0.6, "it was hardly preempted: {part}");
            assert!(
                apart <= 10 && (0.97..1.02).contains(&ratio),
                "{means}: {apart} in a thousand apart, together {ratio}"
            );
        });
    }
    assert_eq!(switches::best() == Means::None, means().is_empty(), "what is right was given up");
}

#[test]
fn sleeping_within_a_slice_is_not_charged() {
    for means in means() {
        let (apart, _) = compare(means, 300, |number| {
            std::thread::sleep(Duration::from_micros(u64::from(number % 5) * 150));
            spin(Duration::from_micros(20));
        });
        assert!(apart <= 30, "{means}: {apart} in a thousand apart");
    }
}

#[test]
fn waiting_for_another_thread_is_not_charged() {
    for means in means() {
        let (to, from) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel::<()>());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while to.1.recv().is_ok() {
                    spin(Duration::from_micros(100));
                    from.0.send(()).expect("the other thread waits");
                }
            });
            let (apart, ratio) = compare(means, 1000, |_| {
                to.0.send(()).expect("the other thread listens");
                from.1.recv().expect("the other thread answers");
            });
            drop(to.0);
            assert!(apart <= 20 && ratio < 1.3, "{means}: {apart} in a thousand apart, together {ratio}");
        });
    }
}

#[test]
fn a_signal_within_a_slice_costs_what_its_handling_takes() {
    for means in means() {
        let (apart, ratio) = compare(means, 2000, |_| {
            rseq::interrupt_this_thread();
            spin(Duration::from_micros(20));
        });
        assert!(apart <= 10 && (0.8..1.05).contains(&ratio), "{means}: {apart} in a thousand apart, together {ratio}");
    }
}

#[test]
fn a_switch_is_seen_and_an_undisturbed_stretch_is_too() {
    for means in means() {
        for _ in 0..100 {
            assert!(means.arm());
            std::thread::sleep(Duration::from_micros(100));
            assert!(!means.undisturbed(), "{means}");
        }
        let undisturbed = (0..1000).filter(|_| means.arm() && means.undisturbed()).count();
        assert!(undisturbed > 900, "{means}: {undisturbed}");
    }
}

#[test]
fn where_nothing_tells_the_thread_clock_is_read() {
    let (apart, ratio) = compare(Means::None, 300, |number| {
        std::thread::sleep(Duration::from_micros(u64::from(number % 5) * 150));
        spin(Duration::from_micros(100));
    });
    assert!(apart <= 10 && ratio > 0.9, "{apart} in a thousand apart, together {ratio}");
}

#[test]
fn the_processor_is_the_kernel_s() {
    std::thread::spawn(|| {
        stay_on_one_processor();
        assert_eq!(processor() as usize, sched_getcpu());
    })
    .join()
    .expect("the thread does not panic");
}

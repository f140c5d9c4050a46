//! The two ways of reading CPU time against each other, while all is done to tell them apart.

use std::hint::black_box;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::thread::{CpuSet, sched_setaffinity};

use super::*;

/// By how much the two clocks may differ when read one after the other: a system call, and some noise.
const TOLERANCE: Duration = Duration::from_micros(60);

fn spin_until(done: impl Fn() -> bool) {
    while !done() {
        std::hint::spin_loop();
    }
}

fn spin(time: Duration) {
    let start = Instant::now();
    spin_until(|| start.elapsed() >= time);
}

fn watched() -> bool {
    if how() == "thread clock" {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this machine does not tell of switches");
    }
    rseq::is_trusted()
}

fn stay_on_one_processor() {
    let mut set = CpuSet::new();
    set.set(sched_getcpu());
    sched_setaffinity(None, &set).expect("a thread may narrow its own processors");
}

/// Measures slices by both clocks and gives how often, in thousandths, they differ by more than the tolerance, and by
/// how much their sums do. The CPU clock is read outermost.
fn compare(slices: u32, mut slice: impl FnMut(u32)) -> (u32, f64) {
    let _ = how();
    let (mut apart, mut sum, mut true_sum) = (0, Duration::ZERO, Duration::ZERO);
    for number in 0..slices {
        let true_before = thread_cpu();
        let before = ThreadMoment::now();
        slice(number);
        let after = ThreadMoment::now();
        let truth = thread_cpu() - true_before;
        let cpu = after.cpu.saturating_sub(before.cpu);
        apart += u32::from(cpu > truth + TOLERANCE || cpu + TOLERANCE < truth);
        sum += cpu;
        true_sum += truth;
    }
    let ratio = sum.as_secs_f64() / true_sum.as_secs_f64();
    (apart * 1000 / slices, ratio)
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
    let (apart, ratio) = compare(20_000, |number| {
        black_box((0..2000 + u64::from(number % 2000)).fold(0, |sum, step| black_box(sum + step)));
    });
    assert!(apart <= 10 && (0.8..1.02).contains(&ratio), "{apart} in a thousand apart, together {ratio}");
}

#[test]
fn preemption_is_not_charged() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let measured = scope.spawn(|| {
            stay_on_one_processor();
            for _ in 0..3 {
                // Threads inherit the one processor.
                scope.spawn(|| spin_until(|| stop.load(Ordering::Relaxed)));
            }
            let wall = Instant::now();
            let (apart, ratio) = compare(3000, |_| spin(Duration::from_micros(200)));
            let cpu = thread_cpu();
            stop.store(true, Ordering::Relaxed);
            (apart, ratio, cpu.as_secs_f64() / wall.elapsed().as_secs_f64())
        });
        let (apart, ratio, of_the_processor) = measured.join().expect("the thread does not panic");
        assert!(of_the_processor < 0.6, "it was hardly preempted: {of_the_processor}");
        assert!(apart <= 10 && (0.97..1.02).contains(&ratio), "{apart} in a thousand apart, together {ratio}");
    });
}

#[test]
fn sleeping_within_a_slice_is_not_charged() {
    let (apart, _) = compare(300, |number| {
        std::thread::sleep(Duration::from_micros(u64::from(number % 5) * 300));
        spin(Duration::from_micros(20));
    });
    assert!(apart <= 30, "{apart} in a thousand apart");
}

#[test]
fn waiting_for_another_thread_is_not_charged() {
    let (to, from) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel::<()>());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while to.1.recv().is_ok() {
                spin(Duration::from_micros(100));
                from.0.send(()).expect("the other thread waits");
            }
        });
        let (apart, ratio) = compare(1000, |_| {
            to.0.send(()).expect("the other thread listens");
            from.1.recv().expect("the other thread answers");
        });
        drop(to.0);
        assert!(apart <= 20 && ratio < 1.3, "{apart} in a thousand apart, together {ratio}");
    });
}

#[test]
fn a_switch_is_seen_and_an_undisturbed_stretch_is_too() {
    if !watched() {
        return;
    }
    assert!(rseq::arm());
    std::thread::sleep(Duration::from_millis(1));
    assert!(!rseq::undisturbed());
    let undisturbed = (0..1000).filter(|_| rseq::arm() && rseq::undisturbed()).count();
    assert!(undisturbed > 900, "{undisturbed}");
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

//! Software events exist on every machine, and are read in the same way as those of the processor.

use std::io::Write;

use perf_event::events::Software;

use super::*;

fn software(ref_cycles: Builder<'_>) -> Option<ThreadCounters> {
    let wanted = [Software::TASK_CLOCK, Software::CONTEXT_SWITCHES, Software::PAGE_FAULTS].map(Builder::new);
    match EventGroup::open(wanted, ref_cycles) {
        Ok(group) => Some(ThreadCounters::of(group, None)),
        Err(error) => {
            // Not `println!`, which is shown for failing tests alone.
            let _ = writeln!(io::stderr(), "SKIPPED: perf events are not allowed here: {error}");
            None
        }
    }
}

/// Writes to eight mebibytes of each of several buffers that are held at once: more than the allocator can have kept from
/// others, so that some pages are new.
fn touch_new_pages() {
    let buffers: Vec<Vec<u8>> = (0..6)
        .map(|_| {
            let mut fresh: Vec<u8> = vec![0; 40 << 20];
            fresh[..8 << 20].iter_mut().step_by(4096).for_each(|byte| *byte = 1);
            fresh
        })
        .collect();
    std::hint::black_box(&buffers);
}

#[test]
fn a_group_counts_what_its_thread_does() {
    let Some(mut counters) = software(Builder::new(Software::CPU_CLOCK)) else { return };
    assert!(counters.has_ref_cycles());
    let before = counters.read().expect("the group can be read");
    touch_new_pages();
    let (done, efficient) = counters.read().expect("the group can be read").since(&before);
    let done = done.expect("software events need no registers");
    assert_eq!(efficient, None);
    assert!(done.instructions > 10_000, "48 MiB were written in {} ns", done.instructions);
    assert!(done.cache_misses > 0, "48 MiB were written without a page fault");
    assert!(done.ref_cycles > 10_000, "48 MiB were written in {} ns", done.ref_cycles);
    assert!(!counters.is_rdpmc(), "software events are in no register");
}

#[test]
fn a_group_goes_without_an_event_that_there_is_not() {
    let mut unknown = Builder::new(Software::DUMMY);
    unknown.attrs_mut().config = 0xffff;
    let Some(mut counters) = software(unknown) else { return };
    assert!(!counters.has_ref_cycles());
    let before = counters.read().expect("the group can be read");
    touch_new_pages();
    let done = counters.read().expect("the group can be read").since(&before).0.expect("it was counted");
    assert!(done.instructions > 10_000 && done.cache_misses > 0 && done.ref_cycles == 0, "{done:?}");
}

#[test]
fn groups_of_two_kinds_are_read_side_by_side() {
    let event = || Builder::new(Software::CPU_CLOCK);
    let (Some(one), Some(other)) = (software(event()), software(event())) else { return };
    let mut counters = ThreadCounters::of(one.performance, Some(other.performance));
    let before = counters.read().expect("the groups can be read");
    touch_new_pages();
    let (performance, efficient) = counters.read().expect("the groups can be read").since(&before);
    let faults = |events: Option<Events>| events.map_or(0, |events| events.cache_misses);
    let (one, other) = (faults(performance), faults(efficient));
    // One is read after the other, so that some faults may be in one alone.
    assert!(one > 0 && other > 0 && one.abs_diff(other) < 20, "{performance:?} {efficient:?}");
}

#[test]
fn what_another_thread_does_is_not_in_it() {
    let Some(mut counters) = software(Builder::new(Software::CPU_CLOCK)) else { return };
    let before = counters.read().expect("the group can be read");
    std::thread::spawn(touch_new_pages).join().expect("the thread does not panic");
    let here = counters.read().expect("the group can be read").since(&before).0.expect("it was counted");
    assert!(here.cache_misses < 500, "48 MiB are 12288 pages or 24 huge ones; {} are here", here.cache_misses);
}

#[test]
fn an_event_of_a_kind_of_core_that_there_is_not_is_refused() {
    // No PMU has such a number.
    let kinds = CoreKinds::Hybrid { performance: 0x7fff_0001, efficient: 0x7fff_0002 };
    assert!(ThreadCounters::open(kinds).is_err());
}

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

/// More than the allocator ever keeps for later (`M_MMAP_THRESHOLD`, `mallopt(3)`), so that the pages are new.
fn touch_eight_mebibytes() {
    let mut fresh: Vec<u8> = vec![0; 40 << 20];
    fresh[..8 << 20].iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(&fresh);
}

#[test]
fn a_group_counts_what_its_thread_does() {
    let Some(mut counters) = software(Builder::new(Software::CPU_CLOCK)) else { return };
    assert!(counters.has_ref_cycles());
    let before = counters.read().expect("the group can be read");
    touch_eight_mebibytes();
    let (done, efficient) = counters.read().expect("the group can be read").since(&before);
    let done = done.expect("software events need no registers");
    assert_eq!(efficient, None);
    assert!(done.instructions > 10_000, "8 MiB were written in {} ns", done.instructions);
    assert!(done.cache_misses > 0, "8 MiB were written without a page fault");
    assert!(done.ref_cycles > 10_000, "8 MiB were written in {} ns", done.ref_cycles);
    assert!(!counters.is_rdpmc(), "software events are in no register");
}

#[test]
fn a_group_goes_without_an_event_that_there_is_not() {
    let mut unknown = Builder::new(Software::DUMMY);
    unknown.attrs_mut().config = 0xffff;
    let Some(mut counters) = software(unknown) else { return };
    assert!(!counters.has_ref_cycles());
    let before = counters.read().expect("the group can be read");
    touch_eight_mebibytes();
    let done = counters.read().expect("the group can be read").since(&before).0.expect("it was counted");
    assert!(done.instructions > 10_000 && done.cache_misses > 0 && done.ref_cycles == 0, "{done:?}");
}

#[test]
fn groups_of_two_kinds_are_read_side_by_side() {
    let event = || Builder::new(Software::CPU_CLOCK);
    let (Some(one), Some(other)) = (software(event()), software(event())) else { return };
    let mut counters = ThreadCounters::of(one.performance, Some(other.performance));
    let before = counters.read().expect("the groups can be read");
    touch_eight_mebibytes();
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
    std::thread::spawn(touch_eight_mebibytes).join().expect("the thread does not panic");
    let here = counters.read().expect("the group can be read").since(&before).0.expect("it was counted");
    assert!(here.cache_misses < 500, "8 MiB are 2048 pages or 4 huge ones; {} are here", here.cache_misses);
}

#[test]
fn an_event_of_a_kind_of_core_that_there_is_not_is_refused() {
    // No PMU has such a number.
    let kinds = CoreKinds::Hybrid { performance: 0x7fff_0001, efficient: 0x7fff_0002 };
    assert!(ThreadCounters::open(kinds).is_err());
}

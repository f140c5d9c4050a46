//! Who runs when, and what the clocks tell of it.

use super::*;

#[test]
fn whoever_is_runnable_has_a_fair_part_of_a_crowded_machine() {
    let parts = |utilisation| {
        let mut settings = Settings::new(6, Machine::server());
        settings.functions = (0..2)
            .map(|id| Function { concurrency: 16, ..Function::new(id, Task::new(1.0, 1.0), MS * (1 + 3 * id)) })
            .collect();
        settings.host = HostLoad::steady(utilisation);
        let mut simulation = Simulation::new(settings);
        let (_, moments) = run(&mut simulation, 30);
        assert!(moments[29].busy.as_secs_f64() > 0.99 * 16.0 * 3.0);
        let totals = simulation.totals();
        let [short, long] = [0, 1].map(|id| totals.functions[&FunctionId(id)].cpu.as_secs_f64());
        (totals.host.cpu.as_secs_f64() / 48.0, long / short)
    };
    // A host that asks for less than half gets it; one that asks for all gets half.
    let ((_, ratio), (little, _), (much, _)) = (parts(0.0), parts(0.25), parts(0.95));
    assert!((0.22..0.28).contains(&little) && (0.45..0.55).contains(&much), "{little} {much}");
    // Undisturbed workers take turns by call and not by time, so that calls four times as long get four times as much.
    assert!((3.5..4.5).contains(&ratio), "{ratio}");
}

#[test]
fn the_process_clock_has_calls_runtime_and_slices_in_flight() {
    let mut simulation = Simulation::new(busy_settings(Machine::server()));
    let (mut posted, mut in_flight) = (Duration::ZERO, 0);
    for _ in 0..20 {
        let (new, moments) = run(&mut simulation, 1);
        posted += slices(&new).map(|slice| slice.work.cpu).sum::<Duration>();
        let totals = simulation.totals();
        assert_eq!(moments[0].process, totals.functions_cpu() + totals.runtime.cpu);
        assert_eq!(moments[0].busy, moments[0].process + totals.host.cpu);
        assert_eq!(moments[0].packages[0], moments[0].busy);
        assert!(totals.functions_cpu() >= posted);
        in_flight += u32::from(totals.functions_cpu() > posted);
    }
    assert!(in_flight > 15);
}

#[test]
fn the_host_uses_what_it_was_asked_to() {
    for utilisation in [0.02, 0.3, 0.7, 0.95] {
        let mut settings = Settings::new(5, Machine::server());
        settings.host = HostLoad::steady(utilisation);
        let mut simulation = Simulation::new(settings);
        let (_, moments) = run(&mut simulation, 60);
        let seen = (moments[59].busy - moments[9].busy).as_secs_f64() / 5.0 / 16.0;
        assert!((seen / utilisation - 1.0).abs() < 0.1, "{seen} instead of {utilisation}");
    }
}

#[test]
fn ticks_hide_what_is_less_than_ten_milliseconds() {
    let mut settings = busy_settings(Machine::server());
    settings.host_clock = HostClock::Ticks;
    let mut simulation = Simulation::new(settings);
    let (_, moments) = run(&mut simulation, 3);
    let host = moments[2].busy - moments[2].process;
    assert_eq!(host.as_nanos() % 10_000_000, 0);
    let truth = simulation.totals().host.cpu;
    assert!(host <= truth && truth - host < 10 * MS);
}

#[test]
fn slices_last_a_tick_at_most_and_calls_move_between_processors() {
    let mut settings = Settings::new(2, Machine::server());
    settings.functions = vec![Function { concurrency: 64, ..Function::new(0, Task::new(1.0, 1.0), 40 * MS) }];
    settings.host = HostLoad::steady(0.1);
    let (posted, _) = run(&mut Simulation::new(settings), 10);
    assert!(slices(&posted).all(|slice| slice.work.cpu <= 5 * MS && slice.cpu < 16));
    let moved = ends(&posted).filter(|end| {
        let cpus = slices(&posted).filter(|slice| slice.call == end.call).map(|slice| slice.cpu);
        cpus.collect::<std::collections::BTreeSet<_>>().len() > 1
    });
    assert!(moved.count() > 50);
    // 64 calls share 16 processors: each takes four times as long as alone, and a little for the others.
    let took = ends(&posted).map(|end| (end.ended - end.started).as_secs_f64() / end.work.cpu.as_secs_f64());
    let took: Vec<f64> = took.collect();
    let mean = took.iter().sum::<f64>() / took.len() as f64;
    assert!((3.5..6.0).contains(&mean), "{mean}");
}

#[test]
fn calls_much_shorter_than_an_update_run_back_to_back() {
    let mut settings = Settings::new(2, Machine::server());
    settings.functions = vec![Function::new(0, Task::new(1.0, 1.0), Duration::from_micros(10))];
    settings.runtime.steady = 0.0;
    let (posted, _) = run(&mut Simulation::new(settings), 1);
    // 15 µs of the daemon and 10 µs of the call, over and over.
    assert_eq!(ends(&posted).count(), 4000);
    assert!(slices(&posted).all(|slice| slice.work.cpu == Duration::from_micros(10)));
}

#[test]
fn work_that_finds_no_room_goes_with_the_next_slice() {
    let mut settings = Settings::new(4, Machine::server());
    settings.functions = vec![Function::new(0, Task::new(1.0, 1.0), 33 * MS)];
    (settings.runtime.per_call, settings.runtime.steady) = (Duration::ZERO, 0.0);
    let mut simulation = Simulation::new(settings);
    let posts = PostBox::new(1, 1);
    let mut posted = Vec::new();
    for window in 1..4 {
        simulation.run_until(10 * MS * window, &posts, &mut |ended| *ended);
        posts.collect(|posting| posted.push(posting));
    }
    let cpu: Vec<Duration> = slices(&posted).map(|slice| slice.work.cpu).collect();
    assert_eq!(cpu, [5 * MS, 10 * MS, 10 * MS]);
}

#[test]
fn sleep_shows_on_one_clock_only() {
    let mut simulation = Simulation::new(busy_settings(Machine::server()));
    run(&mut simulation, 1);
    simulation.suspend(Duration::from_secs(60));
    let (_, moments) = run(&mut simulation, 1);
    assert_eq!(moments[0].boottime, moments[0].monotonic + Duration::from_secs(60));
}

//! Half a minute of known work in a designed order: what a calibration can learn at best before any function has run.

use std::time::Duration;

use nebula_metering::FunctionId;
use nebula_simulator::{Function, Length, Task};

use crate::watch::Watched;

/// Integer, vector and memory work. None of it is what the cells run.
const KINDS: [Task; 3] = [Task::new(2.3, 0.1), Task::new(1.7, 0.5).wide(), Task::new(0.4, 20.0)];

const STEP: Duration = Duration::from_secs(2);

/// Each kind on one processor, on a quarter, on half and on all of them, and nothing before and after.
pub fn work(watched: &mut Watched) {
    let cpus = watched.simulation.machine().cpus();
    let mut threads = vec![1, cpus / 4, cpus / 2, cpus];
    threads.retain(|threads| *threads > 0);
    threads.dedup();
    watched.run(STEP);
    for threads in threads {
        for (id, task) in (100..).zip(KINDS) {
            let length = Length::around(Duration::from_millis(20), 0.5);
            watched.simulation.set_functions(&[Function {
                id: FunctionId(id),
                task,
                call_length: length,
                concurrency: threads,
                gap: Length::around(Duration::from_millis(1), 0.5),
            }]);
            watched.run(STEP);
        }
    }
    watched.simulation.set_functions(&[]);
    watched.run(STEP);
}

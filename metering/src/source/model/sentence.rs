//! The model in one line: power of processors and memory, the error of both, what it ranks by, and what the figures are
//! for.

use super::{Model, memory};

pub(super) fn sentence(model: &Model) -> String {
    let (idle, full, error) = (model.idle_watts().0, model.full_watts().0, model.relative_error() * 100.0);
    let clock = if model.follows_clock() { " following the clock" } else { "" };
    let memory = match (model.memory, model.memory_watts()) {
        (Some(memory), Some(watts)) => format!(
            "{:.1} of {:.1} GiB RAM: {:.1} W ±{:.0} %",
            memory.beyond_gib(),
            memory.total_gib(),
            watts.0,
            memory::RELATIVE_ERROR * 100.0
        ),
        (Some(memory), None) => format!("{:.1} GiB RAM included", memory.total_gib()),
        (None, _) => "RAM unknown".to_owned(),
    };
    let ranks = match (model.counts_events, model.processor.is_intel()) {
        (false, _) => "ranks by CPU time",
        (true, false) => "ranks by CPU time and instructions",
        (true, true) => "ranks by CPU time, instructions and cache misses",
    };
    let processors = processors(model);
    format!("CPU {idle:.1}–{full:.1} W{clock} ±{error:.0} %; {memory}; {ranks} (estimated for {processors})")
}

fn processors(model: &Model) -> String {
    let processor = &model.processor;
    let kind = match (processor.is_guest, model.threads()) {
        (true, 1) => "virtual CPU",
        (true, _) => "virtual CPUs",
        (false, 1) => "thread",
        (false, _) => "threads",
    };
    let of = match (model.microarchitecture(), &processor.name) {
        (Some(microarchitecture), _) => microarchitecture.to_owned(),
        (None, Some(name)) => format!("an average server, because `{name}` is not listed"),
        (None, None) => "an average server, because the processor is unknown".to_owned(),
    };
    format!("{} {kind} of {of}", model.threads())
}

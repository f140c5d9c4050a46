//! What the figures rest on, in one sentence for people.

use super::Model;
use super::memory::RELATIVE_ERROR;

/// Processor, power and memory, how far all that may be off, and that nothing of it was measured.
pub(super) fn sentence(model: &Model) -> String {
    let name = match (model.microarchitecture(), &model.processor.name) {
        (Some(microarchitecture), _) => microarchitecture.to_owned(),
        (None, Some(name)) => format!("an average server for the unlisted processor `{name}`"),
        (None, None) => "an average server for an unknown processor".to_owned(),
    };
    let threads = match (model.threads(), model.processor.is_guest) {
        (1, false) => "1 thread".to_owned(),
        (threads, false) => format!("{threads} threads"),
        (1, true) => "1 virtual processor".to_owned(),
        (threads, true) => format!("{threads} virtual processors"),
    };
    let memory = match (model.memory, model.memory_watts()) {
        (Some(memory), Some(watts)) => format!(
            "memory {:.1} GiB, of which {:.1} GiB beyond that at {:.1} W ±{:.0} %",
            memory.total_gib(),
            memory.beyond_gib(),
            watts.0,
            RELATIVE_ERROR * 100.0
        ),
        (Some(memory), None) => format!("memory {:.1} GiB included", memory.total_gib()),
        (None, _) => "memory unknown".to_owned(),
    };
    let (idle, full, error) = (model.idle_watts().0, model.full_watts().0, model.relative_error() * 100.0);
    let clock = if model.follows_clock() { " by the clock" } else { "" };
    format!("model of {name}, {threads}, {idle:.1}–{full:.1} W{clock} ±{error:.0} %, {memory}; not measured")
}

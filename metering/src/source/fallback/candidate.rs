//! One of several sources that may be read: how it is opened, whether it answers, and where its counters stand.

use std::error::Error;
use std::fmt::Write;

use crate::source::{CounterSpec, ReadError, Source, SourceKind};
use crate::units::Microjoules;
use crate::work::Moment;

/// Opens a source, as often as it is asked to.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Source>, Box<dyn Error + Send + Sync>> + Send>;

/// A source that may be read.
pub struct Candidate {
    kind: SourceKind,
    open: Opener,
    source: Option<Box<dyn Source>>,
    readings: Vec<Result<Microjoules, ReadError>>,
    /// The place of each counter of `source` among those of all sources.
    places: Vec<usize>,
    /// Why it was not taken when it was last tried.
    pub(super) refusal: Option<String>,
    /// How many tries in a row it has answered.
    pub(super) answers: u32,
}

impl Candidate {
    /// A source of this kind that `open` opens.
    #[must_use]
    pub fn new(kind: SourceKind, open: Opener) -> Self {
        Self { kind, open, source: None, readings: Vec::new(), places: Vec::new(), refusal: None, answers: 0 }
    }

    /// Which source this is.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    pub(super) fn describe(&self) -> Option<String> {
        self.source.as_ref().map(|source| source.describe())
    }

    /// Reads the source as it is, and says whether a counter that may be added has answered.
    pub(super) fn read(&mut self, now: &Moment) -> bool {
        self.readings.clear();
        let Some(source) = &mut self.source else { return false };
        source.read(now, &mut self.readings);
        answers(source.as_ref(), &self.readings)
    }

    /// Reads the source, opened anew if it does not answer as it is. Keeps why not, if it does not.
    pub(super) fn probe(&mut self, now: &Moment) -> bool {
        if self.read(now) || self.reopen(now) {
            self.refusal = None;
            return true;
        }
        self.answers = 0;
        false
    }

    /// Opens the source anew, and keeps it if it answers.
    fn reopen(&mut self, now: &Moment) -> bool {
        let mut source = match (self.open)() {
            Ok(source) => source,
            Err(error) => {
                self.refusal = Some(chain(error.as_ref()));
                return false;
            }
        };
        let mut readings = Vec::new();
        source.read(now, &mut readings);
        if !answers(source.as_ref(), &readings) {
            self.refusal = Some(format!("it does not answer: {}", failure(source.as_ref(), &readings)));
            return false;
        }
        (self.source, self.readings) = (Some(source), readings);
        self.places.clear();
        true
    }

    /// Why the last reading gave nothing.
    pub(super) fn failure(&self) -> String {
        self.source.as_ref().map_or_else(String::new, |source| failure(source.as_ref(), &self.readings))
    }

    /// Finds a place among all `counters` for those of this source: where its own zone was before, or at the end.
    /// `owners` tells which candidate each belongs to, and this one is `own`.
    pub(super) fn enlist(&mut self, own: usize, counters: &mut Vec<CounterSpec>, owners: &mut Vec<usize>) {
        let specs = self.source.as_ref().map_or(&[][..], |source| source.counters());
        for spec in &specs[self.places.len()..] {
            // Another range is another counter: where it wraps would no longer be known.
            let same = |place: &usize| {
                let known: &CounterSpec = &counters[*place];
                owners[*place] == own && known.zone == spec.zone && known.range == spec.range
            };
            let place = (0..counters.len()).filter(same).find(|place| !self.places.contains(place));
            self.places.push(place.unwrap_or_else(|| {
                counters.push(spec.clone());
                owners.push(own);
                counters.len() - 1
            }));
        }
    }

    /// Puts what was read last into its places.
    pub(super) fn hand_over(&mut self, all: &mut [Result<Microjoules, ReadError>]) {
        for (&place, reading) in self.places.iter().zip(self.readings.drain(..)) {
            all[place] = reading;
        }
    }
}

/// The readings of the counters that may be added.
fn additive<'a>(
    source: &dyn Source,
    readings: &'a [Result<Microjoules, ReadError>],
) -> impl Iterator<Item = &'a Result<Microjoules, ReadError>> {
    let specs = source.counters().iter().zip(readings);
    specs.filter(|(spec, _)| spec.zone.is_additive()).map(|(_, reading)| reading)
}

fn answers(source: &dyn Source, readings: &[Result<Microjoules, ReadError>]) -> bool {
    additive(source, readings).any(Result::is_ok)
}

fn failure(source: &dyn Source, readings: &[Result<Microjoules, ReadError>]) -> String {
    let error = additive(source, readings).find_map(|reading| reading.as_ref().err());
    error.map_or_else(|| "it has no counter that may be added".into(), |error| chain(error))
}

/// An error with its causes, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // A string takes whatever is written to it.
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

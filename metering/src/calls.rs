//! The calls that have not been settled yet, and what each has been charged so far.

use std::collections::HashMap;
use std::time::Duration;

use crate::ledger::{Charges, FunctionEnergy};
use crate::post::{CallId, FunctionId};
use crate::source::SourceKind;
use crate::units::{Joules, Microjoules};
use crate::zone::Domain;

/// For how many windows a call that does nothing is kept in mind when there are too many.
const IDLE_WINDOWS_MAX: u64 = 600;

/// What a call was charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// Energy that it caused, all zones together.
    pub active: Microjoules,
    /// Its share of the base energy, all zones together.
    pub base: Microjoules,
    /// Half the width of the 95 % interval of `active`.
    pub uncertainty: Joules,
    /// `active` by domain, packages added.
    pub zones: Vec<(Domain, Microjoules)>,
    /// Where the energy readings came from.
    pub source: SourceKind,
}

/// A call that has ended, with what it was charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled<E> {
    /// The call.
    pub call: CallId,
    /// The function it called.
    pub function: FunctionId,
    /// What it was charged; `None` when the energy of some of its windows is not known.
    pub charge: Option<Charge>,
    /// What was posted with its end.
    pub end: E,
}

#[derive(Debug, Default)]
struct OpenCall {
    charge: FunctionEnergy,
    /// Whether some window of this call had no energy of its own.
    incomplete: bool,
    /// CPU time in the window that is being closed, in nanoseconds.
    cpu: u64,
    /// The last window in which it did something.
    touched: u64,
}

impl OpenCall {
    fn charged(&self, source: SourceKind) -> Charge {
        let FunctionEnergy { active, base } = self.charge;
        Charge { active, base, uncertainty: Joules(0.0), zones: Vec::new(), source }
    }
}

/// Calls between their first slice and their settlement.
#[derive(Debug)]
pub(crate) struct Calls<E> {
    open_max: usize,
    open: HashMap<CallId, OpenCall>,
    window: u64,
    /// CPU time of each function in this window, also of calls for which there was no room.
    functions: HashMap<FunctionId, u64>,
    touched: Vec<(FunctionId, CallId)>,
    /// Ends seen in this window, and in the one before. A slice may be collected in the window after the end of its
    /// call, when both were posted by different threads; hence a call is settled one window later.
    ending: Vec<(CallId, FunctionId, E)>,
    ended: Vec<(CallId, FunctionId, E)>,
}

impl<E> Calls<E> {
    pub(crate) fn new(open_max: usize) -> Self {
        Self {
            open_max,
            open: HashMap::new(),
            window: 0,
            functions: HashMap::new(),
            touched: Vec::new(),
            ending: Vec::new(),
            ended: Vec::new(),
        }
    }

    pub(crate) fn begin_window(&mut self) {
        self.window += 1;
        self.functions.clear();
        self.touched.clear();
        if self.open.len() >= self.open_max {
            // Ends that were dropped on the way leave calls behind; they are forgotten when room is needed.
            let oldest = self.window.saturating_sub(IDLE_WINDOWS_MAX);
            self.open.retain(|_, call| call.touched >= oldest);
        }
    }

    pub(crate) fn slice(&mut self, call: CallId, function: FunctionId, cpu: Duration) {
        // No slice runs for the 584 years that do not fit.
        let cpu = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        *self.functions.entry(function).or_default() += cpu;
        if self.open.len() >= self.open_max && !self.open.contains_key(&call) {
            return;
        }
        let open = self.open.entry(call).or_default();
        if open.touched != self.window {
            open.touched = self.window;
            open.cpu = 0;
            self.touched.push((function, call));
        }
        open.cpu += cpu;
    }

    pub(crate) fn end(&mut self, call: CallId, function: FunctionId, end: E) {
        self.ending.push((call, function, end));
    }

    /// Each function's CPU time in this window, in the order in which [`Calls::charge`] wants the charges.
    pub(crate) fn functions(&mut self) -> Vec<(FunctionId, u64)> {
        self.touched.sort_unstable();
        let mut functions: Vec<_> = self.functions.iter().map(|(&function, &cpu)| (function, cpu)).collect();
        functions.sort_unstable();
        functions
    }

    /// Hands each function's charge on to its calls, by CPU time. Whole microjoules by cumulative rounding: the parts
    /// add up to the function's charge where all of its calls are known.
    pub(crate) fn charge(&mut self, functions: &[(FunctionId, u64)], charges: &Charges) {
        let mut touched = self.touched.iter().peekable();
        for (&(function, total), charge) in functions.iter().zip(&charges.functions) {
            let part = |of: Microjoules, cpu: u64| {
                let part = u128::from(of.0) * u128::from(cpu) / u128::from(total.max(1));
                Microjoules(u64::try_from(part).unwrap_or(u64::MAX))
            };
            let mut before = 0;
            while let Some((_, call)) = touched.next_if(|(of, _)| *of == function) {
                let Some(open) = self.open.get_mut(call) else { continue };
                let after = before + open.cpu;
                open.charge.active += part(charge.active, after) - part(charge.active, before);
                open.charge.base += part(charge.base, after) - part(charge.base, before);
                before = after;
            }
        }
    }

    /// Notes that a zone had no energy for this window: what its calls cost there is not known.
    pub(crate) fn mark_incomplete(&mut self) {
        for (_, call) in &self.touched {
            if let Some(open) = self.open.get_mut(call) {
                open.incomplete = true;
            }
        }
    }

    /// What a call has been charged so far; `None` for one that is not open or not fully known.
    pub(crate) fn running(&self, call: CallId, source: SourceKind) -> Option<Charge> {
        self.open.get(&call).filter(|open| !open.incomplete).map(|open| open.charged(source))
    }

    pub(crate) fn settle(&mut self, source: SourceKind, settled: &mut Vec<Settled<E>>) {
        for (call, function, end) in std::mem::replace(&mut self.ended, std::mem::take(&mut self.ending)) {
            let open = self.open.remove(&call).filter(|open| !open.incomplete);
            settled.push(Settled { call, function, charge: open.map(|open| open.charged(source)), end });
        }
    }
}

//! What the table is sorted by.

use std::cmp::Ordering;

use super::rates::FunctionRates;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Watts,
    JoulesPerCall,
    Calls,
    Total,
    Name,
}

impl Order {
    pub const ALL: [Self; 5] = [Self::Watts, Self::JoulesPerCall, Self::Calls, Self::Total, Self::Name];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Watts => "watts",
            Self::JoulesPerCall => "joules-per-call",
            Self::Calls => "calls",
            Self::Total => "total",
            Self::Name => "name",
        }
    }

    pub fn key(self) -> char {
        match self {
            Self::Watts => 'w',
            Self::JoulesPerCall => 'j',
            Self::Calls => 'c',
            Self::Total => 't',
            Self::Name => 'n',
        }
    }

    /// Whether small values come first by default.
    pub fn ascends(self) -> bool {
        self == Self::Name
    }

    /// Unknown values come last in either direction. Ties, such as all functions that draw nothing, are sorted by calls and by
    /// total energy.
    pub fn sort(self, reversed: bool, functions: &mut [&FunctionRates]) {
        let equals = |a: &FunctionRates, b: &FunctionRates| {
            let called = b.calls_per_second.total_cmp(&a.calls_per_second);
            called.then_with(|| b.joules.0.total_cmp(&a.joules.0)).then_with(|| a.name.cmp(&b.name))
        };
        functions.sort_by(|a, b| self.compare(reversed, a, b).then_with(|| equals(a, b)));
    }

    fn compare(self, reversed: bool, a: &FunctionRates, b: &FunctionRates) -> Ordering {
        let turned = |ordering: Ordering| if self.ascends() == reversed { ordering.reverse() } else { ordering };
        let figure = |function: &FunctionRates| match self {
            Self::Watts => Some(function.watts.0),
            Self::JoulesPerCall => function.per_call.joules().map(|joules| joules.0),
            Self::Calls => Some(function.calls_per_second),
            Self::Total => Some(function.joules.0),
            Self::Name => None,
        };
        match (figure(a), figure(b)) {
            _ if self == Self::Name => turned(a.name.cmp(&b.name)),
            (Some(a), Some(b)) => turned(a.total_cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{rates, used};
    use super::*;

    fn sorted(order: Order, reversed: bool) -> String {
        let before = [("a", used(0, 1, 1)), ("b", used(0, 0, 0)), ("c", used(0, 0, 0)), ("d", used(900, 1, 1))];
        let after = [("a", used(10, 3, 21)), ("b", used(200, 2, 180)), ("c", used(30, 0, 0)), ("d", used(910, 9, 2))];
        let rates = rates(&before, &after);
        let mut functions: Vec<_> = rates.functions.iter().collect();
        order.sort(reversed, &mut functions);
        functions.iter().map(|function| &*function.name).collect()
    }

    #[test]
    fn each_order_puts_the_most_first_and_names_from_a_to_z() {
        let sorted = |order| sorted(order, false);
        assert_eq!(Order::ALL.map(sorted), ["bcda", "badc", "dbac", "dbca", "abcd"]);
    }

    #[test]
    fn reversed_the_least_comes_first_and_the_unknown_still_last() {
        let sorted = |order| sorted(order, true);
        assert_eq!(Order::ALL.map(sorted), ["dacb", "dabc", "cbad", "acbd", "dcba"]);
    }
}

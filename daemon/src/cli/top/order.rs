//! What the table is sorted by.

use std::cmp::Ordering;

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use super::rates::FunctionRates;

/// Its name on the command line begins with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Order {
    Watts,
    JoulesPerCall,
    Calls,
    Total,
    Name,
}

impl Order {
    /// The order that this key selects.
    pub fn of_key(key: char) -> Option<Self> {
        let orders = <Self as VariantArray>::VARIANTS;
        orders.iter().copied().find(|order| <&str>::from(order).starts_with(key))
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

    const ORDERS: [Order; 5] = [Order::Watts, Order::JoulesPerCall, Order::Calls, Order::Total, Order::Name];

    fn sorted(order: Order, reversed: bool) -> String {
        let before = [("a", used(0, 1, 1)), ("b", used(0, 0, 0)), ("c", used(0, 0, 0)), ("d", used(900, 1, 1))];
        let after = [("a", used(10, 3, 21)), ("b", used(200, 2, 180)), ("c", used(30, 0, 0)), ("d", used(910, 9, 2))];
        let rates = rates(&before, &after);
        let mut functions: Vec<_> = rates.functions.iter().collect();
        order.sort(reversed, &mut functions);
        functions.iter().map(|function| &*function.name).collect()
    }

    #[test]
    fn figures_sort_from_high_to_low_and_names_from_a_to_z() {
        assert_eq!(ORDERS.map(|order| sorted(order, false)), ["bcda", "badc", "dbac", "dbca", "abcd"]);
    }

    #[test]
    fn reversed_figures_sort_from_low_to_high_with_unknown_ones_last() {
        assert_eq!(ORDERS.map(|order| sorted(order, true)), ["dacb", "dabc", "cbad", "acbd", "dcba"]);
    }
}

//! The table's columns, and which of them there is room for.

use strum::VariantArray;

use super::order::Order;
use super::rates::{FunctionRates, PerCall};
use super::units;

/// Characters between two columns.
pub const SPACE: usize = 2;

/// Names are cut to no less than this.
const NAME_WIDTH_MIN: usize = 8;

const BAR_WIDTH_MIN: usize = 6;

/// Marks a mean over all calls since the daemon started.
pub const SINCE_START: char = '~';

/// From left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Column {
    Name,
    Watts,
    Bar,
    Share,
    PerCall,
    Rate,
    Joules,
    Calls,
}

impl Column {
    /// Columns that may be left out, most important first.
    const WANTED: [Self; 7] =
        [Self::Watts, Self::PerCall, Self::Rate, Self::Bar, Self::Joules, Self::Share, Self::Calls];

    /// Its heading, and a width that fits any figure and the heading with an arrow.
    fn look(self) -> (&'static str, usize) {
        match self {
            Self::Name => ("FUNCTION", NAME_WIDTH_MIN),
            Self::Watts => ("WATTS", 7),
            Self::Bar => ("", BAR_WIDTH_MIN),
            Self::Share => ("SHARE", 6),
            Self::PerCall => ("J/CALL", 8),
            Self::Rate => ("CALLS/S", 8),
            Self::Joules => ("JOULES", 7),
            Self::Calls => ("CALLS", 9),
        }
    }

    pub fn heading(self) -> &'static str {
        self.look().0
    }

    /// Its text; the bar is drawn elsewhere.
    pub fn cell(self, function: &FunctionRates) -> String {
        match self {
            Self::Name => function.name.to_string(),
            Self::Watts => units::watts(function.watts),
            Self::Bar => String::new(),
            Self::Share => units::percent(function.share),
            Self::PerCall => match function.per_call {
                PerCall::Recent(joules) => units::joules(joules),
                PerCall::SinceStart(joules) => format!("{SINCE_START}{}", units::joules(joules)),
                PerCall::Unknown => units::UNKNOWN.into(),
            },
            Self::Rate => units::rate(function.calls_per_second),
            Self::Joules => units::joules(function.joules),
            Self::Calls => units::count(function.calls),
        }
    }

    pub fn of(order: Order) -> Self {
        match order {
            Order::Watts => Self::Watts,
            Order::JoulesPerCall => Self::PerCall,
            Order::Calls => Self::Rate,
            Order::Total => Self::Joules,
            Order::Name => Self::Name,
        }
    }
}

/// The columns that fit into `width`, and their widths. The sorted column is the last to be left out.
pub fn fit(width: usize, longest_name: usize, order: Order) -> Vec<(Column, usize)> {
    let wide = (width / 3).max(NAME_WIDTH_MIN);
    let mut name = longest_name.clamp(NAME_WIDTH_MIN, wide).min(width);
    let mut left = width - name;
    let sorted = Column::of(order);
    let mut wanted = vec![sorted];
    wanted.extend(Column::WANTED.into_iter().filter(|column| *column != sorted));
    wanted.retain(|column| {
        let needed = SPACE + column.look().1;
        let fits = *column != Column::Name && needed <= left;
        left -= if fits { needed } else { 0 };
        fits
    });
    let grown = left.min(longest_name.saturating_sub(name));
    name += grown;
    left -= grown;
    let shown = Column::VARIANTS.iter().copied().filter(|column| *column == Column::Name || wanted.contains(column));
    let width = |column| match column {
        Column::Name => name,
        Column::Bar => BAR_WIDTH_MIN + left,
        other => other.look().1,
    };
    shown.map(|column| (column, width(column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = 34;

    fn shown(width: usize, order: Order) -> Vec<Column> {
        fit(width, LONGEST, order).into_iter().map(|(column, _)| column).collect()
    }

    #[test]
    fn columns_are_dropped_one_by_one_the_sorted_one_last() {
        use Column::{Bar, Calls, Joules, Name, PerCall, Rate, Share, Watts};
        assert_eq!(shown(120, Order::Watts), [Name, Watts, Bar, Share, PerCall, Rate, Joules, Calls]);
        assert_eq!(shown(80, Order::Watts), [Name, Watts, Bar, Share, PerCall, Rate, Joules]);
        assert_eq!(shown(60, Order::Watts), [Name, Watts, Bar, PerCall, Rate]);
        assert_eq!(shown(60, Order::Total), [Name, Watts, PerCall, Rate, Joules]);
        assert_eq!(shown(30, Order::Calls), [Name, Watts, Rate]);
        assert_eq!(shown(20, Order::Calls), [Name, Rate]);
        assert_eq!(shown(5, Order::Watts), [Name]);
    }

    #[test]
    fn columns_never_exceed_the_width_and_a_bar_fills_it() {
        for order in <Order as VariantArray>::VARIANTS {
            for longest in [0, 3, 12, 34, 200] {
                for width in 0..200 {
                    let columns = fit(width, longest, *order);
                    let taken = columns.iter().map(|(_, width)| width).sum::<usize>() + SPACE * (columns.len() - 1);
                    assert!(taken <= width, "{taken} of {width}");
                    let bar = columns.iter().any(|(column, _)| *column == Column::Bar);
                    assert!(!bar || taken == width, "{taken} of {width}");
                }
            }
        }
    }
}

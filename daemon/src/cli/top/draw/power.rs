//! What the machine draws, and on whose account: a bar that adds up, and what its parts are.

use nebula_metering::Watts;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::cli::top::look::{Account, Look, STRONG};
use crate::cli::top::rates::Power;
use crate::cli::top::state::State;
use crate::cli::top::units;

/// For the total, before the bar.
const TOTAL_WIDTH: u16 = 9;

/// The accounts of which there is something; gaps are rare.
pub fn accounts(power: &Power) -> impl Iterator<Item = (Account, Watts)> {
    let accounts = [
        (Account::Functions, power.functions),
        (Account::Runtime, power.runtime),
        (Account::Host, power.host),
        (Account::Base, power.base),
        (Account::Gap, power.gap),
    ];
    accounts.into_iter().filter(|(account, watts)| *account != Account::Gap || watts.0 > 0.0)
}

/// Draws the bar, and below it the legend if there is a line for it.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, look: Look) {
    let mut rows = area.rows();
    let (Some(first), second) = (rows.next(), rows.next()) else { return };
    let Some(rates) = &state.shown().rates else {
        frame.render_widget(Line::styled("waiting for the second reading", look.faint()), first);
        return;
    };
    let total = look.text(units::watts(rates.power.total())).into_owned();
    frame.render_widget(Line::styled(total, STRONG), first);
    let beside =
        |row: Rect| Rect { x: row.x + TOTAL_WIDTH.min(row.width), width: row.width.saturating_sub(TOTAL_WIDTH), ..row };
    frame.render_widget(bar(&rates.power, beside(first).width, look), beside(first));
    if let Some(second) = second {
        let [full, short, shares, bare] = legend(&rates.power, look);
        let below = beside(second);
        let tried = [(&full, below), (&short, below), (&short, second), (&shares, second)];
        let fits = |(line, row): &(&Line, Rect)| line.width() <= row.width.into();
        let (line, row) = tried.into_iter().find(fits).unwrap_or((&bare, second));
        frame.render_widget(line, row);
    }
}

/// Its parts fill it exactly: what is lost by rounding down goes to those that lost most.
fn bar(power: &Power, width: u16, look: Look) -> Line<'static> {
    let total = power.total().0;
    if total <= 0.0 {
        return Line::default();
    }
    let exact = |(account, watts): (Account, Watts)| (account, watts.0 / total * f64::from(width));
    let mut parts: Vec<_> =
        accounts(power).map(exact).map(|(account, cells)| (account, cells as u16, cells.fract())).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| parts[*b].2.total_cmp(&parts[*a].2));
    let missing = width.saturating_sub(parts.iter().map(|(_, cells, _)| cells).sum());
    for index in order.into_iter().take(missing.into()) {
        parts[index].1 += 1;
    }
    let span = |(account, cells, _): (Account, u16, f64)| {
        Span::styled(look.fill(account).repeat(cells.into()), look.account(account))
    };
    parts.into_iter().map(span).collect()
}

/// What the parts are: in full, and ever shorter.
fn legend(power: &Power, look: Look) -> [Line<'static>; 4] {
    let total = power.total().0;
    let entries = |told: fn(&str, &str, &str) -> String, between: &str| {
        let mut spans = Vec::new();
        for (account, watts) in accounts(power) {
            if !spans.is_empty() {
                spans.push(Span::raw(between.to_owned()));
            }
            let share = units::percent(if total > 0.0 { watts.0 / total } else { 0.0 });
            let watts = look.text(units::watts(watts)).into_owned();
            spans.push(Span::styled(look.swatch(account), look.account(account)));
            spans.push(Span::raw(told(account.name(), &watts, &share)));
        }
        Line::from(spans)
    };
    [
        entries(|name, watts, share| format!(" {name} {watts}, {share}"), "   "),
        entries(|name, watts, _| format!(" {name} {watts}"), "  "),
        entries(|name, _, share| format!(" {name} {share}"), "  "),
        entries(|_, watts, _| format!(" {watts}"), "  "),
    ]
}

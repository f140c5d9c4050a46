//! The power of the machine by account: a bar and its legend.

use nebula_metering::Watts;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::cli::top::account::{Account, PerAccount, shown, total};
use crate::cli::top::theme::{STRONG, Theme};
use crate::cli::top::units;
use crate::cli::top::view::View;

/// Least width of the total, which stands before the bar.
const TOTAL_WIDTH: u16 = 9;

/// Draws the bar, and the legend if there is a second line.
pub fn draw(frame: &mut Frame, area: Rect, view: &View, theme: Theme) {
    let mut rows = area.rows();
    let (Some(first), second) = (rows.next(), rows.next()) else { return };
    let Some(rates) = &view.shown().rates else {
        frame.render_widget(Line::styled("waiting for the second reading", theme.faint()), first);
        return;
    };
    let drawn = Line::styled(theme.text(rates.total()).into_owned(), STRONG);
    let width = TOTAL_WIDTH.max(u16::try_from(drawn.width() + 1).unwrap_or(u16::MAX));
    frame.render_widget(drawn, first);
    let beside = |row: Rect| Rect { x: row.x + width.min(row.width), width: row.width.saturating_sub(width), ..row };
    frame.render_widget(bar(&rates.power, beside(first).width, theme), beside(first));
    if let Some(second) = second {
        let [full, short, shares, bare] = legend(&rates.power, theme);
        let below = beside(second);
        let tried = [(&full, below), (&short, below), (&short, second), (&shares, second)];
        let fits = |(line, row): &(&Line, Rect)| line.width() <= row.width.into();
        let (line, row) = tried.into_iter().find(fits).unwrap_or((&bare, second));
        frame.render_widget(line, row);
    }
}

/// The parts fill the bar exactly: cells lost by rounding go to the parts that lost most.
fn bar(power: &PerAccount<Watts>, width: u16, theme: Theme) -> Line<'static> {
    let all = total(power).0;
    if all <= 0.0 {
        return Line::default();
    }
    let exact = |(account, watts): (Account, Watts)| (account, watts.0 / all * f64::from(width));
    let mut parts: Vec<_> =
        shown(power).map(exact).map(|(account, cells)| (account, cells as u16, cells.fract())).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| parts[*b].2.total_cmp(&parts[*a].2));
    let missing = width.saturating_sub(parts.iter().map(|(_, cells, _)| cells).sum());
    for index in order.into_iter().take(missing.into()) {
        parts[index].1 += 1;
    }
    let span = |(account, cells, _): (Account, u16, f64)| {
        Span::styled(theme.fill(account).repeat(cells.into()), theme.account(account))
    };
    parts.into_iter().map(span).collect()
}

/// The legend, in ever shorter forms.
fn legend(power: &PerAccount<Watts>, theme: Theme) -> [Line<'static>; 4] {
    let all = total(power).0;
    let entries = |format: fn(&str, &str, &str) -> String, between: &str| {
        let mut spans = Vec::new();
        for (account, watts) in shown(power) {
            if !spans.is_empty() {
                spans.push(Span::raw(between.to_owned()));
            }
            let share = units::percent(if all > 0.0 { watts.0 / all } else { 0.0 });
            let watts = theme.text(units::watts(watts)).into_owned();
            spans.push(Span::styled(theme.swatch(account), theme.account(account)));
            spans.push(Span::raw(format(account.name(), &watts, &share)));
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

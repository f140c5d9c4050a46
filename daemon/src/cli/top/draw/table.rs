//! The functions, a row each.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::cli::top::account::Account;
use crate::cli::top::columns::{Column, SPACE, fit};
use crate::cli::top::rates::{FunctionRates, PerCall};
use crate::cli::top::theme::{SELECTED, STRONG, Theme};
use crate::cli::top::view::View;

pub fn draw(frame: &mut Frame, area: Rect, view: &View, theme: Theme) {
    let rows = view.rows();
    let longest = rows.iter().map(|function| function.name.chars().count()).max().unwrap_or_default();
    let columns = fit(area.width.into(), longest.max(Column::Name.heading().len()), view.order);
    let mut lines = area.rows();
    let Some(first) = lines.next() else { return };
    frame.render_widget(headings(&columns, view, theme), first);
    if rows.is_empty() {
        if let Some(line) = lines.next() {
            let why = if view.filter.is_empty() { "no function has used anything yet" } else { "no function matches" };
            frame.render_widget(Line::styled(why, theme.faint()), line);
        }
        return;
    }
    let most = rows.iter().map(|function| function.watts.0).fold(0.0, f64::max);
    for (function, line) in rows.into_iter().skip(view.first).zip(lines) {
        frame.render_widget(row(function, &columns, most, theme), line);
        if view.selected.as_ref() == Some(&function.name) {
            frame.buffer_mut().set_style(line, SELECTED);
        }
    }
}

fn headings(columns: &[(Column, usize)], view: &View, theme: Theme) -> Line<'static> {
    let heading = |(column, width): &(Column, usize)| {
        let sorted = *column == Column::of(view.order);
        let arrow = if sorted { theme.arrow(view.order.ascends() != view.reversed) } else { "" };
        let text = format!("{}{arrow}", column.heading());
        Span::styled(aligned(*column, text, *width, theme), if sorted { STRONG } else { theme.faint() })
    };
    between(columns.iter().map(heading))
}

fn row(function: &FunctionRates, columns: &[(Column, usize)], most: f64, theme: Theme) -> Line<'static> {
    let idle = function.watts.0 == 0.0 && function.calls_per_second == 0.0;
    let cell = |(column, width): &(Column, usize)| {
        let (column, width) = (*column, *width);
        if column == Column::Bar {
            let filled = if most > 0.0 { function.watts.0 / most } else { 0.0 };
            return Span::styled(format!("{:<width$}", theme.bar(width, filled)), theme.account(Account::Functions));
        }
        let old = column == Column::PerCall && matches!(function.per_call, PerCall::SinceStart(_));
        let style = match column {
            _ if idle || old => theme.faint(),
            Column::Name | Column::Watts => STRONG,
            _ => ratatui::style::Style::new(),
        };
        Span::styled(aligned(column, column.cell(function), width, theme), style)
    };
    between(columns.iter().map(cell))
}

/// Names are left-aligned, figures right-aligned; what is too long is cut and ends in `…`.
fn aligned(column: Column, text: String, width: usize, theme: Theme) -> String {
    let text = theme.text(text);
    match column {
        Column::Name if text.chars().count() > width => {
            let kept: String = text.chars().take(width.saturating_sub(1)).collect();
            format!("{kept}{}", if width == 0 { "".into() } else { theme.text("…") })
        }
        Column::Name => format!("{text:<width$}"),
        _ => format!("{text:>width$}"),
    }
}

fn between(spans: impl Iterator<Item = Span<'static>>) -> Line<'static> {
    let mut line = Vec::new();
    for span in spans {
        if !line.is_empty() {
            line.push(Span::raw(" ".repeat(SPACE)));
        }
        line.push(span);
    }
    line.into()
}

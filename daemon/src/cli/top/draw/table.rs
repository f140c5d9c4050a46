//! The functions, a row each.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::cli::top::columns::{Column, SPACE, fit};
use crate::cli::top::look::{Account, CHOSEN, Look, STRONG};
use crate::cli::top::rates::{Function, PerCall};
use crate::cli::top::state::State;

/// Draws the headings and as many rows as there is room for.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, look: Look) {
    let rows = state.rows();
    let longest = rows.iter().map(|function| function.name.chars().count()).max().unwrap_or_default();
    let columns = fit(area.width.into(), longest.max(Column::Name.heading().len()), state.order);
    let mut lines = area.rows();
    let Some(first) = lines.next() else { return };
    frame.render_widget(headings(&columns, state, look), first);
    if rows.is_empty() {
        if let Some(line) = lines.next() {
            let why =
                if state.filter.is_empty() { "no function has used anything yet" } else { "no function is called so" };
            frame.render_widget(Line::styled(why, look.faint()), line);
        }
        return;
    }
    let most = rows.iter().map(|function| function.watts.0).fold(0.0, f64::max);
    for (function, line) in rows.into_iter().skip(state.first).zip(lines) {
        frame.render_widget(row(function, &columns, most, look), line);
        if state.selected.as_ref() == Some(&function.name) {
            frame.buffer_mut().set_style(line, CHOSEN);
        }
    }
}

fn headings(columns: &[(Column, usize)], state: &State, look: Look) -> Line<'static> {
    let heading = |(column, width): &(Column, usize)| {
        let sorted = *column == Column::of(state.order);
        let arrow = if sorted { look.arrow(state.order.ascends() != state.reversed) } else { "" };
        let text = format!("{}{arrow}", column.heading());
        Span::styled(aligned(*column, text, *width, look), if sorted { STRONG } else { look.faint() })
    };
    between(columns.iter().map(heading))
}

fn row(function: &Function, columns: &[(Column, usize)], most: f64, look: Look) -> Line<'static> {
    let idle = function.watts.0 == 0.0 && function.calls_per_second == 0.0;
    let cell = |(column, width): &(Column, usize)| {
        let (column, width) = (*column, *width);
        if column == Column::Bar {
            let filled = if most > 0.0 { function.watts.0 / most } else { 0.0 };
            return Span::styled(format!("{:<width$}", look.bar(width, filled)), look.account(Account::Functions));
        }
        let old = column == Column::PerCall && matches!(function.per_call, PerCall::SinceStart(_));
        let style = match column {
            _ if idle || old => look.faint(),
            Column::Name | Column::Watts => STRONG,
            _ => ratatui::style::Style::new(),
        };
        Span::styled(aligned(column, column.cell(function), width, look), style)
    };
    between(columns.iter().map(cell))
}

/// Names begin where their column does, figures end where it does; what is too long is cut, and says so.
fn aligned(column: Column, text: String, width: usize, look: Look) -> String {
    let text = look.text(text);
    match column {
        Column::Name if text.chars().count() > width => {
            let kept: String = text.chars().take(width.saturating_sub(1)).collect();
            format!("{kept}{}", if width == 0 { "".into() } else { look.text("…") })
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

//! Draws the screen. What has no room is left out, the least important first.

mod chart;
mod detail;
mod foot;
mod head;
mod help;
mod power;
mod table;

use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::theme::Theme;
use super::view::{Mode, View};

/// The table gets this many rows before anything optional is drawn.
const TABLE_ROWS_WANTED: u16 = 6;

/// Where title, source, power, chart, table, detail and foot are drawn. A part without room has no height.
fn layout(area: Rect, source_lines: u16, detailed: bool) -> [Rect; 7] {
    let height = area.height;
    let from = |least: u16, lines: u16| if height >= least { lines } else { 0 };
    let title = from(2, 1);
    let foot = from(5, 1);
    let detail = if detailed { from(8, 2) } else { 0 };
    // Tall screens have blank lines between the parts.
    let air = from(28, 1);
    let power = from(8, 1) + from(10, 1) + air;
    let chart = match height {
        0..16 => 0,
        16..20 => 2,
        20..24 => 3,
        24..30 => 4 + air,
        30..40 => 6 + air,
        _ => 8 + air,
    };
    let fixed = title + foot + detail + power + chart;
    let spare = height.saturating_sub(fixed + 1 + TABLE_ROWS_WANTED);
    let source = if height >= 12 { source_lines.min(spare.max(1)) + air } else { 0 };
    let above = [title, source, power, chart].map(Constraint::Length);
    let below = [detail, foot].map(Constraint::Length);
    let table = Constraint::Min(0);
    let mut parts = Layout::vertical(above.into_iter().chain([table]).chain(below)).areas(area);
    for part in &mut parts[1..4] {
        part.height = part.height.saturating_sub(air);
    }
    parts
}

pub fn draw(frame: &mut Frame, view: &mut View, theme: Theme, now: Instant) {
    let area = frame.area();
    if view.mode == Mode::Help {
        help::draw(frame, area, theme);
        return;
    }
    let description = head::description(view, theme);
    let lines = head::lines(&description, area.width);
    let [title, source, power, chart, table, detail, foot] = layout(area, lines, view.detailed().is_some());
    view.fit(table.height.saturating_sub(1).into());
    head::draw(frame, title, view, theme, power.is_empty());
    head::describe(frame, source, description, theme);
    power::draw(frame, power, view, theme);
    chart::draw(frame, chart, view, theme);
    table::draw(frame, table, view, theme);
    detail::draw(frame, detail, view, theme);
    foot::draw(frame, foot, view, theme, now);
    if foot.is_empty() && view.silence(now).is_some() {
        foot::draw(frame, area.rows().next_back().unwrap_or_default(), view, theme, now);
    }
}

#[cfg(test)]
mod tests;

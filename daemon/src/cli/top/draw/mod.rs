//! Draws the screen. What has no room is left out, the least important first.

mod chart;
mod detail;
mod foot;
mod head;
mod help;
mod power;
mod table;

use std::time::Instant;

pub use power::accounts;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::theme::Theme;
use super::view::{Mode, View};

/// The table gets this many rows before anything optional is drawn.
const TABLE_ROWS_WANTED: u16 = 6;

/// From top to bottom. A part without room has no height.
#[derive(Clone, Copy, Debug)]
struct Parts {
    title: Rect,
    source: Rect,
    power: Rect,
    chart: Rect,
    table: Rect,
    detail: Rect,
    foot: Rect,
}

impl Parts {
    fn of(area: Rect, source_lines: u16, detailed: bool) -> Self {
        let height = area.height;
        let from = |least: u16, lines: u16| if height >= least { lines } else { 0 };
        let title = from(2, 1);
        let foot = from(5, 1);
        let detail = if detailed { from(8, 2) } else { 0 };
        // Tall screens have blank lines between the parts.
        let air = from(28, 1);
        let power = from(8, 1) + from(10, 1) + if height >= 8 { air } else { 0 };
        let chart = match height {
            0..16 => 0,
            16..20 => 2,
            20..24 => 3,
            24..30 => 4,
            30..40 => 6,
            _ => 8,
        };
        let chart = if chart > 0 { chart + air } else { 0 };
        let fixed = title + foot + detail + power + chart;
        let spare = height.saturating_sub(fixed + 1 + TABLE_ROWS_WANTED);
        let source = if height >= 12 { source_lines.min(spare.max(1)) + air } else { 0 };
        let heights = [title, source, power, chart].map(Constraint::Length);
        let [title, source, power, chart, table, detail, foot] = Layout::vertical([
            heights[0],
            heights[1],
            heights[2],
            heights[3],
            Constraint::Min(0),
            Constraint::Length(detail),
            Constraint::Length(foot),
        ])
        .areas(area);
        let airy = |part: Rect| Rect { height: part.height.saturating_sub(air), ..part };
        Self { title, source: airy(source), power: airy(power), chart: airy(chart), table, detail, foot }
    }
}

pub fn draw(frame: &mut Frame, view: &mut View, theme: Theme, now: Instant) {
    let area = frame.area();
    if view.mode == Mode::Help {
        help::draw(frame, area, theme);
        return;
    }
    let description = head::description(view, theme);
    let parts = Parts::of(area, head::lines(&description, area.width), view.detailed().is_some());
    view.fit(parts.table.height.saturating_sub(1).into());
    head::draw(frame, parts.title, view, theme, parts.power.is_empty());
    head::describe(frame, parts.source, description, theme);
    power::draw(frame, parts.power, view, theme);
    chart::draw(frame, parts.chart, view, theme);
    table::draw(frame, parts.table, view, theme);
    detail::draw(frame, parts.detail, view, theme);
    foot::draw(frame, parts.foot, view, theme, now);
    if parts.foot.is_empty() && view.silence(now).is_some() {
        foot::draw(frame, area.rows().next_back().unwrap_or_default(), view, theme, now);
    }
}

#[cfg(test)]
mod tests;

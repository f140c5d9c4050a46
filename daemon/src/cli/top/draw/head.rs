//! The first lines: the daemon, its energy source, and the totals.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::cli::top::account::total;
use crate::cli::top::theme::{STRONG, Theme};
use crate::cli::top::units;
use crate::cli::top::view::View;

const NAME: &str = "nebula top";

const DESCRIPTION_LINES_MAX: u16 = 3;

/// Width from which the total power has its error beside it.
const WITH_ERROR_MIN: u16 = 32;

/// Draws the title; with the total power if there is no line for it below.
pub fn draw(frame: &mut Frame, area: Rect, view: &View, theme: Theme, watts: bool) {
    let shown = view.shown();
    let address = view.daemon.split_once("://").map_or(&*view.daemon, |(_, address)| address);
    let nature = shown.source.nature();
    let style = if shown.source.measured { theme.faint() } else { theme.caution() };
    let mut spans = vec![Span::styled(NAME, STRONG), Span::raw(format!("  {address}  "))];
    spans.push(Span::styled(format!("{}: {nature}", shown.source.kind), style));
    let mut figures = Vec::new();
    if let Some(rates) = &shown.rates {
        if watts {
            figures.push(if area.width < WITH_ERROR_MIN { units::watts(total(&rates.power)) } else { rates.total() });
        }
        figures.push(format!("{} calls/s", units::rate(rates.calls_per_second)));
    }
    if view.is_paused() {
        figures.push("PAUSED".into());
    }
    let (left, right) = (Line::from(spans), Line::styled(theme.text(figures.join("  ")).into_owned(), STRONG));
    let width = right.width().min(area.width.into()) as u16;
    let [title, beside] = [area.width - width, width].map(|width| Rect { width, ..area });
    if usize::from(title.width) > NAME.len() {
        frame.render_widget(left, Rect { width: title.width - 1, ..title });
    }
    frame.render_widget(right, Rect { x: area.right() - width, ..beside });
}

pub fn description(view: &View, theme: Theme) -> String {
    theme.text(view.shown().source.description.as_deref().unwrap_or_default()).into_owned()
}

/// How many lines the description takes.
pub fn lines(description: &str, width: u16) -> u16 {
    let chars = description.chars().count();
    let mut left = usize::from(width.max(1));
    let mut lines = u16::from(chars > 0);
    for word in description.split(' ') {
        let word = word.chars().count();
        if word > left {
            (lines, left) = (lines + 1, width.into());
        }
        left = left.saturating_sub(word + 1);
    }
    lines.min(DESCRIPTION_LINES_MAX)
}

pub fn describe(frame: &mut Frame, area: Rect, description: String, theme: Theme) {
    frame.render_widget(Paragraph::new(description).style(theme.faint()).wrap(Wrap { trim: true }), area);
}

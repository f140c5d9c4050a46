//! The first lines: which daemon this is, what its joules are, how much is going on.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::cli::top::look::{Look, STRONG};
use crate::cli::top::state::State;
use crate::cli::top::units;

const NAME: &str = "nebula top";

/// Most lines that the description of a source takes.
const DESCRIPTION_LINES_MAX: u16 = 3;

/// The title; with `watts`, which otherwise stand below it.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, look: Look, watts: bool) {
    let shown = state.shown();
    let address = state.daemon.split_once("://").map_or(&*state.daemon, |(_, address)| address);
    let nature = shown.source.nature();
    let style = if shown.source.measured { look.faint() } else { look.caution() };
    let mut spans = vec![Span::styled(NAME, STRONG), Span::raw(format!("  {address}  "))];
    spans.push(Span::styled(format!("{}: {nature}", shown.source.kind), style));
    let mut figures = Vec::new();
    if let Some(rates) = &shown.rates {
        if watts {
            figures.push(units::watts(rates.power.total()));
        }
        figures.push(format!("{} calls/s", units::rate(rates.calls_per_second)));
    }
    if state.is_paused() {
        figures.push("PAUSED".into());
    }
    let (left, right) = (Line::from(spans), Line::styled(look.text(figures.join("  ")).into_owned(), STRONG));
    let width = right.width().min(area.width.into()) as u16;
    let [title, beside] = [area.width - width, width].map(|width| Rect { width, ..area });
    if usize::from(title.width) > NAME.len() {
        frame.render_widget(left, Rect { width: title.width - 1, ..title });
    }
    frame.render_widget(right, Rect { x: area.right() - width, ..beside });
}

/// What the source says of itself.
pub fn description(state: &State, look: Look) -> String {
    look.text(state.shown().source.description.as_deref().unwrap_or_default()).into_owned()
}

/// How many lines that takes.
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

/// Draws it.
pub fn describe(frame: &mut Frame, area: Rect, description: String, look: Look) {
    frame.render_widget(Paragraph::new(description).style(look.faint()).wrap(Wrap { trim: true }), area);
}

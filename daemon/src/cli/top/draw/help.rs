//! The help: what keys do and what figures mean.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::cli::top::theme::{STRONG, Theme};

const KEYS: [(&str, &str); 10] = [
    ("w j c t n", "sort by watts, J per call, calls/s, total joules, name"),
    ("r", "reverse the order"),
    ("up down pgup pgdn home end", "select a function"),
    ("enter", "show its details and its chart"),
    ("/", "show only functions whose name contains this text; esc clears it"),
    ("p space", "freeze the figures; polling continues"),
    ("ctrl-z", "suspend; `fg` continues"),
    ("? h", "this help"),
    ("esc", "close what was opened last, or quit"),
    ("q ctrl-c", "quit"),
];

const MEANINGS: [(&str, &str); 8] = [
    ("WATTS", "active power of the function's calls, averaged over the last 5 s"),
    ("SHARE", "of the power of all functions"),
    (
        "J/CALL",
        "mean active energy of the calls that settled in the last 5 s; with ~ since the daemon started, if none settled",
    ),
    ("CALLS/S", "settled calls per second, over the last 5 s"),
    ("JOULES, CALLS", "active energy and settled calls since the daemon started"),
    ("runtime, host", "the daemon itself; everything else that ran on the machine"),
    ("base", "what the machine draws when idle, and what waking it takes"),
    ("gap", "energy from times when the source was lost"),
];

pub fn draw(frame: &mut Frame, area: Rect, theme: Theme) {
    let mut lines = vec![Line::styled("nebula top: keys", STRONG)];
    lines.extend(KEYS.map(|entry| line(entry, theme)));
    lines.extend([Line::default(), Line::styled("figures", STRONG)]);
    lines.extend(MEANINGS.map(|entry| line(entry, theme)));
    lines.extend([Line::default(), Line::styled("press any key to go back", theme.faint())]);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn line((name, meaning): (&'static str, &'static str), theme: Theme) -> Line<'static> {
    Line::from(vec![Span::styled(format!("  {name}  "), theme.caution()), Span::raw(meaning)])
}

//! What keys do and what figures mean, in the place of everything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::cli::top::look::{Look, STRONG};

const KEYS: [(&str, &str); 10] = [
    ("w j c t n", "sort by watts, J per call, calls/s, total joules, name"),
    ("r", "the other way round"),
    ("up down pgup pgdn home end", "select a function"),
    ("enter", "more of it, and its chart"),
    ("/", "only functions whose name has this in it; esc clears it"),
    ("p space", "pause: the figures stay, the daemon is asked on"),
    ("ctrl-z", "to the shell, and back with `fg`"),
    ("? h", "this"),
    ("esc", "leave what was opened last, or the program"),
    ("q ctrl-c", "quit"),
];

const MEANINGS: [(&str, &str); 8] = [
    ("WATTS", "active power: what the function's calls cause, a mean over the last 5 s"),
    ("SHARE", "of what all functions draw"),
    (
        "J/CALL",
        "active joules of a settled call, over the last 5 s; ~ of all since the daemon started, if none was settled",
    ),
    ("CALLS/S", "calls that were settled, over the last 5 s"),
    ("JOULES, CALLS", "active energy and settled calls since the daemon started"),
    ("runtime, host", "the daemon itself; everything else that ran on the machine"),
    ("base", "what the machine draws when nothing runs, and what it takes to wake it"),
    ("gap", "energy that was found again after the source was lost"),
];

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, look: Look) {
    let mut lines = vec![Line::styled("nebula top: keys", STRONG)];
    lines.extend(KEYS.map(|entry| told(entry, look)));
    lines.extend([Line::default(), Line::styled("figures", STRONG)]);
    lines.extend(MEANINGS.map(|entry| told(entry, look)));
    lines.extend([Line::default(), Line::styled("any key goes back", look.faint())]);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn told((name, meaning): (&'static str, &'static str), look: Look) -> Line<'static> {
    Line::from(vec![Span::styled(format!("  {name}  "), look.caution()), Span::raw(meaning)])
}

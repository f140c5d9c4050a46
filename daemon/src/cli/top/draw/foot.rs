//! The last line: what is wrong, what is being typed, or which keys there are.

use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::cli::top::look::{Look, STRONG};
use crate::cli::top::state::{Mode, Silence, State};

/// The keys, the most needed first.
const KEYS: [(&str, &str); 8] = [
    ("q", "quit"),
    ("w j c t n", "sort"),
    ("?", "help"),
    ("/", "filter"),
    ("r", "reverse"),
    ("p", "pause"),
    ("enter", "detail"),
    ("↑ ↓", "select"),
];

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, look: Look, now: Instant) {
    if area.is_empty() {
        return;
    }
    if let Some(silence) = state.silence(now) {
        let line = Line::styled(look.text(told(&silence)).into_owned(), look.alarm());
        frame.render_widget(line, area);
        return;
    }
    if state.mode == Mode::Filter {
        let line = Line::raw(format!("filter: {}", state.filter));
        let end = (line.width() as u16).min(area.width - 1);
        frame.render_widget(line, area);
        frame.set_cursor_position(Position::new(area.x + end, area.y));
        return;
    }
    let right = place(state);
    let room = usize::from(area.width).saturating_sub(right.len() + 2);
    frame.render_widget(keys(state, room, look), area);
    let width = (right.len() as u16).min(area.width);
    frame.render_widget(Line::styled(right, look.faint()), Rect { x: area.right() - width, width, ..area });
}

/// Which rows are shown, if not all are.
fn place(state: &State) -> String {
    let count = state.rows().len();
    let last = (state.first + state.room).min(count);
    if count <= state.room { String::new() } else { format!("{}-{last} of {count}", (state.first + 1).min(last)) }
}

fn keys(state: &State, room: usize, look: Look) -> Line<'static> {
    let mut spans = Vec::new();
    let mut left = room;
    if !state.filter.is_empty() {
        let text = format!("filter `{}`, esc clears it  ", state.filter);
        left = left.saturating_sub(text.len());
        spans.push(Span::styled(text, look.caution()));
    }
    for (key, what) in KEYS {
        let key = if look.unicode { key } else { key.trim_start_matches("↑ ↓") };
        let width = key.chars().count() + what.len() + 3;
        if key.is_empty() || width > left + 2 {
            continue;
        }
        left = left.saturating_sub(width);
        spans.extend([Span::styled(key, STRONG), Span::styled(format!(" {what}  "), look.faint())]);
    }
    spans.into()
}

fn told(silence: &Silence) -> String {
    let time = humantime::format_duration(Duration::from_secs(silence.time.as_secs()));
    match &silence.why {
        Some(why) => format!("no answer for {time}, trying again: {why}"),
        None => format!("no answer for {time}, still waiting"),
    }
}

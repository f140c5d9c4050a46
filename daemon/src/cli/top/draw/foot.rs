//! The last line: an error, the filter being typed, or the keys.

use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::cli::top::theme::{STRONG, Theme};
use crate::cli::top::view::{Mode, View};

/// Most important first.
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

pub fn draw(frame: &mut Frame, area: Rect, view: &View, theme: Theme, now: Instant) {
    if area.is_empty() {
        return;
    }
    if let Some(silence) = view.silence(now) {
        let line = Line::styled(theme.text(silence).into_owned(), theme.alarm());
        frame.render_widget(line, area);
        return;
    }
    if view.mode == Mode::Filter {
        let line = Line::raw(format!("filter: {}", view.filter));
        let end = (line.width() as u16).min(area.width - 1);
        frame.render_widget(line, area);
        frame.set_cursor_position(Position::new(area.x + end, area.y));
        return;
    }
    let right = visible_rows(view);
    let room = usize::from(area.width).saturating_sub(right.len() + 2);
    frame.render_widget(keys(view, room, theme), area);
    let width = (right.len() as u16).min(area.width);
    frame.render_widget(Line::styled(right, theme.faint()), Rect { x: area.right() - width, width, ..area });
}

/// Which rows are visible, if not all are.
fn visible_rows(view: &View) -> String {
    let count = view.rows().len();
    let last = (view.first + view.room).min(count);
    if count <= view.room { String::new() } else { format!("{}-{last} of {count}", (view.first + 1).min(last)) }
}

fn keys(view: &View, room: usize, theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    let mut left = room;
    if !view.filter.is_empty() {
        let text = format!("filter `{}`, esc clears it  ", view.filter);
        left = left.saturating_sub(text.len());
        spans.push(Span::styled(text, theme.caution()));
    }
    for (key, what) in KEYS {
        let key = if theme.unicode { key } else { key.trim_start_matches("↑ ↓") };
        let width = key.chars().count() + what.len() + 3;
        if key.is_empty() || width > left + 2 {
            continue;
        }
        left = left.saturating_sub(width);
        spans.extend([Span::styled(key, STRONG), Span::styled(format!(" {what}  "), theme.faint())]);
    }
    spans.into()
}

//! More of the selected function, in words.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Wrap};

use crate::cli::top::look::{Account, Look};
use crate::cli::top::rates::{Function, PerCall};
use crate::cli::top::state::State;
use crate::cli::top::units::{count, joules, percent, rate, watts};

/// Draws it, if one is selected and more is asked for.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, look: Look) {
    let Some(function) = state.detailed() else { return };
    let text = look.text(told(function)).into_owned();
    frame.render_widget(Paragraph::new(text).style(look.account(Account::Functions)).wrap(Wrap { trim: true }), area);
}

fn told(function: &Function) -> String {
    let Function { name, share, calls_per_second, calls, .. } = function;
    let per_call = match function.per_call {
        PerCall::Lately(mean) => format!("{} a call", joules(mean)),
        PerCall::SinceStart(mean) => format!("no call settled lately, {} a call since the start", joules(mean)),
        PerCall::Unknown => "no call settled yet".into(),
    };
    format!(
        "{name}: {}, {} of what functions draw; {per_call}, {} calls/s. Since the start {} active and {} base in {} calls.",
        watts(function.watts),
        percent(*share),
        rate(*calls_per_second),
        joules(function.joules),
        joules(function.base),
        count(*calls),
    )
}

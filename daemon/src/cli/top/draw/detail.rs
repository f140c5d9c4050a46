//! Details of the selected function, in words.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Wrap};

use crate::cli::top::account::Account;
use crate::cli::top::rates::{FunctionRates, PerCall};
use crate::cli::top::theme::Theme;
use crate::cli::top::units::{self, count, joules, percent, rate, watts};
use crate::cli::top::view::View;

pub fn draw(frame: &mut Frame, area: Rect, view: &View, theme: Theme) {
    let Some(function) = view.detailed() else { return };
    let text = theme.text(describe(function)).into_owned();
    frame.render_widget(Paragraph::new(text).style(theme.account(Account::Functions)).wrap(Wrap { trim: true }), area);
}

fn describe(function: &FunctionRates) -> String {
    let FunctionRates { name, share, calls_per_second, calls, .. } = function;
    let uncertainty = function.uncertainty.map(|joules| format!(" ± {}", units::joules(joules)));
    let per_call = match function.per_call {
        PerCall::Recent(mean) => format!("{} per call", joules(mean)),
        PerCall::SinceStart(mean) => format!("no call settled lately, {} per call since the start", joules(mean)),
        PerCall::Unknown => "no call settled yet".into(),
    };
    format!(
        "{name}: {}, {} of all functions; {per_call}, {} calls/s. Since the start: {}{} active and {} base in {} calls.",
        watts(function.watts),
        percent(*share),
        rate(*calls_per_second),
        joules(function.joules),
        uncertainty.unwrap_or_default(),
        joules(function.base),
        count(*calls),
    )
}

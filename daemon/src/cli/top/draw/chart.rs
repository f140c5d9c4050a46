//! Power over the last minutes, of all functions or of the selected one.

use nebula_metering::Watts;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{RenderDirection, Sparkline};

use crate::cli::top::account::Account;
use crate::cli::top::theme::Theme;
use crate::cli::top::units;
use crate::cli::top::view::View;

/// Ratatui draws bars from whole numbers.
const NANOWATTS: f64 = 1e9;

/// Draws a caption, and below it a bar for each second or reading, newest on the right.
pub fn draw(frame: &mut Frame, area: Rect, view: &View, theme: Theme) {
    let (Some(caption), bars) =
        (area.rows().next(), Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area })
    else {
        return;
    };
    let history = &view.shown().history;
    let name = view.detailed().map(|function| &*function.name);
    let count = area.width.into();
    let points = history.latest(count, name);
    let span = units::seconds(history.span(count));
    let text = format!("{}, last {}", name.map_or("all functions".to_owned(), |name| format!("`{name}`")), span);
    frame.render_widget(Line::styled(text, theme.faint()), caption);
    let peak = points.iter().copied().fold(0.0, f64::max);
    let top = Line::styled(theme.text(format!("at most {}", units::watts(Watts(peak)))).into_owned(), theme.faint());
    let width = (top.width() as u16).min(area.width);
    frame.render_widget(top, Rect { x: area.right() - width, width, ..caption });
    if peak > 0.0 {
        let heights = points.iter().map(|watts| (watts * NANOWATTS) as u64);
        let chart = Sparkline::default()
            .data(heights)
            .max((peak * NANOWATTS) as u64)
            .bar_set(theme.levels())
            .direction(RenderDirection::RightToLeft)
            .style(theme.account(Account::Functions));
        frame.render_widget(chart, bars);
    }
}

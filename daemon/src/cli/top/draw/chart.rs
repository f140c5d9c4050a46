//! The last minutes of what functions drew, or of what the selected one did.

use std::time::Duration;

use nebula_metering::Watts;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{RenderDirection, Sparkline};

use crate::cli::top::look::{Account, Look};
use crate::cli::top::state::State;
use crate::cli::top::units;

/// Bars are drawn from whole numbers.
const NANOWATTS: f64 = 1e9;

/// Draws a caption and the bars below it, a second or a reading each, the latest to the right.
pub fn draw(frame: &mut Frame, area: Rect, state: &State, look: Look) {
    let (Some(caption), bars) =
        (area.rows().next(), Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area })
    else {
        return;
    };
    let trail = &state.shown().trail;
    let name = state.detailed().map(|function| &*function.name);
    let count = area.width.into();
    let points = trail.latest(count, name);
    let span = whole_seconds(trail.span(count));
    let text = format!("{}, last {}", name.map_or("all functions".to_owned(), |name| format!("`{name}`")), span);
    frame.render_widget(Line::styled(text, look.faint()), caption);
    let peak = points.iter().copied().fold(0.0, f64::max);
    let top = Line::styled(look.text(format!("at most {}", units::watts(Watts(peak)))).into_owned(), look.faint());
    let width = (top.width() as u16).min(area.width);
    frame.render_widget(top, Rect { x: area.right() - width, width, ..caption });
    if peak > 0.0 {
        let heights = points.iter().map(|watts| (watts * NANOWATTS) as u64);
        let chart = Sparkline::default()
            .data(heights)
            .max((peak * NANOWATTS) as u64)
            .bar_set(look.levels())
            .direction(RenderDirection::RightToLeft)
            .style(look.account(Account::Functions));
        frame.render_widget(chart, bars);
    }
}

fn whole_seconds(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

//! Runs as a picture: for each, the bias of both functions and the coverage of their intervals over time.

use std::fmt::Write;

use super::run::Record;
use super::truth::FUNCTIONS;

/// Size of a plot and the space around it. Each run has a plot for bias and a lower one for coverage.
const WIDTH: f64 = 250.0;
const BIAS_HEIGHT: f64 = 130.0;
const HELD_HEIGHT: f64 = 60.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 58.0;
const GAP: f64 = 26.0;
const COLUMN: f64 = WIDTH + GAP;
const ROW: f64 = BIAS_HEIGHT + HELD_HEIGHT + 76.0;
const COLUMNS: usize = 3;

/// Bias is shown up to here, in percent; what is beyond lies on the edge.
const BIAS_MAX: f64 = 100.0;

/// Time, in seconds, over which bias and coverage are shown.
const BIN: f64 = 15.0;
const HELD_BIN: f64 = 30.0;

/// Readable on light and dark pages.
const STYLE: &str = "text{font:11px sans-serif;fill:#24292f}.t{font-weight:bold;font-size:12px}.m{text-anchor:middle}.e{text-anchor:end}\
 .f{fill:none;stroke:#8c959f}.g{stroke:#8c959f;stroke-opacity:.35}.z{stroke:#8c959f}.s{fill:#8c959f;fill-opacity:.18}\
 .b{fill:#2da44e;fill-opacity:.22}.l{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}\
 .heavy{stroke:#bc4c00}.light{stroke:#0969da;stroke-dasharray:5 4}text.heavy{fill:#bc4c00;stroke:none}text.light{fill:#0969da;stroke:none}\
 @media(prefers-color-scheme:dark){text{fill:#e6edf3}.heavy{stroke:#ff9b57}.light{stroke:#6cb6ff}text.heavy{fill:#ff9b57}text.light{fill:#6cb6ff}}";

/// The picture as SVG.
pub fn draw(records: &[Record]) -> String {
    let rows = records.len().div_ceil(COLUMNS) as f64;
    let (width, height) = (LEFT + COLUMN * COLUMNS as f64, TOP + ROW * rows);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Bias of function \
         totals and coverage of intervals over time\"><style>{STYLE}</style>\n"
    );
    text(&mut svg, "t", LEFT, 16.0, "Charged against true energy, from the start of a daemon that knows nothing");
    let mut x = LEFT;
    for (name, watts) in FUNCTIONS {
        let _ = write!(svg, "<path class=\"l {name}\" d=\"M{x} 31h26\"/>");
        text(&mut svg, name, x + 32.0, 35.0, &format!("{name}, {watts} W a CPU second"));
        x += 190.0;
    }
    let _ = write!(svg, "<rect class=\"s\" x=\"{x}\" y=\"25\" width=\"26\" height=\"12\"/>");
    text(&mut svg, "", x + 32.0, 35.0, "idle power 15 W higher");
    x += 170.0;
    let _ = write!(svg, "<rect class=\"b\" x=\"{x}\" y=\"25\" width=\"26\" height=\"12\"/>");
    text(&mut svg, "", x + 32.0, 35.0, "goal");
    for (place, record) in records.iter().enumerate() {
        let (column, row) = ((place % COLUMNS) as f64, (place / COLUMNS) as f64);
        panel(&mut svg, record, LEFT + COLUMN * column, TOP + ROW * row, place % COLUMNS == 0);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, record: &Record, left: f64, top: f64, is_first: bool) {
    let end = record.end().max(1.0);
    let bias = Plot { left, top: top + 18.0, height: BIAS_HEIGHT, end, range: (-BIAS_MAX, BIAS_MAX) };
    let held = Plot { top: bias.top + BIAS_HEIGHT + 12.0, height: HELD_HEIGHT, range: (0.0, 100.0), ..bias };
    text(svg, "t", left, top + 10.0, &record.setting.to_string());
    for plot in [&bias, &held] {
        let [rise, fall] = record.step.map(|at| plot.x(at));
        plot.rect(svg, "s", rise, fall - rise, plot.range);
    }
    bias.rect(svg, "b", left, WIDTH, (-5.0, 5.0));
    held.rect(svg, "b", left, WIDTH, (93.0, 97.0));
    bias.frame(svg, &[-100.0, -50.0, 0.0, 50.0, 100.0], is_first.then_some("bias, %"));
    held.frame(svg, &[0.0, 50.0, 100.0], is_first.then_some("held, %"));
    for (function, (name, _)) in FUNCTIONS.iter().enumerate() {
        let of_bin = |at: f64| Some((at + BIN / 2.0, record.between(at, at + BIN)?[function].bias()));
        bias.line(svg, name, bins(end, BIN).map(of_bin));
        let of_bin = |at: f64| Some((at + HELD_BIN / 2.0, record.coverage(Some(function), at, at + HELD_BIN)?.0));
        held.line(svg, name, bins(end, HELD_BIN).map(of_bin));
    }
    for minute in 0..=(end / 60.0) as usize {
        text(svg, "m", held.x(minute as f64 * 60.0), held.top + HELD_HEIGHT + 14.0, &minute.to_string());
    }
    text(svg, "m", left + WIDTH / 2.0, held.top + HELD_HEIGHT + 28.0, "minutes");
}

/// The starts of all bins that are whole.
fn bins(end: f64, bin: f64) -> impl Iterator<Item = f64> {
    (0..(end / bin) as usize).map(move |number| number as f64 * bin)
}

/// Where values over time are drawn.
#[derive(Clone, Copy)]
struct Plot {
    left: f64,
    top: f64,
    height: f64,
    /// Seconds at the right edge.
    end: f64,
    range: (f64, f64),
}

impl Plot {
    fn x(&self, at: f64) -> f64 {
        self.left + (at / self.end).clamp(0.0, 1.0) * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        self.top + (high - value.clamp(low, high)) / (high - low) * self.height
    }

    fn rect(&self, svg: &mut String, class: &str, x: f64, width: f64, (low, high): (f64, f64)) {
        let (y, height) = (self.y(high), self.y(low) - self.y(high));
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    /// The frame, with a line at each of `values`, and a name if the values are to be written beside them.
    fn frame(&self, svg: &mut String, values: &[f64], name: Option<&str>) {
        self.rect(svg, "f", self.left, WIDTH, self.range);
        for &value in values {
            let (y, class) = (self.y(value), if value == 0.0 { "z" } else { "g" });
            let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{:.1} {y:.1}h{WIDTH}\"/>", self.left);
            if name.is_some() {
                let sign = if value > 0.0 && self.range.0 < 0.0 { "+" } else { "" };
                text(svg, "e", self.left - 5.0, y + 4.0, &format!("{sign}{value}"));
            }
        }
        if let Some(name) = name {
            let (x, y) = (self.left - 44.0, self.top + self.height / 2.0);
            let _ = writeln!(svg, "<text class=\"m\" transform=\"translate({x:.1} {y:.1})rotate(-90)\">{name}</text>");
        }
    }

    /// A line through the points that are known.
    fn line(&self, svg: &mut String, class: &str, points: impl Iterator<Item = Option<(f64, f64)>>) {
        let (mut path, mut is_known) = (String::new(), false);
        for point in points {
            let point = point.filter(|(_, value)| value.is_finite());
            if let Some((at, value)) = point {
                // A point without neighbours is a dot.
                let (step, dot) = if is_known { ("L", "") } else { ("M", "h.1") };
                let _ = write!(path, "{step}{:.1} {:.1}{dot}", self.x(at), self.y(value));
            }
            is_known = point.is_some();
        }
        let _ = writeln!(svg, "<path class=\"l {class}\" d=\"{path}\"/>");
    }
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
}

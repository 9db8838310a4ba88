//! Line plots in SVG, of what Prometheus answers.

use std::fmt::Write as _;

/// A plot of values over time.
#[derive(Debug)]
pub struct Plot<'a> {
    /// Stands above it.
    pub title: &'a str,
    /// The unit of the values, as Grafana names it.
    pub unit: &'a str,
    /// How many seconds it shows, from 0.
    pub seconds: f64,
    /// A span of time that is shaded, from and to in seconds, and what it is called.
    pub span: (f64, f64, &'a str),
    /// In the order of the legend.
    pub lines: Vec<Line>,
}

/// One line of a plot.
#[derive(Debug)]
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// Seconds and value, in order of time. The line is broken where a value is no number.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 728.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 240.0;

/// Told apart by those who do not see red and green as different (Okabe and Ito).
const COLOURS: [&str; 5] = ["#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7"];

impl Plot<'_> {
    /// The plot as a file of its own.
    pub fn to_svg(&self) -> String {
        let largest = self.lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
        let largest = largest.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let step = round_step(largest / 4.0);
        let ticks = (largest / step).ceil().max(1.0);
        let across = |seconds: f64| LEFT + (RIGHT - LEFT) * seconds / self.seconds;
        let up = |value: f64| BOTTOM - (BOTTOM - TOP) * value / (step * ticks);

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
        );
        self.add_span(&mut svg, across);
        text(&mut svg, LEFT, 20.0, "start\" font-weight=\"bold", self.title);
        let mut value = 0.0;
        while value <= ticks {
            let y = up(value * step);
            line(&mut svg, (LEFT, y), (RIGHT, y));
            text(&mut svg, LEFT - 8.0, y + 4.0, "end", &with_unit(value * step, self.unit));
            value += 1.0;
        }
        let step = round_step(self.seconds / 9.0);
        let mut seconds = 0.0;
        while seconds <= self.seconds {
            text(&mut svg, across(seconds), BOTTOM + 18.0, "middle", &format!("{seconds} s"));
            seconds += step;
        }
        for (index, (one, colour)) in self.lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
            // Eight pixels are about the widest letter of this size.
            let before: usize = self.lines.iter().take(index).map(|line| line.name.chars().count()).sum();
            let x = LEFT + 32.0 * index as f64 + 8.0 * before as f64;
            let _ = writeln!(svg, "<rect x=\"{x}\" y=\"32\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
            text(&mut svg, x + 16.0, 42.0, "start", &one.name);
            let path = path(&one.points, across, up);
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"/>"
            );
        }
        svg + "</svg>\n"
    }

    fn add_span(&self, svg: &mut String, across: impl Fn(f64) -> f64) {
        let (from, to, name) = self.span;
        let (from, to) = (across(from), across(to));
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\" fill=\"#f2f2f2\"/>",
            to - from,
            BOTTOM - TOP
        );
        text(svg, (from + to) / 2.0, TOP - 6.0, "middle\" fill=\"#777", name);
    }
}

/// The least of 1, 2, 5, 10, 20 and so on, and of their tenths, that is not below `least`.
fn round_step(least: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}

fn with_unit(value: f64, unit: &str) -> String {
    // Sums of tenths are no round numbers.
    let short = |value: f64| format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned();
    match unit {
        "reqps" => format!("{}/s", short(value)),
        "ms" => format!("{} ms", short(value)),
        "percentunit" => format!("{} %", short(value * 100.0)),
        _ => short(value),
    }
}

fn path(points: &[(f64, f64)], across: impl Fn(f64) -> f64, up: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut command = 'M';
    for (seconds, value) in points {
        if value.is_finite() {
            let _ = write!(path, "{command}{:.1} {:.1}", across(*seconds), up(*value));
            command = 'L';
        } else {
            command = 'M';
        }
    }
    path
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(svg, "<line x1=\"{x1}\" y1=\"{y1:.1}\" x2=\"{x2}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>");
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_not_below_what_is_asked() {
        for (least, step) in [(0.0, 1.0), (0.03, 0.05), (1.0, 1.0), (1.1, 2.0), (13.3, 20.0), (6.0, 10.0)] {
            assert!((round_step(least) - step).abs() < 1e-9, "{least}: {}", round_step(least));
        }
    }

    #[test]
    fn a_line_is_broken_where_there_is_no_number() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)];
        assert_eq!(path(&points, |x| x, |y| y), "M0.0 1.0L1.0 2.0M3.0 4.0");
    }

    #[test]
    fn a_plot_has_its_title_its_unit_and_a_line_for_each_series() {
        let line = |name: &str, value| Line { name: name.into(), points: vec![(0.0, value), (60.0, value)] };
        let lines = vec![line("a<b", 0.1), line("c", 0.4)];
        let plot =
            Plot { title: "Share", unit: "percentunit", seconds: 60.0, span: (10.0, 20.0, "slow"), lines };
        let svg = plot.to_svg();
        for expected in
            [">Share<", ">40 %<", ">0 %<", ">a&lt;b<", ">60 s<", ">slow<", "M64.0 56.0L728.0 56.0"]
        {
            assert!(svg.contains(expected), "{expected}: {svg}");
        }
        assert_eq!(svg.matches("<path").count(), 2);
    }
}

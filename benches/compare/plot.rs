//! The plots, written as SVG by hand: horizontal bars and lines are all that is needed.

use crate::failure::{Failure, system};
use crate::report::{SECTIONS, shown};
use crate::results::{Figure, Results, Section};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Bars that are compared with each other: one per server.
pub struct Group {
    pub label: String,
    pub bars: Vec<(usize, f64)>,
}

/// One small chart of lines over the same named points.
pub struct Panel {
    pub title: String,
    pub points: Vec<String>,
    pub lines: Vec<(usize, Vec<f64>)>,
}

/// Writes a plot for each section that has figures.
pub fn write_all(results: &Results, servers: &[&str], out: &Path) -> Result<(), Failure> {
    let write = |name: String, svg: String| {
        let path = out.join(name);
        fs::write(&path, svg).map_err(system(format!("cannot write {}", path.display())))
    };
    for (section, title, _) in SECTIONS {
        let figures: Vec<&Figure> = results.figures(section).collect();
        let name = format!("{section:?}").to_lowercase();
        if figures.is_empty() {
            continue;
        }
        if section == Section::Latency {
            write(format!("{name}.svg"), lines(title, servers, &panels(&figures, servers, ", ")))?;
            continue;
        }
        let groups: Vec<Group> = figures.iter().map(|figure| group(figure, servers)).collect();
        write(format!("{name}.svg"), bars(title, servers, &groups))?;
        if section == Section::Cpu {
            let deep: Vec<Panel> =
                panels(&figures, servers, " P").into_iter().filter(|panel| panel.points.len() > 2).collect();
            write(format!("{name}-by-pipeline.svg"), lines(title, servers, &deep))?;
        }
    }
    Ok(())
}

/// Groups of horizontal bars. Each group has its own scale, because figures differ by orders of magnitude and only
/// the comparison inside a group matters; the values stand at the bars' ends.
pub fn bars(title: &str, series: &[&str], groups: &[Group]) -> String {
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = HEAD + rows as f64 * BAR + groups.len() as f64 * GAP;
    let mut svg = Svg::new(WIDTH, height, title, series);
    let mut top = HEAD;
    for group in groups {
        let longest = group.bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        let middle = top + group.bars.len() as f64 * BAR / 2.0 + TEXT / 3.0;
        svg.text(LABELS - 8.0, middle, "end", &group.label);
        for (color, value) in &group.bars {
            let length = (value / longest).clamp(0.0, 1.0) * (WIDTH - LABELS - VALUES);
            svg.rectangle(LABELS, top + 1.0, length, BAR - 2.0, *color);
            svg.text(LABELS + length + 4.0, top + BAR - 4.0, "start", &shown(*value));
            top += BAR;
        }
        top += GAP;
    }
    svg.finish()
}

/// Panels of lines with a logarithmic vertical axis, two beside each other.
pub fn lines(title: &str, series: &[&str], panels: &[Panel]) -> String {
    let height = HEAD + panels.len().div_ceil(2) as f64 * PANEL_HEIGHT;
    let mut svg = Svg::new(WIDTH, height, title, series);
    for (index, panel) in panels.iter().enumerate() {
        let left = (index % 2) as f64 * WIDTH / 2.0 + 60.0;
        let top = HEAD + (index / 2) as f64 * PANEL_HEIGHT + 20.0;
        svg.panel(left, top, panel);
    }
    svg.finish()
}

fn group(figure: &Figure, servers: &[&str]) -> Group {
    let bars = servers.iter().enumerate().filter_map(|(color, server)| Some((color, figure.value(server)?)));
    Group { label: figure.name.clone(), bars: bars.collect() }
}

/// Figures whose names agree up to the last `separator` become one panel, what follows it the points.
fn panels(figures: &[&Figure], servers: &[&str], separator: &str) -> Vec<Panel> {
    let split = |figure: &Figure| -> (String, String) {
        let (title, point) = figure.name.rsplit_once(separator).unwrap_or((&figure.name, ""));
        (title.to_owned(), format!("{}{point}", separator.trim_matches([' ', ','])))
    };
    let chunks = figures.chunk_by(|one, next| split(one).0 == split(next).0);
    let panel = |chunk: &[&Figure]| Panel {
        title: split(chunk[0]).0,
        points: chunk.iter().map(|figure| split(figure).1).collect(),
        lines: (servers.iter().enumerate())
            .map(|(color, server)| (color, chunk.iter().filter_map(|figure| figure.value(server)).collect()))
            .filter(|(_, values): &(usize, Vec<f64>)| values.len() == chunk.len())
            .collect(),
    };
    chunks.map(panel).collect()
}

/// A picture being drawn.
struct Svg {
    text: String,
}

impl Svg {
    /// A white picture with its title and the names of the series in their colors.
    fn new(width: f64, height: f64, title: &str, series: &[&str]) -> Self {
        let mut svg = Self { text: String::new() };
        svg.element(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"{TEXT}\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        ));
        svg.text(12.0, 22.0, "start", title);
        for (color, name) in series.iter().enumerate() {
            let left = LABELS + color as f64 * 110.0;
            svg.rectangle(left, 32.0, 10.0, 10.0, color);
            svg.text(left + 14.0, 41.0, "start", name);
        }
        svg
    }

    fn panel(&mut self, left: f64, top: f64, panel: &Panel) {
        let (width, height) = (WIDTH / 2.0 - 110.0, PANEL_HEIGHT - 70.0);
        let values = || panel.lines.iter().flat_map(|(_, values)| values).copied();
        // A logarithm needs something above zero, and a scale needs two different ends.
        let low = values().fold(f64::INFINITY, f64::min).max(1e-3) / 1.2;
        let high = values().fold(low, f64::max) * 1.2;
        let x = |index: usize| left + width * index as f64 / (panel.points.len().max(2) - 1) as f64;
        let y = |value: f64| top + height * (1.0 - (value.max(low) / low).ln() / (high / low).ln());
        self.text(left, top - 6.0, "start", &panel.title);
        self.element(&format!(
            "<path d=\"M{left:.1} {top:.1}V{:.1}H{:.1}\" fill=\"none\" stroke=\"#888\"/>",
            top + height,
            left + width
        ));
        for value in [low, (low * high).sqrt(), high] {
            self.text(left - 6.0, y(value) + TEXT / 3.0, "end", &shown(value));
        }
        for (index, point) in panel.points.iter().enumerate() {
            self.text(x(index), top + height + 16.0, "middle", point);
        }
        for (color, values) in &panel.lines {
            let points =
                values.iter().enumerate().map(|(index, value)| format!("{:.1},{:.1}", x(index), y(*value)));
            let points = points.collect::<Vec<_>>().join(" ");
            let color = COLORS[color % COLORS.len()];
            self.element(&format!(
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>"
            ));
        }
    }

    fn rectangle(&mut self, left: f64, top: f64, width: f64, height: f64, color: usize) {
        let color = COLORS[color % COLORS.len()];
        self.element(&format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{color}\"/>"
        ));
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.element(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"));
    }

    fn element(&mut self, element: &str) {
        writeln!(self.text, "{element}").expect("invariant: writing to a String cannot fail");
    }

    fn finish(mut self) -> String {
        self.element("</svg>");
        self.text
    }
}

const WIDTH: f64 = 900.0;
const HEAD: f64 = 60.0;
const LABELS: f64 = 300.0;
const VALUES: f64 = 70.0;
const BAR: f64 = 14.0;
const GAP: f64 = 10.0;
const TEXT: f64 = 11.0;
const PANEL_HEIGHT: f64 = 230.0;
const COLORS: [&str; 6] = ["#1b6ca8", "#d1495b", "#edae49", "#66a182", "#7d5ba6", "#777777"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::OURS;
    use shardis_benches::target::Target;

    #[test]
    fn the_longest_bar_of_each_group_has_full_length() {
        let groups = [Group { label: "a<b".to_owned(), bars: vec![(0, 1.0), (1, 4.0)] }];
        let svg = bars("title", &["ours", "peer"], &groups);
        assert!(svg.contains("width=\"530.0\"") && svg.contains("width=\"132.5\""));
        assert!(svg.contains("a&lt;b") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn lines_stay_inside_the_picture_even_for_strange_values() {
        let line = vec![0.0, 5.0, 5.0, 1e9];
        let points = ["p50", "p99", "p99.9", "max"].map(str::to_owned).to_vec();
        let svg =
            lines("title", &["ours"], &[Panel { title: "t".to_owned(), points, lines: vec![(0, line)] }]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(svg.contains("<polyline points=\"60.0,"));
    }

    #[test]
    fn figures_of_one_workload_share_a_panel() {
        let mut results = Results::default();
        for name in ["GET P1", "GET P16", "SET P1"] {
            results.record((Section::Cpu, name, Target::NONE), OURS, 0, 1.0);
        }
        let figures: Vec<&Figure> = results.figures(Section::Cpu).collect();
        let panels = panels(&figures, &[OURS, "absent"], " P");
        assert_eq!(panels[0].points, ["P1", "P16"]);
        assert_eq!((panels.len(), panels[0].lines.len()), (2, 1));
    }
}

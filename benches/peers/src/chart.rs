//! Draws the main table: a panel for each stream, a bar for each decoder.

use crate::decoders::{OURS, REFERENCE};
use crate::measure::Excluded;
use crate::tables::Results;
use std::fmt::{self, Write};

/// The chunk size that is drawn: about one network packet.
const CHUNK: &str = "1400";

const COLUMNS: usize = 5;
const MARGIN: f64 = 16.0;
const LABELS: f64 = 165.0;
const PANEL: f64 = 158.0;
const BAR: f64 = 11.0;
const STEP: f64 = 16.0;
const HEAD: f64 = 52.0;
const TITLE: f64 = 26.0;

/// Has its own background and a dark variant, so that it is readable on any page.
const STYLE: &str = "
  text { font: 11px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
  .ground { fill: #ffffff; stroke: #d0d7de }
  .title { font-size: 15px; font-weight: 600 }
  .stream { font-size: 12px; font-weight: 600 }
  .quiet { fill: #59636e }
  .peer { fill: #afb8c1 }
  .reference { fill: none; stroke: #818b98; stroke-dasharray: 3 2 }
  .ours { fill: #0969da }
  .strong { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .ground { fill: #0d1117; stroke: #3d444d }
    .quiet { fill: #9198a1 }
    .peer { fill: #565e68 }
    .reference { stroke: #9198a1 }
    .ours { fill: #4493f8 }
  }
";

/// Returns the SVG file.
pub fn draw(all: &[Results]) -> String {
    let mut svg = String::new();
    write(&mut svg, all).expect("a String takes everything");
    svg
}

fn write(svg: &mut String, all: &[Results]) -> fmt::Result {
    let Some(first) = all.first() else {
        return Ok(());
    };
    let panel = TITLE + STEP * first.rows.len() as f64 + MARGIN;
    let width = MARGIN + LABELS + PANEL * COLUMNS as f64;
    let height = HEAD + panel * all.len().div_ceil(COLUMNS) as f64;
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">"#
    )?;
    writeln!(
        svg,
        "<title>Decoder throughput by stream and crate, in GB/s</title>"
    )?;
    writeln!(svg, "<style>{STYLE}</style>")?;
    writeln!(
        svg,
        r#"<rect class="ground" x="0.5" y="0.5" width="{}" height="{}" rx="6"/>"#,
        width - 1.0,
        height - 1.0,
    )?;
    text(
        svg,
        "title",
        "start",
        MARGIN,
        25.0,
        "Decoder throughput, GB/s: longer is better",
    )?;
    let method = format!(
        "Chunks of {CHUNK} bytes. One scale for each stream. Dashed: a pass that only finds line terminators and validates UTF-8, without any events."
    );
    text(svg, "quiet", "start", MARGIN, 43.0, &method)?;
    for (number, results) in all.iter().enumerate() {
        let x = MARGIN + LABELS + PANEL * (number % COLUMNS) as f64;
        let y = HEAD + panel * (number / COLUMNS) as f64 + TITLE;
        if number % COLUMNS == 0 {
            for (row, (name, _)) in results.rows.iter().enumerate() {
                let class = if *name == OURS.name { "strong" } else { "" };
                let y = y + STEP * row as f64 + BAR - 1.0;
                text(svg, class, "end", x - 8.0, y, name)?;
            }
        }
        text(svg, "stream", "start", x, y - 7.0, results.about)?;
        bars(svg, results, x, y)?;
    }
    writeln!(svg, "</svg>")
}

fn bars(svg: &mut String, results: &Results, x: f64, y: f64) -> fmt::Result {
    let Some(column) = results.chunks.iter().position(|name| *name == CHUNK) else {
        return Ok(());
    };
    let speeds = results.rows.iter().map(|(_, cells)| &cells[column]);
    let largest = speeds.flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (row, (name, cells)) in results.rows.iter().enumerate() {
        let y = y + STEP * row as f64;
        let (speed, label) = match &cells[column] {
            Ok(speed) => (*speed, format!("{speed:.2}")),
            Err(Excluded::Slow(time)) => (0.0, format!("> {time:?}")),
            Err(Excluded::Wrong(_)) => (0.0, "wrong answer".to_owned()),
        };
        let class = match *name {
            name if name == OURS.name => "ours",
            name if name == REFERENCE.name => "reference",
            _ => "peer",
        };
        let length = speed / largest * (PANEL - 46.0);
        writeln!(
            svg,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{length:.1}" height="{BAR}"/>"#
        )?;
        let class = if class == "ours" { "strong" } else { "quiet" };
        text(svg, class, "start", x + length + 4.0, y + BAR - 1.0, &label)?;
    }
    Ok(())
}

fn text(svg: &mut String, class: &str, anchor: &str, x: f64, y: f64, text: &str) -> fmt::Result {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(
        svg,
        r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y}">{text}</text>"#
    )
}

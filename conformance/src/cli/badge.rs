//! A badge that tells the result of a run: as an SVG image, as Markdown, and for shields.io.
//!
//! It claims no more than was tested: only cases that were run count as passed, all others of the
//! corpus are named as not tested, and so are the capabilities that the implementation lacks.

use std::path::Path;

use quick_xml::events::BytesText;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::xml::{Xml, document, visible};

const LABEL: &str = "text/event-stream";

/// What a badge needs of a report.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    suite: String,
    name: Option<String>,
    version: Option<String>,
    passed: bool,
    broken_off: Option<String>,
    not_asked: Vec<String>,
    totals: Totals,
    corpus: CorpusSize,
}

#[derive(Deserialize)]
struct Totals {
    must: Tally,
}

#[derive(Deserialize)]
struct Tally {
    passed: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct CorpusSize {
    must: u64,
}

pub(crate) struct Badge {
    /// Such as `412 of 420, 350 not tested`.
    message: String,
    /// A sentence that says the same with names.
    title: String,
    color: Color,
}

struct Color {
    /// As shields.io calls it.
    name: &'static str,
    /// Dark enough for white text: a contrast of at least 4.5 to 1.
    hex: &'static str,
}

/// The run passed.
const GREEN: Color = Color {
    name: "green",
    hex: "#1a7f37",
};
/// At least nine tenths of the cases that were run have passed.
const ORANGE: Color = Color {
    name: "orange",
    hex: "#b35900",
};
/// Fewer.
const RED: Color = Color {
    name: "red",
    hex: "#cf222e",
};
/// The run was aborted, or nothing was run.
const GREY: Color = Color {
    name: "lightgrey",
    hex: "#666666",
};

impl Badge {
    /// The badge for a report in JSON.
    pub(crate) fn of(report: &[u8]) -> Result<Self, serde_json::Error> {
        let report: Report = serde_json::from_slice(report)?;
        let Tally { passed, failed } = report.totals.must;
        let run = passed.saturating_add(failed);
        let not_tested = report.corpus.must.saturating_sub(run);

        let color = if report.broken_off.is_some() || run == 0 {
            GREY
        } else if report.passed && failed == 0 {
            GREEN
        } else if failed <= run / 10 {
            ORANGE
        } else {
            RED
        };
        let mut message = format!("{passed} of {run}");
        if not_tested > 0 {
            message += &format!(", {not_tested} not tested");
        }
        if report.not_asked.iter().any(|it| it == "chunks") {
            message += ", not in chunks";
        }

        let name = report.name.as_deref().unwrap_or("the implementation");
        let version = report.version.map(|version| format!(" {version}"));
        let lacks = match &*report.not_asked {
            [] => String::new(),
            all => format!(", and neither were the capabilities {}", all.join(", ")),
        };
        let title = format!(
            "{LABEL}: {name}{} passes {passed} of the {run} `must` cases of sse-conformance {} that were run; \
             {not_tested} were not tested{lacks}",
            version.unwrap_or_default(),
            report.suite
        );
        Ok(Self {
            message,
            title,
            color,
        })
    }

    /// The Markdown of an image: of this file, or of shields.io, which draws it from its URL.
    pub(crate) fn to_markdown(&self, file: Option<&Path>) -> String {
        let url = match file {
            Some(path) => percent_encoded(&path.to_string_lossy(), b"/"),
            None => format!(
                "https://img.shields.io/badge/{}-{}-{}",
                shields_text(LABEL),
                shields_text(&self.message),
                self.color.name
            ),
        };
        format!("![{LABEL}: {}]({url})", self.message)
    }

    /// The JSON of the endpoint badge of shields.io.
    pub(crate) fn to_endpoint(&self) -> Value {
        json!({
            "schemaVersion": 1, "label": LABEL, "message": self.message, "color": self.color.name,
        })
    }

    /// An SVG image without scripts and external resources.
    pub(crate) fn to_svg(&self) -> String {
        document(|svg| self.write_svg(svg))
    }

    fn write_svg(&self, svg: &mut Xml) -> std::io::Result<()> {
        let (left, right) = (
            Half::new(0, LABEL),
            Half::new(width_of(LABEL), &self.message),
        );
        let width = (left.width + right.width).to_string();
        svg.create_element("svg")
            .with_attributes([
                ("xmlns", "http://www.w3.org/2000/svg"),
                ("width", &*width),
                ("height", "20"),
                ("role", "img"),
                ("aria-labelledby", "title"),
                ("font-family", "Verdana, Geneva, DejaVu Sans, sans-serif"),
                ("font-size", "11"),
                ("fill", "#ffffff"),
            ])
            .write_inner_content(|svg| {
                svg.create_element("title")
                    .with_attribute(("id", "title"))
                    .write_text_content(BytesText::new(&visible(&self.title)))?;
                left.write(svg, "#444444")?;
                right.write(svg, self.color.hex)
            })?;
        Ok(())
    }
}

/// One of the two fields of the image.
struct Half<'b> {
    left: usize,
    width: usize,
    text: &'b str,
}

/// The space before and after a text, in pixels.
const PADDING: usize = 6;

impl<'b> Half<'b> {
    fn new(left: usize, text: &'b str) -> Self {
        Self {
            left,
            width: width_of(text),
            text,
        }
    }

    fn write(&self, svg: &mut Xml, fill: &str) -> std::io::Result<()> {
        svg.create_element("rect")
            .with_attributes([
                ("x", &*self.left.to_string()),
                ("width", &*self.width.to_string()),
                ("height", "20"),
                ("fill", fill),
            ])
            .write_empty()?;
        // Whatever the font, the text is as wide as the field.
        svg.create_element("text")
            .with_attributes([
                ("x", &*(self.left + PADDING).to_string()),
                ("y", "14"),
                ("textLength", &*(self.width - 2 * PADDING).to_string()),
                ("lengthAdjust", "spacingAndGlyphs"),
            ])
            .write_text_content(BytesText::new(self.text))?;
        Ok(())
    }
}

/// The width of a field with this ASCII text, whose characters are 6.5 pixels wide on average.
fn width_of(text: &str) -> usize {
    text.len() * 13 / 2 + 2 * PADDING
}

/// A part of the path of a badge of shields.io, where a hyphen ends a part.
fn shields_text(text: &str) -> String {
    percent_encoded(&text.replace('-', "--"), b"")
}

/// Percent-encodes all but the unreserved characters of RFC 3986, and those in `keep`.
fn percent_encoded(text: &str, keep: &[u8]) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

//! The report of a run as JUnit XML, for the test pages of continuous integration.
//!
//! A group of cases is a test suite, and a case is a test case. The report has failures or errors
//! if and only if [`Report::passed`] is false: a `may` case that differs counts as skipped.

use std::io;

use quick_xml::events::{BytesDecl, BytesText, Event};
use sse_conformance::{
    Capability, Verdict,
    runner::{CaseReport, Outcome, Report},
};

use crate::xml::{Xml, document, visible};

/// The keywords of failures for which there is no answer to compare. In JUnit, they are errors.
const ERRORS: [&str; 6] = [
    "answer",
    "hang",
    "exit",
    "closed-output",
    "nonsense",
    "out-of-order",
];

struct Suite<'r> {
    name: String,
    tests: Vec<Test<'r>>,
}

struct Test<'r> {
    name: &'r str,
    seconds: f64,
    status: Status,
    /// A keyword for the failure or error.
    what: &'r str,
    /// Why it is skipped or red, in one line.
    message: String,
    /// The failure as the printed report has it.
    text: String,
    /// Capabilities because of which parts of the answers were not compared.
    not_compared_for: &'r [Capability],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Passed,
    Skipped,
    Failure,
    Error,
}

pub(crate) fn to_xml(report: &Report) -> String {
    let mut suites: Vec<Suite<'_>> = Vec::new();
    for case in &report.cases {
        let name = format!("{}/{}", case.kind, case.group);
        if suites.last().is_none_or(|suite| suite.name != name) {
            let tests = Vec::new();
            suites.push(Suite { name, tests });
        }
        let suite = suites.last_mut().expect("one was just pushed");
        suite.tests.push(Test::of(case));
    }
    let is_red = suites.iter().any(Suite::is_red);
    let adapter = Suite::of_adapter(report, is_red);
    if !adapter.tests.is_empty() {
        suites.push(adapter);
    }
    document(|xml| write(xml, report, &suites))
}

impl<'r> Suite<'r> {
    /// The errors that belong to no case. A report that has not passed always becomes red.
    fn of_adapter(report: &'r Report, is_red: bool) -> Self {
        let errors = report.protocol_errors.iter();
        let errors = errors.map(|error| Test::error(error.what, &error.message));
        let mut tests: Vec<Test<'_>> = errors.collect();
        if let Some(why) = &report.broken_off {
            tests.push(Test::error("aborted", why));
        }
        if !report.passed() && !is_red && tests.is_empty() {
            tests.push(Test::error("nothing-tested", "no must case was run"));
        }
        Self {
            name: "adapter".to_owned(),
            tests,
        }
    }

    fn is_red(&self) -> bool {
        self.count(Status::Failure) + self.count(Status::Error) > 0
    }

    fn count(&self, status: Status) -> usize {
        let tests = self.tests.iter();
        tests.filter(|test| test.status == status).count()
    }
}

impl<'r> Test<'r> {
    fn of(case: &'r CaseReport) -> Self {
        let mut test = Self {
            name: &case.id,
            seconds: case.seconds,
            status: Status::Skipped,
            what: "",
            message: String::new(),
            text: case.failure_text().unwrap_or_default(),
            not_compared_for: &case.not_compared_for,
        };
        if let Some(failure) = &case.failure {
            let message = format!(
                "{} ({}; {}): {}",
                first_line(&failure.message),
                failure.variant,
                case.rules.join(", "),
                case.why
            );
            test.what = failure.what;
            (test.status, test.message) = match case.verdict {
                Verdict::May => (Status::Skipped, format!("differs (may): {message}")),
                Verdict::Must if ERRORS.contains(&failure.what) => (Status::Error, message),
                Verdict::Must => (Status::Failure, message),
            };
        } else if case.outcome == Outcome::Passed {
            test.status = Status::Passed;
        } else if let Some(capability) = case.skipped_for {
            test.message = format!("not tested: {capability}");
        } else {
            test.message = "not run: the run was aborted".to_owned();
        }
        test
    }

    fn error(what: &'r str, text: &str) -> Self {
        Self {
            name: what,
            seconds: 0.0,
            status: Status::Error,
            what,
            message: first_line(text).to_owned(),
            text: text.to_owned(),
            not_compared_for: &[],
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn write(xml: &mut Xml, report: &Report, suites: &[Suite<'_>]) -> io::Result<()> {
    let name = report.name.as_deref().unwrap_or("the adapter");
    let version = report.version.as_deref().unwrap_or_default();
    let name = format!("{name} {version}");
    let name = format!("{}, sse-conformance {}", name.trim(), report.suite);
    let tests: usize = suites.iter().map(|suite| suite.tests.len()).sum();
    let count = |status| {
        suites
            .iter()
            .map(|suite| suite.count(status))
            .sum::<usize>()
    };

    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites")
        .with_attributes([
            ("name", &*visible(&name)),
            ("tests", &*tests.to_string()),
            ("failures", &*count(Status::Failure).to_string()),
            ("errors", &*count(Status::Error).to_string()),
            ("time", &*seconds(report.seconds)),
        ])
        .write_inner_content(|xml| suites.iter().try_for_each(|suite| suite.write(xml)))?;
    Ok(())
}

impl Suite<'_> {
    fn write(&self, xml: &mut Xml) -> io::Result<()> {
        let time = self.tests.iter().map(|test| test.seconds).sum();
        xml.create_element("testsuite")
            .with_attributes([
                ("name", &*self.name),
                ("tests", &*self.tests.len().to_string()),
                ("failures", &*self.count(Status::Failure).to_string()),
                ("errors", &*self.count(Status::Error).to_string()),
                ("skipped", &*self.count(Status::Skipped).to_string()),
                ("time", &*seconds(time)),
            ])
            .write_inner_content(|xml| {
                let mut tests = self.tests.iter();
                tests.try_for_each(|test| test.write(xml, &self.name))
            })?;
        Ok(())
    }
}

impl Test<'_> {
    fn write(&self, xml: &mut Xml, suite: &str) -> io::Result<()> {
        let element = xml.create_element("testcase").with_attributes([
            ("classname", suite),
            ("name", self.name),
            ("time", &*seconds(self.seconds)),
        ]);
        if self.status == Status::Passed && self.not_compared_for.is_empty() {
            element.write_empty()?;
        } else {
            element.write_inner_content(|xml| self.write_content(xml))?;
        }
        Ok(())
    }

    fn write_content(&self, xml: &mut Xml) -> io::Result<()> {
        let message = visible(&self.message);
        let text = visible(&self.text);
        let mut output = String::new();
        match self.status {
            Status::Passed => {}
            Status::Skipped => {
                let element = xml.create_element("skipped");
                element.with_attribute(("message", message)).write_empty()?;
                output += &text;
            }
            Status::Failure | Status::Error => {
                xml.create_element(match self.status {
                    Status::Error => "error",
                    _ => "failure",
                })
                .with_attributes([("type", self.what), ("message", &*message)])
                .write_text_content(BytesText::new(&text))?;
            }
        }
        for capability in self.not_compared_for {
            output += &format!("not compared: {capability}\n");
        }
        if !output.is_empty() {
            let element = xml.create_element("system-out");
            element.write_text_content(BytesText::new(&output))?;
        }
        Ok(())
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}

//! What the program makes of a report for other programs: JUnit XML, and badges.

mod badges;
mod junit;

use std::{
    env,
    fs::{self, File},
    path::Path,
    process::Command,
};

use libtest_mimic::{Failed, Trial};
use roxmltree::{Document, Node};
use serde_json::Value;

use super::cli::{has, run, sse_conformance};

type Test = fn(&Path) -> Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    let trials: [(&str, Test); 11] = [
        ("junit_has_the_outcomes_of_the_json", junit::outcomes),
        ("junit_has_errors_of_the_adapter", junit::errors),
        ("junit_is_red_if_and_only_if_the_run_fails", junit::red),
        ("junit_holds_any_text", junit::any_text),
        (
            "a_run_that_cannot_start_leaves_no_old_report",
            no_old_report,
        ),
        ("options_that_are_refused_change_no_file", refused),
        ("no_file_is_named_twice_in_any_spelling", same_file),
        (
            "the_files_are_written_even_if_the_output_cannot_be",
            full_output,
        ),
        ("a_badge_never_claims_more_than_was_run", badges::claims),
        ("a_badge_is_an_svg_image_with_a_title", badges::svg),
        ("a_badge_needs_a_report", badges::no_report),
    ];
    let trial = |(name, test): (&str, Test)| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        Trial::test(format!("exports::{name}"), move || {
            fs::create_dir_all(&folder)?;
            test(&folder)
        })
    };
    trials.into_iter().map(trial).collect()
}

/// Runs the program with both files, and returns the JSON, the XML and the printed text.
fn reports(
    folder: &Path,
    options: &[&str],
    adapter: &[&str],
    status: i32,
) -> Result<(Value, String, String), Failed> {
    let (json, xml) = (folder.join("report.json"), folder.join("report.xml"));
    let json_option = format!("--json={}", utf8(&json)?);
    let files = [&*json_option, "--junit", utf8(&xml)?];
    let (text, _) = run(&[options, &files].concat(), adapter, status)?;
    let report = serde_json::from_slice(&fs::read(json)?)?;
    Ok((report, fs::read_to_string(xml)?, text))
}

fn no_old_report(folder: &Path) -> Result<(), Failed> {
    let (json, xml) = (folder.join("old.json"), folder.join("old.xml"));
    fs::write(&json, "old")?;
    fs::write(&xml, "old")?;
    let json_option = format!("--json={}", utf8(&json)?);
    let options = ["run", &json_option, "--junit", utf8(&xml)?];
    let output = sse_conformance(&[&options[..], &["--", "no-such-adapter"]].concat())?;
    same(output.status.code(), Some(2), "the status")?;
    same(fs::read_to_string(&json)?, "", "the JSON")?;
    same(fs::read_to_string(&xml)?, "", "the XML")
}

fn refused(folder: &Path) -> Result<(), Failed> {
    let (json, xml) = (folder.join("old.json"), folder.join("old.xml"));
    fs::write(&json, "old")?;
    fs::write(&xml, "old")?;
    let json_option = format!("--json={}", utf8(&json)?);
    let options = ["run", &json_option, "--junit", utf8(&xml)?];
    let only = ["--only", "no-such-case", "--", "true"];
    let output = sse_conformance(&[&options[..], &only].concat())?;
    has(&String::from_utf8(output.stderr)?, "selects no case")?;
    same(output.status.code(), Some(2), "the status")?;
    same(fs::read_to_string(&json)?, "old", "the JSON")?;
    same(fs::read_to_string(&xml)?, "old", "the XML")
}

/// A file that would be written twice, or over the report that is read, has several names.
fn same_file(folder: &Path) -> Result<(), Failed> {
    let (report, ..) = reports(folder, &["--only", "bom-is-dropped"], &["adapter"], 0)?;
    let report = report.to_string();
    let path = folder.join("report.json");
    fs::write(&path, &report)?;
    for new in ["new", "other/new"] {
        let _ = fs::remove_file(folder.join(new));
    }
    fs::create_dir_all(folder.join("other"))?;
    let mut names = vec!["report.json", "./report.json", "other/../report.json"];
    names.push(utf8(&path)?);
    #[cfg(unix)]
    {
        let _ = fs::remove_file(folder.join("link.json"));
        std::os::unix::fs::symlink("report.json", folder.join("link.json"))?;
        names.push("link.json");
    }
    let status_of = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sse-conformance"));
        let output = command.args(arguments).current_dir(folder).output()?;
        let err = String::from_utf8(output.stderr)?;
        if output.status.code() == Some(2) {
            has(&err, "need a file each")?;
        }
        Ok::<_, Failed>(output.status.code())
    };

    for name in names {
        let run = ["run", "--json=report.json", "--junit", name, "--", "true"];
        let svg = ["badge", "report.json", "--svg", name];
        let endpoint = ["badge", "report.json", "--endpoint", name];
        for arguments in [&run[..], &svg, &endpoint] {
            same(status_of(arguments)?, Some(2), format!("{arguments:?}"))?;
            same(fs::read_to_string(&path)?, &*report, name)?;
        }
    }
    // Neither of them exists yet.
    let run = ["run", "--json=new", "--junit=./new", "--", "true"];
    let badge = [
        "badge",
        "report.json",
        "--svg=other/../new",
        "--endpoint=new",
    ];
    for arguments in [&run[..], &badge] {
        same(status_of(arguments)?, Some(2), format!("{arguments:?}"))?;
        same(folder.join("new").exists(), false, "a new file")?;
    }
    let two = ["badge", "report.json", "--svg=other/new", "--endpoint=new"];
    same(status_of(&two)?, Some(0), "two files")
}

/// Standard output is a device that is always full.
fn full_output(folder: &Path) -> Result<(), Failed> {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        return Ok(());
    };
    let (json, xml) = (folder.join("report.json"), folder.join("report.xml"));
    let output = Command::new(env!("CARGO_BIN_EXE_sse-conformance"))
        .args(["run", "--only", "bom-is-dropped"])
        .arg(format!("--json={}", utf8(&json)?))
        .args(["--junit", utf8(&xml)?, "--"])
        .arg(env::current_exe()?)
        .arg("adapter")
        .stdout(full)
        .output()?;
    let report: Value = serde_json::from_slice(&fs::read(json)?)?;
    same(&report["passed"], true, "the JSON")?;
    Document::parse(&fs::read_to_string(xml)?)?;
    has(&String::from_utf8(output.stderr)?, "standard output: ")?;
    same(output.status.code(), Some(2), "the status")
}

fn utf8(path: &Path) -> Result<&str, Failed> {
    Ok(path.to_str().ok_or("the path is not UTF-8")?)
}

fn elements<'a, 'x>(node: Node<'a, 'x>, name: &str) -> Vec<Node<'a, 'x>> {
    let elements = node.children().filter(|child| child.has_tag_name(name));
    elements.collect()
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, Failed> {
    let value = node.attribute(name);
    Ok(value.ok_or_else(|| format!("{name} is missing in {node:?}"))?)
}

#[track_caller]
fn same<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    got: T,
    expected: U,
    what: impl std::fmt::Display,
) -> Result<(), Failed> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: {got:?}, not {expected:?}").into())
    }
}

/// The Markdown and the image for a report.
fn badge(folder: &Path, report: &Value) -> Result<(String, String), Failed> {
    let (json, svg) = (folder.join("report.json"), folder.join("badge (1).svg"));
    fs::write(&json, serde_json::to_vec(report)?)?;
    let output = sse_conformance(&["badge", utf8(&json)?, "--svg", utf8(&svg)?])?;
    same(output.status.code(), Some(0), "the status")?;
    Ok((String::from_utf8(output.stdout)?, fs::read_to_string(svg)?))
}

fn title_of(image: &str) -> Result<String, Failed> {
    let document = Document::parse(image)?;
    let titles = elements(document.root_element(), "title");
    Ok(titles
        .first()
        .and_then(Node::text)
        .ok_or("no title")?
        .to_owned())
}

//! Turns the conformance corpus into constants of the types in `lib.rs`, and lays out the memory of
//! the chips.

use serde_json::Value;
use std::{env, fmt::Write, fs, path::Path};

/// Longer inputs are not cut at every place, so they are not stored in one piece.
const SHORT: usize = 1024;

fn main() {
    let out = env::var("OUT_DIR").expect("Cargo sets it");
    let out = Path::new(&out);
    let mut source = String::new();
    table(&mut source, "decode", "DECODE", "Decode", |case| {
        // Limits of the heap do not apply to fixed memory, and the driver in `lib.rs` reports no
        // details.
        let is_for_fixed = case["limit"].is_null() || case["storage"] == "fixed";
        if !is_for_fixed || !case["details"].is_null() {
            return vec![];
        }
        let mut ways = vec![decode(case, None)];
        let has_cr = steps(case).any(|step| step.0.contains(&b'\r'));
        if case["rewriteLineEndings"].as_bool().unwrap_or(!has_cr) {
            ways.extend([b"\r".as_slice(), b"\r\n"].map(|end| decode(case, Some(end))));
        }
        ways
    });
    table(&mut source, "encode", "ENCODE", "Encode", |case| {
        vec![encode(case)]
    });
    table(&mut source, "connect", "CONNECT", "Connect", |case| {
        // The driver in `lib.rs` supports no options.
        if case["options"].is_null() {
            vec![connect(case)]
        } else {
            vec![]
        }
    });
    fs::write(out.join("corpus.rs"), source).expect("the folder is Cargo's");

    let layout = match &*env::var("CARGO_CFG_TARGET_ARCH").expect("Cargo sets it") {
        // QEMU's mps2-an386, a Cortex-M4.
        "arm" => {
            "MEMORY { FLASH : ORIGIN = 0, LENGTH = 4M RAM : ORIGIN = 0x20000000, LENGTH = 4M }"
        }
        // QEMU's virt.
        "riscv32" => {
            // Unlike cortex-m-rt's linker script, riscv-rt's does not include it.
            println!("cargo::rustc-link-arg-bins=-Tmemory.x");
            r#"MEMORY { ALL : ORIGIN = 0x80000000, LENGTH = 32M }
            REGION_ALIAS("REGION_TEXT", ALL); REGION_ALIAS("REGION_RODATA", ALL);
            REGION_ALIAS("REGION_DATA", ALL); REGION_ALIAS("REGION_BSS", ALL);
            REGION_ALIAS("REGION_HEAP", ALL); REGION_ALIAS("REGION_STACK", ALL);"#
        }
        _ => return,
    };
    fs::write(out.join("memory.x"), layout).expect("the folder is Cargo's");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}

/// `static NAME: &[Type]` with all cases of a kind.
fn table(
    source: &mut String,
    kind: &str,
    name: &str,
    of: &str,
    convert: impl Fn(&Value) -> Vec<String>,
) {
    let folder = Path::new("../../../conformance").join(kind);
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("each kind of cases is a folder")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.sort();
    writeln!(source, "pub static {name}: &[{of}] = &[").expect("a String takes everything");
    for path in paths {
        let group: Value = serde_json::from_slice(&fs::read(path).expect("it can be read"))
            .expect("the corpus is JSON");
        for case in list(&group["cases"]).iter().flat_map(&convert) {
            writeln!(source, "{of} {case},").expect("a String takes everything");
        }
    }
    writeln!(source, "];").expect("a String takes everything");
}

fn decode(case: &Value, line_end: Option<&[u8]>) -> String {
    let mut whole = Vec::new();
    let mut len = 0;
    let steps: Vec<_> = steps(case)
        .map(|(bytes, times, items)| {
            let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
            let bytes = line_end.map_or(bytes.clone(), |end| lines.join(end));
            len += bytes.len() * times;
            if len <= SHORT {
                whole.extend(bytes.repeat(times));
            }
            let bytes = bytes.escape_ascii();
            format!(
                "Step {{ bytes: b\"{bytes}\", times: {times}, items: {} }}",
                array(items, item)
            )
        })
        .collect();
    if len > SHORT {
        whole.clear();
    }
    format!(
        "{{ id: {:?}, seed: {:?}, limit: {:?}, steps: &[{}], whole: b\"{}\", all: &[{}], last_event_id: {:?}, time: {:?} }}",
        text(&case["id"]),
        case["lastEventId"].as_str().unwrap_or_default(),
        case["limit"].as_u64(),
        steps.join(", "),
        whole.escape_ascii(),
        self::steps(case)
            .flat_map(|step| list(step.2))
            .map(item)
            .collect::<Vec<_>>()
            .join(", "),
        text(&case["final"]["lastEventId"]),
        case["final"]["reconnectionTime"].as_u64(),
    )
}

fn encode(case: &Value) -> String {
    let frame = |frame: &Value| {
        format!(
            "Fields {{ event: {:?}, data: {:?}, id: {:?}, retry: {:?}, comment: {:?} }}",
            frame["event"].as_str(),
            frame["data"].as_str(),
            frame["id"].as_str(),
            frame["retry"].as_u64(),
            frame["comment"].as_str(),
        )
    };
    let refused = case["refused"].as_object().map(|refused| {
        (
            refused["frame"].as_u64().expect("an index"),
            text(&refused["field"]),
        )
    });
    format!(
        "{{ id: {:?}, frames: {}, items: {}, bytes: {:?}, refused: {refused:?} }}",
        text(&case["id"]),
        array(&case["frames"], frame),
        array(&case["items"], item),
        case["bytes"].as_str(),
    )
}

fn connect(case: &Value) -> String {
    let headers = |headers: &Value| {
        array(headers, |header| {
            format!("({:?}, {:?})", text(&header[0]), text(&header[1]))
        })
    };
    let response = |response: &Value| match response["failure"].as_str() {
        Some(failure) => format!("Response::Failure {{ permanent: {} }}", failure == "abort"),
        None => format!(
            "Response::Head {{ status: {}, headers: {}, url: {:?}, chunks: {}, end: {} }}",
            response["status"],
            headers(&response["headers"]),
            response["url"].as_str(),
            array(&response["chunks"], |chunk| format!(
                "b\"{}\"",
                bytes(chunk).escape_ascii()
            )),
            match text(&response["end"]) {
                "eof" => "Some(Disconnect::EndOfBody)",
                "error" => "Some(Disconnect::Network)",
                _ => "None",
            },
        ),
    };
    let request = |request: &Value| {
        format!(
            "ExpectedRequest {{ last_event_id: {:?}, after: {:?}, headers: {} }}",
            request["lastEventId"].as_str(),
            request["afterMs"].as_u64(),
            headers(&request["headers"]),
        )
    };
    let entry = |entry: &Value| match text(&entry["kind"]) {
        "open" => format!("LogEntry::Open({})", entry["readyState"]),
        "error" => format!("LogEntry::Error({})", entry["readyState"]),
        _ => format!(
            "LogEntry::Message {{ item: {}, origin: {:?} }}",
            item(entry),
            text(&entry["origin"]),
        ),
    };
    let close_on = case["closeOn"]
        .as_object()
        .map(|on| (text(&on["event"]), on.get("data").map(text)));
    format!(
        "{{ id: {:?}, url: {:?}, with_credentials: {:?}, seed: {:?}, responses: {}, close_on: {close_on:?}, requests: {}, log: {}, ready_state: {} }}",
        text(&case["id"]),
        text(&case["url"]),
        case["withCredentials"].as_bool().unwrap_or_default(),
        case["lastEventId"].as_str().unwrap_or_default(),
        array(&case["responses"], response),
        array(&case["requests"], request),
        array(&case["log"], entry),
        case["readyState"],
    )
}

fn item(item: &Value) -> String {
    if let Some(event) = item["event"].as_str() {
        let (data, id) = (text(&item["data"]), text(&item["lastEventId"]));
        format!("Expected::Event({event:?}, {data:?}, {id:?})")
    } else if let Some(time) = item["retry"].as_u64() {
        format!("Expected::Retry({time})")
    } else if let Some(comment) = item["comment"].as_str() {
        format!("Expected::Comment({comment:?})")
    } else {
        assert_eq!(item["error"], "event-too-large");
        "Expected::TooLarge".to_owned()
    }
}

/// The pieces of the input, how often each is repeated, and the items expected after it.
fn steps(case: &Value) -> impl Iterator<Item = (Vec<u8>, usize, &Value)> {
    list(&case["steps"])
        .iter()
        .map(|step| match &step["repeat"] {
            Value::Null => (bytes(step), 1, &step["items"]),
            repeat => {
                let times = repeat["times"].as_u64().expect("a count");
                (bytes(repeat), times as usize, &step["items"])
            }
        })
}

fn bytes(piece: &Value) -> Vec<u8> {
    match piece["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => text(&piece["hex"])
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).expect("two digits"))
            .collect(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("the schema says that it is a string")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn array(values: &Value, convert: impl Fn(&Value) -> String) -> String {
    let items: Vec<_> = list(values).iter().map(convert).collect();
    format!("&[{}]", items.join(", "))
}

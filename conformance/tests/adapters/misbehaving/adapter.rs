//! The adapters that misbehave, each in the way that its name says.

use std::{
    io::{self, BufRead, BufReader, Write},
    process,
    sync::LazyLock,
    thread,
    time::Duration,
};

use sse_conformance::{Answer, Body, Capabilities, Request, adapter, cases};

use super::{super::answer, TIMEOUT, VICTIM};

static VICTIM_INPUT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let case = cases().iter().find(|case| case.id == VICTIM);
    match &case.expect("it is there").body {
        Body::Decode(decode) => decode.input(),
        _ => unreachable!("it is for decoders"),
    }
});

/// Text that XML can hold only with escapes, or not at all.
pub(crate) fn odd_text() -> String {
    let ascii = ('\0'..='\u{FF}').filter(|char| *char != '\n');
    ascii
        .chain("\u{FFFE}\u{FFFF}\u{2028}\u{1F600}<![CDATA[ ]]> &#0; &x; -->".chars())
        .collect()
}

pub(crate) fn serve(how: &str) {
    let mut input = BufReader::new(io::stdin().lock());
    if how == "never-starts" {
        process::exit(9);
    }
    if how == "starts-slowly" {
        thread::sleep(TIMEOUT * 2);
    }
    #[cfg(unix)]
    if how == "closes-its-output" {
        // A shell can close its output; it replaces this process.
        let mut shell = process::Command::new("sh");
        shell.args(["-c", "exec 1>&-; sleep 60"]);
        panic!("{}", std::os::unix::process::CommandExt::exec(&mut shell));
    }
    let mut output = io::stdout().lock();
    let mut buffered: Option<Vec<u8>> = None;
    let mut served = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input
            .read_until(b'\n', &mut line)
            .expect("standard input can be read")
            == 0
        {
            break;
        }
        served += 1;
        let asks_capabilities = contains(&line, b"\"capabilities\"");
        let is_victim = is_victim(&line);
        let correct = correct_answer(&line, how);
        let case_key = case_key(&line);
        let mut write = |bytes: &[u8]| {
            // If the runner has closed the pipe, it has read enough.
            if output
                .write_all(bytes)
                .and_then(|()| output.flush())
                .is_err()
            {
                process::exit(0);
            }
        };
        match how {
            "hangs" if is_victim => sleep(),
            "spins-and-floods" if is_victim => loop {
                write(&[b'x'; 1 << 16]);
            },
            "exits" if is_victim => process::exit(3),
            "exits-with-success" if is_victim => process::exit(0),
            "exits-with-diagnostics" if is_victim => {
                eprintln!("some diagnostics");
                process::exit(1);
            }
            "has-odd-texts" if asks_capabilities => {
                let name = serde_json::to_string(&odd_text()).expect("text can be written");
                let version = r#""version":"two\nlines""#;
                let about = format!("{case_key},\"name\":{name},{version}}}\n");
                write(about.as_bytes());
            }
            "has-odd-texts" if is_victim => {
                eprint!("{}", odd_text());
                process::exit(1);
            }
            "exits-in-the-middle-of-a-line" if is_victim => {
                write(&correct[..correct.len() / 2]);
                process::exit(0);
            }
            "hangs-in-the-middle-of-a-line" if is_victim => {
                write(&correct[..correct.len() / 2]);
                sleep();
            }
            "writes-nonsense" if is_victim => write(b"Segmentation mutation\n"),
            "writes-a-list" if is_victim => write(b"[1]\n"),
            "writes-a-blank-line" if is_victim => write(&[b"\n", &correct[..]].concat()),
            "answers-another" if is_victim => {
                write(b"{\"case\":123456789,\"chunks\":[],\"lastEventId\":\"\"}\n")
            }
            "answers-without-a-number" if is_victim => {
                write(b"{\"chunks\":[],\"lastEventId\":\"\"}\n")
            }
            "writes-an-unknown-item" if is_victim => {
                write(
                    &[
                        case_key.as_bytes(),
                        b",\"chunks\":[[{\"event\":null}]],\"lastEventId\":\"\"}\n",
                    ]
                    .concat(),
                );
            }
            "is-late" if is_victim => {
                thread::sleep(TIMEOUT / 4);
                write(&correct);
            }
            "swaps-answers" if !asks_capabilities => match buffered.take() {
                Some(earlier) => write(&[correct, earlier].concat()),
                None if input.buffer().contains(&b'\n') => buffered = Some(correct),
                None => write(&correct),
            },
            "exits-now-and-then" if served == 200 => process::exit(0),
            "answers-twice" if !asks_capabilities => write(&correct.repeat(2)),
            "never-answers" => {}
            "never-flushes" => buffered.get_or_insert_default().extend(correct),
            "miscounts" => write(b"{\"case\":123456789,\"chunks\":[],\"lastEventId\":\"\"}\n"),
            "writes-a-banner" => write(&[b"starting up\n", &correct[..]].concat()),
            "writes-in-pieces" => {
                correct.chunks(correct.len() / 3 + 1).for_each(&mut write);
            }
            "has-new-capabilities" if asks_capabilities => {
                let known = Capabilities::all();
                let known = serde_json::to_string(&known).expect("names can be written");
                let more = known.replace('[', "[\"new-capability\",");
                write(
                    &[
                        case_key.as_bytes(),
                        b",\"name\":\"x\",\"capabilities\":",
                        more.as_bytes(),
                        b"}\n",
                    ]
                    .concat(),
                );
            }
            "dies-of-unknown-kinds" if asks_capabilities => process::exit(1),
            "ignores-unknown-kinds" if asks_capabilities => {}
            "refuses-unknown-kinds" if asks_capabilities => {
                write(&[case_key.as_bytes(), b",\"unsupported\":true}\n"].concat())
            }
            _ => write(&correct),
        }
    }
    match how {
        "ends-badly" => process::exit(7),
        "does-not-end" => sleep(),
        "goes-on-at-the-end" => {
            output
                .write_all(b"one more line\n")
                .expect("standard output can be written");
        }
        _ => {}
    }
}

/// The correct answer, except for the adapters that answer incorrectly.
fn correct_answer(line: &[u8], how: &str) -> Vec<u8> {
    let is_victim = is_victim(line);
    let mut serve = |request: Request| match (how, &request) {
        ("answers-with-an-error", _) if is_victim => Answer::Failed("some reason".to_owned()),
        ("panics", _) if is_victim => panic!("some panic"),
        ("decodes-only", Request::Decode(_)) => answer(&request, None),
        ("decodes-only", _) => Answer::Unsupported,
        _ => answer(&request, None),
    };
    adapter::handle_line(line, "misbehaving", "0", &Capabilities::all(), &mut serve)
}

fn is_victim(line: &[u8]) -> bool {
    let mut found = false;
    let mut look = |request: Request| {
        if let Request::Decode(request) = request {
            found = request.chunks.concat() == *VICTIM_INPUT;
        }
        Answer::Unsupported
    };
    adapter::handle_line(line, "", "", &Capabilities::all(), &mut look);
    found
}

/// The beginning of an answer to `line`: its key `case`.
fn case_key(line: &[u8]) -> String {
    let request: serde_json::Value = serde_json::from_slice(line).expect("requests are JSON");
    format!("{{\"case\":{}", request["case"])
}

fn sleep() -> ! {
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

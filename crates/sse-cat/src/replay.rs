//! `sse-cat replay`: writes the bytes of a recording again, with the same timing and chunks.

mod serve;

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Ending, Failure,
    output::log,
    recording::{End, Entry, Reader},
};

/// Writes a recording to standard output, or serves it, with the original timing and chunks
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File that `record` has written, or - for standard input
    file: PathBuf,

    /// Serve it on this port of this machine, or on this address and port; each request gets all of it
    #[arg(long, value_name = "[ADDRESS:]PORT")]
    serve: Option<String>,

    /// Replay at X times the original speed, or as fast as possible (max)
    #[arg(long, value_name = "X|max", default_value = "1", value_parser = speed)]
    speed: f64,
}

fn speed(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        _ if text == "max" => Ok(f64::INFINITY),
        Ok(speed) if speed > 0.0 => Ok(speed),
        _ => Err("neither a positive number nor max"),
    }
}

/// Replays the recording to its end, or serves it until Ctrl-C.
pub(crate) fn replay(args: &Args) -> Result<Ending, Failure> {
    let is_stdin = args.file == Path::new("-");
    let name = match is_stdin {
        true => "standard input".into(),
        false => args.file.display().to_string(),
    };
    let failed = |error| Failure::Input(name.clone(), error);
    let input: Box<dyn Read> = match is_stdin {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(&args.file).map_err(failed)?),
    };
    let (head, entries) = Reader::new(BufReader::new(input)).map_err(failed)?;
    if let Some(address) = &args.serve {
        let entries: io::Result<Vec<Entry>> = entries.collect();
        return serve::serve(address, head, entries.map_err(failed)?, args.speed);
    }
    let start = Instant::now();
    let mut stdout = unbuffered_stdout().map_err(Failure::Output)?;
    for entry in entries {
        match entry.map_err(failed)? {
            Entry::Chunk(at, bytes) => {
                thread::sleep(remaining(start, at, args.speed));
                let written = stdout.write_all(&bytes).and_then(|()| stdout.flush());
                written.map_err(Failure::Output)?;
            }
            Entry::End(at, end) => {
                thread::sleep(remaining(start, at, args.speed));
                if let End::Failed(error) = end {
                    log(format_args!("here the recorded input broke off: {error}"));
                }
            }
        }
    }
    Ok(Ending::COMPLETE)
}

/// Returns standard output without the line buffer of [`io::stdout`], which would write a chunk with
/// a line terminator in two parts.
#[cfg(unix)]
fn unbuffered_stdout() -> io::Result<impl Write> {
    use std::os::fd::AsFd as _;
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// A console of Windows needs the UTF-16 that only [`io::stdout`] writes.
#[cfg(not(unix))]
fn unbuffered_stdout() -> io::Result<impl Write> {
    Ok(io::stdout().lock())
}

/// Returns the time that is left until the recorded time `at`.
fn remaining(start: Instant, at: Duration, speed: f64) -> Duration {
    let at = Duration::try_from_secs_f64(at.as_secs_f64() / speed);
    at.unwrap_or(Duration::MAX).saturating_sub(start.elapsed())
}

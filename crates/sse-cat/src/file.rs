//! Prints a file, standard input, or the demo. There is no connection, so a [`Decoder`] is enough.
//!
//! [`Decoder`]: sse_proto::Decoder

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
};

use crate::{
    Args, Ending, Failure,
    output::{Output, log},
    progress::Progress,
};
use sse_proto::Item;

/// A stream in the shape of an LLM API.
pub(crate) const DEMO: &[u8] = include_bytes!("demo.sse");

/// Decodes the input and prints its events.
pub(crate) fn cat(args: &Args) -> Result<Ending, Failure> {
    let (name, input) = open(args.input.as_deref());
    let failed = |error| Failure::Input(name.clone(), error);
    let mut input = input.map_err(failed)?;
    let mut decoder = args.decoder().map_err(Failure::LastEventId)?;
    let mut output = Output::new(args);
    let is_pipe = args.input.as_deref() == Some(Path::new("-"));
    let mut progress = args.input.as_deref().and_then(progress);
    let mut buffer = [0; 64 * 1024];

    loop {
        let len = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        output.chunk(&buffer[..len], is_pipe)?;
        for chunk in buffer[..len].chunks(args.chunk_len()) {
            let mut events = decoder.feed(chunk);
            loop {
                let item = if args.comments {
                    events.next_item()
                } else {
                    events.next_event().map(|event| event.map(Item::Event))
                };
                match item {
                    Ok(Some(item)) => output.print(item)?,
                    Ok(None) => break, // the chunk is consumed
                    Err(error) => output.report(error)?,
                }
            }
        }
        output.flush()?; // the next read may block
        if let Some(progress) = &mut progress {
            progress.add(len, output.events());
        }
    }

    drop(progress);
    let is_no_event_stream = decoder.is_no_event_stream();
    let last = decoder.finish();
    // The last line may be the first that is not ignored.
    if is_no_event_stream && !matches!(last, Ok(Some(_))) {
        output.flush()?;
        return Err(Failure::NoEventStream(name));
    }
    // By the standard, an event that is not followed by a blank line is dropped.
    match last {
        Ok(Some(event)) if args.finish => output.print(Item::Event(event))?,
        Err(error) if args.finish => output.report(error)?,
        Ok(Some(_)) => {
            log("the input ended inside an event, which is not printed; use --finish to print it")
        }
        Ok(None) | Err(_) => {}
    }
    output.complete()
}

/// `None` if the line would not be seen, or if this is not a regular file.
pub(crate) fn progress(path: &Path) -> Option<Progress> {
    if path == Path::new("-") {
        return None; // standard input
    }
    let metadata = path.metadata().ok()?;
    metadata.is_file().then(|| Progress::new(metadata.len()))?
}

fn open(file: Option<&Path>) -> (String, io::Result<Box<dyn Read>>) {
    match file {
        None => ("demo".into(), Ok(Box::new(DEMO))),
        Some(path) if path == Path::new("-") => {
            ("standard input".into(), Ok(Box::new(io::stdin().lock())))
        }
        Some(path) => (
            path.display().to_string(),
            File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
        ),
    }
}

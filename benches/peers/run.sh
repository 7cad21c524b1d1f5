#!/usr/bin/env bash
# Measures this crate and its peers in about ten minutes, and writes benches/RESULTS.md and benches/throughput.svg:
#   benches/peers/run.sh [--date DATE]
# Checks only that the peers compile and give the expected answers:
#   benches/peers/run.sh --check
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../../target/peers}

if [[ ${1-} == --check ]]; then
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo run --locked --quiet -- check
    cargo test --locked --doc
    exit
fi

date=$(date -u +%F)
if [[ ${1-} == --date ]]; then
    date=$2
fi

cargo build --locked --release
peers=$CARGO_TARGET_DIR/release/peers
results=$(mktemp)
trap 'rm -f "$results"' EXIT

{
    cat <<END
# Measurements

Written by \`benches/peers/run.sh\`, together with the chart \`throughput.svg\`. Do not edit it.

| what | |
|---|---|
| date | $date |
| commit | $(git describe --always --dirty) |
| processor | $(LC_ALL=C lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores |
| system | $(uname -sm) |
| compiler | $(rustc --version), release profile, nothing else set |

Method: the streams and frames are generated (\`benches/streams.rs\`, \`benches/frames.rs\`) and stay in memory. Each
decoder is used in the way that its documentation shows first, with its default features (those of sse-stream 0.3.0
include simdutf8 and memchr; sse-proto has no dependencies). No decoder pays for copying, allocating or
reference-counting the chunks. Before anything is timed, each decoder must return the right number of events and the
right data for each stream and chunk size. Then all decoders take turns in one process. A figure is the median of up
to 201 passes (fewer for slow decoders), in processor time of the thread. \`> 1s\`: not finished after that time.
\`- (1)\`: a wrong answer, see the note.

\`reference\` finds line terminators with memchr and validates each line with \`core::str::from_utf8\`, without fields
and events. At invalid UTF-8 it skips the rest of the line, which a decoder must not do.

## Decoders

Streams have 1 MB, the one long line 4 MB. Columns are chunk sizes in bytes; \`event\` is the (average) length of an
event.

END
    "$peers" decode --seconds 2 --svg ../throughput.svg
    cat <<END
## With the optional features

The same decoder with \`simdutf8\`, then with \`memchr\`. The peers run as above; only the ratio to the fastest of them is
shown. Compare the ratios, not the figures: those above were measured at another time.

END
    for feature in simdutf8 memchr; do
        cargo build --locked --release --features "$feature" --target-dir "$CARGO_TARGET_DIR/$feature"
        printf '### %s\n\n' "$feature"
        "$CARGO_TARGET_DIR/$feature/release/peers" decode --seconds 1 --chunk 16,event,1400,16384,whole |
            grep -E '^$|^\*\*|^\| (GB/s|sse-proto|reference)|^\|---' | cat -s
    done
    cat <<END
## As a stream

The same streams, a quarter as long (the long line has 1 MB), as a \`Stream\` of owned events. The chunks are
reference-counted slices of one buffer (\`Bytes\`), as HTTP libraries return them; making them is part of every figure.
The consumer reads the type and the length of the data of each event, then drops it. \`sse-proto-stream\` is
\`EventStream::new\`; \`borrowed\` is its \`for_each_event\`, which borrows the events instead of allocating them; \`body\`
reads an \`http_body::Body\` instead of a \`Stream\`; \`items\` is \`ItemStream\`, which also yields comments and \`retry\`
lines. \`by hand\` is a loop around the decoder, in batches of 64 events. The events of sseer and eventsrc are slices of
the chunk where possible; dropping each at once, as here, is their best case (see \`kept\` below).

END
    "$peers" streams
    cat <<END
## Encoders

The first line of each table names the frames. \`vec\`, \`slice\`, \`fmt\` and \`writer\` are ways to encode with sse-proto.
The \`plain\` ones copy the same text, already split into lines, without any check. The others are the crates whose
frames user text cannot break out of.

END
    "$peers" encode
    cat <<END
## Growth

Nanoseconds per byte, for events of 16 KB to 64 MB. Each pass starts with a new decoder, so it includes the growth of
the buffers; beyond a few MB, the memory no longer fits into a cache.

END
    "$peers" growth
    cat <<END
## Allocations

Number of allocations / bytes per event, after warm-up. Streams have 64 KB, the long line 256 KB.

END
    "$CARGO_TARGET_DIR/release/allocations"
} | tee "$results"
sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' "$results" >../RESULTS.md

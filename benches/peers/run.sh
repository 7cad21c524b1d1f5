#!/usr/bin/env bash
# Measures this crate beside its peers, which takes about ten minutes, and writes benches/RESULTS.md and
# benches/throughput.svg: benches/peers/run.sh [--date DATE]
# Or only sees that the peers compile and answer as they should, and times nothing: benches/peers/run.sh --check
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

Made by \`benches/peers/run.sh\`, which writes this file and the chart \`throughput.svg\`. Do not edit it.

| what | |
|---|---|
| date | $date |
| commit | $(git describe --always --dirty) |
| processor | $(LC_ALL=C lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores |
| system | $(uname -sm) |
| compiler | $(rustc --version), release profile, nothing else set |

Method: the streams and frames come from a generator (\`benches/streams.rs\`, \`benches/frames.rs\`) and lie in memory. Each decoder
is used as its documentation shows first and with its default features (those of sse-stream 0.3.0 include
simdutf8 and memchr; sse-proto has no dependency); chunks cost nobody a copy, an allocation or a reference count. Before
anything is timed, each has to give the right number of events and the right data, on each stream at each chunk
size; then all of them run in turns in one process. A figure is the median of up to 201 passes, of fewer for
those that are slow, in processor time of the thread. \`> 1s\`: not finished after that time. \`- (1)\`: a wrong
answer, see the note.

\`reference\` finds line ends with memchr and validates each line with \`core::str::from_utf8\`: no fields, no events. On
invalid UTF-8 it leaves a line at the first wrong byte, which no decoder may do.

## Decoders

Columns are chunk sizes in bytes; \`event\` is the length of an event, of the average one where they differ.

END
    "$peers" decode --seconds 2 --svg ../throughput.svg
    cat <<END
## With the optional features

The same decoder with \`simdutf8\`, then with \`memchr\`; the peers run too, as above, and only the fastest of them is told. Compare the
ratios: the figures above are of another time.

END
    for feature in simdutf8 memchr; do
        cargo build --locked --release --features "$feature" --target-dir "$CARGO_TARGET_DIR/$feature"
        printf '### %s\n\n' "$feature"
        "$CARGO_TARGET_DIR/$feature/release/peers" decode --seconds 1 --chunk 16,event,1400,16384,whole |
            grep -E '^$|^\*\*|^\| (GB/s|sse-proto|reference)|^\|---' | cat -s
    done
    cat <<END
## As a stream

The same streams as a \`Stream\` of owned events. The chunks are reference-counted slices of one buffer (\`Bytes\`), as HTTP
libraries hand them out, and making them is part of every figure. The consumer reads the type and the length of the
data of each event, then drops it. \`sse-proto-stream\` is \`EventStream::new\`; \`lent\` is its \`for_each_event\`, which borrows the
events instead of allocating them; \`body\` reads an \`http_body::Body\` instead of a \`Stream\`; \`items\` is \`ItemStream\`, which also
yields comments and \`retry\` lines. \`by hand\` is a loop around the decoder, in batches of 64 events. The events of sseer and eventsrc are
slices of the chunk where they can be: dropping each at once, as here, is their best case (see \`kept\` below).

END
    "$peers" streams
    cat <<END
## Encoders

The first line of each table names the frames. \`vec\`, \`slice\`, \`fmt\` and \`writer\` are ways to encode with sse-proto, \`plain\` ones
copy the same text, cut into lines beforehand, without any check; the others are the crates whose frames user
text cannot break out of.

END
    "$peers" encode
    cat <<END
## Growth

Nanoseconds a byte, for events of 16 KB to 64 MB. Each pass starts with a new decoder, so that the growth of its
buffers is part of it; past some MB so is memory that no cache holds.

END
    "$peers" growth
    cat <<END
## Allocations

Per event, after warm-up: number of allocations / bytes.

END
    "$CARGO_TARGET_DIR/release/allocations"
} | tee "$results"
sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' "$results" >../RESULTS.md

#!/usr/bin/env bash
# Runs the corpus on the implementations in adapters/ and on sse-proto itself, and writes RESULTS.md and results.html:
#
#   conformance/results.sh [--list | --all | NAME...]
#
# Without arguments, it runs what has not been run here with this corpus and this adapter, so a run that was interrupted goes on where it
# stopped. An adapter includes the versions that it pins, but not the packages of Debian or the code of sse-proto. `--all` runs all again. With
# names, it runs only these again; `JavaScript:openai` is only that of this family, and `servers` are the server frameworks. `--list` prints the
# names. The results of implementations that have not been run here stay as they are, with the date of their run.
#
# Installs what it needs below the target folder, and browsers and languages with apt. Each implementation has a process and a folder of its
# own, field/rows/FAMILY_NAME below the target folder. Only one call at a time can use the target folder, and an interrupted one ends what it
# started. The exit status is 0 if every failure is explained in adapters/faults.json or adapters/server-faults.json, and every bug there was
# seen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/support/install.sh

target=$(target_folder)
work=$target/field
adapters=conformance/adapters
suite=$target/release/sse-conformance
# Those with a limit or with details are run on sse-proto only.
corpus=$(cat $(ls conformance/decode/*.json | grep -v -e limits -e details) | sha256sum | cut -c1-16)
# Those of servers.
frames=$(cat conformance/encode/*.json | sha256sum | cut -c1-16)

rust=(sse-core sse-parse sse-stream 'sse-stream 0.2' sseer eventsrc stream-rs async-sse eventsource-client eventsource-stream
    eventsource-stream2 allama-http reqwest-sse rig-http russe sse-codec sse-frame tokio_sse_codec)
python=(httpx-sse httpx2 sseclient-py sseclient launchdarkly-eventsource requests-sse aiohttp-sse-client niquests assel openai anthropic
    google-genai mistralai cohere langgraph-sdk)
# These replace a module of another one: sseclient has the name of sseclient-py's, and niquests brings its own urllib3.
apart=(niquests sseclient)
javascript=(eventsource-parser undici @microsoft/fetch-event-source fetch-event-stream parse-sse openai @anthropic-ai/sdk
    groq-sdk @google/genai @mistralai/mistralai @langchain/core @langchain/langgraph-sdk @azure/core-sse @orpc/standard-server
    @server-sent-stream/parser event-stream-parser sse-decoder fetch-sse event-source-plus extended-eventsource event-source-polyfill
    eventsource launchdarkly-eventsource eventsource-polyfill sse.js react-native-sse htmx.org)
# These get the very long inputs in one chunk.
whole=(eventsource-polyfill sse.js react-native-sse symfony/http-client)
browsers=(chromium firefox-esr webkitgtk)
runtimes=(deno node)
rust_servers=(axum actix-web-lab picoserve poem rocket salvo warp sse-proto)
python_servers=(aiohttp-sse blacksheep fastapi litestar sse-starlette)
javascript_servers=(@fastify/sse @nestjs/core fastify-sse-v2 h3 hono)

rows=()
for name in "${rust[@]}"; do rows+=("Rust:$name"); done
for name in "${python[@]}"; do rows+=("Python:$name"); done
for name in "${javascript[@]}"; do rows+=("JavaScript:$name"); done
rows+=(Go:donovanhide/eventsource Go:gin-contrib/sse PHP:symfony/http-client)
for name in "${runtimes[@]}"; do rows+=("runtime:$name"); done
for name in "${browsers[@]}"; do rows+=("browser:$name"); done
for name in "${rust_servers[@]}"; do rows+=("Rust-server:$name"); done
for name in "${python_servers[@]}"; do rows+=("Python-server:$name"); done
for name in "${javascript_servers[@]}"; do rows+=("JavaScript-server:$name"); done
rows+=(Go-server:gin-contrib/sse)
rows+=(Rust:sse-proto)

# folder ROW: where its reports are.
folder() { echo "$work/rows/${1//[^A-Za-z0-9.-]/_}"; }

# corpus_of ROW: the hash of its cases.
corpus_of() { if [[ $1 == *-server:* ]]; then echo "$frames"; else echo "$corpus"; fi; }

# adapter_folder ROW: the sources of its adapter.
adapter_folder() {
    local family=${1%%:*}
    case $1 in
    Rust:sse-proto) echo examples/adapter ;;
    browser:* | runtime:*) echo $adapters/browsers ;;
    *-server:*) family=${family%-server} && echo "$adapters/servers/${family,,}" ;;
    *) echo "$adapters/${family,,}" ;;
    esac
}

# hash_of FOLDER: the hash of its files, without what is built or installed there.
hash_of() {
    find "$1" '(' -name __pycache__ -o -name node_modules -o -name target ')' -prune -o -type f -print0 |
        LC_ALL=C sort --zero-terminated | xargs -0 sha256sum | sha256sum | cut -c1-16
}

# All hashes are taken at the start: what is edited during the run is not what was run.
declare -A hashes versions
for row in "${rows[@]}"; do
    sources=$(adapter_folder "$row")
    [[ -v hashes[$sources] ]] || hashes[$sources]=$(hash_of "$sources")
    versions[$row]=${hashes[$sources]}
    if [[ ${row#*:} == sse-proto ]]; then versions[$row]+=-$(sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q}' Cargo.toml); fi
done

# finished ROW: whether it was run with this corpus and this adapter.
finished() { grep -qs " $(corpus_of "$1") ${versions[$1]}$" "$(folder "$1")/done"; }

# estimate ROW: the seconds that it took the last time.
estimate() { cat "$(folder "$1")/seconds" 2>/dev/null || echo 60; }

usage() {
    echo "usage: $0 [--list | --all | NAME...]" >&2
    exit 2
}

queue=()
case $#:${1-} in
1:--list)
    printf '%s\n' "${rows[@]}"
    exit
    ;;
0: | 1:--all) ;;
*:-* | *:) usage ;;
*)
    declare -A wanted
    for name in "$@"; do
        found=0
        for row in "${rows[@]}"; do
            if [[ $row == "$name" || ${row#*:} == "$name" || $name == servers && $row == *-server:* ]]; then
                wanted[$row]=1 found=1
            fi
        done
        [[ $found == 1 ]] || { echo "$0: there is no $name; --list prints the names" >&2 && exit 2; }
    done
    for row in "${rows[@]}"; do
        if [[ ${wanted[$row]-} == 1 ]]; then queue+=("$row"); fi
    done
    ;;
esac

# with_node: Node.js comes from PyPI if it is not installed.
with_node() {
    python_env $adapters/python/requirements.txt "$work/venv"
    need_node "$work/venv"
}

# prepare FAMILY: installs what its adapters need.
prepare() {
    case $1 in
    Rust)
        # rig-http asks for a newer compiler than it needs.
        CARGO_TARGET_DIR=$target cargo build --quiet --release --locked --ignore-rust-version --manifest-path $adapters/rust/Cargo.toml
        ;;
    Python)
        python_env $adapters/python/requirements.txt "$work/venv"
        for name in "${apart[@]}"; do python_env "$adapters/python/requirements-$name.txt" "$work/venv-$name"; done
        ;;
    JavaScript)
        with_node
        node_env $adapters/javascript/package.json "$work/node" "$work/venv"
        ;;
    browser)
        need "command -v chromium" chromium
        need "command -v firefox-esr" firefox-esr
        need "command -v Xvfb && ls /usr/lib/*/webkit2gtk-4.1/MiniBrowser" libwebkit2gtk-4.1-0 xvfb
        python_env $adapters/browsers/requirements.txt "$work/venv-browsers"
        ;;
    runtime)
        with_node
        node_env $adapters/browsers/package.json "$work/runtimes" "$work/venv"
        python_env $adapters/browsers/requirements.txt "$work/venv-browsers"
        ;;
    Go)
        need "command -v go && ls /usr/share/gocode/src/github.com/{donovanhide/eventsource,gin-contrib/sse}" \
            golang-go golang-github-donovanhide-eventsource-dev golang-github-gin-contrib-sse-dev
        GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$work/go-cache go build -o "$work/go-adapter" $adapters/go/adapter.go
        ;;
    PHP)
        need "command -v php && [[ -d /usr/share/php/Symfony/Component/HttpClient ]]" php-cli php-symfony-http-client php-symfony-mime
        ;;
    Rust-server)
        CARGO_TARGET_DIR=$target cargo build --quiet --release --locked --manifest-path $adapters/servers/rust/Cargo.toml
        ;;
    Python-server) python_env $adapters/servers/python/requirements.txt "$work/venv-servers" ;;
    JavaScript-server)
        with_node
        node_env $adapters/servers/javascript/package.json "$work/node-servers" "$work/venv"
        ;;
    Go-server)
        need "command -v go && ls /usr/share/gocode/src/github.com/gin-gonic/gin" \
            golang-go golang-github-gin-contrib-sse-dev golang-github-gin-gonic-gin-dev
        GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$work/go-cache go build -o "$work/go-server" $adapters/servers/go/adapter.go
        ;;
    esac
}

# adapter_of ROW: sets `adapter` to the command that runs its adapter.
adapter_of() {
    local name=${1#*:}
    case $1 in
    Rust:sse-proto) adapter=("$target/release/examples/adapter") ;;
    Rust:*) adapter=("$target/release/rust-adapters" "$name") ;;
    Python:*)
        adapter=("$work/venv/bin/python" $adapters/python/adapter.py "$name")
        if [[ " ${apart[*]} " == *" $name "* ]]; then adapter[0]=$work/venv-$name/bin/python; fi
        ;;
    JavaScript:*) adapter=(node $adapters/javascript/adapter.mjs "$work/node/node_modules" "$name") ;;
    browser:*) adapter=("$work/venv-browsers/bin/python" $adapters/browsers/adapter.py "$name") ;;
    runtime:*) adapter=("$work/venv-browsers/bin/python" $adapters/browsers/adapter.py "$name" "$work/runtimes/node_modules/.bin/$name") ;;
    Go:*) adapter=("$work/go-adapter" "$name") ;;
    PHP:*) adapter=(php $adapters/php/adapter.php) ;;
    Rust-server:*) adapter=("$target/release/rust-servers" "$name") ;;
    Python-server:*) adapter=("$work/venv-servers/bin/python" $adapters/servers/python/adapter.py "$name") ;;
    JavaScript-server:*) adapter=(node $adapters/servers/javascript/adapter.mjs "$work/node-servers/node_modules" "$name") ;;
    Go-server:*) adapter=("$work/go-server") ;;
    esac
}

# report FILE OPTION...: writes the report of a run of `adapter`. Failed cases are part of it; a run that cannot start is an error.
report() {
    local file=$1 status=0
    shift
    "$suite" run --json --startup 120 --restarts 1000 "$@" -- "${adapter[@]}" >"$file.new" 2>"$file.log" || status=$?
    if [[ $status -gt 1 ]]; then
        cat "$file.log" >&2
        return "$status"
    fi
    mv "$file.new" "$file"
}

patient=(--timeout 20 --hangs 3)

# patience: a timeout of 3 s, or more if other programs take most of the CPU.
patience() {
    python3 -c '
import time
began, used = time.monotonic(), time.process_time()
while time.process_time() - used < 0.2:
    pass
print(min(15, max(3, round(3 * (time.monotonic() - began) / 0.2))))'
}

# by_pipe FOLDER NAME: runs the very long inputs separately, with a short timeout, since an implementation in quadratic time would not finish most
# of them, and gives up after four timeouts, which are two inputs. One in linear time needs a tenth of the timeout on two busy cores, in any of
# these languages. They are run without empty chunks, which the other cases have. A row that runs alone uses both cores.
by_pipe() {
    local long=(--hangs 4 --without empty-chunks)
    if [[ " ${whole[*]} " == *" $2 "* ]]; then long=(--hangs 4 --without chunks); fi
    if [[ ${#queue[@]} == 1 ]]; then
        report "$1/long-2.json" --timeout "$(patience)" "${long[@]}" "${long_2[@]}" &
    fi
    report "$1/short.json" "${patient[@]}" "${short[@]}"
    report "$1/long-1.json" --timeout "$(patience)" "${long[@]}" "${long_1[@]}"
    if [[ ${#queue[@]} == 1 ]]; then
        wait %%
    else
        report "$1/long-2.json" --timeout "$(patience)" "${long[@]}" "${long_2[@]}"
    fi
}

# in_browser FOLDER: sends the long inputs in one chunk, as many thousand chunks would take hours. An item may be late because the machine is
# busy: such cases are run again, and count only if the item is late each time.
in_browser() {
    local again late before=$1/short.json
    report "$before" "${patient[@]}" "${short[@]}"
    report "$1/long.json" "${patient[@]}" "${long_1[@]}" "${long_2[@]}" --without chunks
    for again in 1 2; do
        select_into late only "case.get('failure', {}).get('what') == 'late'" <"$before"
        if [[ ${#late[@]} == 0 ]]; then
            return
        fi
        before=$1/short-again-$again.json
        report "$before" "${patient[@]}" "${late[@]}"
    done
}

# select_into ARRAY COMMAND...: sets ARRAY to the lines that COMMAND prints. Fails if COMMAND does.
select_into() {
    local -n selected=$1
    local text
    shift
    text=$("$@")
    selected=()
    if [[ -n $text ]]; then readarray -t selected <<<"$text"; fi
}

# only CONDITION: options that select the cases for which CONDITION, in Python, is true. The cases are read from standard input. `count` counts
# those that reach it.
only() {
    python3 -c '
import itertools, json, sys
found = json.load(sys.stdin)
count = itertools.count()
for case in found["cases"] if isinstance(found, dict) else found:
    is_long = "linear" in case.get("flags", []) or case["id"] == "noise-64-kib"
    if eval(sys.argv[1]):
        print("--only", case["id"], sep="\n")' "$1"
}

# run ROW: makes its reports, and notes when and how long.
run() {
    local row=$1 folder before=$SECONDS
    folder=$(folder "$row")
    mkdir -p "$folder"
    rm -f "$folder"/*.json*
    adapter_of "$row"
    if [[ $row == browser:* || $row == runtime:* ]]; then
        in_browser "$folder"
    elif [[ $row == *-server:* ]]; then
        report "$folder/encode.json" "${patient[@]}" "${legal[@]}"
    else
        by_pipe "$folder" "${row#*:}"
    fi
    echo $((SECONDS - before)) >"$folder/seconds"
    echo "$(date -u +%F) $(corpus_of "$row") ${versions[$row]}" >"$folder/done"
}

# look: sets `running` to the rows that run.
look() {
    local row jobs
    jobs=" $(jobs -rp | tr '\n' ' ')"
    running=()
    for row in "${queue[@]:0:started}"; do
        if [[ $jobs == *" ${pids[$row]} "* ]]; then running+=("$row"); fi
    done
}

# progress: prints what is running, and how long the rest takes if it takes as long as the last time.
progress() {
    local row left=0 longest=0 rest
    look
    for row in "${queue[@]:started}"; do left=$((left + $(estimate "$row"))); done
    for row in "${running[@]}"; do
        rest=$(($(estimate "$row") + began[$row] - SECONDS))
        if [[ $rest -gt 0 ]]; then left=$((left + rest)); fi
        if [[ $rest -gt $longest ]]; then longest=$rest; fi
    done
    # Two run at a time, but a single row is not divided.
    left=$((left / 2 > longest ? left / 2 : longest))
    echo "$(date +%T) $((started - ${#running[@]})) of ${#queue[@]} done, about $(((left + 59) / 60)) min left; running: ${running[*]}"
    printed=$SECONDS
}

# wait_for COUNT: waits until at most COUNT rows run. Prints the progress once a minute.
wait_for() {
    while look && [[ ${#running[@]} -gt $1 ]]; do
        if [[ $((SECONDS - printed)) -ge 60 ]]; then progress; fi
        sleep 0.5
    done
}

# build: builds and installs what the queue needs, and selects the cases. What it starts does not get the lock, since some tools leave a server
# behind.
build() {
    local listed family
    cargo build --quiet --release -p sse-conformance
    listed=$("$suite" list --only decode --json)
    select_into short only "not is_long" <<<"$listed"
    select_into long_1 only "is_long and next(count) % 2 == 0" <<<"$listed"
    select_into long_2 only "is_long and next(count) % 2 == 1" <<<"$listed"
    select_into legal python3 $adapters/encoders.py
    if [[ ${#short[@]} == 0 || ${#long_1[@]} == 0 || ${#long_2[@]} == 0 || ${#legal[@]} == 0 ]]; then
        echo "$0: a run has no cases: short ${#short[@]}, long ${#long_1[@]} and ${#long_2[@]}, servers ${#legal[@]} options" >&2
        exit 1
    fi
    # Before any is run: building takes all cores.
    for family in $(printf '%s\n' "${queue[@]%%:*}" | sort -u); do prepare "$family"; done
}

# run_queue: builds, runs the rows of the queue, two at a time, and writes the results.
run_queue() {
    local row failed=0 keep
    if [[ ${#queue[@]} -gt 0 ]]; then build 9>&-; fi
    declare -gA pids began
    started=0
    for row in "${queue[@]}"; do
        # Which of them failed is seen at the end.
        wait_for 1
        if [[ $row == Rust:sse-proto ]]; then
            # Its development dependencies take long to build.
            wait_for 0
            cargo build --quiet --release --example adapter 9>&-
        fi
        rm -f "$(folder "$row")/done"
        run "$row" &
        pids[$row]=$! began[$row]=$SECONDS
        started=$((started + 1))
        progress
    done
    wait_for 0

    for row in "${queue[@]}"; do
        finished "$row" || { echo "$0: $row failed" >&2 && failed=1; }
    done
    # The results of the others are those of earlier runs.
    keep=(--keep)
    if [[ $all == 1 && $failed == 0 ]]; then keep=(); fi
    python3 $adapters/report.py "${keep[@]}" "$work/rows" conformance "$corpus" "$frames" || failed=1
    exit "$failed"
}

# tree PROCESS: suspends it and all its descendants, so that they cannot start others, and prints their ids.
tree() {
    local child
    kill -STOP "$1" 2>/dev/null || return 0
    echo "$1"
    for child in $(pgrep --parent "$1"); do tree "$child"; done
}

# stop SIGNAL: ends the queue with all that it has started, and then this script by the signal that it got.
stop() {
    local processes runner=${!-}
    trap '' HUP INT TERM
    readarray -t processes < <(tree "$runner")
    if [[ ${#processes[@]} -gt 0 ]]; then
        kill -TERM "${processes[@]}" 2>/dev/null || true
        kill -CONT "${processes[@]}" 2>/dev/null || true
        # Time for browsers to end their own processes.
        for _ in {1..30}; do
            kill -0 "${processes[@]}" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "${processes[@]}" 2>/dev/null || true
    fi
    trap - "$1"
    kill -s "$1" $$
}

need "command -v pgrep" procps
mkdir -p "$work"
# The lock lasts until all that inherited descriptor 9 has exited, even if this script was killed.
exec 9>>"$work/lock"
flock --nonblock 9 || { echo "$0: another call, or a process that it started, still runs and has the lock $work/lock" >&2 && exit 1; }

all=0
if [[ $# == 0 ]]; then
    for row in "${rows[@]}"; do finished "$row" || queue+=("$row"); done
elif [[ $1 == --all ]]; then
    all=1 queue=("${rows[@]}")
    rm -f "$work"/rows/*/done
fi

# In the background, as a trap waits for the command in the foreground, and in a process group of its own: Ctrl-C must not end a part of it
# before `stop` has seen the whole tree.
for signal in HUP INT TERM; do trap "stop $signal" $signal; done
set -m
(
    set +m
    run_queue
) </dev/null &
set +m
wait $!

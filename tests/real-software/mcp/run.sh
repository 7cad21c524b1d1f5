#!/usr/bin/env bash
# Runs the conformance suite of the Model Context Protocol, on loopback: the example mcp-client must pass its scenarios without a
# warning. Installs what it needs, prints each check, and ends with `N passed, 0 failed`. With words as arguments, runs only the
# scenarios with one of them in their names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

target=$(target_folder)
cargo build --quiet -p sse-proto-stream --features reqwest-0_13 --example mcp-client

work=$target/mcp
mkdir -p "$work"
# The suite calls `fs.globSync`, which Node.js has from version 22 on.
python_env tests/real-software/mcp/requirements.txt "$work/venv"
export PATH=$work/venv/bin:$PATH
node_env tests/real-software/mcp/package.json "$work/node" "$work/venv"

conformance=$work/node/node_modules/.bin/conformance
passed=0 failed=0
# scenario NAME ARGUMENTS: runs the client with ARGUMENTS, to which the suite adds the URL of the server that it starts.
scenario() {
    local word
    for word in "${words[@]}"; do
        [[ $1 == *"$word"* ]] || continue
        echo "--- $1"
        # The suite runs the command in a shell and kills only that after 30 seconds: `exec` replaces the shell with the client.
        if "$conformance" client --scenario "$1" --command "exec $target/debug/examples/mcp-client $2" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
        fi
        return
    done
}

words=("${@:-}")
# All responses are JSON.
scenario initialize ''
# The response to the call is an event stream.
scenario tools_call "add_numbers '{\"a\":2,\"b\":3}'"
# The server closes that stream before it has sent the result. The client must reconnect with GET after exactly the time of the
# `retry` line, with the ID of the last event, to get the result.
scenario sse-retry 'test_reconnection {}'

echo "$passed passed, $failed failed"
((passed > 0 && failed == 0))

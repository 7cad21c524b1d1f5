#!/usr/bin/env bash
# Clients, on loopback: curl, httpx-sse, the npm package eventsource, headless Chromium and OpenAI's SDK must receive what the
# example live-server was told to send; Google's SDK must fail in the known ways. Installs what it needs; ends with
# `N passed, 0 failed`. With words as arguments, runs only the checks with one of them in their names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh
need "command -v chromium" chromium

target=$(target_folder)
cargo build --quiet -p sse-proto-server --example live-server

work=$target/live-server-against-clients
mkdir -p "$work"
python_env tests/real-software/live-server-against-clients/requirements.txt "$work/venv"
node_env tests/real-software/live-server-against-clients/package.json "$work/node" "$work/venv"

exec "$work/venv/bin/python" tests/real-software/live-server-against-clients/check.py "$target/debug/examples/live-server" "$work/node/node_modules" "$@"

#!/usr/bin/env bash
# Servers from the package registries, on loopback: `curl -sN URL | sse-cat` must print what they send.
# Installs what it needs; ends with `N passed, 0 failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

target=$(target_folder)
cargo build --quiet -p sse-cat

work=$target/decoder-against-servers
mkdir -p "$work"
python_env tests/real-software/decoder-against-servers/requirements.txt "$work/venv"
node_env tests/real-software/decoder-against-servers/package.json "$work/node" "$work/venv"

exec "$work/venv/bin/python" tests/real-software/decoder-against-servers/check.py "$target/debug/sse-cat" "$work/node/node_modules"

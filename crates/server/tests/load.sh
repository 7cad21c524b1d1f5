#!/usr/bin/env bash
# The example live-server under many clients at once, while it is killed, stopped and started again: load.sh [CLIENTS] [SECONDS]
# 2000 clients and 60 seconds unless told otherwise; a kill every 10 seconds, and two at least. Each client checks every event.
# PROFILE=dev builds without optimisation, which is quicker than a load of a few clients would be slower.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

clients=${1:-2000} seconds=${2:-60} profile=${PROFILE:-release}
kills=$((seconds / 10 - 1))
target=$(target_folder)
cargo build --quiet --profile "$profile" -p sse-proto-server --example live-server --example load
examples=$target/${profile/dev/debug}/examples

# A socket for each client on both sides, which are two processes, and some files.
files=$((clients + 100))
(($(ulimit -n) >= files)) || ulimit -n "$files"

store=$(mktemp -d)
trap 'rm -r "$store"' EXIT
# A proxy of the surroundings has no part in this.
env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY \
    "$examples/load" "$examples/live-server" "$store/history" --clients "$clients" --seconds "$seconds" --kills $((kills > 2 ? kills : 2))

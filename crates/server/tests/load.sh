#!/usr/bin/env bash
# Runs the example live-server with many clients, while it is killed, stopped and restarted: load.sh [CLIENTS] [SECONDS]
# By default 2000 clients and 60 seconds. Kills the server every 10 seconds, at least twice. Each client checks every event.
# PROFILE=dev builds without optimization, which saves time in runs with few clients.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

clients=${1:-2000} seconds=${2:-60} profile=${PROFILE:-release}
kills=$((seconds / 10 - 1))
target=$(target_folder)
cargo build --quiet --profile "$profile" -p sse-proto-server --example live-server --example load
examples=$target/${profile/dev/debug}/examples

# One socket per client in each of the two processes, and some files.
files=$((clients + 100))
(($(ulimit -n) >= files)) || ulimit -n "$files"

store=$(mktemp -d)
trap 'rm -r "$store"' EXIT
# Do not use a proxy of the environment.
env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY \
    "$examples/load" "$examples/live-server" "$store/history" --clients "$clients" --seconds "$seconds" --kills $((kills > 2 ? kills : 2))

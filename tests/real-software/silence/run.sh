#!/usr/bin/env bash
# Measures how long servers are silent by default, what they send meanwhile, and who ends a stream after how much silence: runs
# servers and clients from the package registries on loopback, with default settings, and prints the two tables of
# docs/silence.md. Argument: how many seconds to watch each stream, by default 70; the page has the tables for 620. Run by hand:
# it installs about 1 GB below the target folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh
need "command -v chromium" chromium
need "command -v nginx || test -x /usr/sbin/nginx" nginx

target=$(target_folder)
work=$target/silence
sdks=$target/frames-against-clients
mkdir -p "$work" "$sdks"
python_env tests/real-software/frames-against-clients/requirements.txt "$sdks/venv"
python_env tests/real-software/silence/requirements.txt "$work/venv"
export PATH=$sdks/venv/bin:$PATH
node_env tests/real-software/frames-against-clients/package.json "$sdks/node" "$sdks/venv"
node_env tests/real-software/silence/package.json "$work/node" "$sdks/venv"

exec "$work/venv/bin/python" tests/real-software/silence/measure.py \
    "$work/node/node_modules" "$sdks/venv/bin/python" "$sdks/node/node_modules" "${1:-70}"

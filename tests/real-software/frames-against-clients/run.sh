#!/usr/bin/env bash
# Tests which client library accepts which frame and how it handles a reconnection time: sends them on loopback and prints the two
# tables of docs/frames-against-clients.md. With `--check`, compares them with the page instead and fails if they differ. Run by
# hand: it installs about 500 MB of libraries below the target folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh
need "command -v chromium" chromium

work=$(target_folder)/frames-against-clients
mkdir -p "$work"
# @google/genai and undici need Node.js 22, which the Python environment contains.
python_env tests/real-software/frames-against-clients/requirements.txt "$work/venv"
export PATH=$work/venv/bin:$PATH
node_env tests/real-software/frames-against-clients/package.json "$work/node" "$work/venv"

exec "$work/venv/bin/python" tests/real-software/frames-against-clients/check.py "$work/node/node_modules" "$@"

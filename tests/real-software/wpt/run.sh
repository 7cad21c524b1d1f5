#!/usr/bin/env bash
# Runs the Web Platform Tests of EventSource, unmodified: run.sh DIRECTORY [WORD...]. DIRECTORY contains their folders
# `eventsource`, `resources` and `common`; README.md describes where to get them. Run by hand, because the tests are not part of
# this repository. Installs what it needs; exits with 1 if a file does better or worse than in expected.txt. With words, runs only
# files with one of them in their names.
set -euo pipefail
checkout=$(realpath "${1:?the folder with the tests}")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

target=$(target_folder)
cargo build --quiet -p wpt-driver

work=$target/wpt
mkdir -p "$work"
python_env tests/real-software/wpt/requirements.txt "$work/venv"
need_node "$work/venv"

exec node tests/real-software/wpt/run.mjs "$work/venv/bin/python" "$target/debug/wpt-driver" "$checkout" "$@"

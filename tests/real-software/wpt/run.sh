#!/usr/bin/env bash
# The Web Platform Tests of EventSource, unmodified: tests/real-software/wpt/run.sh DIRECTORY [WORD...]. DIRECTORY holds their folders `eventsource`,
# `resources` and `common`; tests/real-software/wpt/README.md says where to get them. Run by hand, since the tests are not ours to ship. Installs
# what it needs; exit code 1 if a file does better or worse than tests/real-software/wpt/expected.txt says. With words, only files with one of
# them in the name are run.
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

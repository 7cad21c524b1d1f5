#!/usr/bin/env bash
# Unpacks Debian's Rust 1.85, the oldest version that the crate supports, into a folder: rust-1.85.sh FOLDER
# This includes the sources of its standard library, for targets without an operating system, and the compiled library for s390x
# and i386. Needs no root privileges: the packages are only unpacked, because installed they would conflict with others.
# Afterwards, FOLDER/rustc and FOLDER/rustdoc can be run.
set -euo pipefail

folder=$1
if [[ -e $folder/complete ]]; then
    exit
fi
for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || {
        echo "$program is missing: no Debian" >&2
        exit 1
    }
done
rm -rf "$folder"
mkdir -p "$folder"/{lists,packages}/partial
cd "$folder"

# Separate package lists, so that they can contain foreign architectures.
options=(
    -qq
    -o APT::Architecture=amd64
    -o APT::Architectures=amd64,i386,s390x
    -o APT::Install-Recommends=0
    -o Acquire::Languages=none
    -o Dir::State::Lists="$PWD/lists"
    -o Dir::Cache::Archives="$PWD/packages"
    -o Dir::Cache::pkgcache=
    -o Dir::Cache::srcpkgcache=
    -o Debug::NoLocking=1
    # Without a sandbox user, who could not write to the folders of root.
    -o APT::Sandbox::User=root
)
# Some lists may fail to download; it only matters whether the packages can be downloaded.
apt-get "${options[@]}" update >/dev/null 2>&1 || true
apt-get "${options[@]}" install --yes --download-only --allow-downgrades \
    'rustc-web=1.85*' 'libstd-rust-web-dev=1.85*' 'rust-web-src=1.85*' >/dev/null
(cd packages && apt-get "${options[@]}" download 'libstd-rust-web-dev:i386=1.85*' 'libstd-rust-web-dev:s390x=1.85*')
# Without the sources of the compiler.
printf '%s\0' packages/*.deb | xargs -0 -P "$(nproc)" -I {} sh -c \
    'dpkg-deb --fsys-tarfile "$1" | tar --extract --no-wildcards-match-slash --exclude="./usr/src/*/compiler"' unpack {}
rm -r lists packages

for program in rustc rustdoc; do
    cat >"$program" <<END
#!/bin/sh
LD_LIBRARY_PATH='$PWD/usr/lib/x86_64-linux-gnu' exec '$PWD/usr/bin/$program' "\$@"
END
    chmod +x "$program"
done
./rustc --version | grep -q '^rustc 1\.85\.'
touch complete

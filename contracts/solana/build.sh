#!/bin/sh
# Builds the programs, or checks that the committed ones are what the sources say.
#
#   build.sh           writes build/*.so and SHA256SUMS
#   build.sh --check   rebuilds elsewhere and compares; writes nothing here
#   build.sh --tools   installs the linker into tools/ (about eight minutes on one core)
#
# Debian 12 with rustc-web, rust-web-src and llvm-22-dev, and a cargo of 1.80 or later:
#   apt-get install -y --no-install-recommends rustc-web rust-web-src llvm-22-dev
set -eu

here=$(cd "$(dirname "$0")" && pwd)
compiler=${RUSTC:-/usr/bin/rustc}
compiler_version="rustc 1.96.0"
linker_version=0.2.6
artefacts="dmm idle multisig"

fail() { echo "build.sh: $*" >&2; exit 1; }

sources() {
  (cd "$here" && find Cargo.toml crates.lock .cargo src testing build.sh -type f \
    ! -path '*/target/*' | LC_ALL=C sort)
}

# What Cargo chose, as "name version checksum": the lock itself would carry addresses.
pinned() {
  awk -F'"' '/^name = /{n=$2} /^version = /{v=$2} /^checksum = /{print n, v, $2}' "$1" | LC_ALL=C sort
}

require_tools() {
  "$compiler" --version 2>/dev/null | grep -q "^$compiler_version " ||
    fail "$compiler is not $compiler_version: see the head of this file, or set RUSTC"
  command -v cargo >/dev/null || fail "cargo is missing"
  PATH="$here/tools/bin:$PATH"
  command -v sbpf-linker >/dev/null || fail "sbpf-linker is missing: run build.sh --tools"
}

install_tools() {
  LIBRARY_PATH=/usr/lib/llvm-22/lib LLVM_SYS_221_PREFIX=/usr/lib/llvm-22 \
    cargo install -j2 --locked --root "$here/tools" \
    "sbpf-linker@$linker_version" --no-default-features --features bpf-linker/llvm-22
}

# A copy, so that no target folder and no lock appear beside the sources.
build() {
  mkdir -p "$1/source"
  (cd "$here" && sources | tar -cf - -T -) | tar -xf - -C "$1/source"
  (
    cd "$1/source"
    export PATH RUSTC="$compiler" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$1/target"
    cargo generate-lockfile --quiet
    pinned Cargo.lock >"$1/crates.lock"
    cmp -s "$1/crates.lock" crates.lock ||
      fail "the crates are not those of crates.lock: $(diff "$1/crates.lock" crates.lock | head -3)"
    cargo build-bpf --locked --workspace --quiet 2>"$1/log" || { cat "$1/log" >&2; exit 1; }
  )
  for name in $artefacts; do
    mv "$1/target/bpfel-unknown-none/release/lib$name.so" "$1/$name.so"
  done
}

sums() {
  (cd "$here" && sources | xargs sha256sum && sha256sum idl.json)
  for name in $artefacts; do
    (cd "$1" && sha256sum "$name.so") | sed "s|  |  build/|"
  done
}

if [ "${1:-}" = --tools ]; then
  install_tools
  exit
fi
require_tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build "$work"
sums "$work" >"$work/SHA256SUMS"
if [ "${1:-}" = --check ]; then
  diff "$here/SHA256SUMS" "$work/SHA256SUMS" >&2 || fail "sources and artefacts differ"
  echo "build.sh: the committed programs are what the sources say"
else
  mkdir -p "$here/build"
  for name in $artefacts; do cp "$work/$name.so" "$here/build/$name.so"; done
  cp "$work/SHA256SUMS" "$here/SHA256SUMS"
fi

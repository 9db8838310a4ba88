#!/usr/bin/env bash
# Builds the guests, one filter in every language that a Proxy-Wasm host has to run, into target/guests/.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: scripts/guests.sh [NAME...]

  abi-0-1-0        by hand, in the oldest ABI            assemblyscript   solo-io's SDK, by Node
  cpp              no SDK and no C library, by Zig       cpp-wasi         the same with wasi-libc, by Zig
  cpp-emscripten   the same, by Emscripten               go               the Go SDK, by Go itself
  rust             the Rust SDK                          rust-wasip1      the same for Rust's target of WASI
  tinygo           the last SDK for TinyGo

Builds those named, or all, when their sources changed, and prints a path for each. Exit 1: one does not build. Exit 3:
a toolchain is missing; which, and how to get it, stands on standard error.
HELP
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sources=$root/harness/guests
built=$root/target/guests
# shellcheck source-path=SCRIPTDIR source=required.sh
source "$root/scripts/required.sh"
all=(abi-0-1-0 assemblyscript cpp cpp-emscripten cpp-wasi go rust rust-wasip1 tinygo)

say() { printf '%s\n' "$*" >&2; }

# lacks WHAT HOW: ends the guest's build for want of something that only the user can install.
lacks() {
    without "$guest" "$1 is missing, which builds this guest: $2"
}

# fresh SOURCE...: whether the module is newer than its sources and than what builds it.
fresh() {
    [ -e "$built/$guest.wasm" ] &&
        [ -z "$(find "$@" "$root/scripts/guests.sh" "$root/scripts/versions.env" -newer "$built/$guest.wasm" -type f)" ]
}

# run COMMAND...: quiet, unless it fails.
run() {
    say "building the guest $guest"
    if ! "$@" >"$log" 2>&1; then
        say "error: the guest $guest does not build:"
        tail -n 20 "$log" >&2
        exit 1
    fi
}

# Puts a whole module, $part, where it is looked for.
finish() { mv "$part" "$built/$guest.wasm"; }

by_hand() {
    ! fresh "$sources/$guest.wat" || return 0
    command -v cargo >/dev/null || lacks Rust 'install it from rustup.rs'
    run cargo run --quiet --package meshloom-guests -- assemble "$sources/$guest.wat" "$part"
    finish
}

by_asc() {
    ! fresh "$sources/assemblyscript" || return 0
    local asc
    asc=$("$root/scripts/tool.sh" asc) || exit $?
    # The SDK has WASI's proc_exit for what goes wrong, in place of a function that only a browser has.
    run env -C "$sources/assemblyscript" "$asc" index.ts --binaryFile "$part" --optimize \
        --use abort=abort_proc_exit --path "$(dirname "$asc")/.."
    finish
}

cpp_flags=(-std=c++20 -O2 -fno-exceptions -fno-rtti)

# by_zig FLAG...
by_zig() {
    ! fresh "$sources/cpp" || return 0
    local zig
    zig=$("$root/scripts/tool.sh" zig) || exit $?
    export ZIG_GLOBAL_CACHE_DIR=$built/.zig ZIG_LOCAL_CACHE_DIR=$built/.zig
    run "$zig" c++ "${cpp_flags[@]}" "$@" -s -o "$part" "$sources/cpp/guest.cc"
    finish
}

by_emscripten() {
    ! fresh "$sources/cpp" || return 0
    command -v em++ >/dev/null || lacks Emscripten 'Debian: apt-get install emscripten'
    run em++ "${cpp_flags[@]}" --no-entry -sSTANDALONE_WASM -sALLOW_MEMORY_GROWTH -sERROR_ON_UNDEFINED_SYMBOLS=0 \
        -sWARN_ON_UNDEFINED_SYMBOLS=0 -o "$part" "$sources/cpp/guest.cc"
    finish
}

by_go() {
    ! fresh "$sources/go" || return 0
    local hint='install Go 1.24 or newer from go.dev/dl' version
    command -v go >/dev/null || lacks Go "$hint"
    version=$(go env GOVERSION)
    [ "$(printf '%s\n' go1.24 "$version" | sort -V | head -n 1)" = go1.24 ] || lacks 'Go 1.24' "there is $version: $hint"
    run env -C "$sources/go" GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -buildvcs=false -trimpath -o "$part" .
    finish
}

by_tinygo() {
    ! fresh "$sources/tinygo" || return 0
    command -v tinygo >/dev/null || lacks TinyGo 'install 0.35 or newer from tinygo.org/getting-started'
    # A library. The program that TinyGo makes else ends itself when `main` returns, and Envoy 1.40 refuses that.
    run env -C "$sources/tinygo" tinygo build -buildmode=c-shared -scheduler=none -no-debug -target=wasip1 -o "$part" .
    finish
}

# by_cargo TARGET
by_cargo() {
    ! fresh "$sources/rust" "$root/Cargo.lock" || return 0
    command -v cargo >/dev/null || lacks Rust 'install it from rustup.rs'
    if [ ! -d "$(rustc --print target-libdir --target "$1")" ]; then
        local hint="rustup target add $1, or your distribution's package of it"
        command -v rustup >/dev/null || lacks "Rust's target $1" "$hint"
        rustup target add "$1" >"$log" 2>&1 || lacks "Rust's target $1" "$hint"
    fi
    run cargo build --quiet --release --target "$1" --package guest
    cp "$root/target/$1/release/guest.wasm" "$part"
    finish
}

build() {
    case $guest in
        abi-0-1-0) by_hand ;;
        assemblyscript) by_asc ;;
        cpp) by_zig -target wasm32-freestanding -nostdlib -Wl,--no-entry ;;
        cpp-emscripten) by_emscripten ;;
        cpp-wasi) by_zig -target wasm32-wasi -mexec-model=reactor -nostdlib++ ;;
        go) by_go ;;
        rust) by_cargo wasm32-unknown-unknown ;;
        rust-wasip1) by_cargo wasm32-wasip1 ;;
        tinygo) by_tinygo ;;
        *) usage >&2; exit 2 ;;
    esac
}

case ${1:-} in
    -h | --help) usage; exit ;;
    '') set -- "${all[@]}" ;;
esac
mkdir -p "$built"
cd "$root"
worst=0
for guest in "$@"; do
    part=$built/$guest.part.wasm log=$built/$guest.log
    # Not `|| code=$?`, in which bash would go on after what fails. Two that ask at once get one build.
    set +e
    (
        set -e
        exec 9>"$built/$guest.lock"
        flock 9
        build
    )
    code=$?
    set -e
    case $code in
        0) printf '%s\n' "$built/$guest.wasm" ;;
        3) [ "$worst" != 0 ] || worst=3 ;;
        *) worst=$code ;;
    esac
done
exit "$worst"

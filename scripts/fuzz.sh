#!/usr/bin/env bash
# Runs every fuzz target for a while, and says of each what came of it.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: scripts/fuzz.sh [FOLDER | FOLDER/TARGET]...

  filters/redaction/fuzz        every target of that folder; without any, of all folders
  filters/redaction/fuzz/body   one target

FUZZ_SECONDS   how long each is run (600)
FUZZ_WORK      where inputs that reached something new are kept (target/fuzz/corpus); the corpora in the
               repository are only read

One line for each target on standard output: FOLDER/TARGET, seconds, executions, and `clean` or `FAILED`, between tabs.
Exit 1: an input failed; it is in the folder's `artifacts/`. Exit 2: what runs them is missing.
HELP
}

case ${1:-} in -h | --help) usage && exit ;; esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
seconds=${FUZZ_SECONDS:-600}
target=${CARGO_TARGET_DIR:-$root/target}/fuzz
work=${FUZZ_WORK:-$target/corpus}

command -v cargo-fuzz >/dev/null || {
    echo "error: cargo-fuzz is missing: cargo install cargo-fuzz" >&2
    exit 2
}

# FOLDER/TARGET, a line each.
targets() {
    local folder
    for folder in "$@"; do
        folder=${folder%/}
        if [ -e "$folder/Cargo.toml" ]; then
            find "$folder/fuzz_targets" -name '*.rs' | sort | sed "s|.*/\(.*\)\.rs$|$folder/\1|"
        elif [ -e "${folder%/*}/fuzz_targets/${folder##*/}.rs" ]; then
            echo "$folder"
        else
            echo "error: no fuzz target $folder" >&2
            return 2
        fi
    done
}

[ $# -gt 0 ] || mapfile -t all < <(dirname -- */fuzz/Cargo.toml filters/*/fuzz/Cargo.toml)
chosen=$(targets "${@:-${all[@]}}") || exit

failed=0
for one in $chosen; do
    folder=${one%/*} name=${one##*/}
    own=$work/$one log=$target/$(tr / - <<<"$one").log
    mkdir -p "$own"
    printf 'fuzzing %s for %s s\n' "$one" "$seconds" >&2
    verdict=clean
    # Without a sanitizer a stable compiler is enough: what is fuzzed is safe Rust.
    CARGO_TARGET_DIR=$target cargo fuzz run --fuzz-dir "$folder" -s none "$name" "$own" "$folder/corpus/$name" -- \
        -max_total_time="$seconds" -timeout=20 -max_len=4096 -print_final_stats=1 >"$log" 2>&1 || verdict=FAILED
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ "$verdict" = FAILED ] || [ -z "$runs" ]; then
        verdict=FAILED failed=1
        tail -n 30 "$log" >&2
    fi
    printf '%s\t%s\t%s\t%s\n' "$one" "$seconds" "${runs:-0}" "$verdict"
done
exit "$failed"

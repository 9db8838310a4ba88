#!/usr/bin/env bash
# Runs commands that a README shows, and checks that they print what it says they print.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: scripts/readme.sh MARK [FILE]    (FILE: README.md)

Reads the fenced blocks that follow a line <!-- MARK -->. In them, a line `$ COMMAND` is run, and the lines below
it must be found, whole and in this order, in what it prints; `...` stands for what differs from run to run.
PROXY_PORT, ADMIN_PORT, UPSTREAM_PORT and REGISTRY_PORT replace 10000, 9901, 8000 and 5000 behind `localhost:`.
HELP
}

case ${1:-} in
    -h | --help) usage; exit ;;
    '') usage >&2; exit 2 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
mark=$1 file=${2:-README.md} passed=0 failed=0 command='' expected=()

blocks() {
    awk -v mark="<!-- $mark -->" '
        $0 == mark { wanted = 1; next }
        /^```/ { inside = wanted && !inside; if (!inside) { if (was) print "$"; wanted = 0 } was = inside; next }
        inside { print }' "$file"
}

# Says whether the lines of `expected` are in the text, whole and in order; if not, the one that is missing.
missing() {
    local line i=0
    while IFS= read -r line; do
        [ "$i" -lt ${#expected[@]} ] && [ "$line" = "${expected[i]}" ] && i=$((i + 1))
    done <<<"$1"
    [ "$i" -eq ${#expected[@]} ] || printf '%s\n' "${expected[i]}"
}

# Runs the command that was gathered, if there is one.
run() {
    [ -n "$command" ] || return 0
    local output lacks status=0
    command=${command//localhost:10000/localhost:${PROXY_PORT:-10000}}
    command=${command//localhost:9901/localhost:${ADMIN_PORT:-9901}}
    command=${command//localhost:8000/localhost:${UPSTREAM_PORT:-8000}}
    command=${command//localhost:5000/localhost:${REGISTRY_PORT:-5000}}
    output=$(bash -c "$command" 2>&1 </dev/null | tr -d '\r') || status=$?
    lacks=$(missing "$output")
    if [ "$status" -eq 0 ] && [ -z "$lacks" ]; then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$command"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n      exit status %s, no line %s in:\n%s\n' "$command" "$status" "${lacks:-is missing}" "$output"
    fi
}

while IFS= read -r line; do
    case $line in
        '$'*) run; command=${line#'$'} command=${command# } expected=() ;;
        ...) ;;
        *) case $command in *\\) command=${command%\\}$line ;; *) expected+=("$line") ;; esac ;;
    esac
done < <(blocks)
run
printf '%s: %s passed, %s failed\n' "$file" "$passed" "$failed"
[ $((passed + failed)) -gt 0 ] || { echo "error: $file has no command marked <!-- $mark -->" >&2; exit 1; }
[ "$failed" -eq 0 ]

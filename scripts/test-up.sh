#!/usr/bin/env bash
# Holds `make up` and `make down` to what they promise, on ports and in folders of their own.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$(mktemp -d)
lab=$PWD/target/debug/lab
[ -z "${CARGO_TARGET_DIR:-}" ] || lab=$CARGO_TARGET_DIR/debug/lab
cargo build --quiet -p meshloom-lab
trap 'in_checkout a down >/dev/null; in_checkout b down >/dev/null; rm -rf "$here"' EXIT

mapfile -t ports < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
for s in sockets: print(s.getsockname()[1])')

# in_checkout NAME COMMAND: as `make COMMAND` in a checkout called NAME would run it.
in_checkout() {
    local first=0
    [ "$1" = a ] || first=3
    MESHLOOM_RUN=$here/$1 PROXY_PORT=${ports[first]} ADMIN_PORT=${ports[first + 1]} \
        UPSTREAM_PORT=${ports[first + 2]} "$lab" "$2" 2>&1
}
fail() { echo "error: $*" >&2; exit 1; }
passed=0
that() { passed=$((passed + 1)); echo "ok: $*"; }
serves() { [ "$(curl -s -o /dev/null -w '%{http_code}' "localhost:$1/get")" = 200 ]; }
envoy_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["processes"][1]["id"])' "$here/$1/state.json"; }

grep -q "localhost:${ports[0]}/headers" <<<"$(in_checkout a up)" || fail "up should print what to try"
serves "${ports[0]}" || fail "up should return when all serves"
that "up returns when all serves, and prints what to try"

first=$(envoy_of a)
grep -q "already up" <<<"$(in_checkout a up)" || fail "a second up should change nothing"
[ "$(envoy_of a)" = "$first" ] || fail "a second up should keep the Envoy that runs"
that "a second up changes nothing"

in_checkout b up >/dev/null
{ serves "${ports[0]}" && serves "${ports[3]}"; } || fail "two checkouts should run side by side"
grep -qx down <<<"$(in_checkout b down)" || fail "down should say so"
serves "${ports[0]}" || fail "down should end nothing of another checkout"
that "two checkouts run side by side, and down ends only its own"

kill -9 "$first"
in_checkout a up >/dev/null
{ [ "$(envoy_of a)" != "$first" ] && serves "${ports[0]}"; } || fail "up should mend what is half up"
that "up mends what is half up"

if taken=$(MESHLOOM_RUN=$here/c PROXY_PORT=${ports[0]} ADMIN_PORT=${ports[1]} UPSTREAM_PORT=${ports[5]} "$lab" up 2>&1); then
    fail "up should refuse ports that are taken"
fi
for name in PROXY_PORT ADMIN_PORT; do
    grep -q "is taken: set $name to a free one" <<<"$taken" || fail "the message should name $name: $taken"
done
that "ports that are taken are named, all at once"

processes=$(python3 -c 'import json, sys; [print(p["id"]) for p in json.load(open(sys.argv[1]))["processes"]]' "$here/a/state.json")
in_checkout a down >/dev/null
for process in $processes; do
    # One that only waits for a parent to notice is at an end as well (state Z, proc(5)).
    state=$(sed 's/.*) \(.\).*/\1/' "/proc/$process/stat" 2>/dev/null || echo Z)
    [ "$state" = Z ] || fail "down should have ended process $process"
done
grep -qx 'nothing is up' <<<"$(in_checkout a down)" || fail "a second down should find nothing"
that "down ends what up started, and a second down finds nothing"
echo "$passed passed, 0 failed"

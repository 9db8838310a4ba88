#!/usr/bin/env bash
# Runs `make demo` and the commands that the READMEs show, on ports and in a folder of its own.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
read -r PROXY_PORT ADMIN_PORT UPSTREAM_PORT < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
MESHLOOM_RUN=$(mktemp -d)
export PROXY_PORT ADMIN_PORT UPSTREAM_PORT MESHLOOM_RUN
lab() { cargo run --quiet -p meshloom-lab -- "$@"; }
trap 'lab down >/dev/null; rm -rf "$MESHLOOM_RUN"' EXIT

KEEP=1 lab demo
for document in README.md docs/*.md filters/[!_]*/README.md; do
    if grep -qE '^<!-- e2e:(up|compose) -->$' "$document"; then
        echo "== $document"
        scripts/readme.sh e2e:up "$document"
    fi
done

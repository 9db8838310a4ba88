#!/usr/bin/env bash
# Runs the end-to-end tests with Envoy in Docker, then docker-compose.yaml and the README's commands against it.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tests=(cargo test --workspace --no-fail-fast --test envoy)
mark=e2e:up # of the README's blocks

case ${1:-} in
    -h | --help)
        cat <<'HELP'
usage: scripts/docker/e2e.sh [ARGUMENT...]    (arguments go to the test programs)

Images: ENVOY_IMAGE and UPSTREAM_IMAGE, or those of docker-compose.yaml (ENVOY_VERSION chooses Envoy's), or stand-ins
where they cannot be pulled. Without a Docker engine everything is skipped, and it says how much that is.
HELP
        exit
        ;;
esac
cd "$root"

missing=$(no_engine)
if [ -n "$missing" ]; then
    (without docker "$missing") || [ $? = 3 ] || exit 1
    # A minute is enough when the tests are built already; nobody should wait for what is not run.
    skipped=$(timeout 60 "${tests[@]}" -- --list 2>/dev/null | grep -c ': test$' || true)
    echo "skipped: the tests with Envoy in Docker, because $missing"
    if [ "$skipped" -gt 0 ]; then echo "0 passed, 0 failed, $skipped skipped"; fi
    exit
fi

compgen -G 'dist/*.wasm' >/dev/null || fail "there is no module in dist/ (build them: make optimize)"
use_image ENVOY_IMAGE
use_image UPSTREAM_IMAGE
failed=0

echo "== the end-to-end tests with $ENVOY_IMAGE"
ENVOY_BIN=$root/scripts/docker/envoy.sh "${tests[@]}" -- "$@" || failed=1
docker ps --all --filter label=meshloom.parent --format '{{.ID}} {{.Label "meshloom.parent"}}' |
    while read -r id parent; do
        ps -p "$parent" >/dev/null || { say "removing the container $id, which a test left"; docker rm --force "$id"; }
    done

missing=$(no_compose)
if [ -n "$missing" ]; then
    (without docker-compose "$missing") || [ $? = 3 ] || exit 1
    echo "skipped: docker-compose.yaml, because $missing"
    exit "$failed"
fi
echo "== docker-compose.yaml with $ENVOY_IMAGE and $UPSTREAM_IMAGE"
# A project and ports of its own: it disturbs nobody's, not even that of this checkout.
COMPOSE_PROJECT_NAME=$(project)-e2e
export COMPOSE_PROJECT_NAME PROXY_PORT=0 ADMIN_PORT=0 UPSTREAM_PORT=0
# Compose 1 knows no --quiet here, and all it says is of interest only when it fails.
log=$(mktemp)
trap 'compose down --volumes >"$log" 2>&1 || cat "$log" >&2; rm -f "$log"' EXIT
compose up --detach >"$log" 2>&1 || { cat "$log" >&2; compose logs >&2; fail "docker-compose.yaml did not come up"; }
port() { compose port httpbin "$1" | sed 's/.*://'; }
PROXY_PORT=$(port 10000) ADMIN_PORT=$(port 9901) UPSTREAM_PORT=$(port 8000)
for _ in $(seq 150); do
    ready=$(curl --silent "http://localhost:$ADMIN_PORT/ready" || true)
    [ "$ready" != LIVE ] || break
    sleep 0.2
done
[ "$ready" = LIVE ] || { compose logs >&2; fail "Envoy in docker-compose.yaml is not ready"; }
# Envoy begins with pages about what it was built with.
scripts/readme.sh "$mark" || { compose logs envoy | grep -v source/server/server.cc | tail -n 30 >&2; failed=1; }
exit "$failed"

#!/usr/bin/env bash
# Runs Docker Compose on docker-compose.yaml with whatever images can be had, under a project name of this checkout's own.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:---help} in
    -h | --help)
        cat <<'HELP'
usage: scripts/docker/compose.sh COMMAND...    (as docker compose: up --wait, logs envoy, restart envoy, down)

Takes the same variables: ENVOY_IMAGE, UPSTREAM_IMAGE, REGISTRY_IMAGE, ENVOY_CONFIG, PROXY_PORT, ADMIN_PORT,
UPSTREAM_PORT, REGISTRY_PORT; and ENVOY_VERSION, to choose the image by it. An image that is neither here nor to be
pulled is replaced by a stand-in, made of the tool that scripts/versions.env pins.
HELP
        exit
        ;;
esac
missing=$(no_engine)
[ -n "$missing" ] || missing=$(no_compose)
[ -z "$missing" ] || fail "$missing (without Docker: make up)"
cd "$root"
use_image ENVOY_IMAGE
use_image UPSTREAM_IMAGE
case " $* " in *' registry '*) use_image REGISTRY_IMAGE ;; esac
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-$(project)}
compose "$@"

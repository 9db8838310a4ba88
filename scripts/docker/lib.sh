# Sourced by the scripts beside it: which engine, which Compose, which images.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../required.sh
source "$root/scripts/required.sh"

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# Why no container can be run here; nothing when one can.
no_engine() {
    if ! command -v docker >/dev/null; then
        echo "there is no docker command"
    elif ! timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
        echo "no Docker engine answers"
    fi
}

has_compose_plugin() { docker compose version >/dev/null 2>&1; }

# Why there is no Compose; nothing when there is.
no_compose() {
    has_compose_plugin || command -v docker-compose >/dev/null || echo "there is no Docker Compose"
}

compose() {
    if has_compose_plugin; then docker compose "$@"; else docker-compose "$@"; fi
}

# A project name of this checkout's own, so that two can run side by side.
project() { printf 'meshloom-%s' "$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)"; }

# default_image VARIABLE: what docker-compose.yaml falls back to.
default_image() { sed -n "s/.*\${$1:-\(.*\)}.*/\1/p" "$root/docker-compose.yaml"; }

# The tag of the stand-in for Envoy follows the version asked for.
stand_in() {
    case $1 in
        ENVOY_IMAGE) printf 'meshloom/envoy:standin%s' "${ENVOY_VERSION:+-$ENVOY_VERSION}" ;;
        UPSTREAM_IMAGE) printf meshloom/httpbin:standin ;;
        REGISTRY_IMAGE) printf meshloom/registry:standin ;;
    esac
}

# use_image VARIABLE: sets it, unless it is set, to the public image, or to its stand-in where that cannot be had.
use_image() {
    local variable=$1 image
    if [ -z "${!variable:-}" ]; then
        image=$(default_image "$variable")
        if [ "$variable" = ENVOY_IMAGE ] && [ -n "${ENVOY_VERSION:-}" ]; then
            case $ENVOY_VERSION in
                *.*.*) image=${image%:*}:v$ENVOY_VERSION ;;
                *) image=${image%:*}:v$ENVOY_VERSION-latest ;;
            esac
        fi
        # The registry is asked first, since nobody can say how long a pull itself may take.
        if ! docker image inspect "$image" >/dev/null 2>&1 &&
            ! { timeout 20 docker manifest inspect "$image" >/dev/null 2>&1 && docker pull --quiet "$image" >&2; }; then
            say "$image is not here and cannot be pulled; a stand-in takes its place"
            image=$(stand_in "$variable")
            "$root/scripts/docker/stand-ins.sh" "$variable"
        fi
        printf -v "$variable" %s "$image"
    fi
    # shellcheck disable=SC2163  # the variable that it names is meant
    export "$variable"
}

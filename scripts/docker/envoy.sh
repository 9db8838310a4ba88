#!/usr/bin/env bash
# Runs Envoy in a container of $ENVOY_IMAGE as if it were a binary on this host: ENVOY_BIN=scripts/docker/envoy.sh.
#
# Every argument is Envoy's. It sees this repository and the folder for temporary files where they are, runs in the
# same folder and as the same user, and uses the host's network; its output, exit status and signals pass through.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

temporary=$(realpath "${TMPDIR:-/tmp}")
name=meshloom-envoy-$$-$RANDOM

# SIGKILL cannot be passed on, so that something else has to notice when this process is gone. In a session of its own,
# or what kills a whole process group would kill it too; without this one's output, whose readers wait for its end.
# shellcheck disable=SC2016  # expanded by the inner shell
setsid bash -c 'while kill -0 "$1"; do sleep 0.2; done; docker rm --force "$2"' watch "$$" "$name" \
    </dev/null >/dev/null 2>&1 &

# In the host's process namespace, since the first process of a namespace of its own ignores what it does not handle:
# Envoy 1.40 would miss a SIGTERM that comes while it starts (it writes --admin-address-path before it listens for it).
exec docker run --rm --name "$name" --label "meshloom.parent=$$" --network host --pid host \
    --user "$(id -u):$(id -g)" --workdir "$PWD" --entrypoint envoy \
    --mount "type=bind,source=$root,target=$root" --mount "type=bind,source=$temporary,target=$temporary" \
    "${ENVOY_IMAGE:-$(default_image ENVOY_IMAGE)}" "$@"

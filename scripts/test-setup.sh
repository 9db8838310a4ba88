#!/usr/bin/env bash
# Takes prerequisites away one by one: what cannot be done without is named, and the rest goes on.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
passed=0
fail() { echo "error: $*" >&2; exit 1; }

# without NAME COMMAND...: runs it where every program is but NAME, with a folder of tools that is empty.
without() {
    local absent=$1 folder program
    shift
    rm -rf "$bin"
    mkdir -p "$bin"
    local IFS=:
    for folder in $PATH; do
        for program in "$folder"/*; do
            [ ! -x "$program" ] || [ "${program##*/}" = "$absent" ] || ln -s "$program" "$bin/" 2>/dev/null || continue
        done
    done
    PATH=$bin MESHLOOM_TOOLS=$bin/.tools "$@" 2>&1
}
# named NAME HINT COMMAND...: without NAME the command fails, and says how to get it.
named() {
    local absent=$1 hint=$2 said
    shift 2
    if said=$(without "$absent" "$@"); then fail "$* should fail without $absent"; fi
    grep -q "$absent is missing: .*$hint" <<<"$said" || fail "$* without $absent should name it and \"$hint\": $said"
    passed=$((passed + 1))
    echo "ok: $* names $absent and how to get it"
}

named cargo rustup make build
named cargo rustup make demo
named python3 'apt-get install python3' make up
named python3 'apt-get install python3' scripts/tool.sh envoy
named python3 'apt-get install python3' scripts/tool.sh httpbin
named cargo-fuzz 'cargo install' scripts/fuzz.sh

for absent in node npm; do
    code=0
    said=$(without "$absent" scripts/tool.sh wasm-opt) || code=$?
    [ "$code" = 3 ] || fail "wasm-opt without $absent should exit 3, not $code: $said"
    grep -q "merely larger" <<<"$said" || fail "wasm-opt without $absent should say what that costs: $said"
    passed=$((passed + 1))
    echo "ok: without $absent modules are merely larger"
done

for pair in 'python3 zig' 'node asc' 'npm asc' 'prometheus prometheus' 'promtool promtool' 'shellcheck shellcheck'; do
    read -r absent tool <<<"$pair"
    for required in all "oras,$tool"; do
        code=0
        said=$(MESHLOOM_REQUIRE=$required without "$absent" scripts/tool.sh "$tool") || code=$?
        [ "$code" = 1 ] || fail "$tool without $absent should exit 1 where it is required, not $code: $said"
        grep -q "no $tool, which MESHLOOM_REQUIRE has: .*$absent" <<<"$said" || fail "it should say what requires it: $said"
    done
    code=0
    said=$(MESHLOOM_REQUIRE=other without "$absent" scripts/tool.sh "$tool") || code=$?
    [ "$code" = 3 ] || fail "$tool without $absent should exit 3, not $code: $said"
    passed=$((passed + 1))
    echo "ok: without $absent there is no $tool, and work goes on, unless $tool is required"
done

if said=$(ENVOY_VERSION=9.9 scripts/tool.sh envoy 2>&1); then fail "there is no Envoy 9.9"; fi
grep -q 'ENVOY_VERSION is 9.9, expected 1.36 to 1.40' <<<"$said" || fail "the message should say what is right: $said"
if said=$(ENVOY_BIN=/no/such scripts/tool.sh envoy 2>&1); then fail "there is no /no/such"; fi
grep -q 'ENVOY_BIN is /no/such' <<<"$said" || fail "the message should name ENVOY_BIN: $said"
if said=$(PROMETHEUS_BIN=/no/such scripts/tool.sh prometheus 2>&1); then fail "there is no /no/such"; fi
grep -q 'PROMETHEUS_BIN is /no/such' <<<"$said" || fail "the message should name PROMETHEUS_BIN: $said"
if said=$(make push REG=localhost:5000 2>&1); then fail "make push should need ORG and TAG"; fi
grep -q 'make push needs REG, ORG and TAG' <<<"$said" || fail "the message should name them: $said"
passed=$((passed + 4))
echo "$passed passed, 0 failed"

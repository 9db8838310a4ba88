#!/usr/bin/env bash
# Makes a filter, tests it, builds it, loads it in Envoy and removes it again.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=probe-filter
kept=$(mktemp -d)
cp Cargo.lock istio/kustomization.yaml "$kept"
remove() {
    rm -rf "filters/$name" "istio/$name.yaml" "dist/$name.wasm"
    cp "$kept/Cargo.lock" .
    cp "$kept/kustomization.yaml" istio/
}
trap 'remove; rm -r "$kept"' EXIT
say() { echo "-- $*"; }

say "names that are none, or taken, are refused"
for wrong in "" Gate tenant_gate -gate gate- a/b header-mutation serde; do
    if make new-filter NAME="$wrong" >/dev/null 2>&1; then
        echo "error: make new-filter NAME=$wrong should be refused" >&2
        exit 1
    fi
done

say "make new-filter NAME=$name"
make new-filter NAME="$name"
if grep -rE 'filter[-_]template|_template' "filters/$name" "istio/$name.yaml"; then
    echo "error: the new filter still speaks of the template" >&2
    exit 1
fi

say "its tests, its manifest, its module, and that in Envoy"
cargo test --quiet -p "$name"
cargo test --quiet -p meshloom-ship --test manifests
cargo build --quiet --release --target wasm32-unknown-unknown -p "$name"
wasm_opt=$(scripts/tool.sh wasm-opt) || test $? -eq 3
WASM_OPT=$wasm_opt cargo run --quiet -p meshloom-ship -- optimize "$name"
PWH_WASM_DIR=dist cargo test --quiet -p "$name" --test wasm
cargo test --quiet -p "$name" --test envoy

say "and without it everything is as before"
remove
cargo test --quiet -p meshloom-ship --test manifests

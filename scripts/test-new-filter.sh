#!/usr/bin/env bash
# Makes a filter, tests it, builds it, loads it in Envoy and removes it, in a copy of the repository.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cd "$root"
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - --ignore-failed-read |
    tar --extract --directory "$copy"
ln -s "$root/.tools" "$copy/.tools"
# What is built already is used; a new package cannot disturb it.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
cd "$copy"

for wrong in "" Gate tenant_gate -gate gate- a/b header-mutation serde; do
    if make new-filter NAME="$wrong" >/dev/null 2>&1; then
        echo "error: make new-filter NAME=$wrong should be refused" >&2
        exit 1
    fi
done

make new-filter NAME=probe-filter
if grep -rE 'filter[-_]template|_template' filters/probe-filter istio/probe-filter.yaml; then
    echo "error: the new filter still speaks of the template" >&2
    exit 1
fi
cargo test --quiet -p probe-filter --lib
cargo test --quiet -p meshloom-ship --test manifests
cargo build --quiet --release --target wasm32-unknown-unknown -p probe-filter
wasm_opt=$(scripts/tool.sh wasm-opt) || test $? -eq 3
WASM_OPT=$wasm_opt cargo run --quiet -p meshloom-ship -- optimize probe-filter
cargo test --quiet -p probe-filter --test envoy

rm -r filters/probe-filter istio/probe-filter.yaml
sed -i '/probe-filter/d' istio/kustomization.yaml
cargo test --quiet -p meshloom-ship --test manifests
cargo metadata --offline --format-version 1 --no-deps >/dev/null
echo "a new filter is made, tested, built, loaded in Envoy and removed"

#!/usr/bin/env bash
# Makes a filter from the template: a folder in filters/ that builds, passes its tests and loads in Envoy.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=${1:-}
case $name in
    -h | --help) echo "usage: make new-filter NAME=two-words"; exit ;;
    '') echo "error: which name? as in: make new-filter NAME=tenant-gate" >&2; exit 2 ;;
esac
if ! [[ $name =~ ^[a-z][a-z0-9]*(-[a-z0-9]+)*$ ]]; then
    echo "error: NAME is \"$name\", expected words of lower-case letters and digits with hyphens between, such as tenant-gate" >&2
    exit 2
fi
cd "$root"
if [ -e "filters/$name" ] || grep -q "^name = \"$name\"$" Cargo.lock; then
    echo "error: there is a package $name already" >&2
    exit 2
fi

cp -r filters/_template "filters/$name"
# The template's own bootstrap names its folder; everything else goes by the package's name.
find "filters/$name" -type f -exec \
    sed -i "s|filters/_template|filters/$name|g; s|filter-template|$name|g; s|filter_template|${name//-/_}|g" {} +
mv "filters/$name/istio.yaml" "istio/$name.yaml"
echo "  - $name.yaml" >>istio/kustomization.yaml

cat <<DONE
made filters/$name and istio/$name.yaml, which istio/kustomization.yaml lists; next:
  src/lib.rs       the decision, its configuration and its denials: plain Rust
  src/shell.rs     the ABI: the only file that knows it runs in a proxy
  tests/wasm.rs    what a client and the upstream see of the module:  cargo test -p $name
  tests/envoy.rs   the same in a real Envoy:  make e2e FILTER=$name
  budget.toml      what it may weigh and cost:  PWH_UPDATE_BUDGETS=1 cargo test -p $name --test wasm
  README.md        and a line for it in the table of the repository's README
DONE

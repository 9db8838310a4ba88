#!/usr/bin/env bash
# Holds the documents to the tree: every filter is in the README's table, every link leads somewhere, and every
# `make` target that is named exists.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bad=0
complain() { echo "error: $*" >&2; bad=1; }

for folder in filters/[!_]*/; do
    name=$(basename "$folder")
    grep -q "](filters/$name)" README.md || complain "README.md: the table of filters lacks $name"
    [ -e "$folder/README.md" ] || complain "filters/$name: there is no README.md"
done

# make answers 2: it is asked for no target that there is.
targets=$({ make -pRrq : 2>/dev/null || test $? -eq 2; } | sed -n 's/^\([a-z0-9-]*\):.*/\1/p')
while IFS= read -r document; do
    while IFS= read -r link; do
        path=${link%%#*}
        [ -z "$path" ] || [ -e "$(dirname "$document")/$path" ] || complain "$document: $link leads nowhere"
    done < <(grep -oE '\]\([^)# ][^) ]*\)' "$document" | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:' || true)
    while IFS= read -r target; do
        grep -qx -- "$target" <<<"$targets" || complain "$document: there is no target: make $target"
    done < <(grep -oE '(`|^|\$ )make [a-z][a-z0-9-]*' "$document" | sed 's/.*make //' | sort -u || true)
done < <(git ls-files --cached --others --exclude-standard '*.md' | grep -v '^bench/results/')
exit "$bad"

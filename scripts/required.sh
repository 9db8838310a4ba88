# shellcheck shell=bash
# Sourced by scripts that can go on without a tool. MESHLOOM_REQUIRE has those that must be there: names with spaces or
# commas between, or `all`.

# without NAME WHY: ends with 3, for the work goes on without; or with 1, if NAME is required.
without() {
    local names=" ${MESHLOOM_REQUIRE:-} "
    names=${names//,/ }
    if [[ $names == *" $1 "* || $names == *" all "* ]]; then
        printf 'error: no %s, which MESHLOOM_REQUIRE has: %s\n' "$1" "$2" >&2
        exit 1
    fi
    printf 'warning: no %s: %s\n' "$1" "$2" >&2
    exit 3
}

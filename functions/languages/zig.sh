# shellcheck shell=bash disable=SC2016,SC2154
# Zig, by the compiler that PyPI holds: core modules for WASI preview 1.

readonly zig_version=0.17.0

zig_title() {
    echo Zig
}

zig_names() {
    folders_with main.zig
}

zig_sources() {
    local path
    for path in */main.zig; do
        printf '%s\n' "$path"
    done
}

# The version that was installed here for the functions, else what the machine has.
zig_run() {
    if [[ -x $toolchains/zig/bin/python ]]; then
        "$toolchains/zig/bin/python" -m ziglang "$@"
    else
        zig "$@"
    fi
}

zig_compiler() {
    local version
    version=$(zig_run version 2>/dev/null) || return 0
    printf 'zig %s\n' "$version"
}

# Its standard library changes with every version, so that others may not compile the sources.
zig_missing() {
    if [[ $(zig_compiler) != "zig $zig_version" ]]; then
        echo "zig $zig_version is missing: run \`functions/build --toolchains\`"
    fi
}

zig_install() {
    if [[ $(zig_compiler) == "zig $zig_version" ]]; then return; fi
    pypi_install zig "ziglang==$zig_version"
}

zig_compile() {
    local name
    for name in $(zig_names); do
        zig_run build-exe -target wasm32-wasi -O ReleaseFast -fstrip "$name/main.zig" "-femit-bin=$1/$name.wasm" \
            --cache-dir "$2/zig-cache" --global-cache-dir "$2/zig-cache"
    done
}

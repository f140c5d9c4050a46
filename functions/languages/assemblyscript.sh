# shellcheck shell=bash disable=SC2016,SC2154
# AssemblyScript, by its compiler and WASI shim from npm: core modules for WASI preview 1.

readonly assemblyscript=$toolchains/assemblyscript/node_modules

assemblyscript_title() {
    echo AssemblyScript
}

assemblyscript_names() {
    folders_with main.ts
}

assemblyscript_sources() {
    find languages/assemblyscript -type f
    local path
    for path in */main.ts; do
        printf '%s\n' "$path"
    done
}

assemblyscript_compiler() {
    local version
    version=$("$assemblyscript/.bin/asc" --version 2>/dev/null) || return 0
    printf 'asc %s\n' "${version#Version }"
}

# What is installed must be what the lock file here lists, of which npm leaves a copy.
assemblyscript_missing() {
    if ! command -v node >/dev/null; then
        echo 'node is missing: run `apt-get install nodejs npm`'
    elif ! cmp -s languages/assemblyscript/package-lock.json "$toolchains/assemblyscript/package-lock.json" ||
        [[ -z $(assemblyscript_compiler) ]]; then
        echo 'the compiler is missing: run `functions/build --toolchains`'
    fi
}

assemblyscript_install() {
    if ! command -v npm >/dev/null; then fail 'npm is missing: run `apt-get install nodejs npm`'; fi
    mkdir -p "$toolchains/assemblyscript"
    cp languages/assemblyscript/* "$toolchains/assemblyscript/"
    npm ci --prefix "$toolchains/assemblyscript" --silent
}

assemblyscript_compile() {
    local name
    for name in $(assemblyscript_names); do
        "$assemblyscript/.bin/asc" "$name/main.ts" -O3 --noAssert --outFile "$1/$name.wasm" \
            --config "$assemblyscript/@assemblyscript/wasi-shim/asconfig.json"
    done
}

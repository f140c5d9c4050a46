# shellcheck shell=bash disable=SC2016,SC2154
# JavaScript, from npm: `wasi:http` components by componentize-js, which brings SpiderMonkey along, and WASI 0.2
# commands by componentize-qjs, which brings QuickJS along.

readonly javascript=$toolchains/javascript/node_modules
readonly javascript_packages=(@bytecodealliance/componentize-js@0.23.0 componentize-qjs@0.4.5)

javascript_title() {
    echo JavaScript
}

javascript_names() {
    folders_with main.js
    folders_with proxy.js
}

# The packages with their versions, as they are asked for.
javascript_compiler() {
    local package
    for package in "${javascript_packages[@]%@*}"; do
        sed -n "s|^ *\"version\": \"\(.*\)\",\$|$package@\1|p" "$javascript/$package/package.json" 2>/dev/null || return 0
    done
}

javascript_missing() {
    if ! command -v npm >/dev/null; then
        echo 'npm is missing: run `apt-get install nodejs npm`'
    fi
}

javascript_install() {
    if [[ $(javascript_compiler) == "$(printf '%s\n' "${javascript_packages[@]}")" ]]; then return; fi
    mkdir -p "$toolchains/javascript"
    npm install --prefix "$toolchains/javascript" --no-save --silent "${javascript_packages[@]}"
}

# The engine of componentize-js handles `fetch` for these interfaces of exactly one version.
javascript_compile() {
    local name
    wit "$2/wit-0.2.10" 0.2.10
    wit "$2/wit-0.2.12" 0.2.12
    for name in $(folders_with proxy.js); do
        "$javascript/.bin/componentize-js" "$name/proxy.js" --wit "$2/wit-0.2.10" --world-name proxy --out "$1/$name.wasm"
    done
    for name in $(folders_with main.js); do
        "$javascript/.bin/componentize-qjs" --sync --opt-size --js "$name/main.js" --wit "$2/wit-0.2.12" --world command \
            --output "$1/$name.wasm"
    done
}

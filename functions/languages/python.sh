# shellcheck shell=bash disable=SC2016,SC2154
# Python, by componentize-py from PyPI, which brings CPython along: components of WASI 0.2.

readonly python_version=0.25.1
readonly python=$toolchains/python/bin

python_title() {
    echo Python
}

python_names() {
    folders_with main.py
    folders_with proxy.py
}

python_compiler() {
    "$python/componentize-py" --version 2>/dev/null || true
}

python_missing() {
    if ! command -v python3 >/dev/null; then
        echo 'python3 is missing: run `apt-get install python3-venv`'
    fi
}

python_install() {
    if [[ $(python_compiler) == "componentize-py $python_version" ]]; then return; fi
    pypi_install python "componentize-py==$python_version"
}

python_compile() {
    local name
    wit "$2/wit-0.2.12" 0.2.12
    for name in $(folders_with main.py); do
        python_component "$name" main command "$1" "$2"
    done
    for name in $(folders_with proxy.py); do
        python_component "$name" proxy proxy "$1" "$2"
    done
}

python_component() {
    "$python/componentize-py" --quiet --wit-path "$5/wit-0.2.12" --world "$3" componentize "$2" --python-path "$1" \
        --output "$4/$1.wasm"
}

# shellcheck shell=bash disable=SC2016,SC2154
# C and C++, by clang with a WASI sysroot: core modules for WASI preview 1.

readonly c_target=wasm32-wasi
readonly c_debian='clang lld wasi-libc libclang-rt-14-dev-wasm32 libc++-dev-wasm32'

c_title() {
    echo 'C and C++'
}

c_names() {
    folders_with main.c
    folders_with main.cpp
}

c_sources() {
    local path
    for path in */main.c */main.cpp; do
        printf '%s\n' "$path"
    done
}

# The archives that are linked in.
c_archives() {
    local name
    for name in crt1-command.o libc.a libc++.a libc++abi.a; do
        clang --target="$c_target" -print-file-name="$name"
    done
    clang --target="$c_target" -print-libgcc-file-name
}

c_compiler() {
    local version linker archives
    version=$(clang --version 2>/dev/null | head -n 1) || return 0
    linker=$(wasm-ld --version 2>/dev/null) || return 0
    # shellcheck disable=SC2002,SC2046 # several files, and paths of a compiler have no white space
    archives=$(cat $(c_archives) 2>/dev/null | sha256sum | cut -c 1-16)
    printf '%s, %s, libraries %s\n' "$version" "$linker" "$archives"
}

c_missing() {
    local command path
    for command in clang clang++ wasm-ld; do
        if ! command -v "$command" >/dev/null; then
            echo "$command is missing: run \`apt-get install $c_debian\`"
            return
        fi
    done
    for path in $(c_archives); do
        if [[ ! -f $path ]]; then
            echo "${path##*/} for $c_target is missing: run \`apt-get install $c_debian\`"
            return
        fi
    done
}

c_compile() {
    local -a flags=("--target=$c_target" -O3 -s -Wall -Wextra -Werror)
    local name
    for name in $(folders_with main.c); do
        clang -std=c11 "${flags[@]}" "$name/main.c" -o "$1/$name.wasm"
    done
    for name in $(folders_with main.cpp); do
        clang++ -std=c++20 -fno-exceptions "${flags[@]}" "$name/main.cpp" -o "$1/$name.wasm"
    done
}

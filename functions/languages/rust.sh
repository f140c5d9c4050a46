# shellcheck shell=bash disable=SC2016,SC2154
# Rust, by plain `cargo build`: core modules for WASI preview 1, and components where a package's metadata says
# `target = "wasm32-wasip2"`.

rust_title() {
    echo Rust
}

rust_components() {
    grep -lxF 'target = "wasm32-wasip2"' ./*/Cargo.toml | cut -d / -f 2
}

# The packages with a main.rs and the components; the others are what functions share.
rust_names() {
    {
        folders_with src/main.rs
        rust_components
    } | sort -u
}

rust_sources() {
    find Cargo.toml Cargo.lock ./*/Cargo.toml ./*/src -type f | sed 's|^\./||'
}

# The host belongs to the compiler: it may show in the symbols.
rust_compiler() {
    rustc --version --verbose 2>/dev/null |
        awk 'NR == 1 { version = $0 } $1 == "host:" { host = $2 } END { if (host) print version " on " host }' || true
}

rust_missing() {
    if [[ -z $(rust_compiler) ]]; then
        echo 'rustc is missing: install Rust from https://rustup.rs'
        return
    fi
    local target
    for target in wasm32-wasip1 wasm32-wasip2; do
        if ! compgen -G "$(rustc --print sysroot)/lib/rustlib/$target/lib/libstd-*.rlib" >/dev/null; then
            echo "the target is missing: run \`rustup target add $target\`"
            return
        fi
    done
    if ! cargo fetch --quiet --locked --offline 2>/dev/null; then
        echo 'crates are missing: run `cargo fetch --locked --manifest-path functions/Cargo.toml`'
    fi
}

# Paths of this machine would otherwise stand in panic messages; the last remapping undoes what rustc does where the
# component rust-src is installed.
rust_compile() {
    local sysroot commit separator=$'\x1f'
    sysroot=$(rustc --print sysroot)
    commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
    local -a flags=(
        "--remap-path-prefix=$PWD=/functions"
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
        "--remap-path-prefix=$sysroot=/sysroot"
        "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
    )
    local encoded name target built
    encoded=$(IFS=$separator && printf '%s' "${flags[*]}")
    for target in wasm32-wasip1 wasm32-wasip2; do
        local -a packages=()
        for name in $(rust_names); do
            if [[ $target == "$(rust_target "$name")" ]]; then packages+=(--package "$name"); fi
        done
        if ((${#packages[@]} == 0)); then continue; fi
        CARGO_INCREMENTAL=0 CARGO_ENCODED_RUSTFLAGS=$encoded \
            cargo build --quiet "${packages[@]}" --release --locked --offline --target "$target" --target-dir "$2"
    done
    for name in $(rust_names); do
        built=$2/$(rust_target "$name")/release
        # A library is named as Rust spells it.
        if [[ -f $name/src/lib.rs ]]; then built+=/${name//-/_}.wasm; else built+=/$name.wasm; fi
        cp "$built" "$1/$name.wasm"
    done
}

rust_target() {
    if rust_components | grep -xF -- "$1" >/dev/null; then echo wasm32-wasip2; else echo wasm32-wasip1; fi
}

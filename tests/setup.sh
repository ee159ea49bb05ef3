#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the build or the tests need and this machine lacks, and says what.
#
#   setup.sh build          packages that `cargo build` and the tests need (HDF5 is compiled with
#                           CMake, plugins in C with gcc and clang)
#   setup.sh python FOLDER  a virtual environment with the packages the tests compare with
#
# Debian and its relatives are installed to with apt-get; elsewhere it says what is missing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'setup: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "needs root to run \`$*\`, and there is no sudo: run it as root, then try again"
        exit 1
    fi
}

install() {
    [ $# -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "missing: $* (Debian's names); install them with your system's package manager"
        exit 1
    fi
    say "installing $* with apt-get"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

build() {
    local missing=()
    command -v cc >/dev/null && command -v c++ >/dev/null && command -v make >/dev/null ||
        missing+=(build-essential)
    command -v cmake >/dev/null || missing+=(cmake)
    # Plugins in C are compiled by both compilers.
    command -v clang >/dev/null || missing+=(clang)
    # Milvus 1.x may keep its metadata in MySQL or MariaDB; a test starts a server of its own.
    PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null || missing+=(mariadb-server)
    install ${missing[@]+"${missing[@]}"}
    if ! command -v cargo >/dev/null; then
        say "there is no cargo: install Rust's stable toolchain with rustup, then try again"
        exit 1
    fi
}

python() {
    local folder=$1 wanted="$here/python/requirements.txt"
    # Packages whose own lists of dependencies can't be met any more.
    local alone="$here/python/requirements-nodeps.txt"
    # A copy of both lists is left behind when everything in them is installed.
    if cat "$wanted" "$alone" | cmp -s - "$folder/installed.txt" &&
        "$folder/bin/python" -c '' 2>/dev/null; then
        return
    fi
    local missing=()
    command -v python3 >/dev/null || missing+=(python3)
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    install ${missing[@]+"${missing[@]}"}
    say "installing $(cat "$wanted" "$alone" | grep -v '^#' | tr '\n' ' ')with pip into $folder"
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    python3 -m venv "$folder"
    local pip=("$folder/bin/python" -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" -r "$wanted" >&2
    "${pip[@]}" --no-deps -r "$alone" >&2
    cat "$wanted" "$alone" >"$folder/installed.txt"
}

case "${1-}" in
build) build ;;
python) python "${2:?the folder of the virtual environment}" ;;
*)
    say "usage: setup.sh build | setup.sh python FOLDER"
    exit 2
    ;;
esac

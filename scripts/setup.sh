#!/bin/sh
# Makes the project's Python environment in .venv: finds a Python, installs what is missing, says what it installs.
# A second run, with nothing changed, ends at once.
# DMHELPERS_PACK=FILE: take the Python packages from a pack (`dmhelpers pack`), and ask no network.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/.dmhelpers-stamp

command -v sha256sum >/dev/null 2>&1 || sha256sum() { shasum -a 256; } # macOS

say() { printf '%s\n' "$*" >&2; }
fail() { say "setup: $1"; say "$2"; exit 1; }

is_debian() { [ -f /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; }

find_python() {
    for name in ${DMHELPERS_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$name" 2>/dev/null) || continue
        if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$path"
            return
        fi
    done
    fail "no Python 3.11 or newer on PATH." \
        "Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name one: DMHELPERS_PYTHON=/path/to/python make setup"
}

install_venv_module() {
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if ! is_debian; then
        fail "$1 cannot make virtual environments." "Install its venv and ensurepip modules, then run again: make setup"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail "$1 cannot make virtual environments." "Run: sudo apt-get install $package   and then again: make setup"
    fi
    say "setup: installing $package from the distribution's packages"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get update -qq >&2
    apt-get install -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 -o APT::Keep-Downloaded-Packages=false \
        --no-install-recommends "$package" >/dev/null
}

wanted_stamp() {
    cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -d' ' -f1
}

if [ -x $venv/bin/python ] && [ "$(cat $stamp 2>/dev/null)" = "$(wanted_stamp)" ] \
    && [ "$(cat $stamp.folder 2>/dev/null)" = "$(pwd)" ] && $venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

begun=$(date +%s)
python=$(find_python)
# An environment that was moved, or whose Python is gone, is made anew; a working one is brought up to date.
if ! { $venv/bin/python -m pip --version && [ "$(cat $stamp.folder 2>/dev/null || pwd)" = "$(pwd)" ]; } >/dev/null 2>&1; then
    "$python" -c 'import venv, ensurepip' 2>/dev/null || install_venv_module "$python"
    say "setup: making $venv with $("$python" --version) ($python)"
    rm -rf $venv
    "$python" -m venv $venv
fi
set -- --constraint constraints.txt --editable '.[test,dev]'
if [ -n "${DMHELPERS_PACK:-}" ]; then
    say "setup: verifying the Python packages in $DMHELPERS_PACK"
    wheels=build/pack-wheels
    mkdir -p build
    trap 'rm -rf "$wheels"' EXIT
    PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 $venv/bin/python -m dmhelpers.engine.pack.unpack "$DMHELPERS_PACK" wheels "$wheels"
    set -- --no-index --find-links "$wheels" "$@"
fi
say "setup: installing the project and its Python packages into $venv (about a minute the first time)"
$venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile "$@"
wanted_stamp >$stamp
pwd >$stamp.folder
packages=$(find $venv/lib/python*/site-packages -maxdepth 1 -name '*.dist-info' | wc -l)
say "setup: $((packages)) packages, $(du -sm $venv | cut -f1) MB in $venv, $(($(date +%s) - begun)) s"

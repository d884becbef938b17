#!/bin/sh
# Finds JupyterHub's proxy for the tests of the instructor's view; where there is none, installs it into build/proxy.
set -eu
cd "$(dirname "$0")/.."
if command -v configurable-http-proxy >/dev/null 2>&1 || [ -x build/proxy/node_modules/.bin/configurable-http-proxy ]; then
    exit 0
fi
if ! command -v npm >/dev/null 2>&1; then
    if ! { [ -f /etc/debian_version ] && [ "$(id -u)" -eq 0 ]; }; then
        echo "proxy: JupyterHub's proxy comes from npm, and there is no npm on PATH." >&2
        echo "Install Node.js with npm, then run again: make test-browser" >&2
        exit 1
    fi
    echo "proxy: installing Node.js and npm from the distribution's packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends nodejs npm >/dev/null
fi
mkdir -p build/proxy
exec npm install --prefix build/proxy --silent --no-fund --no-audit --no-save configurable-http-proxy@5

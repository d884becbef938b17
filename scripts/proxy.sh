#!/bin/sh
# Has JupyterHub's proxy ready for the tests that open a hub; on Debian and Ubuntu installs npm first where there is none.
set -eu
cd "$(dirname "$0")/.."
if ! command -v configurable-http-proxy >/dev/null 2>&1 && ! command -v npm >/dev/null 2>&1 \
    && [ -f /etc/debian_version ] && [ "$(id -u)" -eq 0 ]; then
    echo "proxy: installing Node.js and npm from the distribution's packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 --no-install-recommends nodejs npm >/dev/null
fi
exec .venv/bin/python -m dmhelpers.workshop.proxy

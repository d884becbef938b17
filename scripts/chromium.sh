#!/bin/sh
# Finds a Chromium for the browser tests; as root on Debian or Ubuntu, installs the distribution's own.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ -f /etc/debian_version ] && [ "$(id -u)" -eq 0 ]; then
    echo "browser: installing chromium from the distribution's packages (about 300 MB)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    exec apt-get install -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi
echo "browser: the browser tests need Chromium, and there is none on PATH." >&2
echo "Install it (Debian: sudo apt-get install chromium), then run again: make test-browser" >&2
exit 1

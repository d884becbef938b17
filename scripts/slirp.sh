#!/bin/sh
# The tests on the second image store give its engine a network by slirp4netns; as root on Debian or Ubuntu, installs it.
set -eu
if command -v slirp4netns >/dev/null 2>&1 || ! command -v dockerd >/dev/null 2>&1; then
    exit 0
fi
if [ -f /etc/debian_version ] && [ "$(id -u)" -eq 0 ]; then
    echo "test: installing slirp4netns from the distribution's packages (under 1 MB)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    exec apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends slirp4netns >/dev/null
fi

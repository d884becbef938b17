#!/bin/sh
# The tests' own engines get their networks by slirp4netns and ip; as root on Debian or Ubuntu, installs what is missing.
set -eu
missing=""
command -v slirp4netns >/dev/null 2>&1 || missing="slirp4netns"
command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
[ -n "$missing" ] && command -v dockerd >/dev/null 2>&1 || exit 0
if [ -f /etc/debian_version ] && [ "$(id -u)" -eq 0 ]; then
    echo "test: installing $missing from the distribution's packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  a list of packages
    exec apt-get install -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 --no-install-recommends $missing >/dev/null
fi

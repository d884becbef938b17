#!/bin/sh
# Finds debootstrap, which makes the base of a workshop's seats where no registry answers; as root on Debian, installs it.
set -eu
[ ! -x /usr/sbin/debootstrap ] || exit 0
if ! { [ -f /etc/debian_version ] && [ "$(id -u)" -eq 0 ]; }; then
    echo "debootstrap: not here; the base of a workshop's seats must come from a registry." >&2
    exit 0
fi
echo "debootstrap: installing it from the distribution's packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 --no-install-recommends debootstrap >/dev/null

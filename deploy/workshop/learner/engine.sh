#!/bin/sh
# The learner's engine, as runit's `run` script: it is started again whenever it ends.
set -eu
# An engine that was killed leaves these, and the next one would not start beside them. Some belong to the users of its
# containers, and one folder may not be entered: root of the engine's own user namespace removes them.
left="$XDG_RUNTIME_DIR/docker.pid $XDG_RUNTIME_DIR/docker $XDG_RUNTIME_DIR/dockerd-rootless"
# shellcheck disable=SC2086  three paths without spaces
rm -rf $left 2>/dev/null || rootlesskit rm -rf $left || true
# With a process namespace of its own, all that an engine started ends with it.
export DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS="--pidns"
unset DOCKER_HOST
# An engine that cannot start is tried for as long as the seat runs; its log must not fill the seat's memory.
log="$XDG_RUNTIME_DIR/engine.log"
[ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -lt 5000000 ] || : > "$log"
exec sh /usr/share/docker.io/contrib/dockerd-rootless.sh --config-file /etc/docker/daemon.json \
    --host "unix://$XDG_RUNTIME_DIR/docker.sock" --data-root "$HOME/.local/share/docker" \
    >>"$log" 2>&1

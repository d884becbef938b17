#!/bin/sh
# Starts a learner's seat: the notebooks, the engine (kept running by runit), then the command that was given.
# The home is the learner's: it may be full, and anything in it may be gone, locked, or something else than it was.
# Whatever of that fails is told and left, and the seat starts.
set -u
course="$HOME/course"

# Makes a folder that can be written to; what else has its name is put aside.
folder() {
    chmod u+rwx "$1" 2>/dev/null
    [ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ] && return
    if [ -e "$1" ] || [ -L "$1" ]; then
        mv -- "$1" "$1.aside-$(date +%Y%m%d-%H%M%S)" || return
    fi
    mkdir -p -- "$1"
}

# Copies a notebook that the learner has not got; what they have already is theirs.
give() {
    [ -e "$course/notebooks/${1##*/}" ] && return
    # A copy that an earlier start could not finish, or what somebody put in its place.
    rm -rf "$course/notebooks/.new" &&
        cp "$1" "$course/notebooks/.new" &&
        mv -T "$course/notebooks/.new" "$course/notebooks/${1##*/}" && return
    rm -rf "$course/notebooks/.new"
    return 1
}

# Sets a variable to a folder in memory where the one in the home takes no file.
kept_in() {
    folder "$2" && rm -rf "$2/.room" && echo room > "$2/.room" && rm "$2/.room" && return
    rm -f "$2/.room"
    mkdir -p -m 700 "$XDG_RUNTIME_DIR/$1" && export "$1=$XDG_RUNTIME_DIR/$1"
} 2>/dev/null

chmod u+rwx "$HOME" 2>/dev/null
for wanted in "$HOME/.cache" "$TMPDIR" "$HOME/.local" "$HOME/.local/share" "$HOME/.local/share/docker" \
    "$course" "$course/notebooks" "$course/workspace"; do
    folder "$wanted" || echo "start: $wanted cannot be made" >&2
done
for notebook in "${WORKSHOP_NOTEBOOKS:-/opt/course/notebooks}"/*; do
    give "$notebook" || echo "start: ${notebook##*/} cannot be copied" >&2
done
# On a disk that is full no server and no kernel would start without a place for these.
kept_in TMPDIR "$TMPDIR"
mkdir -p -m 700 "$XDG_RUNTIME_DIR/jupyter" && export JUPYTER_RUNTIME_DIR="$XDG_RUNTIME_DIR/jupyter"
kept_in JUPYTER_CONFIG_DIR "$HOME/.jupyter"
kept_in JUPYTER_DATA_DIR "$HOME/.local/share/jupyter"
kept_in IPYTHONDIR "$HOME/.ipython"

if [ "${WORKSHOP_ENGINE:-own}" = own ]; then
    mkdir -p "$XDG_RUNTIME_DIR/engine"
    ln -sf /opt/workshop/engine.sh "$XDG_RUNTIME_DIR/engine/run"
    (runsv "$XDG_RUNTIME_DIR/engine" &)
fi
({ /opt/workshop/load-pack.sh >>"$XDG_RUNTIME_DIR/pack.log" 2>&1; : > "$XDG_RUNTIME_DIR/pack.done"; } &)

if ! cd "$course" 2>/dev/null; then
    cd "$HOME" || cd /tmp || exit
    # Where the server opens: what the hub said is not there.
    export JUPYTERHUB_ROOT_DIR="$PWD" JUPYTERHUB_DEFAULT_URL=/lab
fi
exec "$@"

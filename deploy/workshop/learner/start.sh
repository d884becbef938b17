#!/bin/sh
# Starts a learner's seat: the notebooks, the engine (kept running by runit), then the command that was given.
set -eu
mkdir -p "$TMPDIR" "$HOME/course/workspace" "$HOME/.local/share/docker"
for notebook in /opt/course/notebooks/*; do
    # What a learner has already is theirs.
    [ -e "$HOME/course/notebooks/${notebook##*/}" ] || {
        mkdir -p "$HOME/course/notebooks"
        cp "$notebook" "$HOME/course/notebooks/.new"
        mv "$HOME/course/notebooks/.new" "$HOME/course/notebooks/${notebook##*/}"
    }
done

if [ "${WORKSHOP_ENGINE:-own}" = own ]; then
    mkdir -p "$XDG_RUNTIME_DIR/engine"
    ln -sf /opt/workshop/engine.sh "$XDG_RUNTIME_DIR/engine/run"
    (runsv "$XDG_RUNTIME_DIR/engine" &)
fi
({ /opt/workshop/load-pack.sh >>"$XDG_RUNTIME_DIR/pack.log" 2>&1 || true; : > "$XDG_RUNTIME_DIR/pack.done"; } &)

cd "$HOME/course"
exec "$@"

